"""The signals that can drive a learner, by name: one (init, update, score) triple each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from nsca_jax.curiosity import (
    ama,
    count,
    disagreement,
    gamma_progress,
    prediction_error,
    rnd,
    uniform,
    windowed_progress,
)


class Curiosity(NamedTuple):
    """What an arm is."""

    init: Callable[..., Any]  # (regions, window) -> state
    update: Callable[..., Any]  # (state, region_B, Evidence, valid_B) -> state
    score: Callable[..., jax.Array]  # (state, bound, warmup) -> [R] in [0, 1]
    learnability: bool  # the score is a share of the error that can be learnt, not a value itself


ARMS = {
    "gamma_progress": Curiosity(
        gamma_progress.init, gamma_progress.update, gamma_progress.score, True
    ),
    "windowed_progress": Curiosity(
        windowed_progress.init, windowed_progress.update, windowed_progress.score, True
    ),
    "prediction_error": Curiosity(
        prediction_error.init, prediction_error.update, prediction_error.score, False
    ),
    "count": Curiosity(count.init, count.update, count.score, False),
    "rnd": Curiosity(rnd.init, rnd.update, rnd.score, False),
    "disagreement": Curiosity(disagreement.init, disagreement.update, disagreement.score, False),
    "ama": Curiosity(ama.init, ama.update, ama.score, True),
    "uniform": Curiosity(uniform.init, uniform.update, uniform.score, False),
}
