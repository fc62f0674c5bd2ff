"""A correction and the trust in a prior, learnt together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.models import adaptive
from nsca_jax.priors import physics
from nsca_jax.training import trust

NET = adaptive.AdaptivePrior((8,), scale=10.0)


def world(key, violation, n=32):
    """Prior -10; the truth is `violation` away from it."""
    x = jax.random.normal(key, (n, 2))
    prior = jnp.full((n, 1), -10.0)
    return trust.Batch(x, prior, prior + violation(x)[:, None])


def learn(violation, net=NET, steps=600, pace=None, seed=0):
    """The state and the trust [steps]; leaves of `pace` that are arrays [P] lead the outcome."""
    pace = trust.Pace() if pace is None else pace
    key = jax.random.key(seed)

    def one(pace):
        state = trust.init(net, key, (2,), 1)
        sample = lambda t: world(jax.random.fold_in(key, t), violation)  # noqa: E731
        return trust.learn(net, state, sample, steps, pace)

    axes = trust.Pace(*(0 if isinstance(v, jax.Array) else None for v in pace))
    varied = any(axis == 0 for axis in axes)
    return jax.jit(jax.vmap(one, (axes,)) if varied else one)(pace)


def test_a_newborn_predicts_what_its_prior_says():
    state = trust.init(NET, jax.random.key(0), (2,), 1)
    batch = world(jax.random.key(1), lambda x: 0.0 * x[:, 0])
    out = trust.apply(NET, state.params, batch.x_BxF, batch.prior_BxD)
    np.testing.assert_array_equal(out.prediction, batch.prior_BxD)
    np.testing.assert_allclose(out.weight, 0.9, rtol=1e-5)


def test_a_violated_prior_loses_trust_and_is_corrected():
    state, weight = learn(lambda x: 15.0 + 0.0 * x[:, 0])
    assert weight[0] == pytest.approx(0.9, abs=1e-4)
    assert 0.3 <= float(weight.min()) <= float(weight[-1]) < 0.4
    out = trust.apply(NET, state.params, jnp.zeros((1, 2)), jnp.array([[-10.0]]))
    assert float(out.prediction[0, 0]) == pytest.approx(5.0, abs=1.0)


def test_an_obeyed_prior_keeps_its_trust():
    _, weight = learn(lambda x: 0.0 * x[:, 0])
    np.testing.assert_allclose(weight, 0.9, atol=1e-3)


def test_the_end_does_not_depend_on_the_pace_but_does_without_a_price():
    pace = trust.Pace(
        trust=jnp.array([0.03, 0.15, 0.03, 0.15]),
        beta=jnp.array([0.01, 0.01, 0.0, 0.0]),
        gamma=jnp.array([0.15, 0.15, 0.0, 0.0]),
    )
    priced_slow, priced_fast, slow, fast = learn(lambda x: 15.0 + 0.0 * x[:, 0], pace=pace)[1][
        :, -1
    ]
    assert abs(priced_slow - priced_fast) < 0.02 < abs(slow - fast)


def test_a_gate_trusts_only_where_the_prior_holds():
    net = adaptive.AdaptivePrior((8,), gated=True, scale=10.0)
    pace = trust.Pace(beta=0.002)
    state, _ = learn(lambda x: jnp.where(x[:, 0] > 0.0, 15.0, 0.0), net, pace=pace)
    x = jnp.array([[1.5, 0.0], [-1.5, 0.0]])
    violated, obeyed = trust.apply(net, state.params, x, jnp.full((2, 1), -10.0)).weight
    assert float(obeyed) > float(violated) + 0.3


def test_once_the_critical_period_is_over_trust_moves_slowly():
    pace = trust.Pace(closes_at=jnp.array([jnp.inf, -1000.0]))
    open_, over = learn(lambda x: 15.0 + 0.0 * x[:, 0], steps=100, pace=pace)[1][:, -1]
    assert float(open_) < 0.5 < 0.8 < float(over) < 0.9


def test_without_a_prior_the_network_is_alone():
    net = adaptive.AdaptivePrior((8,), aided=False)
    state = trust.init(net, jax.random.key(0), (2,), 1)
    x = jnp.ones((1, 2))
    a, b = (trust.apply(net, state.params, x, jnp.full((1, 1), p)) for p in (0.0, 99.0))
    np.testing.assert_array_equal(a.prediction, b.prediction)
    assert physics.blend(jnp.array(99.0), jnp.array(0.0), b.weight[0]) == 99.0


def test_errors_by_hand():
    y = jnp.array([[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(trust.squared_error(jnp.zeros((2, 2)), y), [1.0, 4.0])
    logit = jnp.array([[np.log(3.0)], [np.log(3.0)]])
    expected = [-np.log(0.75), -np.log(0.25)]
    np.testing.assert_allclose(
        trust.logistic_error(logit, jnp.array([[1.0], [0.0]])), expected, 1e-5
    )


def test_patches_are_the_squares_of_the_picture():
    picture = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(
        adaptive.patches(picture, 2)[0],
        [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]],
    )
