"""Gravity, solidity, contact and the adaptive blend, against numbers worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.priors import physics


def test_free_flight_is_the_parabola():
    position, velocity = physics.ballistic_step(
        jnp.array([0.0, 0.0, 1.0]), jnp.array([1.0, 0.0, 2.0]), 0.2, jnp.array(0.0)
    )
    np.testing.assert_allclose(position, [0.2, 0.0, 1.0 + 0.4 - 0.1962], rtol=1e-6)
    np.testing.assert_allclose(velocity, [1.0, 0.0, 2.0 - 1.962], rtol=1e-5)


def test_two_half_steps_make_one_step():
    start = jnp.array([[0.1, 0.2, 3.0]]), jnp.array([[1.0, -2.0, 0.5]])
    once = physics.ballistic_step(*start, 0.2, jnp.zeros(1))
    twice = physics.ballistic_step(
        *physics.ballistic_step(*start, 0.1, jnp.zeros(1)), 0.1, jnp.zeros(1)
    )
    np.testing.assert_allclose(once[0], twice[0], atol=1e-6)
    np.testing.assert_allclose(once[1], twice[1], atol=1e-6)


def test_the_floor_stops_a_fall_and_lets_slide():
    position, velocity = physics.ballistic_step(
        jnp.array([0.0, 0.0, 0.05]), jnp.array([0.5, 0.0, 0.0]), 0.2, jnp.array(-0.01)
    )
    np.testing.assert_allclose(position, [0.1, 0.0, -0.01], rtol=1e-6)
    np.testing.assert_allclose(velocity, [0.5, 0.0, 0.0])


def test_a_hand_moves_a_body_only_by_reaching_it():
    still, hand, normal = jnp.zeros((2, 3)), jnp.array([1.0, 0.0, 0.0]), jnp.array([1.0, 0, 0])
    velocity = physics.contact_step(still, hand, normal, jnp.array([0.05, 0.5]), 0.1)
    np.testing.assert_allclose(velocity, [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    fleeing = physics.contact_step(2.0 * hand, hand, normal, jnp.array(0.0), 0.1)
    np.testing.assert_allclose(fleeing, [2.0, 0.0, 0.0])


def test_weight_starts_at_nine_tenths_and_stays_in_its_bounds():
    assert physics.initial_raw(0.9) == pytest.approx(0.1041, abs=1e-4)
    assert physics.prior_weight(jnp.array(physics.initial_raw(0.9))) == pytest.approx(0.9, abs=1e-5)
    weights = physics.prior_weight(jnp.array([-50.0, 0.3, 50.0]))
    np.testing.assert_allclose(weights, [0.3, 0.3 + np.log(2), 1.0], rtol=1e-6)
    with pytest.raises(ValueError, match="must lie in"):
        physics.initial_raw(0.3)


def test_weight_gradient_is_that_of_the_softplus():
    slope = jax.grad(physics.prior_weight)(jnp.array(0.1041))
    assert slope == pytest.approx(1.0 - np.exp(-0.6), abs=1e-3)


def test_blend_and_its_prices():
    assert physics.blend(jnp.array(2.0), jnp.array(5.0), jnp.array(0.6)) == pytest.approx(4.0)
    price = physics.blend_penalty(jnp.array([1.0, 3.0]), jnp.array(0.3), 0.1)
    assert price == pytest.approx(0.01 * 5.0 + 0.15 * 0.04)
    assert physics.gate_penalty(jnp.array(2.0)) == pytest.approx(0.12)
    gated = physics.gated_weight(jnp.array(0.1), jnp.array([0.0, 0.2]))
    np.testing.assert_allclose(gated[1], physics.prior_weight(jnp.array(0.3)), rtol=1e-6)


def fit_weight(violation: float) -> float:
    """The weight after 800 plain gradient steps where truth = prior + violation."""
    raw0 = physics.initial_raw()

    def loss(params):
        residual, raw = params
        error = physics.blend(jnp.zeros(1), residual, physics.prior_weight(raw)) - violation
        return jnp.mean(error**2) + physics.blend_penalty(residual, raw, raw0)

    def step(params, _):
        slopes = jax.grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, slopes), None

    start = (jnp.zeros(1), jnp.array(raw0))
    (_, raw), _ = jax.jit(lambda p: jax.lax.scan(step, p, None, 800))(start)
    return float(physics.prior_weight(raw))


def test_trust_falls_with_the_violation_of_the_prior():
    obeyed, bent, violated = fit_weight(0.0), fit_weight(1.0), fit_weight(6.0)
    assert obeyed == pytest.approx(0.9, abs=1e-3)
    assert obeyed > bent + 0.02 > violated + 0.1
    assert violated < 0.5


def test_critical_period_closes():
    rate = physics.critical_period(jnp.array([0.0, 1000.0, 5000.0]), closes_at=1000.0, width=100.0)
    np.testing.assert_allclose(rate, [0.05, 0.0255, 0.001], atol=1e-5)


def test_two_solid_bodies_do_not_share_a_place():
    here = jnp.array([[0.0, 0.0, 0.3], [0.0, 0.0, 2.0], [1.0, 1.0, 1.0]])
    other = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    moved = physics.separate(here, other, jnp.array([0.5, 0.5, 0.5]))
    np.testing.assert_allclose(moved, [[0.0, 0.0, 0.5], [0.0, 0.0, 2.0], [1.0, 1.0, 1.5]])
    slope = jax.grad(lambda p: physics.separate(p, other[2], jnp.array(0.5)).sum())(here[2])
    assert np.isfinite(slope).all()


def test_support_ends_where_the_middle_leaves_it():
    margin = physics.support_margin(jnp.array([0.2, 0.5, 1.1]), jnp.array(0.0), jnp.array(1.0))
    np.testing.assert_allclose(margin, [0.2, 0.5, -0.1], atol=1e-6)
