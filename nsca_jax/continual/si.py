"""Synaptic intelligence: importance is the loss that a parameter removed on its way.

    omega_i = - sum_steps g_i dtheta_i,  Omega_i += max(omega_i, 0) / (Delta_i^2 + xi)
    penalty = sum_i Omega_i (theta_i - theta*_i)^2        (Zenke, Poole & Ganguli 2017)

Negative sums are cut to 0: they would push a parameter away from where it was.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

Params = Any  # a pytree of float arrays


@struct.dataclass
class State:
    """All are pytrees like the parameters."""

    path: Params  # omega, nats removed since the task began
    importance: Params  # Omega >= 0
    centre: Params  # theta*, the parameters when the last task ended


def init(params: Params) -> State:
    """No task learnt, the first one begins."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return State(zeros, zeros, params)


def track(state: State, grads: Params, before: Params, after: Params) -> State:
    """One step; `grads` are those of the task's own loss at `before`, without the penalty."""
    path = jax.tree.map(lambda w, g, b, a: w - g * (a - b), state.path, grads, before, after)
    return state.replace(path=path)  # pyright: ignore[reportAttributeAccessIssue]


def update(state: State, params: Params, xi: float = 1e-3) -> State:
    """The task ends at `params`; xi bounds the importance of parameters that hardly moved."""
    importance = jax.tree.map(
        lambda total, w, now, start: total + jnp.maximum(w, 0.0) / ((now - start) ** 2 + xi),
        state.importance,
        state.path,
        params,
        state.centre,
    )
    return State(jax.tree.map(jnp.zeros_like, params), importance, params)


def penalty(state: State, params: Params) -> jax.Array:
    """sum Omega (theta - theta*)^2, a scalar in nats."""
    parts = jax.tree.map(
        lambda w, c, theta: jnp.sum(w * (theta - c) ** 2), state.importance, state.centre, params
    )
    return jax.tree.reduce(jnp.add, parts)
