"""What a loop tells curiosity of a batch of transitions, judged before any learning from it."""

from typing import NamedTuple

import jax

SMALLEST_ERROR = 1e-3  # below it there is nothing left to learn


class Evidence(NamedTuple):
    """One number a transition, float32 [B] each; a loop leaves at None what it does not measure.

    Errors are mean squared deviations, and so are the two variances.
    """

    error: jax.Array  # of the predictor
    slow_error: jax.Array  # of a slow copy of it, on the same sample
    disagreement: jax.Array | None = None  # variance of an ensemble's predictions
    variance: jax.Array | None = None  # that the predictor itself expects of the outcome
    novelty: jax.Array | None = None  # how badly a random network's answer is known (rnd.py)


def relative(seen: Evidence) -> Evidence:
    """The two errors of each transition as shares of their mean, so that they add up to 2.

    Where errors are heavy-tailed, one violent transition else outweighs a hundred ordinary ones and
    no progress is ever certain. Shares are bounded: progress, their difference, lies in [-2, 2].
    """
    mean = 0.5 * (seen.error + seen.slow_error) + SMALLEST_ERROR
    return seen._replace(error=seen.error / mean, slow_error=seen.slow_error / mean)
