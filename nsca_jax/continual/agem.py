"""A-GEM: a step may not raise the loss on remembered examples (Chaudhry et al. 2019)."""

from typing import Any

import jax
import jax.numpy as jnp

Params = Any  # a pytree of float arrays


def project(grads: Params, reference: Params) -> Params:
    """g - min(g.r, 0) / (r.r) r: the gradient nearest to g that does not climb along r.

    Args:
        grads: g, of the new task's loss.
        reference: r, of the loss on a batch from memory; where it is 0, g stays as it is.
    """
    product = _dot(grads, reference)
    square = _dot(reference, reference)
    share = jnp.minimum(product, 0.0) / jnp.where(square > 0, square, 1.0)
    return jax.tree.map(lambda g, r: g - share * r, grads, reference)


def _dot(a: Params, b: Params) -> jax.Array:
    return jax.tree.reduce(jnp.add, jax.tree.map(lambda x, y: jnp.sum(x * y), a, b))
