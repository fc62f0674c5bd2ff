"""No curiosity: every region is worth the same, so babbling is random."""

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.curiosity.evidence import Evidence


@struct.dataclass
class State:
    """Samples ever seen in each of R regions."""

    count: jax.Array  # [R] int32


def init(regions: int, window: int = 64) -> State:
    """Nothing seen; no window is kept."""
    del window
    return State(jnp.zeros(regions, jnp.int32))


def update(state: State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array) -> State:
    """Counts the samples; what was seen is not asked for."""
    del seen
    return State(state.count.at[region_B].add(valid_B.astype(jnp.int32)))


def score(state: State, bound: float = 3.0, warmup: int = 32) -> jax.Array:
    """Ones [R]."""
    del bound, warmup
    return jnp.ones(state.count.shape)
