"""The network that plays: IMPALA's residual convolutions, a policy, a value, and a foresight.

Shapes: B pictures, H x W pixels, D units of the latent, A actions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from nsca_jax.models.vision import split_patches
from nsca_jax.priors import visual

BORN_WITH = visual.Innate(gabor=True, colour=True, depth=False)
NOTHING = visual.Innate(gabor=False, colour=False, depth=False)


class Seen(NamedTuple):
    """What the network takes in of pictures; nothing of it is learnt."""

    innate: jax.Array  # [..., H / (coarse patch), W / (coarse patch), C] float16
    pixels: jax.Array  # [..., H / (coarse patch), W / (coarse patch), patch * patch * 3] uint8


def look(image: jax.Array, innate: visual.Innate, coarse: int, patch: int) -> Seen:
    """Pictures [..., H, W, 3] uint8 as an eye passes them on.

    Squares of `coarse` pixels are seen as their mean; of these, `patch` x `patch` enter together,
    as the channels of one place, beside their C = `innate.channels` innate responses.

    Raises:
        ValueError: H or W is no multiple of `coarse * patch`.
    """
    *lead, height, width, channels = image.shape
    if height % (coarse * patch) or width % (coarse * patch):
        raise ValueError(f"{height}x{width} pixels do not split by {coarse} and {patch}")
    blocks = image.reshape(*lead, height // coarse, coarse, width // coarse, coarse, channels)
    mean = blocks.astype(jnp.float32).mean((-4, -2))
    pixels = split_patches(jnp.round(mean).astype(jnp.uint8), patch)
    pixels = pixels.reshape(*lead, *(n // (coarse * patch) for n in (height, width)), -1)
    return Seen(visual.responses(mean / 255.0, innate, patch).astype(jnp.float16), pixels)


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inner = nn.Conv(self.width, (3, 3))(nn.relu(x))
        return x + nn.Conv(self.width, (3, 3))(nn.relu(inner))


class Impala(nn.Module):
    """`Seen` [B] -> latent [B, D]: Espeholt et al. (2018), "IMPALA", figure 3, the large network.

    Of each of `widths` one convolution, a pooling that halves the side, two residual blocks. Innate
    responses are the first channels.
    """

    widths: Sequence[int]
    latent: int

    @nn.compact
    def __call__(self, seen: Seen) -> jax.Array:
        pixels = seen.pixels.astype(jnp.float32) / 255.0
        x = jnp.concatenate([seen.innate.astype(jnp.float32), pixels], -1)
        for width in self.widths:
            x = nn.Conv(width, (3, 3))(x)
            x = nn.max_pool(x, (3, 3), (2, 2), "SAME")
            x = Residual(width)(Residual(width)(x))
        x = nn.relu(x).reshape(x.shape[0], -1)
        return nn.relu(nn.Dense(self.latent)(x))


class Player(nn.Module):
    """Latent, policy and value of what is seen; and the latent that an action leads to."""

    actions: int
    widths: Sequence[int] = (16, 32, 32)
    latent: int = 256

    def setup(self):
        self.eye = Impala(self.widths, self.latent)
        self.policy = nn.Dense(self.actions, kernel_init=nn.initializers.orthogonal(0.01))
        self.value = nn.Dense(1, kernel_init=nn.initializers.orthogonal(1.0))
        self.ahead = [nn.Dense(self.latent), nn.Dense(self.latent)]

    def __call__(self, seen: Seen) -> tuple[jax.Array, jax.Array, jax.Array]:
        """(latent [B, D], logits [B, A], value [B])."""
        latent = self.eye(seen)
        return latent, self.policy(latent), self.value(latent)[..., 0]

    def foresee(self, latent: jax.Array, action: jax.Array) -> jax.Array:
        """Latent [B, D] after `action` [B] int32."""
        x = jnp.concatenate([latent, jax.nn.one_hot(action, self.actions)], -1)
        return latent + self.ahead[1](nn.relu(self.ahead[0](x)))

    def everything(self, seen: Seen, action: jax.Array) -> jax.Array:
        """Passes through every parameter, for `init`."""
        latent, _, _ = self(seen)
        return self.foresee(latent, action)
