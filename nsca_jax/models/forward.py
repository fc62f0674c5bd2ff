"""What will be seen next: a small network for worlds of cells and few actions."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class ForwardModel(nn.Module):
    """View [..., V], place and action [..., P] -> mean and log variance of the next view [..., V].

    Two hidden layers, and beside them a gate for each number of the view, opened by place and
    action through a layer of its own: that something stays as it was, in this room after this
    action, is then learnt from few examples. The mean begins at 0. The variance is read off the
    same features without shaping them.
    """

    width: int = 64

    @nn.compact
    def __call__(self, view: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = jnp.concatenate([view, place], -1)
        hidden = nn.relu(nn.Dense(self.width)(x))
        hidden = nn.relu(nn.Dense(self.width)(hidden))
        zeros = nn.initializers.zeros_init()
        where = nn.relu(nn.Dense(self.width)(place))
        stays = nn.Dense(view.shape[-1], kernel_init=zeros)(where)
        mean = stays * view + nn.Dense(view.shape[-1], kernel_init=zeros)(hidden)
        frozen = jax.lax.stop_gradient(jnp.concatenate([hidden, place], -1))
        log_variance = nn.Dense(view.shape[-1], kernel_init=zeros)(frozen)
        return mean, jnp.clip(log_variance, -8.0, 4.0)


def squared_error(mean: jax.Array, seen: jax.Array) -> jax.Array:
    """Mean squared deviation over the last axis: [..., V] twice -> [...]."""
    return jnp.mean((mean - seen) ** 2, -1)


def loss(mean: jax.Array, log_variance: jax.Array, seen: jax.Array, beta: float = 0.5) -> jax.Array:
    """Gaussian likelihood weighted by variance^beta (beta-NLL): [B, V] thrice -> [].

    Noise then weighs less in the mean's gradient than what can be known (Seitzer et al. 2022);
    with beta = 1 that is the gradient of the plain squared error.
    """
    nll = 0.5 * ((mean - seen) ** 2 * jnp.exp(-log_variance) + log_variance)
    return jnp.mean(jax.lax.stop_gradient(jnp.exp(beta * log_variance)) * nll)
