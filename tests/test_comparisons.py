"""Comparisons of seeds agree with scipy, statsmodels and rliable, and fail where they must."""

# statistics' stubs know neither None nor every number
# pyright: reportArgumentType=false, reportOptionalOperand=false, reportCallIssue=false

from typing import Any

import numpy as np
import pytest
from rliable import library, metrics
from scipy import stats as scipy_stats
from statsmodels.stats import multitest, weightstats

from nsca_jax.evaluation import comparisons, stats


def _samples(seed, n=20, m=17, shift=0.8):
    random = np.random.default_rng(seed)
    return random.normal(shift, 1.0, n), random.normal(0.0, 1.7, m)


@pytest.mark.parametrize("seed", range(5))
def test_welch_agrees_with_scipy_and_statsmodels(seed):
    a, b = _samples(seed)
    ours = comparisons.welch(a, b)
    theirs: Any = scipy_stats.ttest_ind(a, b, equal_var=False)
    np.testing.assert_allclose(ours, (theirs.statistic, theirs.df, theirs.pvalue), rtol=1e-10)
    t, p, df = weightstats.ttest_ind(a, b, usevar="unequal")
    np.testing.assert_allclose(ours, (t, df, p), rtol=1e-10)


def test_paired_t_agrees_with_scipy():
    a, b = _samples(0, 20, 20)
    theirs = scipy_stats.ttest_rel(a, b)
    np.testing.assert_allclose(
        comparisons.paired_t(a, b), (theirs.statistic, 19, theirs.pvalue), rtol=1e-10
    )


@pytest.mark.parametrize("seed", range(20))
def test_holm_agrees_with_statsmodels(seed):
    p = np.random.default_rng(seed).beta(0.3, 3.0, 7)
    p[3] = p[1]  # a tie
    rejected, adjusted, *_ = multitest.multipletests(p, 0.05, "holm")
    np.testing.assert_allclose(comparisons.holm(p), adjusted, rtol=1e-12)
    np.testing.assert_array_equal(comparisons.holm(p) <= 0.05, rejected)


@pytest.mark.parametrize("seed", range(30))
def test_intervals_at_holms_confidence_decide_as_holm_does(seed):
    random = np.random.default_rng(seed)
    shifts = random.uniform(0, 1.2, 6)
    pairs = [(random.normal(s, 1, 20), random.normal(0, 1, 20)) for s in shifts]
    p = [comparisons.paired_t(a, b).p for a, b in pairs]
    clear = []
    for (a, b), confidence in zip(pairs, comparisons.holm_confidence(p), strict=True):
        _, _, low, high = stats.paired_interval(a, b, confidence)
        clear.append(low > 0 or high < 0)
    np.testing.assert_array_equal(clear, comparisons.holm(p) <= 0.05)


def test_holm_is_stricter_than_none_and_milder_than_bonferroni():
    p = np.array([0.001, 0.02, 0.04, 0.3])
    adjusted = comparisons.holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(4 * p, 1)).all()
    assert adjusted[1] == pytest.approx(0.06)  # so that 0.02 alone would have been believed


def test_cohens_d_agrees_with_a_published_interval():
    # Cumming & Finch (2001): d = 0.5 of two groups of 20 has the 95 % interval -0.134 to 1.126
    a = np.repeat([-1.0, 1.0], 10)
    a = a / a.std(ddof=1)
    effect = comparisons.cohens_d(a + 0.5, a)
    np.testing.assert_allclose(effect, (0.5, -0.134, 1.126), atol=2e-3)


@pytest.mark.parametrize("shift", [0.0, 0.5, 20.0])
def test_intervals_of_d_turn_back_to_the_t_that_was_seen(shift):
    a, b = _samples(3, 20, 20, shift)
    for effect, scale, df in (
        (comparisons.cohens_d(a, b), np.sqrt(10), 38),
        (comparisons.paired_effect(a, b), np.sqrt(20), 19),
    ):
        assert effect.low < effect.value < effect.high
        t = effect.value * scale
        for bound, tail in ((effect.low, 0.975), (effect.high, 0.025)):
            assert scipy_stats.nct.cdf(t, df, bound * scale) == pytest.approx(tail, abs=1e-5)


