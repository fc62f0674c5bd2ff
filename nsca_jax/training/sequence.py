"""A classifier that learns task after task, S seeds at once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax.continual import arms
from nsca_jax.continual.method import Method
from nsca_jax.training import faults, parallel


class Settings(NamedTuple):
    """Of one task's training: gradient descent with momentum, clipped, along a cosine to 0.

    Not Adam: dividing each parameter's gradient by its own size undoes what a stiff penalty asks,
    and it ended 2 (Kronecker-factored) to 10 points (diagonal) lower here.
    """

    steps: int
    batch: int
    learning_rate: float
    momentum: float = 0.9
    clip: float = 1.0  # of the norm of the examples' gradient
    clip_sum: float = 30.0  # of what is followed: a penalty must be able to resist


@struct.dataclass
class LearnerState:
    params: Any
    memory: Any  # the method's own state
    key: jax.Array
    finished: jax.Array  # [] int32, tasks learnt
    fault: faults.Frozen  # without moments, which each task has anew


Init = Callable[[jax.Array], LearnerState]
Learn = Callable[[LearnerState, jax.Array, jax.Array, jax.Array], LearnerState]


def make_learner(
    init_params: Callable[[jax.Array], Any], apply: Callable, method: Method, settings: Settings
) -> tuple[Init, Learn]:
    """`(init(keys [S]) -> state, learn(state, x [S, N, D], y [S, N], strength [S]) -> state)`.

    `learn` trains on one task, with the method's penalty times `strength`, and consolidates it:
    one compiled program for all tasks of a shape. State leaves lead with S; the state is donated.
    """
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    descent = optax.sgd(rate, settings.momentum)
    clip = optax.clip_by_global_norm(settings.clip)
    clip_sum = optax.clip_by_global_norm(settings.clip_sum)
    optimiser = faults.freezing(optax.chain(clip_sum, descent))

    def init(key: jax.Array) -> LearnerState:
        params = init_params(jax.random.fold_in(key, 0))
        fault = faults.sign(optimiser.init(params))
        return LearnerState(params, method.init(params), key, jnp.ones((), jnp.int32), fault)

    def learn(state: LearnerState, x_NxD, y_N, strength) -> LearnerState:
        key = jax.random.fold_in(state.key, state.finished)

        def step(carry, number):
            params, memory, moments = carry
            key_draw, key_old = jax.random.split(jax.random.fold_in(key, number))
            rows = jax.random.randint(key_draw, (settings.batch,), 0, len(x_NxD))
            fresh = (x_NxD[rows], y_N[rows], jnp.full(settings.batch, 1.0 / settings.batch))
            batch = method.rehearse(memory, fresh, key_old)
            loss, own = jax.value_and_grad(arms.cross_entropy, 1)(apply, params, *batch)
            own = method.project(memory, params, own, key_old)
            stiff = jax.grad(method.penalty, 1)(memory, params)
            bounded, _ = clip.update(own, optax.EmptyState())
            grads = jax.tree.map(lambda g, p: g + strength * p, bounded, stiff)
            updates, moments = optimiser.update(grads, moments, loss=loss)
            moved = optax.apply_updates(params, updates)
            tracked = method.track(memory, own, params, moved)
            return (moved, faults.keep(moments, tracked, memory), moments), None

        moments = faults.renewed(state.fault, optimiser.init(state.params))
        start = (state.params, state.memory, moments)
        (params, memory, moments), _ = jax.lax.scan(step, start, jnp.arange(settings.steps))
        key_end = jax.random.fold_in(key, settings.steps)
        kept = method.consolidate(memory, params, x_NxD, y_N, key_end)
        memory, fault = faults.keep(moments, kept, memory), faults.sign(moments)
        return LearnerState(params, memory, state.key, state.finished + 1, fault)

    return jax.jit(parallel.vmap(init)), jax.jit(parallel.vmap(learn), donate_argnums=0)


def accuracies(apply: Callable, params: Any, x_TxMxD: jax.Array, y_TxM: jax.Array) -> jax.Array:
    """Percent right on each task [T]."""
    right_TxM = jnp.argmax(apply(params, x_TxMxD), -1) == y_TxM
    return 100.0 * jnp.mean(right_TxM, -1)
