"""Touch: what the two fingertips feel."""

import jax
import jax.numpy as jnp

# The left finger (at smaller x) is pushed towards -x by what it holds, the right one towards +x.
OUTWARD = (-1.0, 1.0)


def touch(impulse_Ns: jax.Array, duration_s: float) -> jax.Array:
    """[..., 2, 3] N, per finger (left, right): normal, horizontal shear, vertical shear.

    `impulse_Ns` [..., 2, 3] is the contact force on each finger in the world frame, integrated
    over `duration_s`; the result is its mean. The gripper closes along the world's x: the normal
    force is positive where the pad is pressed, negative where the finger is pushed from outside.
    Horizontal shear is along y, vertical along z, positive upwards. Raises `ValueError` unless
    the duration is positive.
    """
    if duration_s <= 0.0:
        raise ValueError(f"touch: duration_s {duration_s} must be positive")
    force_N = impulse_Ns / duration_s
    return force_N.at[..., 0].multiply(jnp.asarray(OUTWARD, force_N.dtype))
