"""The grounding table starts empty and says only what was measured; statistics against scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats as scipy_stats

from nsca_jax.evaluation import stats
from nsca_jax.grounding import table


def enter(state, ids, measured, ok=None, broken=None):
    ids, measured = jnp.asarray(ids), jnp.asarray(measured, jnp.float32)
    ok = jnp.ones(measured.shape, bool) if ok is None else jnp.asarray(ok)
    broken = jnp.zeros(ids.shape) if broken is None else jnp.asarray(broken)
    return jax.jit(table.update)(state, ids, measured, ok, broken)


def test_it_starts_empty():
    values, known = table.estimate(table.init(3))
    assert not bool(known.any())
    np.testing.assert_array_equal(values, np.zeros((3, 5)))
    np.testing.assert_array_equal(
        table.memory_input(table.init(3), jnp.arange(3)), np.zeros((3, 10))
    )


def test_repeated_objects_in_a_batch_all_count():
    state = enter(table.init(3), [1, 1, 0, 1], [[v] * 5 for v in (3.0, 100.0, 7.0, 4.0)])
    values, known = table.estimate(state)
    np.testing.assert_allclose(values[:, 0], [7.0, 4.0, 0.0])  # median of 3, 100, 4
    np.testing.assert_array_equal(known[:, 0], [True, True, False])
    np.testing.assert_array_equal(state.count[0], [1, 3, 0])


def test_the_median_is_that_of_the_last_window():
    state, history = table.init(1), []
    for start in range(0, 50, 10):
        batch = [float(v % 17) for v in range(start, start + 10)]
        state, history = enter(state, [0] * 10, [[v] * 5 for v in batch]), history + batch
        expected = np.median(history[-table.WINDOW :])
        assert table.estimate(state)[0][0, 1] == pytest.approx(expected)


def test_what_is_not_ok_or_not_finite_is_never_entered():
    ok = [[False, True, True, True, True], [True] * 5]
    state = enter(table.init(1), [0, 0], [[9.0] * 5, [jnp.nan, 2.0, 2.0, 2.0, 2.0]], ok)
    _, known = table.estimate(state)
    np.testing.assert_array_equal(known[0], [False, True, True, True, False])


def test_fragility_is_bracketed():
    impulses = [[0, 0, 0, 0, i] for i in (0.5, 2.0, 8.0, 16.0)]
    state = enter(table.init(2), [0] * 4, impulses, broken=[0.0, 0.0, 1.0, 1.0])
    state = enter(state, [1], [[0, 0, 0, 0, 3.0]])
    values, known = table.estimate(state)
    assert values[0, 4] == pytest.approx(4.0)  # between 2 survived and 8 broke
    np.testing.assert_array_equal(known[:, 4], [True, False])
    assert values[1, 4] == 0.0


def test_memory_is_standardised_over_the_known_objects():
    state = enter(table.init(4), [0, 1, 2], [[1.0] * 5, [2.0] * 5, [6.0] * 5])
    memory = table.memory_input(state, jnp.array([[2, 0], [3, 1]]))
    assert memory.shape == (2, 2, 10)
    scale = np.std([1.0, 2.0, 6.0])
    np.testing.assert_allclose(memory[0, 0, :4], 3.0 / scale, rtol=1e-5)
    np.testing.assert_allclose(memory[0, 1, :4], -2.0 / scale, rtol=1e-5)
    np.testing.assert_array_equal(memory[1, 0], np.zeros(10))
    np.testing.assert_array_equal(memory[1, 1, 5:], [1, 1, 1, 1, 0])


def test_spearman_is_scipys_ties_included():
    draw = np.random.default_rng(0)
    a, b = draw.integers(0, 5, 20), draw.normal(size=20)
    assert stats.spearman(a, b) == pytest.approx(scipy_stats.spearmanr(a, b)[0])
    assert stats.spearman(b, np.exp(b)) == pytest.approx(1.0)


@pytest.mark.parametrize("a", [[1, 1, 1], [1, 2], [1, 2, np.nan]])
def test_spearman_refuses_what_has_no_rank_correlation(a):
    with pytest.raises(ValueError):
        stats.spearman(a, list(range(len(a))))


def test_intervals_and_effect_sizes():
    a, b = [1.0, 2.0, 4.0, 5.0], [0.5, 1.0, 2.0, 5.5]
    interval = stats.mean_interval(a)
    expected = scipy_stats.t.interval(0.95, 3, np.mean(a), scipy_stats.sem(a))
    assert interval == pytest.approx((3.0, scipy_stats.sem(a), *expected))
    paired = stats.paired_interval(a, b)
    reference = scipy_stats.ttest_rel(a, b).confidence_interval()
    assert paired[2:] == pytest.approx((reference.low, reference.high))
    assert stats.paired_cohens_d(a, b) == pytest.approx(0.75 / np.std([0.5, 1, 2, -0.5], ddof=1))
    assert stats.mean_interval([2.0]) == (2.0, None, None, None)
    with pytest.raises(ValueError, match="vary"):
        stats.paired_cohens_d([1.0, 2.0], [0.0, 1.0])
