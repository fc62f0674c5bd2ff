"""Raw prediction error as curiosity: the rival that a noisy TV holds (Burda et al. 2019)."""

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import rings


@struct.dataclass
class State:
    """The last W samples of each of R regions."""

    error: jax.Array  # [R, W]
    count: jax.Array  # [R] int32, samples ever seen


def init(regions: int, window: int = 64) -> State:
    """Nothing seen."""
    return State(jnp.zeros((regions, window)), jnp.zeros(regions, jnp.int32))


def update(
    state: State,
    region_B: jax.Array,
    error_B: jax.Array,
    slow_error_B: jax.Array,
    valid_B: jax.Array,
) -> State:
    """Takes in a batch of errors; the slow copy's are not asked for."""
    del slow_error_B
    return State(*rings.append(state.error, state.count, region_B, error_B, valid_B))


def score(state: State, bound: float = 3.0, warmup: int = 32) -> jax.Array:
    """Mean error [R] over the largest of the known regions, in [0, 1]; 1 until `warmup` samples."""
    del bound
    mask = rings.filled(state.error, state.count)
    mean = jnp.sum(jnp.where(mask, state.error, 0.0), -1) / jnp.maximum(jnp.sum(mask, -1), 1)
    known = state.count >= warmup
    largest = jnp.max(jnp.where(known, mean, 0.0))
    return jnp.where(known, mean / jnp.maximum(largest, 1e-9), 1.0)
