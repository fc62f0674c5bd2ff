"""Small changes of an observation that raise a loss the most: FGSM and PGD.

Every function takes ONE observation of any shape and a differentiable `loss(x) -> []` that the
attacker climbs; callers `vmap`. Results stay within [low, high], where an observation must lie, and
within the ball of radius `eps` about x.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

Loss = Callable[[jax.Array], jax.Array]
Norm = Literal["linf", "l2"]
NORMS = ("linf", "l2")


def fgsm(loss: Loss, x: jax.Array, eps, low: float = 0.0, high: float = 1.0) -> jax.Array:
    """One step of eps along the gradient's sign (Goodfellow et al. 2015)."""
    return jnp.clip(x + eps * jnp.sign(jax.grad(loss)(x)), low, high)


def pgd(
    loss: Loss,
    x: jax.Array,
    key: jax.Array,
    eps,
    steps: int,
    norm: Norm = "linf",
    low: float = 0.0,
    high: float = 1.0,
) -> jax.Array:
    """Projected gradient ascent from a random start in the ball (Madry et al. 2018).

    Args:
        eps: [] radius, in the unit of x; it may be traced.
        steps: of 2.5 eps / steps each, so that the whole ball is within reach.
        norm: of the ball, "linf" or "l2".

    Returns:
        The visited point of the highest loss.

    Raises:
        ValueError: an unknown norm.
    """
    if norm not in NORMS:
        raise ValueError(f"norm {norm!r} is not one of {', '.join(NORMS)}")
    stride = 2.5 * eps / steps
    climb = jax.value_and_grad(loss)

    def inside(point: jax.Array) -> jax.Array:
        return jnp.clip(x + project(point - x, eps, norm), low, high)

    def step(carry, _):
        point, best, highest = carry
        value, grad = climb(point)
        best = jnp.where(value > highest, point, best)
        ahead = inside(point + stride * steepest(grad, norm))
        return (ahead, best, jnp.maximum(value, highest)), None

    start = inside(x + eps * jax.random.uniform(key, x.shape, x.dtype, -1.0, 1.0))
    (last, best, highest), _ = jax.lax.scan(step, (start, x, loss(x)), None, steps)
    return jnp.where(loss(last) > highest, last, best)


def project(change: jax.Array, eps, norm: Norm) -> jax.Array:
    """The point of the ball of radius eps about 0 that is nearest to `change`."""
    if norm == "linf":
        return jnp.clip(change, -eps, eps)
    return change * jnp.minimum(1.0, eps / (_length(change) + 1e-12))


def steepest(grad: jax.Array, norm: Norm) -> jax.Array:
    """The step of length 1 in `norm` along which a linear loss rises most; 0 where grad is 0."""
    if norm == "linf":
        return jnp.sign(grad)
    return grad / (_length(grad) + 1e-12)


def _length(x: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum(x**2))
