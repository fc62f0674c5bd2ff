"""Attacks against what can be worked out by hand, and bounds that nothing may leave."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.robustness import attacks

WEIGHT = jnp.array([3.0, -4.0, 0.0])
MIDDLE = jnp.full(3, 0.5)


def linear(x):
    return jnp.dot(WEIGHT, x)


def bumpy(x):
    return jnp.sum(jnp.sin(9.0 * x) + 0.3 * jnp.cos(31.0 * x))


def test_fgsm_of_a_linear_loss_by_hand():
    moved = attacks.fgsm(linear, MIDDLE, 0.1)
    np.testing.assert_allclose(moved, [0.6, 0.4, 0.5], rtol=1e-6)


def test_fgsm_stays_where_an_observation_must_lie():
    np.testing.assert_allclose(attacks.fgsm(linear, jnp.array([0.95, 0.02, 0.5]), 0.1)[:2], [1, 0])


def test_pgd_linf_of_a_linear_loss_reaches_the_corner():
    moved = attacks.pgd(linear, MIDDLE, jax.random.key(0), 0.1, 20)
    np.testing.assert_allclose(moved[:2], [0.6, 0.4], rtol=1e-5)


def test_pgd_l2_of_a_linear_loss_goes_along_the_gradient():
    """The best point is eps w / |w| away, with |w| = 5: a rise of 5 eps."""
    np.testing.assert_allclose(attacks.steepest(WEIGHT, "l2"), [0.6, -0.8, 0.0], rtol=1e-6)
    moved = attacks.pgd(linear, MIDDLE, jax.random.key(0), 0.1, 20, "l2")
    assert 0.95 * 0.5 < linear(moved) - linear(MIDDLE) <= 0.5 + 1e-6


@pytest.mark.parametrize("norm", attacks.NORMS)
def test_pgd_stays_in_ball_and_box_and_never_ends_lower(norm):
    keys = jax.random.split(jax.random.key(1), 32)
    x_Bx6 = jax.vmap(lambda key: jax.random.uniform(key, (6,)))(keys)
    moved = jax.vmap(lambda x, key: attacks.pgd(bumpy, x, key, 0.2, 10, norm))(x_Bx6, keys)
    change = np.asarray(moved - x_Bx6)
    size = np.abs(change).max(1) if norm == "linf" else np.linalg.norm(change, axis=1)
    assert size.max() <= 0.2 + 1e-6
    assert size.max() > 0.15
    assert moved.min() >= 0
    assert moved.max() <= 1
    before, after = jax.vmap(bumpy)(x_Bx6), jax.vmap(bumpy)(moved)
    assert (after >= before).all()


def test_more_steps_climb_higher_than_one():
    keys = jax.random.split(jax.random.key(2), 64)
    x_Bx6 = jax.vmap(lambda key: jax.random.uniform(key, (6,)))(keys)
    one = jax.vmap(lambda x: bumpy(attacks.fgsm(bumpy, x, 0.2)))(x_Bx6)
    many = jax.vmap(lambda x, key: bumpy(attacks.pgd(bumpy, x, key, 0.2, 40)))(x_Bx6, keys)
    assert many.mean() > one.mean() + 0.2


def test_projection_by_hand():
    np.testing.assert_allclose(attacks.project(jnp.array([3.0, 4.0]), 1.0, "l2"), [0.6, 0.8])
    np.testing.assert_allclose(attacks.project(jnp.array([0.3, 0.4]), 1.0, "l2"), [0.3, 0.4])
    np.testing.assert_allclose(attacks.project(jnp.array([3.0, -0.4]), 1.0, "linf"), [1.0, -0.4])


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="'l1' is not one of linf, l2"):
        attacks.pgd(linear, MIDDLE, jax.random.key(0), 0.1, 1, "l1")  # pyright: ignore[reportArgumentType]
