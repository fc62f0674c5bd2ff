"""A seed whose loss or gradient is not finite stops learning, and says when and where.

`freezing(optimiser)` wraps an optax optimiser. From the first update whose loss or gradient holds a
NaN or an infinity, that seed's parameters and moments stay as the last good update left them. Under
`vmap` the other seeds go on as if they were alone.
"""

# jnp functions have one array to return, and optax extra arguments, though not to pyright.
# pyright: reportArgumentType=false, reportOperatorIssue=false

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax


class FaultError(RuntimeError):
    """No seed is left that could learn; the message says what befell each."""


class Frozen(NamedTuple):
    """State of a `freezing` optimiser; leaves lead with S under `vmap`."""

    inner: optax.OptState
    updates: jax.Array  # [] int32, good ones so far
    fault: jax.Array  # [] int32, the first of `places` that was not finite; -1: none yet


def freezing(optimiser: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """`optimiser`, whose `update` takes the `loss` [] too, and stops for good at a fault."""
    inner = optax.with_extra_args_support(optimiser)

    def init(params: optax.Params) -> Frozen:
        return Frozen(inner.init(params), jnp.zeros((), jnp.int32), jnp.full((), -1, jnp.int32))

    def update(grads, state, params=None, *, loss, **extra):
        sick = jnp.stack([~jnp.isfinite(x).all() for x in (loss, *jax.tree.leaves(grads))])
        now = jnp.where(sick.any(), jnp.argmax(sick).astype(jnp.int32), -1)
        fault = jnp.where(state.fault < 0, now, state.fault)
        fine = fault < 0
        steps, moments = inner.update(grads, state.inner, params, **extra)
        steps = jax.tree.map(lambda x: jnp.where(fine, x, jnp.zeros_like(x)), steps)
        moments = jax.tree.map(lambda new, old: jnp.where(fine, new, old), moments, state.inner)
        return steps, Frozen(moments, state.updates + fine, fault)

    return optax.GradientTransformationExtraArgs(init, update)


def places(params: Any) -> list[str]:
    """What `Frozen.fault` counts: the loss, then the gradient of each leaf of `params`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    return ["the loss", *(f"the gradient of {name}" for name in names)]


def found(state: Frozen, params: Any) -> dict[int, str]:
    """Seed -> what befell it and when, in words; `state` and `params` lead with S."""
    fault, updates, known = np.asarray(state.fault), np.asarray(state.updates), places(params)
    return {
        int(seed): f"{known[fault[seed]]} was not finite after {updates[seed]} good updates"
        for seed in np.flatnonzero(fault >= 0)
    }


def blank(state: Frozen, figures: Any) -> np.ndarray:
    """`figures` [S, ...] with NaN where the seed is at fault."""
    failed = np.asarray(state.fault) >= 0
    out = np.array(figures, float)
    out[failed] = np.nan
    return out


def refuse_none_left(faults: Mapping[int, str], seeds: int) -> None:
    """Raises FaultError where every one of the seeds is at fault."""
    if len(faults) == seeds:
        told = "; ".join(f"seed {seed}: {what}" for seed, what in faults.items())
        raise FaultError(f"no seed is left that could learn ({told})")
