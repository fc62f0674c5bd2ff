"""What a method against forgetting may do while a network learns one task after another."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Params = Any  # a pytree of float arrays
Batch = tuple[jax.Array, jax.Array, jax.Array]  # x [B, D], y [B] int32, weight [B] >= 0


class Method(NamedTuple):
    """Hooks; each default does nothing. `state` is the method's own pytree."""

    init: Callable[[Params], Any] = lambda params: ()
    # (state, batch, key) -> batch: may add remembered examples
    rehearse: Callable[[Any, Batch, jax.Array], Batch] = lambda state, batch, key: batch
    # (state, params) -> scalar: added to the task's loss, times the method's strength
    penalty: Callable[[Any, Params], jax.Array] = lambda state, params: jnp.zeros(())
    # (state, params, grads, key) -> grads of the task's loss, before the penalty's are added
    project: Callable[..., Params] = lambda state, params, grads, key: grads
    # (state, grads, before, after) -> state, after each step
    track: Callable[..., Any] = lambda state, grads, before, after: state
    # (state, params, x [N, D], y [N], key) -> state, when a task is learnt
    consolidate: Callable[..., Any] = lambda state, params, x, y, key: state


def combine(first: Method, second: Method) -> Method:
    """Both at once: every hook of the first, then of the second; penalties add."""

    def init(params):
        return first.init(params), second.init(params)

    def rehearse(state, batch, key):
        batch = first.rehearse(state[0], batch, key)
        return second.rehearse(state[1], batch, jax.random.fold_in(key, 1))

    def penalty(state, params):
        return first.penalty(state[0], params) + second.penalty(state[1], params)

    def project(state, params, grads, key):
        grads = first.project(state[0], params, grads, key)
        return second.project(state[1], params, grads, jax.random.fold_in(key, 1))

    def track(state, grads, before, after):
        pairs = zip((first, second), state, strict=True)
        return tuple(method.track(part, grads, before, after) for method, part in pairs)

    def consolidate(state, params, x, y, key):
        return (
            first.consolidate(state[0], params, x, y, key),
            second.consolidate(state[1], params, x, y, jax.random.fold_in(key, 1)),
        )

    return Method(init, rehearse, penalty, project, track, consolidate)
