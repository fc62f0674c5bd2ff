"""Running mean and variance on the device: Welford (1962), merged by batches (Chan et al. 1979)."""

import jax
import jax.numpy as jnp
from flax import struct

STD_FLOOR = 1e-4  # below this a dimension counts as constant


@struct.dataclass
class Statistics:
    """Running moments of rows of shape [...]."""

    count: jax.Array  # [] float32, rows seen
    mean: jax.Array  # [...]
    m2: jax.Array  # [...] sum of squared deviations


def init(shape: tuple[int, ...]) -> Statistics:
    """Statistics of nothing yet: they standardise by mean 0 and deviation 1."""
    return Statistics(jnp.zeros(()), jnp.zeros(shape), jnp.zeros(shape))


def update(statistics: Statistics, rows: jax.Array, valid: jax.Array) -> Statistics:
    """Takes rows [B, ...] into account where valid [B] holds."""
    mask = valid.reshape(valid.shape + (1,) * (rows.ndim - 1))
    n = jnp.sum(valid, dtype=jnp.float32)
    total = statistics.count + n
    mean = jnp.sum(jnp.where(mask, rows, 0.0), 0) / jnp.maximum(n, 1.0)
    deviation = jnp.where(mask, rows - mean, 0.0)
    delta = mean - statistics.mean
    share = n / jnp.maximum(total, 1.0)
    return Statistics(
        total,
        statistics.mean + delta * share,
        statistics.m2 + jnp.sum(deviation**2, 0) + delta**2 * statistics.count * share,
    )


def std(statistics: Statistics) -> jax.Array:
    """[...] standard deviation; 1 before two rows were seen and where a dimension is constant."""
    variance = statistics.m2 / jnp.maximum(statistics.count, 1.0)
    varies = (statistics.count > 1.0) & (variance > STD_FLOOR**2)
    return jnp.sqrt(jnp.where(varies, variance, 1.0))


def apply(statistics: Statistics, x: jax.Array, limit: float = 10.0) -> jax.Array:
    """Standardises x [..., *shape], clipped to +- `limit` deviations."""
    return jnp.clip((x - statistics.mean) / std(statistics), -limit, limit)


def invert(statistics: Statistics, x: jax.Array) -> jax.Array:
    """Back to the units of the rows: x [..., *shape]."""
    return x * std(statistics) + statistics.mean
