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
