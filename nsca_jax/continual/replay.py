"""Rehearsal: a few examples of every old task, mixed into each batch (Robins 1995)."""

import jax
import jax.numpy as jnp
from flax import struct


@struct.dataclass
class State:
    """Room for T tasks of K examples each."""

    x: jax.Array  # [T, K, D]
    y: jax.Array  # [T, K] int32
    tasks: jax.Array  # [] int32, how many are held


def init(tasks: int, per_task: int, dimensions: int) -> State:
    """An empty memory."""
    return State(
        jnp.zeros((tasks, per_task, dimensions)),
        jnp.zeros((tasks, per_task), jnp.int32),
        jnp.zeros((), jnp.int32),
    )


def update(state: State, x_NxD: jax.Array, y_N: jax.Array, key: jax.Array) -> State:
    """Keeps K of a task's N >= K examples, drawn without replacement.

    A task beyond the room is dropped: count before.
    """
    kept = jax.random.permutation(key, len(x_NxD))[: state.x.shape[1]]
    return State(
        state.x.at[state.tasks].set(x_NxD[kept]),
        state.y.at[state.tasks].set(y_N[kept]),
        state.tasks + 1,
    )


def sample(state: State, size: int, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(x [size, D], y [size], weight [size]) drawn from all old tasks alike, with replacement.

    The weight is the number of old tasks divided by `size`, so that every task seen weighs 1
    beside the present one; 0 while nothing is held.
    """
    key_task, key_row = jax.random.split(key)
    task = jax.random.randint(key_task, (size,), 0, jnp.maximum(state.tasks, 1))
    row = jax.random.randint(key_row, (size,), 0, state.x.shape[1])
    weight = jnp.full(size, state.tasks / size)
    return state.x[task, row], state.y[task, row], weight
