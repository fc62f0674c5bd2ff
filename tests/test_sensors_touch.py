"""Touch and proprioception: which way the numbers point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.sensors import noise, proprio, touch


def test_a_squeezed_block_presses_both_fingers():
    """A block held at 3 N that weighs 1 N: both normals are positive, both shears pull down."""
    left, right = (-3.0, 0.0, -0.5), (3.0, 0.2, -0.5)
    felt = touch.touch(0.04 * jnp.array([left, right]), 0.04)
    np.testing.assert_allclose(felt, [(3.0, 0.0, -0.5), (3.0, 0.2, -0.5)], rtol=1e-6)


def test_touch_carries_batch_axes_and_refuses_no_time():
    impulse = jnp.ones((4, 7, 2, 3))
    felt = touch.touch(impulse, 0.5)
    assert felt.shape == impulse.shape
    np.testing.assert_allclose(felt[..., 0], jnp.broadcast_to(jnp.array([-2.0, 2.0]), (4, 7, 2)))
    with pytest.raises(ValueError, match="duration"):
        touch.touch(impulse, 0.0)


def test_proprio_is_positions_velocities_commands():
    joints = [jnp.full((3, 5), v) for v in (1.0, 2.0, 3.0)]
    sensed = proprio.proprio(*joints)
    assert sensed.shape == (3, 15)
    np.testing.assert_array_equal(sensed[0], np.repeat([1.0, 2.0, 3.0], 5))
    with pytest.raises(ValueError, match="differ"):
        proprio.proprio(joints[0], joints[1], joints[2][:, :4])


def test_noise_has_the_asked_spread_and_refuses_a_negative_one():
    reading = jnp.zeros((1000, 15))
    noisy = noise.add(jax.random.key(3), reading, 0.02)
    assert float(noisy.std()) == pytest.approx(0.02, rel=0.05)
    with pytest.raises(ValueError, match="negative"):
        noise.add(jax.random.key(3), reading, -0.1)
