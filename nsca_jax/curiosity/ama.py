"""Aleatoric mapping agent: error beyond the variance that the predictor expects, with confidence.

(Mavor-Parker et al. 2022, with weight 1.) Noise is expected, once its variance is known. So is the
error of an unfinished prediction: it also flees what is hard and not yet learnt.
"""

import jax

from nsca_jax.curiosity import gamma_progress
from nsca_jax.curiosity.evidence import Evidence

init, score = gamma_progress.init, gamma_progress.score


def update(
    state: gamma_progress.State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array
) -> gamma_progress.State:
    """Takes in errors as the slow copy's, and predicted variances as the predictor's.

    The learnability of `score` is then that of error - predicted variance, as a share of the error.
    """
    if seen.variance is None:
        raise ValueError("ama: the loop predicts no variance")
    seen = seen._replace(slow_error=seen.error, error=seen.variance)
    return gamma_progress.update(state, region_B, seen, valid_B)
