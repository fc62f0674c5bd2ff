"""Raw prediction error as curiosity: the rival that a noisy TV holds (Burda et al. 2019)."""

import jax

from nsca_jax.curiosity import recent_mean
from nsca_jax.curiosity.evidence import Evidence

init, score = recent_mean.init, recent_mean.score


def update(
    state: recent_mean.State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array
) -> recent_mean.State:
    """Takes in a batch of errors."""
    return recent_mean.append(state, region_B, seen.error, valid_B)
