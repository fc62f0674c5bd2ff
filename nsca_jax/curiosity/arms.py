"""The signals that can drive babbling, by name: one (init, update, score) triple each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from nsca_jax.curiosity import gamma_progress, prediction_error, uniform


class Curiosity(NamedTuple):
    """What an arm is."""

    init: Callable[..., Any]  # (regions, window) -> state
    update: Callable[..., Any]  # (state, region_B, error_B, slow_error_B, valid_B) -> state
    score: Callable[..., jax.Array]  # (state, bound, warmup) -> [R] in [0, 1]


ARMS = {
    "gamma_progress": Curiosity(gamma_progress.init, gamma_progress.update, gamma_progress.score),
    "prediction_error": Curiosity(
        prediction_error.init, prediction_error.update, prediction_error.score
    ),
    "uniform": Curiosity(uniform.init, uniform.update, uniform.score),
}
