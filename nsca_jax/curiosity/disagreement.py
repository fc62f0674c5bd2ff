"""Disagreement of an ensemble as curiosity (Pathak et al. 2019).

Members that all learn the mean of noise come to agree; under loud noise they come there slowly.
"""

import jax

from nsca_jax.curiosity import recent_mean
from nsca_jax.curiosity.evidence import Evidence

init, score = recent_mean.init, recent_mean.score


def update(
    state: recent_mean.State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array
) -> recent_mean.State:
    """Takes in the variance of the members' predictions."""
    if seen.disagreement is None:
        raise ValueError("disagreement: the loop measures no disagreement")
    return recent_mean.append(state, region_B, seen.disagreement, valid_B)
