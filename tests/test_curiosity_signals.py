"""The rival signals: hand-worked scores, and what each is known to fall for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.curiosity import ama, rnd, windowed_progress
from nsca_jax.curiosity.arms import ARMS
from nsca_jax.curiosity.evidence import Evidence


def told(arm, region, evidence, regions=2, window=8):
    region = jnp.asarray(region)
    state = ARMS[arm].init(regions, window)
    return ARMS[arm].update(state, region, evidence, jnp.ones(region.shape, bool))


def test_windowed_progress_by_hand():
    """Errors 6, 4, 2, 2: older mean 5, newer 2, squared SE of the older half 1, of the newer 0."""
    errors = jnp.array([6.0, 4.0, 2.0, 2.0])
    state = told("windowed_progress", [0] * 4, Evidence(errors, errors))
    score = windowed_progress.score(state, bound=1.0, warmup=4)
    np.testing.assert_allclose(score, [(3 - 1) / 5.001, 1.0], rtol=1e-5)


def test_windowed_progress_halves_by_age_after_the_ring_is_full():
    """12 samples in a ring of 8: the last 8 are 5 .. 12, of which 9 .. 12 are the newer."""
    falling = jnp.arange(12.0, 0.0, -1.0)
    state = told("windowed_progress", [1] * 12, Evidence(falling, falling))
    older, newer = np.array([8.0, 7, 6, 5]), np.array([4.0, 3, 2, 1])
    margin = older.mean() - newer.mean()
    score = windowed_progress.score(state, bound=0.0, warmup=8)[1]
    assert score == pytest.approx(margin / (older.mean() + 1e-3), rel=1e-5)


def test_windowed_progress_takes_fading_noise_for_a_lesson_and_gamma_progress_does_not():
    noise = jax.random.exponential(jax.random.key(0), (64,)) * 0.9 ** jnp.arange(64)
    evidence = Evidence(noise, noise)  # predictor and slow copy are struck alike
    scores = {
        arm: float(ARMS[arm].score(told(arm, [0] * 64, evidence, window=64), 1.0, 32)[0])
        for arm in ("windowed_progress", "gamma_progress")
    }
    assert scores["windowed_progress"] > 0.3
    assert scores["gamma_progress"] == 0.0


def test_ama_by_hand():
    """Errors 4, 4, 2, 2 where 1 was expected: excess 3, 3, 1, 1 of mean 2 and squared SE 1/3."""
    error, variance = jnp.array([4.0, 4.0, 2.0, 2.0]), jnp.ones(4)
    state = told("ama", [0] * 4, Evidence(error, error, variance=variance))
    score = ama.score(state, bound=1.0, warmup=4)
    np.testing.assert_allclose(score, [(2 - 3**-0.5) / 3.001, 1.0], rtol=1e-5)


def test_ama_leaves_noise_when_all_else_is_learnt_and_flees_what_is_hard():
    """All regions but three show i.i.d. noise of known variance. Of the three, one errs more than
    expected; one is learnt, but for a small error that is expected; one errs much and is still
    learnt, and that is expected too.
    """
    noisy, steps = 32, 64
    noise = jnp.mean(jax.random.normal(jax.random.key(0), (noisy, steps, 8)) ** 2, -1)
    ones = jnp.ones(steps)
    hard, hard_before = 0.99 ** jnp.arange(steps), 0.99 ** (jnp.arange(steps) - 50.0)
    error = jnp.stack([*noise, ones, 0.01 * ones, hard])
    slow_error = jnp.stack([*noise, ones, 0.01 * ones, hard_before])
    variance = jnp.stack([*jnp.ones_like(noise), 0.3 * ones, 0.01 * ones, hard])
    region = jnp.repeat(jnp.arange(noisy + 3), steps)
    evidence = Evidence(error.ravel(), slow_error.ravel(), variance=variance.ravel())
    unexpected, progress = (
        ARMS[arm].score(told(arm, region, evidence, noisy + 3, steps))
        for arm in ("ama", "gamma_progress")
    )
    assert unexpected[:noisy].max() < 0.05
    np.testing.assert_allclose(unexpected[noisy:], [0.7, 0.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(progress[noisy:], [0.0, 0.0, 0.3], atol=0.1)


@pytest.mark.parametrize(
    ("arm", "field"),
    [("prediction_error", "error"), ("disagreement", "disagreement"), ("rnd", "novelty")],
)
def test_means_of_their_own_quantity_over_the_largest(arm, field):
    nothing = jnp.zeros(4)
    evidence = Evidence(nothing, nothing, nothing, nothing, nothing)
    evidence = evidence._replace(**{field: jnp.array([1.0, 3.0, 4.0, 4.0])})
    state = told(arm, [0, 0, 1, 1], evidence, regions=3)
    np.testing.assert_allclose(ARMS[arm].score(state, warmup=2), [0.5, 1.0, 1.0], rtol=1e-6)


def test_counts_pay_by_the_root():
    nothing = jnp.zeros(5)
    state = told("count", [0, 0, 0, 0, 1], Evidence(nothing, nothing), regions=3)
    np.testing.assert_allclose(ARMS["count"].score(state), [0.5, 1.0, 1.0])


@pytest.mark.parametrize("arm", ["disagreement", "ama", "rnd"])
def test_a_loop_that_does_not_measure_it_is_refused(arm):
    with pytest.raises(ValueError, match="the loop"):
        told(arm, [0], Evidence(jnp.zeros(1), jnp.zeros(1)))


def test_what_was_often_seen_is_no_longer_novel_and_the_target_never_moves():
    known, new = jax.random.normal(jax.random.key(1), (2, 16, 6))
    start = rnd.init_networks(jax.random.key(2), 6)
    networks = jax.lax.fori_loop(0, 1000, lambda _, n: rnd.learn(n, known), start)
    assert rnd.novelty(networks, known).mean() < 0.1 * rnd.novelty(start, known).mean()
    assert rnd.novelty(networks, new).mean() > 3 * rnd.novelty(networks, known).mean()
    jax.tree.map(np.testing.assert_array_equal, networks.target, start.target)
