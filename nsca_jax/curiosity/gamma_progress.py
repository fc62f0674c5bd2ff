"""Learning progress that noise cannot fake: paired with a slow copy, with a lower confidence bound.

Both the predictor and a slow copy of it judge the same sample before the update; the difference
of their errors is free of the sample's own noise. (gamma-progress: Kim et al. 2020.)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import rings
from nsca_jax.curiosity.evidence import Evidence

SMALLEST_ERROR = 1e-3


@struct.dataclass
class State:
    """The last W samples of each of R regions."""

    progress: jax.Array  # [R, W] error of the slow copy - error
    slow_error: jax.Array  # [R, W]
    count: jax.Array  # [R] int32, samples ever seen


class Sums(NamedTuple):
    """Over the samples that a region holds, [R] each."""

    n: jax.Array
    progress: jax.Array
    progress_square: jax.Array
    slow_error: jax.Array


def init(regions: int, window: int = 64) -> State:
    """Nothing seen; the window must hold the `warmup` of `score`."""
    return State(
        jnp.zeros((regions, window)), jnp.zeros((regions, window)), jnp.zeros(regions, jnp.int32)
    )


def update(state: State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array) -> State:
    """Takes in a batch: regions int32, errors of predictor and slow copy, which rows count."""
    progress_B = seen.slow_error - seen.error
    progress, count = rings.append(state.progress, state.count, region_B, progress_B, valid_B)
    slow, _ = rings.append(state.slow_error, state.count, region_B, seen.slow_error, valid_B)
    return State(progress, slow, count)


def score(state: State, bound: float = 3.0, warmup: int = 32) -> jax.Array:
    """Learnability L [R] in [0, 1]; 1 until a region has `warmup` samples.

    L = clip((mean(progress) - bound * SE(progress)) / (mean(slow error) + 1e-3), 0, 1)
    """
    return lower_bound(sums(state), bound, warmup)


def pooled_score(
    state: State, parent_R: jax.Array, parents: int, bound: float = 3.0, warmup: int = 32
) -> jax.Array:
    """As `score`, but a region with fewer than `warmup` samples takes its parent's L.

    Args:
        parent_R: int32 in [0, parents), the parent of each region, for instance its object.

    Returns:
        L [R]. A parent's is that of all samples in the rings of its regions together, and 1
        where these are fewer than `warmup` too.
    """
    own = sums(state)
    pooled = Sums(*(jax.ops.segment_sum(part, parent_R, parents) for part in own))
    inherited = lower_bound(pooled, bound, warmup)[parent_R]
    return jnp.where(own.n >= warmup, lower_bound(own, bound, warmup), inherited)


def sums(state: State) -> Sums:
    """What `lower_bound` asks of each region."""
    mask = rings.filled(state.progress, state.count)
    held = jnp.stack([mask, state.progress, state.progress**2, state.slow_error])
    return Sums(*jnp.sum(jnp.where(mask, held, 0.0), -1))


def lower_bound(of: Sums, bound: float, warmup: int) -> jax.Array:
    """Relative progress that is there with confidence: L [R] in [0, 1], 1 below `warmup`."""
    n = jnp.maximum(of.n, 2.0)
    mean = of.progress / n
    variance = jnp.maximum(of.progress_square - n * mean**2, 0.0) / (n - 1.0)
    margin = mean - bound * jnp.sqrt(variance / n)
    learnability = jnp.clip(margin / (of.slow_error / n + SMALLEST_ERROR), 0.0, 1.0)
    return jnp.where(of.n >= warmup, learnability, 1.0)
