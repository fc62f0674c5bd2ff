"""The mean of a region's last samples over the largest: what several signals are made of."""

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import rings


@struct.dataclass
class State:
    """The last W samples of each of R regions."""

    value: jax.Array  # [R, W]
    count: jax.Array  # [R] int32, samples ever seen


def init(regions: int, window: int = 64) -> State:
    """Nothing seen."""
    return State(jnp.zeros((regions, window)), jnp.zeros(regions, jnp.int32))


def append(state: State, region_B: jax.Array, value_B: jax.Array, valid_B: jax.Array) -> State:
    """Takes in a batch of values, not negative; regions int32, `valid_B` tells which count."""
    return State(*rings.append(state.value, state.count, region_B, value_B, valid_B))


def means(state: State) -> jax.Array:
    """Mean of the samples held [R]; 0 where there is none."""
    mask = rings.filled(state.value, state.count)
    return jnp.sum(jnp.where(mask, state.value, 0.0), -1) / jnp.maximum(jnp.sum(mask, -1), 1)


def score(state: State, bound: float = 3.0, warmup: int = 32) -> jax.Array:
    """Mean [R] over the largest of the known regions, in [0, 1]; 1 until `warmup` samples."""
    del bound
    known = state.count >= warmup
    mean = means(state)
    largest = jnp.max(jnp.where(known, mean, 0.0))
    return jnp.where(known, mean / jnp.maximum(largest, 1e-9), 1.0)
