"""Sensor noise, the same for every sense: Gaussian, additive, clipped to what the sense can say."""

import dataclasses

import jax
import jax.numpy as jnp

from nsca_jax import types


def add(
    key: jax.Array, reading: jax.Array, std: float, low: float = -jnp.inf, high: float = jnp.inf
) -> jax.Array:
    """`reading` plus noise of standard deviation `std` in its own unit, clipped to [low, high].

    `key` is a typed key; `reading` any float shape. With std = 0 nothing is drawn. Raises
    `ValueError` for a negative std.
    """
    if std < 0.0:
        raise ValueError(f"noise: std {std} is negative")
    if std == 0.0:
        return reading
    return jnp.clip(reading + std * jax.random.normal(key, reading.shape, reading.dtype), low, high)


def add_to_image(
    key: jax.Array, image: types.Image, std_rgb: float, std_depth_m: float
) -> types.Image:
    """An image whose colours and depth are noisy; the figure-ground labels are left as they are."""
    key_rgb, key_depth = jax.random.split(key)
    return dataclasses.replace(
        image,
        rgb=add(key_rgb, image.rgb, std_rgb, 0.0, 1.0),
        depth_m=add(key_depth, image.depth_m, std_depth_m, 0.0),
    )
