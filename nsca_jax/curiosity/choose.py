"""Which region to try next, and how regions are numbered: object x skill x parameter bin."""

import jax
import jax.numpy as jnp

from nsca_jax.types import SKILLS


def probabilities(value_R: jax.Array, floor: float) -> jax.Array:
    """`(1 - floor) * value / sum(value) + floor / R`: [R]; uniform where no region has a value.

    Args:
        value_R: finite, not negative.
        floor: share of the choices, in [0, 1], that is spread over all regions alike.
    """
    regions = value_R.shape[0]
    total = jnp.sum(value_R)
    share = jnp.where(total > 0.0, value_R / jnp.where(total > 0.0, total, 1.0), 1.0 / regions)
    return (1.0 - floor) * share + floor / regions


def choose(key: jax.Array, value_R: jax.Array, floor: float, n: int) -> jax.Array:
    """Draws n regions, int32 [n], with replacement, by `probabilities`."""
    logits_R = jnp.log(probabilities(value_R, floor))
    return jax.random.categorical(key, logits_R, shape=(n,)).astype(jnp.int32)


def region_index(object_id: jax.Array, skill: jax.Array, bin: jax.Array, bins: int) -> jax.Array:
    """Object, skill and parameter bin (< bins) to a region's number; any one shape, int32."""
    return (object_id * len(SKILLS) + skill) * bins + bin


def region_parts(region: jax.Array, bins: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The inverse of `region_index`: object, skill, bin."""
    return region // (bins * len(SKILLS)), region // bins % len(SKILLS), region % bins
