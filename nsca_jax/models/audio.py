"""The ear: what rings, whenever and however loudly it was struck."""

import flax.linen as nn
import jax
import jax.numpy as jnp

LOUD = 8.0  # log(1 + band energy) of a usual impact
QUIET = -1e9  # stands for a silent step where the loudest is sought


class AudioEncoder(nn.Module):
    """Log band energies of T control steps [..., T, 32] -> code [..., code]; T is free.

    Every step that is not silent passes one shared network; their mean and their maximum are the
    window's. Silence throughout gives the code of zeros.
    """

    width: int = 64
    code: int = 256

    @nn.compact
    def __call__(self, sound: jax.Array) -> jax.Array:
        heard = jnp.any(sound > 0.0, -1, keepdims=True)
        step = nn.silu(nn.Dense(self.width)(sound / LOUD))
        step = nn.silu(nn.Dense(self.width)(step))
        count = jnp.sum(heard, -2)
        mean = jnp.sum(jnp.where(heard, step, 0.0), -2) / jnp.maximum(count, 1)
        most = jnp.where(count > 0, jnp.max(jnp.where(heard, step, QUIET), -2), 0.0)
        return nn.LayerNorm()(nn.Dense(self.code)(jnp.concatenate([mean, most], -1)))
