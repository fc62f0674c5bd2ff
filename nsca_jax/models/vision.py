"""The laptop's eye: patches and matrix products, which `vmap` over seeds as convolutions do not."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nsca_jax.priors import visual

CODE = 256


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


class VisionEncoder(nn.Module):
    """Packed image [..., H, W, 4] uint8 -> code [..., 256]; H and W are multiples of `patch`.

    A cell is a patch's pixels and what the innate filters say there (`cells`, which nothing
    learns); every cell passes one shared map, and all of them together two more. Where an innate
    filter is off, as many filters over the patch's pixels may be learnt in its place, so that an
    eye without priors has no fewer channels than one with them.
    """

    innate: visual.Innate = visual.Innate()
    patch: int = 4
    width: int = 12
    code: int = CODE

    def __call__(self, image: jax.Array) -> jax.Array:
        return self.encode(*self.cells(image))

    def cells(self, image: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Pixels [..., cells, patch * patch * 4] uint8 and innate responses [..., cells, C]."""
        rgb = image[..., :3].astype(jnp.float32) / 255.0
        maps = visual.responses(rgb, self.innate, self.patch)
        *lead, rows, columns, channels = maps.shape
        return split_patches(image, self.patch), maps.reshape(*lead, rows * columns, channels)

    @nn.compact
    def encode(self, pixels: jax.Array, responses: jax.Array) -> jax.Array:
        """The learnt part: `cells` -> code [..., 256]."""
        pixels = pixels.astype(jnp.float32) / 255.0 - 0.5
        missing = visual.Innate().channels - self.innate.channels
        seen = [pixels, responses.astype(jnp.float32)]
        if missing:
            seen.append(nn.silu(nn.Dense(missing, name="filters")(pixels)))
        x = nn.silu(nn.Dense(self.width, name="cell")(jnp.concatenate(seen, -1)))
        x = x.reshape(*x.shape[:-2], -1)
        x = nn.silu(nn.Dense(self.code, name="whole")(x))
        return nn.LayerNorm(name="scale")(nn.Dense(self.code, name="code")(x))


class Projection(nn.Module):
    """Code [..., D] -> where views are compared [..., width]; thrown away after learning."""

    width: int = 64

    @nn.compact
    def __call__(self, code: jax.Array) -> jax.Array:
        return nn.Dense(self.width)(nn.silu(nn.Dense(2 * self.width)(code)))


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
