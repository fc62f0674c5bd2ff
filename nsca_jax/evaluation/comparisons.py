"""Is one group of seeds better than another, by how much, and how sure is that?

Paired where the same seeds went through both; else two samples that may differ in size and spread.
A family of comparisons is corrected by Holm's step-down.
"""

# pyright takes brentq to return its report, too
# pyright: reportArgumentType=false

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from nsca_jax.evaluation.stats import differences, draw_again, finite_vector

DRAWS = 100  # of a bootstrap, at a time
MIDPOINTS = (np.arange(4000) + 0.5) / 4000


class Test(NamedTuple):
    """Of the hypothesis that there is no difference; two-sided."""

    t: float
    df: float
    p: float


class Effect(NamedTuple):
    """A size and its confidence interval."""

    value: float
    low: float
    high: float


def welch(treated: ArrayLike, control: ArrayLike) -> Test:
    """Welch's t of two samples [N], [M] of unequal variances (Welch 1947).

    Raises:
        ValueError: fewer than two values in a sample, one that is not finite, or two constants.
    """
    treated, control = _samples(treated, control)
    squares = [np.var(x, ddof=1) / len(x) for x in (treated, control)]
    total = sum(squares)
    if total == 0:
        raise ValueError("Welch's t of two constant samples is not defined")
    t = float((treated.mean() - control.mean()) / math.sqrt(total))
    parts = [s**2 / (len(x) - 1) for s, x in zip(squares, (treated, control), strict=True)]
    df = float(total**2 / sum(parts))
    return Test(t, df, float(2 * stats.t.sf(abs(t), df)))


def paired_t(treated: ArrayLike, control: ArrayLike) -> Test:
    """Student's t of the differences of pairs [N].

    Raises:
        ValueError: unequal lengths, fewer than two pairs, or differences that are all the same.
    """
    difference = differences(treated, control)
    n = len(difference)
    if n < 2 or np.ptp(difference) == 0:
        raise ValueError("a paired t needs two pairs or more, with differences that vary")
    t = float(difference.mean() / (difference.std(ddof=1) / math.sqrt(n)))
    return Test(t, n - 1.0, float(2 * stats.t.sf(abs(t), n - 1)))


def holm(p: ArrayLike) -> np.ndarray:
    """P-values [m] of a family, adjusted so that its error rate is that of one test (Holm 1979).

    Raises:
        ValueError: a value outside [0, 1].
    """
    p = _probabilities(p)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def holm_confidence(p: ArrayLike, alpha: float = 0.05) -> np.ndarray:
    """Confidence [m] at which each comparison's interval tells what Holm's correction decides.

    An interval of that confidence leaves out "no difference" exactly where `holm(p) <= alpha`: the
    k-th smallest p is held against alpha / (m - k + 1), and all that follow the first that does not
    reach it are held against the same.
    """
    p = _probabilities(p)
    order = np.argsort(p, kind="stable")
    levels = alpha / (len(p) - np.arange(len(p)))
    missed = np.flatnonzero(p[order] > levels)
    if len(missed):
        levels[missed[0] :] = levels[missed[0]]
    confidence = np.empty_like(p)
    confidence[order] = 1.0 - levels
    return confidence


def cohens_d(treated: ArrayLike, control: ArrayLike, confidence: float = 0.95) -> Effect:
    """Difference of two samples' means over their pooled deviation, with its exact interval.

    The interval is by the noncentral t distribution (Cumming & Finch 2001).

    Raises:
        ValueError: as `welch`.
    """
    treated, control = _samples(treated, control)
    n, m = len(treated), len(control)
    df = n + m - 2
    pooled = ((n - 1) * np.var(treated, ddof=1) + (m - 1) * np.var(control, ddof=1)) / df
    if pooled == 0:
        raise ValueError("an effect size needs samples that vary")
    d = float((treated.mean() - control.mean()) / math.sqrt(pooled))
    return _noncentral(d, math.sqrt(n * m / (n + m)), df, confidence)


def paired_effect(treated: ArrayLike, control: ArrayLike, confidence: float = 0.95) -> Effect:
    """Mean over deviation of the differences of pairs [N], with its interval by noncentral t.

    Raises:
        ValueError: as `paired_t`.
    """
    test = paired_t(treated, control)
    n = test.df + 1
    return _noncentral(test.t / math.sqrt(n), math.sqrt(n), test.df, confidence)


def probability_of_improvement(
    treated: ArrayLike,
    control: ArrayLike,
    confidence: float = 0.95,
    repeats: int = 2000,
    seed: int = 0,
) -> Effect:
    """How likely a seed of `treated` beats one of `control`, mean over tasks; ties are halves.

    The Mann-Whitney statistic over N M pairs (Agarwal et al. 2021), with a stratified bootstrap
    interval. Scores are [N], [M] or [N, T], [M, T].

    Raises:
        ValueError: no seeds, scores that are not finite, or different tasks.
    """
    treated, control = (np.asarray(x, np.float64) for x in (treated, control))
    treated, control = (x[:, None] if x.ndim == 1 else x for x in (treated, control))
    if treated.shape[1:] != control.shape[1:] or not (len(treated) and len(control)):
        raise ValueError("scores must be of the same tasks, of one seed or more")
    if not (np.isfinite(treated).all() and np.isfinite(control).all()):
        raise ValueError("scores must be finite")
    random = np.random.default_rng(seed)
    draws = np.concatenate(
        [
            _wins(draw_again(random, treated, some), draw_again(random, control, some))
            for some in np.diff(np.append(np.arange(0, repeats, DRAWS), repeats))
        ]
    )
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return Effect(float(_wins(treated, control)), float(low), float(high))


def _wins(treated: np.ndarray, control: np.ndarray) -> np.ndarray:
    """[..., N, T] against [..., M, T] -> [...]."""
    gap = treated[..., :, None, :] - control[..., None, :, :]
    return np.mean((gap > 0) + 0.5 * (gap == 0), (-3, -2, -1))


def noncentral_cdf(t: float, df: float, shift: float) -> float:
    """P(T <= t) of a noncentral t: the normal's share, mean over the deviation's quantiles.

    By 4,000 midpoints, to about 1e-5; scipy's own gives NaN here and there (1.17).
    """
    return float(np.mean(special.ndtr(t * _deviations(df) - shift)))


@functools.lru_cache(maxsize=16)
def _deviations(df: float) -> np.ndarray:
    return np.sqrt(stats.chi2.ppf(MIDPOINTS, df) / df)


def _noncentral(d: float, scale: float, df: float, confidence: float) -> Effect:
    """Interval of d, where d * scale is a noncentral t about (true d) * scale."""
    t, tail = d * scale, (1.0 - confidence) / 2
    reach = 8.0 * (1.0 + abs(t))

    def shift(share: float) -> float:
        beyond = lambda x: noncentral_cdf(t, df, x) - share  # noqa: E731
        return float(optimize.brentq(beyond, t - reach, t + reach, xtol=1e-6))

    return Effect(d, shift(1.0 - tail) / scale, shift(tail) / scale)


def _samples(treated: ArrayLike, control: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    treated, control = finite_vector(treated), finite_vector(control)
    if min(len(treated), len(control)) < 2:
        raise ValueError("each sample needs two values or more")
    return treated, control


def _probabilities(p: ArrayLike) -> np.ndarray:
    p = finite_vector(p)
    if (p < 0).any() or (p > 1).any():
        raise ValueError(f"p-values must lie in [0, 1], got {p!r}")
    return p
