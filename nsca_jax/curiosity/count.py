"""A bonus for what was seldom tried, 1 / sqrt(n) (Strehl and Littman 2008).

Errors play no part, so a TV is worth as much as any other place.
"""

import jax
import jax.numpy as jnp

from nsca_jax.curiosity import uniform
from nsca_jax.curiosity.evidence import Evidence

init = uniform.init


def update(
    state: uniform.State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array
) -> uniform.State:
    """Counts the samples."""
    return uniform.update(state, region_B, seen, valid_B)


def score(state: uniform.State, bound: float = 3.0, warmup: int = 32) -> jax.Array:
    """1 / sqrt(n) [R]; 1 for the untried."""
    del bound, warmup
    return 1.0 / jnp.sqrt(jnp.maximum(state.count, 1.0))
