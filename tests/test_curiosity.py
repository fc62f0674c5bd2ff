"""Curiosity: batches counted in order, noise seen through, choices drawn as asked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import rings
from nsca_jax.curiosity import choose, gamma_progress
from nsca_jax.curiosity.arms import ARMS
from nsca_jax.curiosity.evidence import Evidence, relative


def reference_append(ring, count, cells, values, valid):
    """One at a time, in order."""
    ring, count = ring.copy(), count.copy()
    for cell, value, ok in zip(cells, values, valid, strict=True):
        if ok:
            ring[cell, count[cell] % ring.shape[1]] = value
            count[cell] += 1
    return ring, count


@pytest.mark.parametrize("seed", range(5))
def test_append_equals_one_at_a_time(seed):
    draw = np.random.default_rng(seed)
    ring, count = np.zeros((3, 4), np.float32), np.zeros(3, np.int32)
    state = jnp.asarray(ring), jnp.asarray(count)
    for _ in range(4):  # batches of 20 on rings of 4: overwritten within the batch
        cells, valid = draw.integers(0, 3, 20), draw.random(20) < 0.7
        values = draw.normal(size=20).astype(np.float32)
        ring, count = reference_append(ring, count, cells, values, valid)
        state = rings.append(*state, *map(jnp.asarray, (cells, values, valid)))
    np.testing.assert_array_equal(state[0], ring)
    np.testing.assert_array_equal(state[1], count)


LEARNABLE, NOISE, FADING, YOUNG = range(4)


def errors(key, step):
    """Per region, a batch of 16 paired errors at `step` of a life of 60; slow lags 10 steps."""
    keys = jax.random.split(key, 3)
    # The same surprise strikes predictor and slow copy, whose own errors differ a little.
    surprise = jax.random.exponential(keys[0], (16,))
    slips = 0.1 * jax.random.normal(keys[1], (2, 16))
    learnt, lagged = 2.0 * 0.97**step, 2.0 * 0.97 ** jnp.maximum(step - 10.0, 0.0)
    fading = 0.95**step
    now = jnp.stack([learnt + slips[0], surprise + slips[0], fading * surprise + slips[0]])
    slow = jnp.stack([lagged + slips[1], surprise + slips[1], fading * surprise + slips[1]])
    return now, slow


@pytest.fixture(scope="module")
def lives():
    """States of two arms after 60 batches."""

    def live(arm):
        def step(state, n):
            now, slow = errors(jax.random.fold_in(jax.random.key(0), n), n)
            region = jnp.repeat(jnp.arange(3), 16)
            valid = jnp.ones(48, bool)
            rest = [jnp.abs(now - slow).ravel()] * 3  # what other signals than the first two see
            seen = Evidence(now.ravel(), slow.ravel(), *rest)
            return ARMS[arm].update(state, region, seen, valid), None

        start = ARMS[arm].init(4, 64)
        return jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(60.0).astype(int)))(start)[0]

    return {arm: live(arm) for arm in ARMS}


def test_noise_is_not_learnable_and_a_lesson_is(lives):
    learnability = gamma_progress.score(lives["gamma_progress"])
    assert learnability[NOISE] < 0.1
    assert learnability[FADING] < 0.1
    assert learnability[LEARNABLE] > 0.15
    assert learnability[YOUNG] == 1.0


def test_without_the_bound_noise_passes_for_progress():
    """The control: over many regions of noise, the plain mean is positive in half of them."""
    regions, n = 60, 64
    error, slow = jax.random.normal(jax.random.key(1), (2, regions * n)) + 3.0
    state = gamma_progress.init(regions, n)
    region = jnp.tile(jnp.arange(regions), n)
    state = gamma_progress.update(state, region, Evidence(error, slow), jnp.ones(regions * n, bool))
    fooled = [float((gamma_progress.score(state, bound) > 0.0).mean()) for bound in (0.0, 3.0)]
    assert fooled[0] > 0.3
    assert fooled[1] <= 1 / 60


def test_raw_error_prefers_the_noise(lives):
    value = ARMS["prediction_error"].score(lives["prediction_error"])
    assert value[NOISE] == 1.0
    assert value[LEARNABLE] < 0.9
    assert value[YOUNG] == 1.0


def test_uniform_values_all_regions_alike(lives):
    state = lives["uniform"]
    np.testing.assert_array_equal(ARMS["uniform"].score(state), np.ones(4))
    np.testing.assert_array_equal(state.count, [960, 960, 960, 0])


def test_score_by_hand():
    """Progress 1, 2, 3 of slow errors 4: mean 2, SE 1/sqrt(3)."""
    state = gamma_progress.init(1, 4)
    state = gamma_progress.update(
        state,
        jnp.zeros(4, int),
        Evidence(jnp.array([3.0, 2.0, 1.0, 99.0]), jnp.full(4, 4.0)),
        jnp.array([True, True, True, False]),
    )
    assert gamma_progress.score(state)[0] == 1.0
    score = gamma_progress.score(state, bound=1.0, warmup=3)[0]
    assert score == pytest.approx((2 - 1 / np.sqrt(3)) / 4.001, rel=1e-5)


def test_relative_errors_make_progress_certain_that_one_violent_sample_hides():
    """Every sample halves its error, one is a hundred times the rest, and went the other way."""
    error = jnp.full(32, 0.5).at[0].set(100.0)
    seen = Evidence(error, jnp.full(32, 1.0).at[0].set(60.0))
    shares = relative(seen)
    np.testing.assert_allclose(shares.error + shares.slow_error, 2.0, atol=0.01)
    assert float(shares.slow_error[1] - shares.error[1]) == pytest.approx(2 / 3, rel=0.01)

    def learnability(seen):
        state = gamma_progress.init(1, 32)
        state = gamma_progress.update(state, jnp.zeros(32, int), seen, jnp.ones(32, bool))
        return float(gamma_progress.score(state)[0])

    assert learnability(seen) == 0.0
    assert learnability(shares) > 0.35


def test_a_young_region_takes_its_parents_learnability():
    state = gamma_progress.init(3, 8)
    region = jnp.array([0] * 4 + [1] * 4 + [2])
    state = gamma_progress.update(
        state, region, Evidence(jnp.ones(9), jnp.full(9, 2.0)), jnp.ones(9, bool)
    )
    parent = jnp.array([0, 0, 1])
    np.testing.assert_allclose(
        gamma_progress.pooled_score(state, parent, 2, warmup=6),
        [1 / 2.001, 1 / 2.001, 1.0],
        rtol=1e-5,
    )
    np.testing.assert_array_equal(gamma_progress.score(state, warmup=6), np.ones(3))


def test_choices_follow_value_above_the_floor():
    value = jnp.array([0.0, 1.0, 3.0, 0.0])
    np.testing.assert_allclose(
        choose.probabilities(value, 0.2), [0.05, 0.25, 0.65, 0.05], rtol=1e-6
    )
    drawn = choose.choose(jax.random.key(0), value, 0.2, 20_000)
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, [0.05, 0.25, 0.65, 0.05], atol=0.015)
    assert 0 not in choose.choose(jax.random.key(0), value, 0.0, 1000)


def test_worthless_regions_are_drawn_alike():
    drawn = choose.choose(jax.random.key(0), jnp.zeros(4), 0.0, 8000)
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 8000, 0.25, atol=0.02)


def test_region_numbers_and_parts_are_inverse():
    region = jnp.arange(5 * 4 * 3)
    np.testing.assert_array_equal(
        choose.region_index(*choose.region_parts(region, 3), bins=3), region
    )
    assert choose.region_index(jnp.array(2), jnp.array(3), jnp.array(1), 3) == 34
