"""The body's own senses over a window of T control steps, each step's order kept."""

import flax.linen as nn
import jax
import jax.numpy as jnp

FAINT_N = 1.0  # forces are felt by the logarithm above this


class ProprioEncoder(nn.Module):
    """Joints' positions (m), velocities (m/s) and commands (m) [..., T, 15] -> [..., code]."""

    width: int = 128
    code: int = 256

    @nn.compact
    def __call__(self, joints: jax.Array) -> jax.Array:
        return _Window(self.width, self.code)(joints)


class TouchEncoder(nn.Module):
    """Forces on two fingers [..., T, 6] N -> [..., code]."""

    width: int = 128
    code: int = 256

    @nn.compact
    def __call__(self, force_N: jax.Array) -> jax.Array:
        return _Window(self.width, self.code)(jnp.arcsinh(force_N / FAINT_N))


class _Window(nn.Module):
    """[..., T, D] -> [..., code]; T is that of the first call."""

    width: int
    code: int

    @nn.compact
    def __call__(self, window: jax.Array) -> jax.Array:
        flat = window.reshape(*window.shape[:-2], -1)
        hidden = nn.silu(nn.Dense(self.width)(flat))
        return nn.LayerNorm()(nn.Dense(self.code)(nn.silu(nn.Dense(self.width)(hidden))))
