"""Few-shot imitation: a trunk pretrained on other tasks, adapted to a new one by demonstrations.

Pretraining learns, over all training tasks at once, what their experts mean to do (one head a task)
and what each action changes (foresight, shared by all: the arm is the same). Adapting starts from
that trunk with a new head. What an agent sees of a moment is told by `eye`: innate relations
(priors/reach.py) or the raw readings. Everything is for one seed or one task; callers `vmap`.

Shapes: L rows, O readings, A actions, D features, M members of an ensemble, K tasks.
"""

# pyright: reportArgumentType=false, reportReturnType=false, reportOperatorIssue=false
# (optax's and flax's trees)

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax.models.imitation import Imitator
from nsca_jax.priors import reach
from nsca_jax.training import descent

LEAST_SPREAD = 0.01
CM = 100.0  # changes of place are foreseen in centimetres
OPENING = 10.0  # and those of the gripper in tenths of its range
ACTIONS = 4


class Rows(NamedTuple):
    """Moments of demonstrations, in their order."""

    seen: jax.Array  # [L, O]
    first: jax.Array  # [L, O] what was seen when the demonstration began
    then: jax.Array  # [L, O] what was seen a step later
    done: jax.Array  # [L, A] what was done
    meant: jax.Array  # [L, A] what the expert meant to do
    of: jax.Array  # [L] int32: task in pretraining, demonstration in adapting


@dataclass(frozen=True)
class Settings:
    """How an imitator learns; compile-time constants."""

    eye: str = "relations"  # or readings
    width: int = 256
    members: int = 1
    steps: int = 1500
    batch: int = 64
    rate: float = 1e-3
    decay: float = 1e-4
    foresight: float = 0.0  # weight of its error beside that of acting
    saturating: bool = True  # an action at its bound is matched by whatever lies beyond


@struct.dataclass
class Eye:
    """How readings become features: relations, or readings standardised by rows once seen."""

    mean: jax.Array  # [O]
    spread: jax.Array  # [O]


def open_eye(rows: Rows, used: jax.Array) -> Eye:
    """The moments of the rows where `used` [L] holds."""
    weight = used[:, None] / jnp.sum(used)
    mean = jnp.sum(weight * rows.seen, 0)
    variance = jnp.sum(weight * (rows.seen - mean) ** 2, 0)
    return Eye(mean, jnp.maximum(jnp.sqrt(variance), LEAST_SPREAD))


def look(settings: Settings, eye: Eye, seen: jax.Array, first: jax.Array) -> jax.Array:
    """[..., D] features of readings [..., O] by the settings' eye."""
    if settings.eye == "relations":
        return reach.relations(seen, first)
    return jnp.clip((seen - eye.mean) / eye.spread, -reach.LIMIT, reach.LIMIT)


def changes(rows: Rows) -> jax.Array:
    """[L, 7] what a step changed: hand (cm), opening (tenths), thing (cm)."""
    delta = rows.then - rows.seen
    return jnp.concatenate([CM * delta[:, :3], OPENING * delta[:, 3:4], CM * delta[:, 4:7]], -1)


def mismatch(said: jax.Array, meant: jax.Array, saturating: bool) -> jax.Array:
    """[] mean squared error of actions; `saturating`: none beyond a bound that was meant."""
    error = said - meant
    if saturating:
        beyond = (jnp.abs(meant) >= 1.0) & (said * meant >= 1.0)
        error = jnp.where(beyond, 0.0, error)
    return jnp.mean(error**2)


def pretrain(settings: Settings, tasks: int, key: jax.Array, eye: Eye, rows: Rows):
    """(params of the trunk, [steps, 2] errors of acting and foreseeing, a fault if any).

    Learns all tasks at once. One head a task while it lasts; they are thrown away.
    """
    net = Imitator(settings.width, actions=tasks * ACTIONS)
    x = look(settings, eye, rows.seen, rows.first)
    aim = changes(rows)

    def loss(params, at):
        heads = jnp.reshape(net.apply(params, x[at]), (-1, tasks, ACTIONS))
        said = heads[jnp.arange(len(at)), rows.of[at]]
        acting = mismatch(said, rows.meant[at], settings.saturating)
        return with_foresight(settings, net, params, acting, x[at], rows.done[at], aim[at])

    init, draw = jax.random.split(key)
    params = net.init(init, x[:1], rows.done[:1], method="both")
    params, errors, fault = _descend(settings, draw, params, loss, len(x))
    return _without_head(params), errors, fault


def adapt(settings: Settings, key: jax.Array, start: Any, eye: Eye, rows: Rows, used: jax.Array):
    """(params [M, ...], [M, steps, 2] errors, faults [M]) of an ensemble from `start` (or None).

    Learns from the first rows alone, where `used` [L] holds; each member has its own new head.
    """
    net = Imitator(settings.width)
    x = look(settings, eye, rows.seen, rows.first)
    aim = changes(rows)

    def loss(params, at):
        acting = mismatch(net.apply(params, x[at]), rows.meant[at], settings.saturating)
        return with_foresight(settings, net, params, acting, x[at], rows.done[at], aim[at])

    def member(key):
        init, draw = jax.random.split(key)
        params = net.init(init, x[:1], rows.done[:1], method="both")
        if start is not None:
            params = {"params": {**params["params"], **start["params"]}}
        return _descend(settings, draw, params, loss, jnp.sum(used > 0))

    return jax.vmap(member)(jax.random.split(key, settings.members))


def answers(settings: Settings, params: Any, eye: Eye, seen: jax.Array, first: jax.Array):
    """[M, A] what each member would do on seeing `seen` [O]."""
    x = look(settings, eye, seen, first)
    said = jax.vmap(lambda p: Imitator(settings.width).apply(p, x))(params)
    return jnp.clip(said, -1.0, 1.0)


def with_foresight(settings: Settings, net: Imitator, params, acting, x, done, aim):
    """(loss [], errors of acting and foreseeing [2]); unweighted, foresight is not reckoned."""
    if not settings.foresight:
        return acting, jnp.stack([acting, 0.0])
    foreseeing = jnp.mean((net.apply(params, x, done, method="foresee") - aim) ** 2)
    return acting + settings.foresight * foreseeing, jnp.stack([acting, foreseeing])


def _without_head(params: Any) -> Any:
    kept = {name: leaf for name, leaf in params["params"].items() if name != "act"}
    return {"params": kept}


def _descend(settings: Settings, key: jax.Array, params: Any, loss, count):
    """AdamW with a cosine's rate over the first `count` rows, as `descent.descend`."""

    def drawn(params, number):
        chance = jax.random.uniform(jax.random.fold_in(key, number), (settings.batch,))
        return loss(params, jnp.minimum((chance * count).astype(jnp.int32), count - 1))

    rate = optax.cosine_decay_schedule(settings.rate, settings.steps)
    optimiser = optax.adamw(rate, weight_decay=settings.decay)
    return descent.descend(optimiser, params, drawn, settings.steps)
