"""How a bank of property slots learns: predict what comes of interactions, then simplify.

First the free slots open one by one while errors about objects persist, at little price (KL). Then
the KL rises to its full weight, and the axes turn to simple structure. From then on the prior knows
the slots' correlations, which may wake an idle slot: then they turn again, and late ones that the
others tell close. Meanwhile the price of gates rises, and shuts those that do not pay for
themselves.
"""

# flax dataclasses have `replace`, and jax.tree.map keeps types, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax import losses
from nsca_jax.models import slots as slots_lib
from nsca_jax.models.slots import Acts, SlotBank, Slots
from nsca_jax.training import faults

FEWEST_MET = 20
SLOWEST = 0.02  # of the learning rate, at the end
SHORTEST = 0.2  # least share of an object's interactions that the encoder sees in training


class Settings(NamedTuple):
    """Moments are shares of all steps; prices are nats an object, as the KL is."""

    steps: int = 4000
    batch: int = 32  # objects a step
    learning_rate: float = 5e-3
    gate_speed: float = 8.0  # learning rate of the gates, relative
    look_every: int = 100  # steps between two looks at whether errors persist
    persistent: float = 5.0  # z-score from which they do
    all_met: float = 0.1  # the objects are met one after another, until then
    open_until: float = 0.3  # no slot opens later
    ripen: int = 600  # steps over which the price of a fresh slot's KL rises to 1
    kl_least: float = 0.03
    patience: int = 400  # steps after which a slot that stayed idle opens anew
    turn: float = 0.45  # to simple structure; the price of gates rises from then on
    again: tuple[float, ...] = (0.5, 0.55, 0.65, 0.75)  # anew, where a slot woke or is to close
    fold_from: float = 0.6  # at a turn from then on, slots that the others tell close
    price_full: float = 0.65
    slow_from: float = 0.75  # the learning rate falls from then on
    gate_price: float = 0.15
    slot_price: float = 0.2
    likeness_price: float = 1.0


@struct.dataclass
class Bank:
    """Everything a resume needs."""

    params: Any
    moments: faults.Frozen  # a bank at fault neither learns, opens nor turns any more
    opened: jax.Array  # [F] int32 step at which the slot opened, CLOSED where it did not
    turned: jax.Array  # [F] bool: the slot has been turned to simple structure
    step: jax.Array  # [] int32
    key: jax.Array


class Look(NamedTuple):
    """What the bank says of objects of which it sees every interaction."""

    slots: Slots
    mean: jax.Array  # [N, I, C] outcomes as the expected slots foresee them
    gates: jax.Array  # [A, C, K + F]
    activation: jax.Array  # [F]
    surprise: jax.Array  # [A, C] z-scores of errors that persist


