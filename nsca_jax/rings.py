"""Fixed-size histories, one ring a cell, appended to by batches in which cells may repeat."""

import jax
import jax.numpy as jnp


def append(
    ring_RxW: jax.Array,
    count_R: jax.Array,
    cell_B: jax.Array,
    value_B: jax.Array,
    valid_B: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Appends value_B[b] to the ring of cell_B[b], in the order of b, where valid_B[b] holds.

    A scatter with repeated indices would keep one of them: so each value first learns its rank
    among those of its cell, and what would be overwritten within the batch is not written at all.

    Args:
        ring_RxW: W values a cell; the n-th value ever (from 0) lies in slot n mod W.
        count_R: int32, values ever appended to each cell.
        cell_B, value_B, valid_B: int32 in [0, R), float32, bool.

    Returns:
        The new ring and count.
    """
    cells, window = ring_RxW.shape
    same_BxB = (cell_B[:, None] == cell_B[None, :]) & valid_B[None, :]
    rank_B = jnp.sum(jnp.tril(same_BxB, -1), -1)
    kept_B = valid_B & (jnp.sum(same_BxB, -1) - rank_B <= window)
    slot_B = (count_R[cell_B] + rank_B) % window
    row_B = jnp.where(kept_B, cell_B, cells)  # out of range, hence dropped
    ring_RxW = ring_RxW.at[row_B, slot_B].set(value_B, mode="drop")
    count_R = count_R.at[cell_B].add(valid_B.astype(count_R.dtype))
    return ring_RxW, count_R


def filled(ring_RxW: jax.Array, count_R: jax.Array) -> jax.Array:
    """[R, W] bool: the slots that hold a value."""
    return jnp.arange(ring_RxW.shape[1]) < count_R[:, None]
