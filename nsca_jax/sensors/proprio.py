"""Proprioception: where the gripper's joints are, how they move and where they are told to go."""

import jax
import jax.numpy as jnp


def proprio(position_m: jax.Array, velocity_m_s: jax.Array, command_m: jax.Array) -> jax.Array:
    """[..., 3 J]: joint positions (m), velocities (m/s) and commands (m), each [..., J].

    The joints' order is the simulation's: x, y and z slides, left and right finger. Raises
    `ValueError` if the three shapes differ.
    """
    if not position_m.shape == velocity_m_s.shape == command_m.shape:
        shapes = [a.shape for a in (position_m, velocity_m_s, command_m)]
        raise ValueError(f"proprio: shapes {shapes} differ")
    return jnp.concatenate([position_m, velocity_m_s, command_m], axis=-1)
