"""A network that corrects an innate prior, and learns how far to trust it.

prediction = p + (1 - w) r(x), with w = prior_weight(raw), or prior_weight(raw + g(x)) where the
trust depends on the situation. The heads of r and g start at zero: the prior is all that a newborn
knows.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.priors import physics

RAW0 = physics.initial_raw(0.9)


@struct.dataclass
class Adapted:
    """What is predicted of B situations, with D outputs."""

    prediction: jax.Array  # [B, D]
    residual: jax.Array  # [B, D]
    weight: jax.Array  # [B] trust in the prior, in [0.3, 1]
    gate: jax.Array  # [B] the situation's part of it; 0 where the trust is global
    raw: jax.Array  # []


class AdaptivePrior(nn.Module):
    """Features [B, F] and the prior's prediction [B, D] -> `Adapted`.

    With an `eye` (see `Corrector`) the features are pictures [B, H, W, C]. `scale` is the
    residual's unit: the size of a plain violation. `gated`: trust depends on the situation. Unless
    `aided` there is no prior, and the same network predicts alone.
    """

    widths: tuple[int, ...] = (32,)
    gated: bool = False
    aided: bool = True
    scale: float = 1.0
    eye: tuple[int, int] | None = None

    @nn.compact
    def __call__(self, x_BxF: jax.Array, prior_BxD: jax.Array) -> Adapted:
        raw = self.param("raw", nn.initializers.constant(RAW0), ())
        outputs = prior_BxD.shape[-1]
        residual = self.scale * Corrector(self.widths, outputs, self.eye, name="residual")(x_BxF)
        gate = jnp.zeros(x_BxF.shape[0])
        if not self.aided:
            return Adapted(residual, residual, gate, gate, raw)
        if self.gated:
            gate = Corrector(self.widths, 1, self.eye, name="gate")(x_BxF)[:, 0]
        weight = physics.gated_weight(raw, gate)
        prediction = physics.blend(prior_BxD, residual, weight[:, None])
        return Adapted(prediction, residual, weight, gate, raw)


class Corrector(nn.Module):
    """[B, F], or pictures [B, H, W, C], -> [B, D], zero at the start.

    An `eye` (P, K) looks through K filters at squares of P pixels that do not overlap: a
    convolution as one product of matrices, which batches over seeds where a convolution crawls.
    """

    widths: tuple[int, ...]
    outputs: int
    eye: tuple[int, int] | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.eye:
            side, filters = self.eye
            seen = nn.relu(nn.Dense(filters, name="eye")(patches(x, side)))
            x = seen.reshape(x.shape[0], -1)
        for number, width in enumerate(self.widths):
            x = nn.tanh(nn.Dense(width, name=f"hidden_{number}")(x))
        return nn.Dense(self.outputs, kernel_init=nn.initializers.zeros, name="head")(x)


def patches(x_BxHxWxC: jax.Array, side: int) -> jax.Array:
    """[B, H W / side^2, side^2 C] squares of the picture, row by row."""
    batch, height, width, channels = x_BxHxWxC.shape
    x = x_BxHxWxC.reshape(batch, height // side, side, width // side, side, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, side * side * channels)
