"""Losses against scipy and hand-worked arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nsca_jax import losses


def test_gaussian_nll_is_scipys():
    mean, log_variance = jnp.array([0.0, 1.0, -2.0]), jnp.array([0.0, -1.5, 2.0])
    target = jnp.array([0.3, 1.5, 4.0])
    expected = -stats.norm.logpdf(target, mean, np.exp(np.asarray(log_variance) / 2))
    np.testing.assert_allclose(losses.gaussian_nll(mean, log_variance, target), expected, rtol=1e-5)


def test_log_variance_is_clipped():
    zero = jnp.zeros(2)
    extreme = losses.gaussian_nll(zero, jnp.array([-100.0, 100.0]), zero)
    np.testing.assert_allclose(
        extreme, 0.5 * (np.log(2 * np.pi) + np.array([-7.0, 7.0])), rtol=1e-5
    )


def test_beta_weighs_by_variance_without_gradient():
    args = jnp.array([0.0]), jnp.array([1.0]), jnp.array([2.0])
    plain, weighed = losses.gaussian_nll(*args), losses.gaussian_nll(*args, beta=0.5)
    np.testing.assert_allclose(weighed, plain * np.exp(0.5), rtol=1e-6)
    slope = [
        jax.grad(lambda v, b=b: losses.gaussian_nll(args[0], v, args[2], b).sum())(args[1])
        for b in (0.0, 0.5)
    ]
    np.testing.assert_allclose(slope[1], slope[0] * np.exp(0.5), rtol=1e-6)


def test_gaussian_nll_refuses_to_broadcast():
    with pytest.raises(AssertionError):
        losses.gaussian_nll(jnp.zeros(3), jnp.zeros(3), jnp.zeros((2, 3)))


def test_masked_mean_ignores_what_is_masked():
    x = jnp.array([[1.0, jnp.nan], [3.0, 5.0]])
    mask = jnp.array([[True, False], [True, True]])
    assert losses.masked_mean(x, mask) == pytest.approx(3.0)
    np.testing.assert_allclose(losses.masked_mean(x, mask, -1), [1.0, 4.0])
    assert losses.masked_mean(x, jnp.zeros((2, 2), bool)) == 0.0


def test_nonfinite_paths_names_the_leaf():
    tree = {"good": jnp.ones(2), "bad": {"kernel": jnp.array([1.0, jnp.inf])}}
    assert losses.nonfinite_paths(tree) == ["['bad']['kernel']"]


def test_nt_xent_by_hand():
    """Two pairs at temperature 1; orthogonal pairs, alike within a pair up to their length."""
    a, b = jnp.array([[1.0, 0.0], [0.0, 2.0]]), jnp.array([[3.0, 0.0], [0.0, 1.0]])
    right = np.log(np.exp(1.0) + 2.0) - 1.0  # cosine 1 with the partner, 0 with two others
    assert losses.nt_xent(a, b, 1.0) == pytest.approx(right, rel=1e-5)
    wrong = np.log(np.exp(1.0) + 2.0)
    assert losses.nt_xent(a, b[::-1], 1.0) == pytest.approx(wrong, rel=1e-5)
    cold = np.log(1.0 + 2.0 * np.exp(-10.0))
    assert losses.nt_xent(a, b, 0.1) == pytest.approx(cold, rel=1e-2)


def test_nt_xent_of_a_constant_is_chance():
    same = jnp.ones((5, 3))
    assert losses.nt_xent(same, same, 0.1) == pytest.approx(np.log(9.0), rel=1e-4)


def test_vicreg_by_hand():
    a = jnp.array([[1.0, 0.5], [-1.0, -0.5]])  # variances 2 and .5, covariance 1
    b = jnp.array([[1.0, 1.5], [-1.0, 0.5]])
    terms = losses.vicreg(a, b)
    assert terms.invariance == pytest.approx((1.0 + 1.0) / 4, rel=1e-5)
    assert terms.variance == pytest.approx((1.0 - np.sqrt(0.5)) / 2, rel=1e-3)
    assert terms.covariance == pytest.approx(2 * (2 * 1.0**2 / 2), rel=1e-5)


def test_vicreg_charges_a_collapse_and_its_slope_is_finite():
    same = jnp.ones((4, 3))
    assert losses.vicreg(same, same).variance == pytest.approx(0.99, rel=1e-3)
    slope = jax.grad(lambda x: sum(losses.vicreg(x, x)))(same)
    assert jnp.isfinite(slope).all()


def test_temporal_consistency_by_hand():
    now = jnp.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    after = jnp.array([[2.0, 0.0], [3.0, 0.0], [-1.0, -1.0]])
    assert losses.temporal_consistency(now, after) == pytest.approx((0 + 1 + 2) / 3, rel=1e-5)


@pytest.mark.parametrize("loss", [losses.nt_xent, losses.vicreg, losses.temporal_consistency])
def test_views_must_pair(loss):
    with pytest.raises(AssertionError):
        loss(jnp.zeros((3, 2)), jnp.zeros((4, 2)))
