"""Experience on the device: a ring of rows for S seeds, written in place.

Time comes first and the write index is one scalar for all seeds, so that a donated buffer is
updated in place by one slice; a batched index would copy it. Sampling differs per seed.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct


@struct.dataclass
class ReplayBuffer:
    """The last `capacity` rows of each of S seeds."""

    rows: Any  # [capacity, S, ...] each
    valid: jax.Array  # [capacity, S] bool, False where the row was not worth keeping
    next: jax.Array  # [] int32, where the next block goes
    size: jax.Array  # [] int32, rows filled
    block: int = struct.field(pytree_node=False)


def init(example: Any, capacity: int, seeds: int, block: int) -> ReplayBuffer:
    """An empty buffer for rows like `example` (leaves [...], without seed or batch axis).

    Args:
        capacity: rows per seed, a multiple of `block`, so that no block wraps around.
        block: rows per seed of every `add`.

    Raises:
        ValueError: capacity is no multiple of block.
    """
    if capacity % block:
        raise ValueError(f"capacity {capacity} is no multiple of the block of {block} rows")
    rows = jax.tree.map(lambda x: jnp.zeros((capacity, seeds, *x.shape), x.dtype), example)
    return ReplayBuffer(
        rows=rows,
        valid=jnp.zeros((capacity, seeds), bool),
        next=jnp.zeros((), jnp.int32),  # its own buffer: one shared with size cannot be donated
        size=jnp.zeros((), jnp.int32),
        block=block,
    )


def add(buffer: ReplayBuffer, batch: Any, valid: jax.Array) -> ReplayBuffer:
    """Stores a block [B, S, ...] over the oldest rows.

    Rows that are not `valid` [B, S], or hold a number that is not finite, take their place in
    the ring as zeros and are never sampled as valid: the write index stays common to all seeds.
    """
    chex.assert_shape(valid, (buffer.block, buffer.valid.shape[1]))
    kept = valid & finite_rows(batch)

    def write(stored: jax.Array, block: jax.Array) -> jax.Array:
        mask = kept.reshape(kept.shape + (1,) * (block.ndim - 2))
        clean = jnp.where(mask, block, jnp.zeros_like(block))
        return jax.lax.dynamic_update_slice_in_dim(stored, clean, buffer.next, 0)

    capacity = buffer.valid.shape[0]
    return ReplayBuffer(
        rows=jax.tree.map(write, buffer.rows, batch),
        valid=jax.lax.dynamic_update_slice_in_dim(buffer.valid, kept, buffer.next, 0),
        next=(buffer.next + buffer.block) % capacity,
        size=jnp.minimum(buffer.size + buffer.block, capacity),
        block=buffer.block,
    )


def sample(
    buffer: ReplayBuffer, keys: jax.Array, batch: int, recent: int = 0
) -> tuple[Any, jax.Array]:
    """Draws [S, batch, ...] rows uniformly from what is filled, by keys [S], and their validity.

    The mask [S, batch] goes into the loss: uniform over the valid rows, with no search for them.
    On an empty buffer nothing is valid. `recent` > 0 draws from the last so many rows alone.
    """
    capacity, seeds = buffer.valid.shape
    filled = jnp.maximum(buffer.size, 1)
    if recent:
        filled = jnp.minimum(filled, recent)
    index = jax.vmap(lambda k: jax.random.randint(k, (batch,), 0, filled))(keys)
    if recent:
        index = (buffer.next - 1 - index) % capacity
    column = jnp.arange(seeds)[:, None]
    rows = jax.tree.map(lambda stored: stored[index, column], buffer.rows)
    return rows, buffer.valid[index, column]


def finite_rows(batch: Any) -> jax.Array:
    """[B, S] bool: every floating leaf [B, S, ...] of the row is finite."""
    leaves = [x for x in jax.tree.leaves(batch) if jnp.issubdtype(x.dtype, jnp.floating)]
    shape = jax.tree.leaves(batch)[0].shape[:2]
    finite = [jnp.isfinite(x).reshape(*shape, -1).all(-1) for x in leaves]
    return jnp.stack([jnp.ones(shape, bool), *finite]).all(0)
