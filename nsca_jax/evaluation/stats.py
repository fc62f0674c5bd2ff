"""Statistics over few seeds and few objects; on the host, in numpy."""

import math
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
