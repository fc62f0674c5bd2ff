"""What a loop tells curiosity of a batch of transitions, judged before any learning from it."""

from typing import NamedTuple

import jax


class Evidence(NamedTuple):
    """One number a transition, float32 [B] each; a loop leaves at None what it does not measure.

    Errors are mean squared deviations, and so are the two variances.
    """

    error: jax.Array  # of the predictor
    slow_error: jax.Array  # of a slow copy of it, on the same sample
    disagreement: jax.Array | None = None  # variance of an ensemble's predictions
    variance: jax.Array | None = None  # that the predictor itself expects of the outcome
    novelty: jax.Array | None = None  # how badly a random network's answer is known (rnd.py)
