"""Innate support: what is seen of a block and a table, and whether the block will stay.

The rule is that of infants of about six months (Baillargeon 1995): a block stays where its middle
is over its support. It knows nothing of what the block is made of.
"""

import jax
import jax.numpy as jnp

from nsca_jax.priors import physics, visual

CERTAIN = 3.0  # the rule's log odds, at most
SLACK = 0.03  # of the width: a margin that reading the picture may miss
GREY = 0.4  # red against green, over the luminance: below this it is grey, in any light


def read(image_HxWx3: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The block's middle and width, and the ends of the table, in image widths; each [].

    The block is what is red, the table what is green (opponent colours); both are upright.
    """
    width = image_HxWx3.shape[1]
    luminance, red_green, _ = jnp.moveaxis(visual.opponent_colours(_smooth(image_HxWx3)), -1, 0)
    red_green = red_green / (luminance + 1e-3)
    middle_W = (jnp.arange(width) + 0.5) / width
    block_W, table_W = (_columns(mask) for mask in (red_green > GREY, red_green < -GREY))
    extent = jnp.sum(block_W) / width
    middle = jnp.sum(block_W * middle_W) / jnp.maximum(jnp.sum(block_W), 1.0)
    reach = jnp.sum(table_W) / width
    from_left = jnp.sum(table_W * middle_W) <= 0.5 * jnp.sum(table_W)
    low = jnp.where(from_left, 0.0, 1.0 - reach)
    return middle, extent, low, low + reach


def stays_logit(image_HxWx3: jax.Array) -> jax.Array:
    """[] log odds that the block stays, from one picture."""
    middle, extent, low, high = read(image_HxWx3)
    margin = physics.support_margin(middle, low, high) / jnp.maximum(extent, 0.05)
    return CERTAIN * jnp.tanh(margin / SLACK)


def _columns(mask_HxW: jax.Array) -> jax.Array:
    """[W] 1 where a column holds at least half as much of the mask as the fullest columns do."""
    count_W = jnp.sum(mask_HxW, 0)
    return (count_W > 0.5 * jnp.max(count_W)).astype(jnp.float32)


def _smooth(image_HxWx3: jax.Array) -> jax.Array:
    """Each pixel averaged with its neighbours above and below: columns stay sharp."""
    reach = 2
    rows = image_HxWx3.shape[0]
    padded = jnp.pad(image_HxWx3, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    shifted = [padded[k : k + rows] for k in range(2 * reach + 1)]
    return sum(shifted[1:], shifted[0]) / len(shifted)