def test_paired_effect_is_the_old_d():
    a, b = _samples(1, 20, 20)
    assert comparisons.paired_effect(a, b).value == pytest.approx(stats.paired_cohens_d(a, b))


def test_intervals_of_d_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        effect = comparisons.cohens_d(random.normal(0.7, 1, 12), random.normal(0, 1, 12))
        held += effect.low <= 0.7 <= effect.high
    assert 0.92 <= held / 300 <= 0.98


def test_probability_of_improvement_agrees_with_rliable_and_scipy():
    random = np.random.default_rng(2)
    x, y = random.normal(0.4, 1, (20, 3)), random.normal(0, 1, (15, 3))
    ours = comparisons.probability_of_improvement(x, y)
    assert ours.value == pytest.approx(metrics.probability_of_improvement(x, y), abs=1e-12)
    u = np.mean([scipy_stats.mannwhitneyu(a, b).statistic for a, b in zip(x.T, y.T, strict=True)])
    assert ours.value == pytest.approx(u / (20 * 15), abs=1e-12)
    assert ours.low < ours.value < ours.high
    assert comparisons.probability_of_improvement([1.0, 1.0], [1.0, 1.0]).value == 0.5


def test_stratified_bootstrap_agrees_with_rliable():
    scores = np.random.default_rng(5).gamma(2.0, 1.0, (20, 4)) * [1, 2, 3, 4]
    _, theirs = library.get_interval_estimates(
        {"a": scores}, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=4000
    )
    ours = stats.bootstrap_interval(scores, stats.interquartile_mean, repeats=4000)
    assert stats.interquartile_mean(scores) == pytest.approx(metrics.aggregate_iqm(scores))
    width = ours[1] - ours[0]
    np.testing.assert_allclose(ours, theirs["a"][:, 0], atol=0.08 * width)


def test_bootstrap_of_one_task_agrees_with_scipy():
    x = np.random.default_rng(7).exponential(1.0, 30)
    theirs = scipy_stats.bootstrap(
        (x,), np.mean, method="percentile", n_resamples=4000, random_state=1
    ).confidence_interval
    ours = stats.bootstrap_interval(x, repeats=4000)
    np.testing.assert_allclose(ours, theirs, atol=0.08 * (theirs[1] - theirs[0]))


def test_stratifying_leaves_out_what_tasks_differ_in():
    scores = np.random.default_rng(1).normal((0, 10, 20), 0.1, (10, 3))
    low, high = stats.bootstrap_interval(scores)
    assert high - low < 0.2  # tasks are never mixed


def test_learning_area_by_hand():
    steps = [0, 10, 30]
    np.testing.assert_allclose(stats.learning_area(steps, [[0, 1, 1], [2, 2, 2]]), [25 / 30, 2])
    assert np.isnan(stats.learning_area(steps, [0, np.nan, 1]))
    with pytest.raises(ValueError, match="rise"):
        stats.learning_area([0, 0, 1], [1, 1, 1])


def test_failed_seeds_are_counted():
    of = stats.summarise([1.0, None, 3.0, float("nan")])
    assert (of.mean, of.n, of.failed) == (2.0, 2, 2)
    assert stats.summarise([None, None]) == (None, None, None, None, 0, 2)
    with pytest.raises(ValueError, match="infinit"):
        stats.summarise([1.0, np.inf])


@pytest.mark.parametrize(
    "call",
    [
        lambda: comparisons.welch([1.0], [1.0, 2.0]),
        lambda: comparisons.welch([1.0, 1.0], [2.0, 2.0]),
        lambda: comparisons.welch([1.0, np.nan], [2.0, 3.0]),
        lambda: comparisons.paired_t([1.0, 2.0], [0.0, 1.0]),
        lambda: comparisons.cohens_d([1.0, 1.0], [2.0, 2.0]),
        lambda: comparisons.holm([0.5, 1.5]),
        lambda: comparisons.probability_of_improvement([], [1.0]),
        lambda: comparisons.probability_of_improvement(np.ones((2, 3)), np.ones((2, 2))),
        lambda: stats.bootstrap_interval([1.0]),
        lambda: stats.bootstrap_interval([1.0, np.nan]),
        lambda: stats.interquartile_mean([]),
    ],
)
def test_what_is_not_defined_is_refused(call):
    with pytest.raises(ValueError):
        call()
