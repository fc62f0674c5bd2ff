"""The loop of a learner that does nothing but descend."""

# optax keeps trees of arrays as they are, and flax dataclasses have `replace`, though not to
# pyright.
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nsca_jax.training import faults


def descend(
    optimiser: optax.GradientTransformation,
    params: Any,
    loss: Callable[[Any, jax.Array], tuple[jax.Array, Any]],
    steps: int,
) -> tuple[Any, Any, faults.Frozen]:
    """(parameters, what was told [steps, ...], the fault if there was one) after `steps` steps.

    `loss(params, number)` gives the loss [] of step `number` and the figures to tell of it, which
    are NaN from a fault on.
    """
    freezing = faults.freezing(optimiser)

    def step(carry, number):
        params, state = carry
        (value, told), grads = jax.value_and_grad(loss, has_aux=True)(params, number)
        updates, state = freezing.update(grads, state, params, loss=value)
        return (optax.apply_updates(params, updates), state), faults.mark(state, told)

    start = params, freezing.init(params)
    (params, state), told = jax.lax.scan(step, start, jnp.arange(steps))
    return params, told, faults.sign(state)
