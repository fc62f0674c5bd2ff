"""Learning progress from a region's own history: older errors less newer (Oudeyer et al. 2007).

The two halves hold different samples, so that noise enters twice, and noise that fades is progress.
"""

import jax
import jax.numpy as jnp

from nsca_jax import rings
from nsca_jax.curiosity import recent_mean
from nsca_jax.curiosity.evidence import Evidence

SMALLEST_ERROR = 1e-3

init = recent_mean.init


def update(
    state: recent_mean.State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array
) -> recent_mean.State:
    """Takes in a batch of errors."""
    return recent_mean.append(state, region_B, seen.error, valid_B)


def score(state: recent_mean.State, bound: float = 3.0, warmup: int = 32) -> jax.Array:
    """Learnability L [R] in [0, 1]; 1 until a region has `warmup` samples.

    L = clip((mean(older) - mean(newer) - bound * SE of that difference) / (mean(older) + 1e-3),
    0, 1), with the samples that the ring holds halved by age.
    """
    window = state.value.shape[1]
    held = rings.filled(state.value, state.count)
    age = (state.count[:, None] - 1 - jnp.arange(window)) % window
    newer = held & (2 * age < jnp.minimum(state.count, window)[:, None])
    new_mean, new_square = _mean_and_squared_error(state.value, newer)
    old_mean, old_square = _mean_and_squared_error(state.value, held & ~newer)
    margin = old_mean - new_mean - bound * jnp.sqrt(new_square + old_square)
    learnability = jnp.clip(margin / (old_mean + SMALLEST_ERROR), 0.0, 1.0)
    return jnp.where(state.count >= warmup, learnability, 1.0)


def _mean_and_squared_error(value: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and squared standard error [R] of the masked samples."""
    n = jnp.maximum(jnp.sum(mask, -1), 2)
    mean = jnp.sum(jnp.where(mask, value, 0.0), -1) / n
    square = jnp.sum(jnp.where(mask, (value - mean[:, None]) ** 2, 0.0), -1) / (n - 1)
    return mean, square / n
