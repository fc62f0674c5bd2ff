"""Statistics over few seeds and few objects; on the host, in numpy.

Scores of S seeds on T tasks are [S, T]. Two groups of seeds are compared in comparisons.py.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class Interval(NamedTuple):
    """Mean, standard error and confidence interval; `se` and bounds are None for one value."""

    mean: float
    se: float | None
    low: float | None
    high: float | None


class Summary(NamedTuple):
    """An Interval of what finished, and how many did and did not."""

    mean: float | None
    se: float | None
    low: float | None
    high: float | None
    n: int
    failed: int


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Rank correlation of two vectors [N], ties by mean rank (Spearman 1904).

    Raises:
        ValueError: fewer than three pairs, unequal lengths, a value that is not finite, or a
            constant vector, whose rank correlation is not defined.
    """
    a, b = finite_vector(a), finite_vector(b)
    if len(a) != len(b) or len(a) < 3:
        raise ValueError(f"rank correlation needs three pairs or more, got {len(a)} and {len(b)}")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise ValueError("rank correlation of a constant is not defined")
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's t interval of the mean of independent values [N], one a seed.

    Raises:
        ValueError: no value, or one that is not finite.
    """
    values = finite_vector(values)
    n = len(values)
    if n == 0:
        raise ValueError("no values to average")
    mean = float(np.mean(values))
    if n == 1:
        return Interval(mean, None, None, None)
    se = float(np.std(values, ddof=1)) / math.sqrt(n)
    half = float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * se
    return Interval(mean, se, mean - half, mean + half)


def paired_interval(treated: ArrayLike, control: ArrayLike, confidence: float = 0.95) -> Interval:
    """`mean_interval` of treated - control, [N] each, paired by seed.

    Raises:
        ValueError: unequal lengths, no pair, or a value that is not finite.
    """
    return mean_interval(differences(treated, control), confidence)


def paired_cohens_d(treated: ArrayLike, control: ArrayLike) -> float:
    """Effect size of paired samples [N]: mean over standard deviation of the differences.

    Raises:
        ValueError: fewer than two pairs, a value that is not finite, or differences that are all
            the same, for which the effect has no size.
    """
    difference = differences(treated, control)
    if len(difference) < 2 or np.ptp(difference) == 0:
        raise ValueError("an effect size needs two pairs or more, with differences that vary")
    return float(np.mean(difference) / np.std(difference, ddof=1))


def finished(values: ArrayLike | Sequence[float | None]) -> tuple[np.ndarray, int]:
    """The finite ones of `values` [N], in order, and how many are not: None or NaN, a failed seed.

    Raises:
        ValueError: not a vector, or one that holds an infinity.
    """
    vector = np.array([np.nan if v is None else v for v in np.asarray(values, object)], np.float64)
    if vector.ndim != 1 or np.isinf(vector).any():
        raise ValueError(f"expected a vector without infinities, got {vector!r}")
    fine = vector[~np.isnan(vector)]
    return fine, len(vector) - len(fine)


def summarise(values: ArrayLike | Sequence[float | None], confidence: float = 0.95) -> Summary:
    """`mean_interval` of the seeds that finished; None and NaN are counted as failed."""
    fine, failed = finished(values)
    if not len(fine):
        return Summary(None, None, None, None, 0, failed)
    return Summary(*mean_interval(fine, confidence), len(fine), failed)


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of all scores, any shape (Agarwal et al. 2021).

    Raises:
        ValueError: no score, or one that is not finite.
    """
    scores = np.sort(finite_vector(np.ravel(scores)))
    if not len(scores):
        raise ValueError("no scores to average")
    cut = len(scores) // 4
    return float(scores[cut : len(scores) - cut].mean())


def bootstrap_interval(
    scores: ArrayLike,
    statistic: Callable[[np.ndarray], float] = np.mean,
    confidence: float = 0.95,
    repeats: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of `statistic` over seeds drawn again with replacement (Efron 1979).

    With scores [S, T] the draw is stratified: each task draws its own S seeds, as few seeds tell
    more about T tasks than their means do (Agarwal et al. 2021).

    Args:
        scores: [S] or [S, T].
        statistic: of an array of the same shape.

    Raises:
        ValueError: fewer than two seeds, or a score that is not finite.
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim not in (1, 2) or len(scores) < 2 or not np.isfinite(scores).all():
        raise ValueError("a bootstrap needs finite scores [S] or [S, T] of two seeds or more")
    random = np.random.default_rng(seed)
    draws = [statistic(drawn) for drawn in draw_again(random, scores, repeats)]
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)


def draw_again(random: np.random.Generator, scores: np.ndarray, repeats: int) -> np.ndarray:
    """Scores [S] or [S, T] as [repeats, ...], each task's seeds drawn anew and on their own."""
    rows = random.integers(0, len(scores), (repeats, *scores.shape))
    return np.take_along_axis(scores[None], rows, 1)


def learning_area(steps: ArrayLike, scores: ArrayLike) -> np.ndarray:
    """Sample efficiency: mean height of a learning curve, by trapezia over `steps`.

    Args:
        steps: [P] rising; scores: [..., P].

    Returns:
        [...] in the scores' own unit; NaN where a curve holds one.

    Raises:
        ValueError: fewer than two points, or steps that do not rise.
    """
    steps, scores = finite_vector(steps), np.asarray(scores, np.float64)
    if len(steps) < 2 or (np.diff(steps) <= 0).any() or scores.shape[-1] != len(steps):
        raise ValueError("a learning curve needs two points or more, at steps that rise")
    return np.trapezoid(scores, steps, axis=-1) / (steps[-1] - steps[0])


def differences(treated: ArrayLike, control: ArrayLike) -> np.ndarray:
    """[N] treated - control, pair by pair; ValueError if the lengths differ."""
    treated, control = finite_vector(treated), finite_vector(control)
    if len(treated) != len(control):
        raise ValueError(f"pairs need equal lengths, got {len(treated)} and {len(control)}")
    return treated - control


def finite_vector(values: ArrayLike) -> np.ndarray:
    """[N] float64; ValueError if it is not a vector or holds a NaN or an infinity."""
    vector = np.asarray(values, np.float64)
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError(f"expected a vector of finite numbers, got {vector!r}")
    return vector
