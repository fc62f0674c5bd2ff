"""A seed whose loss or gradient is not finite stops learning, and says when and where.

`freezing(optimiser)` wraps an optax optimiser. From the first update whose loss or gradient holds a
NaN or an infinity, that seed's parameters and moments stay as the last good update left them. Under
`vmap` the other seeds go on as if they were alone. What befell whom is `found`, one text a seed.
"""

# jnp functions have one array to return, and optax extra arguments, though not to pyright.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct


class FaultError(RuntimeError):
    """No seed is left that could learn; the message says what befell each."""


@struct.dataclass
class Frozen:
    """State of a `freezing` optimiser; leaves lead with S under `vmap`."""

    inner: Any  # the optimiser's own
    updates: jax.Array  # [] int32, good ones so far
    fault: jax.Array  # [] int32, the first of `places` that was not finite; -1: none yet
    places: tuple[str, ...] = struct.field(pytree_node=False)


class Freezing(NamedTuple):
    """An optax optimiser that may freeze."""

    init: Callable[[Any], Frozen]
    update: Callable[..., tuple[Any, Frozen]]  # (grads, state, params, *, loss)


def freezing(optimiser: optax.GradientTransformation) -> Freezing:
    """`optimiser`, whose `update` takes the `loss` [] too, and stops for good at a fault."""
    inner = optax.with_extra_args_support(optimiser)

    def init(params: optax.Params) -> Frozen:
        none = jnp.full((), -1, jnp.int32)
        return Frozen(inner.init(params), jnp.zeros((), jnp.int32), none, places(params))

    def update(grads, state, params=None, *, loss, **extra):
        sick = jnp.stack([~jnp.isfinite(x).all() for x in (loss, *jax.tree.leaves(grads))])
        now = jnp.where(sick.any(), jnp.argmax(sick).astype(jnp.int32), -1)
        fault = jnp.where(state.fault < 0, now, state.fault)
        after = state.replace(updates=state.updates + (fault < 0), fault=fault)
        steps, moments = inner.update(grads, state.inner, params, **extra)
        steps = keep(after, steps, jax.tree.map(jnp.zeros_like, steps))
        return steps, after.replace(inner=keep(after, moments, state.inner))

    return Freezing(init, update)


def places(params: Any) -> tuple[str, ...]:
    """What `Frozen.fault` counts: the loss, then the gradient of each leaf of `params`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    return ("the loss", *(f"the gradient of {name}" for name in names))


def keep(state: Frozen, new: Any, old: Any) -> Any:
    """`new`, but `old` where `state` is at fault: for what changes beside the parameters."""
    return jax.tree.map(lambda x, y: jnp.where(state.fault < 0, x, y), new, old)


def mark(state: Frozen, told: Any) -> Any:
    """Figures `told`, NaN where `state` is at fault."""
    return jax.tree.map(lambda x: jnp.where(state.fault < 0, x, jnp.nan), told)


def renewed(state: Frozen, fresh: Frozen) -> Frozen:
    """`fresh`, for a new stretch of the same life: its updates count on, and a fault stays."""
    return fresh.replace(updates=state.updates, fault=state.fault)


def sign(state: Frozen) -> Frozen:
    """`state` without its moments: what is left to tell when learning is over."""
    return state.replace(inner=())


def found(state: Frozen) -> np.ndarray:
    """[S] what befell each seed and when, in words; empty where nothing did.

    `state` leads with S; of further axes (members, tasks) the first at fault speaks.
    """
    seeds = len(state.fault)
    fault, updates = (np.asarray(x).reshape(seeds, -1) for x in (state.fault, state.updates))
    first = np.arange(seeds), np.argmax(fault >= 0, 1)
    told = zip(fault[first], updates[first], strict=True)
    return np.array([_words(state.places[at], n) if at >= 0 else "" for at, n in told], str)


def alone(states: Mapping[str, Frozen], seed: int, seeds: int) -> np.ndarray:
    """As `found`, of one seed among `seeds`, whose stretches of learning are `states` by name."""
    out = [""] * seeds
    for name, state in states.items():
        (told,) = found(jax.tree.map(lambda x: jnp.asarray(x)[None], state))
        out[seed] = out[seed] or (f"{name}: {told}" if told else "")
    return np.array(out, str)


def blank(found: np.ndarray, figures: Any) -> np.ndarray:
    """`figures` [S, ...] with NaN where `found` [S] tells of a fault."""
    out = np.array(figures)
    out[found != ""] = np.nan
    return out


def blanked(state: Frozen, figures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Figures [S, ...] by name, those that are floats blank, and `faults`, what was found."""
    told, out = found(state), {name: np.asarray(x) for name, x in figures.items()}
    out = {name: blank(told, x) if x.dtype.kind == "f" else x for name, x in out.items()}
    return {**out, "faults": told}


def refuse_none_left(faults: Mapping[int, str], seeds: int) -> None:
    """Raises FaultError where every one of the seeds is at fault."""
    if len(faults) == seeds:
        told = "; ".join(f"seed {seed}: {what}" for seed, what in sorted(faults.items()))
        raise FaultError(f"no seed is left that could learn ({told})")


def _words(place: str, updates: int) -> str:
    return f"{place} was not finite after {updates} good updates"
