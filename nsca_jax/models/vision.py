"""The laptop's eye: patches and matrix products, which `vmap` over seeds as convolutions do not."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class PatchEncoder(nn.Module):
    """Packed image [..., H, W, 4] uint8 -> code [..., code]; H and W are multiples of `patch`.

    Each patch passes one shared linear map, as in a ViT's stem (Dosovitskiy et al. 2021).
    """

    patch: int = 8
    width: int = 32
    code: int = 48

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        patches = split_patches(image, self.patch).astype(jnp.float32) / 255.0 - 0.5
        features = nn.silu(nn.Dense(self.width)(patches))
        flat = features.reshape(*features.shape[:-2], -1)
        return nn.LayerNorm()(nn.Dense(self.code)(flat))


def split_patches(image: jax.Array, patch: int) -> jax.Array:
    """[..., H, W, C] -> [..., patches, patch * patch * C], row by row.

    Raises:
        ValueError: H or W is no multiple of `patch`.
    """
    *lead, height, width, channels = image.shape
    if height % patch or width % patch:
        raise ValueError(
            f"an image of {height}x{width} does not split into {patch}x{patch} patches"
        )
    rows, columns = height // patch, width // patch
    blocks = image.reshape(*lead, rows, patch, columns, patch, channels)
    return jnp.swapaxes(blocks, -4, -3).reshape(*lead, rows * columns, patch * patch * channels)


def join_patches(blocks: jax.Array, patch: int, height: int, width: int) -> jax.Array:
    """Inverse of `split_patches`: [..., patches, patch * patch * C] -> [..., height, width, C]."""
    *lead, _, flat = blocks.shape
    rows, columns = height // patch, width // patch
    grid = blocks.reshape(*lead, rows, columns, patch, patch, flat // patch**2)
    return jnp.swapaxes(grid, -4, -3).reshape(*lead, height, width, flat // patch**2)