def make_learner(bank: SlotBank, settings: Settings) -> tuple[Callable, ...]:
    """`(init, learn, turn, look)`, pure and of one seed: vmap and jit them.

    `init(key, acts, known) -> Bank` has every free slot closed.
    `learn(Bank, acts, known, thrift) -> (Bank, Look)` goes on for `look_every` steps, then looks,
    and opens a slot if it is time; `thrift` [] scales the prices of gates and slots.
    `turn(Bank, acts, known) -> Bank` turns the slots in use to simple structure, if one of them
    has never been turned or is one too many, which closes.
    `look(Bank, acts, known, met) -> Look`; only the first `met` objects count for its surprise.
    """
    optimiser = faults.freezing(
        optax.chain(optax.clip_by_global_norm(50.0), optax.scale_by_adam(b2=0.99))
    )

    def apply(params, *arguments, method):
        return bank.apply({"params": params}, *arguments, method=method)

    def init(key: jax.Array, acts: Acts, known: jax.Array) -> Bank:
        seen, closed = jnp.ones(acts.action.shape), jnp.zeros(bank.free)
        variables = bank.init(key, acts, seen, known, closed)
        params = variables["params"]
        opened = jnp.full(bank.free, slots_lib.CLOSED, jnp.int32)  # else `learn` compiles twice
        turned = jnp.zeros(bank.free, bool)
        return Bank(params, optimiser.init(params), opened, turned, jnp.zeros((), jnp.int32), key)

    def objective(params, key, acts, known, is_open, kl_weight, thrift, turned):
        key_seen, key_share, key_slots, key_gates = jax.random.split(key, 4)
        share = jax.random.uniform(key_share, (len(known), 1), minval=SHORTEST, maxval=1 + SHORTEST)
        seen = jax.random.uniform(key_seen, acts.action.shape) < share
        slots = apply(params, acts, seen.astype(jnp.float32), known, is_open, method="encode")
        gates = slots_lib.sampled_gates(key_gates, params["gate_logits"], len(known))
        told = slots.sample(key_slots)
        mean, log_variance = apply(params, told, gates, acts, method="decode")
        nll = losses.gaussian_nll(mean, log_variance, acts.outcome)
        nats = jnp.sum(nll, (1, 2)) + slots_lib.kl(slots) @ kl_weight
        chances = slots_lib.gate_chance(params["gate_logits"])
        read = jnp.sum(slots_lib.slot_chance(params["gate_logits"])[len(slots_lib.KNOWN) :])
        prices = settings.gate_price * jnp.sum(chances) + settings.slot_price * read
        alike = settings.likeness_price * slots_lib.likeness(slots)
        return jnp.mean(nats) + turned * slots_lib.concord(slots) + thrift * prices + alike

    def advance(state: Bank, acts: Acts, known: jax.Array, thrift: jax.Array) -> Bank:
        key_rows, key_loss = jax.random.split(jax.random.fold_in(state.key, state.step))
        done = state.step / settings.steps
        met = _met(settings, done, len(known))
        rows = (jax.random.uniform(key_rows, (settings.batch,)) * met).astype(jnp.int32)
        turned = done >= settings.turn
        age = (state.step - state.opened) / settings.ripen
        kl_weight = jnp.clip(age, settings.kl_least, 1.0)
        thrift = thrift * _rise(done, settings.turn, settings.price_full)
        batch = jax.tree.map(lambda x: x[rows], acts)
        value, grads = jax.value_and_grad(objective)(
            state.params, key_loss, batch, known[rows], _is_open(state), kl_weight, thrift, turned
        )
        updates, moments = optimiser.update(grads, state.moments, loss=value)
        pace = settings.learning_rate * jnp.minimum(1.0, 40 * done)
        pace *= SLOWEST + (1 - SLOWEST) * (1 - _rise(done, settings.slow_from, 1.0))
        updates = jax.tree.map(lambda u: -pace * u, updates)
        # A gate that may shut at once would shut on a fresh slot, before it has anything to say.
        updates["gate_logits"] *= settings.gate_speed * turned
        params = optax.apply_updates(state.params, updates)
        return state.replace(params=params, moments=moments, step=state.step + 1)

    def look(state: Bank, acts: Acts, known: jax.Array, met: jax.Array) -> Look:
        params = state.params
        seen = jnp.ones(acts.action.shape)
        slots = apply(params, acts, seen, known, _is_open(state), method="encode")
        gates = slots_lib.expected_gates(params["gate_logits"])
        mean, _ = apply(params, slots.expected(), gates, acts, method="decode")
        counts = jnp.where((jnp.arange(len(known)) < met)[:, None], acts.action, -1)
        scores = slots_lib.surprise(acts.outcome - mean, counts, bank.actions)
        return Look(slots, mean, gates, slots_lib.activation(slots), scores)

    def learn(state: Bank, acts: Acts, known: jax.Array, thrift: jax.Array) -> tuple[Bank, Look]:
        def step(state, _):
            return advance(state, acts, known, thrift), None

        state, _ = jax.lax.scan(step, state, length=settings.look_every)
        seen = look(state, acts, known, _met(settings, state.step / settings.steps, len(known)))
        persists = jnp.max(seen.surprise) > settings.persistent
        persists &= state.step < settings.open_until * settings.steps
        persists &= state.moments.fault < 0
        fresh = slots_lib.open_next(
            state.opened, state.step, seen.activation, persists, settings.patience
        )
        key = jax.random.fold_in(state.key, -state.step)
        everything = jnp.ones(acts.action.shape)
        gist = apply(state.params, acts, everything, known, method="gist")
        worst, off = slots_lib.aim(seen.surprise, acts.outcome - seen.mean, acts.action)
        params = slots_lib.reseeded(state.params, key, fresh, worst, gist, off)
        opened = jnp.where(fresh, state.step, state.opened)
        return state.replace(params=params, opened=opened), seen

    def turn(state: Bank, acts: Acts, known: jax.Array) -> Bank:
        seen = look(state, acts, known, jnp.int32(len(known)))
        used = seen.activation > slots_lib.ACTIVE
        folds = state.step >= settings.fold_from * settings.steps
        key = jax.random.fold_in(state.key, settings.steps)
        params, remain = slots_lib.turned(state.params, key, used, seen.slots.mean, folds)
        fresh = state.replace(
            params=params,
            moments=faults.renewed(state.moments, optimiser.init(params)),
            opened=jnp.where(used & ~remain, slots_lib.CLOSED, state.opened),
            turned=state.turned | used,
        )
        asked = jnp.any(used & ~(state.turned & remain)) & (state.moments.fault < 0)
        return jax.tree.map(functools.partial(_either, asked), fresh, state)

    return init, learn, turn, look


def _is_open(state: Bank) -> jax.Array:
    return (state.opened < slots_lib.CLOSED).astype(jnp.float32)


def _either(choice: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    return jnp.where(choice, new, old)


def _rise(done, low: float, high: float):
    return jnp.clip((done - low) / (high - low), 0.0, 1.0)


def _met(settings: Settings, done, objects: int):
    return jnp.clip(objects * done / settings.all_met, FEWEST_MET, objects)
