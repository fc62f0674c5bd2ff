"""Losses over arrays; each states its shape and leaves the reduction to `masked_mean`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

LOG_VARIANCE_LIMIT = 7.0


def gaussian_nll(
    mean: jax.Array, log_variance: jax.Array, target: jax.Array, beta: float = 0.0
) -> jax.Array:
    """Negative log-likelihood of a diagonal Gaussian, elementwise, log-variance clipped to +- 7.

    `beta > 0` weighs each element by variance^beta, without gradient, so that what is badly
    predicted is still learnt: beta-NLL, Seitzer et al. (2022); 0.5 serves well.

    Args:
        mean, log_variance, target: [...] of one shape.

    Returns:
        [...] in nats.
    """
    chex.assert_equal_shape([mean, log_variance, target])
    log_variance = jnp.clip(log_variance, -LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)
    square = (target - mean) ** 2 * jnp.exp(-log_variance)
    nll = 0.5 * (jnp.log(2.0 * jnp.pi) + log_variance + square)
    return nll * jax.lax.stop_gradient(jnp.exp(beta * log_variance))


def masked_mean(
    x: jax.Array, mask: jax.Array, axis: int | tuple[int, ...] | None = None
) -> jax.Array:
    """Mean of x where mask holds; 0 where nothing does.

    Args:
        x: [...]; what is masked out may be anything, NaN included.
        mask: [...] bool of the same shape.
        axis: as in `jnp.mean`.
    """
    chex.assert_equal_shape([x, mask])
    total = jnp.sum(jnp.where(mask, x, 0.0), axis)
    return total / jnp.maximum(jnp.sum(mask, axis), 1)


def nonfinite_paths(tree: chex.ArrayTree) -> list[str]:
    """Paths of the leaves that hold a NaN or an infinity; on the host, for messages."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [jax.tree_util.keystr(path) for path, leaf in leaves if not np.isfinite(leaf).all()]
