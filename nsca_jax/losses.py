"""Losses over arrays; each states its shape and leaves the reduction to `masked_mean`."""

from typing import NamedTuple

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


def calibration(log_variance: jax.Array, error: jax.Array, threshold: jax.Array) -> jax.Array:
    """The price of being sure where one errs: `-log(uncertainty)` where |error| > threshold.

    The uncertainty is the predicted standard deviation; 0 where the error is small. Unbounded
    below by itself: it belongs beside a likelihood, which pays for every uncertainty.

    Args:
        log_variance, error: [...] of one shape.
        threshold: broadcasts against them, of the error's unit; no gradient flows into it.

    Returns:
        [...] in nats.
    """
    chex.assert_equal_shape([log_variance, error])
    large = jnp.abs(error) > jax.lax.stop_gradient(threshold)
    return jnp.where(large, -0.5 * log_variance, 0.0)


def nt_xent(a_BxD: jax.Array, b_BxD: jax.Array, temperature: float = 0.1) -> jax.Array:
    """[] contrastive loss of B pairs of views, in nats: Chen et al. (2020), "SimCLR", eq. 1.

    Each of the 2 B views must tell its other view from the 2 B - 2 views of other pairs, by the
    cosine of their angle over `temperature`; chance is log(2 B - 1).
    """
    chex.assert_equal_shape([a_BxD, b_BxD])
    views = jnp.concatenate([a_BxD, b_BxD])
    views = views / (jnp.linalg.norm(views, axis=-1, keepdims=True) + 1e-8)
    count = views.shape[0]
    likeness = views @ views.T / temperature - 1e9 * jnp.eye(count)
    partner = jnp.roll(jnp.arange(count), count // 2)
    right = jnp.take_along_axis(likeness, partner[:, None], 1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(likeness, axis=1) - right)


class VICReg(NamedTuple):
    """The three terms of `vicreg`, [] each, unweighted."""

    invariance: jax.Array  # mean squared difference of the two views
    variance: jax.Array  # how far each dimension's spread falls short of 1
    covariance: jax.Array  # mean square of what two dimensions share


def vicreg(a_BxD: jax.Array, b_BxD: jax.Array) -> VICReg:
    """Variance-invariance-covariance regularisation of B pairs of views: Bardes et al. (2022).

    Nothing is contrasted: a spread of 1 in every dimension, each saying something else, is what
    forbids the constant solution. The paper weighs the terms 25, 25 and 1.
    """
    chex.assert_equal_shape([a_BxD, b_BxD])
    batch, width = a_BxD.shape

    def one(view: jax.Array) -> tuple[jax.Array, jax.Array]:
        centred = view - view.mean(0)
        covariance = centred.T @ centred / (batch - 1)
        spread = jnp.sqrt(jnp.diagonal(covariance) + 1e-4)
        shared = jnp.sum(covariance**2) - jnp.sum(jnp.diagonal(covariance) ** 2)
        return jnp.mean(jax.nn.relu(1.0 - spread)), shared / width

    (spread_a, shared_a), (spread_b, shared_b) = one(a_BxD), one(b_BxD)
    invariance = jnp.mean((a_BxD - b_BxD) ** 2)
    return VICReg(invariance, 0.5 * (spread_a + spread_b), shared_a + shared_b)


def temporal_consistency(now_BxD: jax.Array, next_BxD: jax.Array) -> jax.Array:
    """[] mean of 1 - cosine between the codes of adjacent frames: what is seen changes slowly.

    Alone it is content with a constant code (Wiskott and Sejnowski 2002, "Slow feature analysis").
    """
    chex.assert_equal_shape([now_BxD, next_BxD])
    norms = jnp.linalg.norm(now_BxD, axis=-1) * jnp.linalg.norm(next_BxD, axis=-1)
    return jnp.mean(1.0 - jnp.sum(now_BxD * next_BxD, -1) / (norms + 1e-8))
