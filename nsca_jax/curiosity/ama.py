"""Aleatoric mapping agent: error beyond the variance that the predictor expects.

(Mavor-Parker et al. 2022, with weight 1.) It also flees what is hard and not yet learnt, because
the predicted variance takes in the error of an unfinished prediction.
"""

import jax
import jax.numpy as jnp

from nsca_jax.curiosity import recent_mean
from nsca_jax.curiosity.evidence import Evidence

init = recent_mean.init


def update(
    state: recent_mean.State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array
) -> recent_mean.State:
    """Takes in error - predicted variance, of either sign: only the mean is cut at 0."""
    if seen.variance is None:
        raise ValueError("ama: the loop predicts no variance")
    return recent_mean.append(state, region_B, seen.error - seen.variance, valid_B)


def score(state: recent_mean.State, bound: float = 3.0, warmup: int = 32) -> jax.Array:
    """Mean excess [R], cut at 0, over the largest known one; 1 until `warmup` samples."""
    return jnp.maximum(recent_mean.score(state, bound, warmup), 0.0)
