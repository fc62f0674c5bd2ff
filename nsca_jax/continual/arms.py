"""The methods against forgetting, by name, for a classifier."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nsca_jax.continual import agem, dense, ewc, kfac, l2, replay, si
from nsca_jax.continual.method import Method, Params, combine

NAMES = ("plain", "ewc", "ewc_online", "kfac", "si", "l2", "agem", "replay", "ewc_replay")
DAMPING = 0.01  # of Kronecker factors
REMEMBERING = ("agem", "replay", "ewc_replay")  # keep examples of every task


class Learner(NamedTuple):
    """What the methods must know of the network and the tasks."""

    apply: Callable[[Params, jax.Array], jax.Array]  # (params, x [..., D]) -> logits [..., C]
    tapped_apply: dense.TappedApply  # see models.taps
    dimensions: int  # D
    tasks: int  # at most so many
    per_task: int  # remembered examples, for the methods that remember
    batch: int  # remembered examples in one step
    groups: Mapping[str, float] = {}  # multipliers of the Fisher information, by parameter path


def make(name: str, learner: Learner) -> Method:
    """The method `name`.

    Raises:
        ValueError: it is not one of `NAMES`.
    """
    makers = {
        "plain": lambda _: Method(),
        "ewc": _ewc,
        "ewc_online": _ewc_online,
        "kfac": _kfac,
        "si": lambda _: _si(),
        "l2": lambda _: _l2(),
        "agem": _agem,
        "replay": _replay,
        "ewc_replay": lambda it: combine(_ewc(it), _replay(it)),
    }
    if name not in makers:
        raise ValueError(f"method {name!r} is not one of {', '.join(NAMES)}")
    return makers[name](learner)


def cross_entropy(
    apply: Callable[[Params, jax.Array], jax.Array],
    params: Params,
    x_BxD: jax.Array,
    y_B: jax.Array,
    weight_B: jax.Array,
) -> jax.Array:
    """Weighted mean of -log p(y|x), in nats; the weights' sum must not be 0."""
    losses_B = optax.softmax_cross_entropy_with_integer_labels(apply(params, x_BxD), y_B)
    return jnp.sum(weight_B * losses_B) / jnp.sum(weight_B)


def _fisher(it: Learner, params: Params, x: jax.Array) -> Params:
    return ewc.scale_groups(ewc.dense_fisher(it.tapped_apply, params, x), it.groups)


def _ewc(it: Learner) -> Method:
    def consolidate(state, params, x, y, key):
        return ewc.update(state, params, _fisher(it, params, x))

    return Method(init=ewc.init, penalty=ewc.penalty, consolidate=consolidate)


def _ewc_online(it: Learner) -> Method:
    def consolidate(state, params, x, y, key):
        return ewc.update_online(state, params, _fisher(it, params, x))

    return Method(init=ewc.init, penalty=ewc.penalty, consolidate=consolidate)


def _kfac(it: Learner) -> Method:
    def consolidate(state, params, x, y, key):
        factors = kfac.factors_of(it.tapped_apply, params, x, DAMPING)
        return kfac.update(state, params, kfac.scale_groups(factors, it.groups))

    return Method(
        init=lambda params: kfac.init(params, it.tasks),
        penalty=kfac.penalty,
        consolidate=consolidate,
    )


def _si() -> Method:
    return Method(
        init=si.init,
        penalty=si.penalty,
        track=si.track,
        consolidate=lambda state, params, x, y, key: si.update(state, params),
    )


def _l2() -> Method:
    return Method(
        init=l2.init,
        penalty=l2.penalty,
        consolidate=lambda state, params, x, y, key: l2.update(state, params),
    )


def _memory(it: Learner) -> Method:
    """Only remembers."""
    return Method(
        init=lambda params: replay.init(it.tasks, it.per_task, it.dimensions),
        consolidate=lambda state, params, x, y, key: replay.update(state, x, y, key),
    )


def _replay(it: Learner) -> Method:
    def rehearse(state, batch, key):
        old = replay.sample(state, it.batch, key)
        return tuple(jnp.concatenate(pair) for pair in zip(batch, old, strict=True))

    return _memory(it)._replace(rehearse=rehearse)


def _agem(it: Learner) -> Method:
    def project(state, params, grads, key):
        x, y, _ = replay.sample(state, it.batch, key)
        reference = jax.grad(cross_entropy, 1)(it.apply, params, x, y, jnp.ones(it.batch))
        held = (state.tasks > 0).astype(jnp.float32)
        return agem.project(grads, jax.tree.map(lambda r: held * r, reference))

    return _memory(it)._replace(project=project)
