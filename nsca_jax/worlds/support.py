"""A block on the edge of a table, seen once from the side: will it stay?

A block stays where its middle, which is its centre of mass, is over the table. In the second world
half of the blocks are glued: these are dark, and stay wherever they touch the table. Lengths are in
image widths, y upwards; light, tints and noise differ from picture to picture.
"""

import jax
import jax.numpy as jnp
from flax import struct

SIDE = 64  # pixels
NOISE = 0.08  # of each pixel's brightness
GLUED_SHARE = 0.5
GLUED_TONE = 0.5  # of a block's colour


@struct.dataclass
class Blocks:
    """`[...]` one a scene; the table comes from the left, or from the right where mirrored."""

    edge: jax.Array  # of the table
    top: jax.Array  # of the table
    middle: jax.Array  # of the block
    width: jax.Array
    height: jax.Array
    glued: jax.Array  # bool
    mirrored: jax.Array  # bool

    @property
    def stays(self) -> jax.Array:
        """[...] bool."""
        return self.glued | (self.middle <= self.edge)


def scenes(key: jax.Array, n: int, glued_share: float) -> Blocks:
    """[n] random blocks; all touch the table, their middles within 0.45 widths of its edge."""
    draw = iter(jax.random.split(key, 7))

    def uniform(low, high):
        return jax.random.uniform(next(draw), (n,), minval=low, maxval=high)

    edge, top, width, height = (
        uniform(*ends) for ends in ((0.35, 0.65), (0.2, 0.5), (0.2, 0.45), (0.1, 0.4))
    )
    middle = edge + width * uniform(-0.45, 0.45)
    glued, mirrored = (jax.random.bernoulli(next(draw), p, (n,)) for p in (glued_share, 0.5))
    return Blocks(edge, top, middle, width, height, glued, mirrored)


def picture(key: jax.Array, block: Blocks) -> jax.Array:
    """[SIDE, SIDE, 3] in [0, 1] of one scene: a red block on a green table before grey."""
    light, tint, noise = jax.random.split(key, 3)
    tints = jax.random.uniform(tint, (3, 3), minval=-0.03, maxval=0.03)
    grey, green, red = jnp.array([[0.6, 0.6, 0.65], [0.25, 0.55, 0.3], [0.75, 0.3, 0.25]]) + tints
    red = red * jnp.where(block.glued, GLUED_TONE, 1.0)
    left, right = block.middle - block.width / 2, block.middle + block.width / 2
    table = _cover(0.0, block.edge, 0.0, block.top)[..., None]
    body = _cover(left, right, block.top, block.top + block.height)[..., None]
    image = grey + table * (green - grey)
    image = image + body * (red - image)
    image = image * jax.random.uniform(light, (), minval=0.75, maxval=1.2)
    image = jnp.where(block.mirrored, image[:, ::-1], image)
    shaken = image + NOISE * jax.random.normal(noise, (SIDE, SIDE, 1))
    return jnp.clip(shaken, 0.0, 1.0)


def _cover(left, right, bottom, top) -> jax.Array:
    """[SIDE, SIDE] share of each pixel that an upright rectangle covers; row 0 is the top."""
    pixel = jnp.arange(SIDE) / SIDE

    def along(low, high):
        overlap = jnp.minimum(pixel + 1.0 / SIDE, high) - jnp.maximum(pixel, low)
        return jnp.clip(overlap * SIDE, 0.0, 1.0)

    return along(bottom, top)[::-1, None] * along(left, right)[None, :]
