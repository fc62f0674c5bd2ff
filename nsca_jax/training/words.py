"""From babbling beside a speaker to names: what was felt becomes slots, slots meet utterances.

The agent's side alone: outcomes of its own interactions, its own grounding table, and embeddings of
what it heard. Everything is for one seed; callers `vmap`.

Shapes: N things, I interactions with each in their order, A skills, C channels, K known and F free
slots, R interactions of any things, U texts, D their embedding.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax import types
from nsca_jax.grounding import measures, words
from nsca_jax.grounding import table as table_lib
from nsca_jax.models import slots as slots_lib
from nsca_jax.models.words import Aligner
from nsca_jax.sim import skills
from nsca_jax.training import descent, experience, faults

CHANNELS = (
    "bounce",
    "pitch",
    "low sound",
    "middle sound",
    "high sound",
    "grip",
    "load",
    "way",
    "turn",
    "area",
    "break",
)
LIMIT = 4.0  # standard deviations from usual at which an outcome is cut off
TABLE = len(types.PROPERTIES) + 1  # what is taken from the grounding table
SENSED = tuple(name for name in types.PROPERTIES if name in slots_lib.KNOWN)


@struct.dataclass
class Rows:
    """What is kept of interactions [...], each field as in `types.Interaction`."""

    skill: jax.Array
    parameters: jax.Array
    outcome: types.Outcome
    measured: jax.Array
    measured_ok: jax.Array
    finite: jax.Array


@struct.dataclass
class Usual:
    """What babbling taught to be usual: of outcomes by skill, and of things."""

    mean: jax.Array  # [A, C]
    spread: jax.Array  # [A, C]
    thing_mean: jax.Array  # [5] of the grounding table's estimates
    thing_spread: jax.Array  # [5]


@struct.dataclass
class Felt:
    """What the agent made of its interactions with N things."""

    acts: slots_lib.Acts  # [N, I], outcomes in standard deviations from usual
    table: jax.Array  # [N, I, TABLE] after each interaction: standard scores, 0 where unknown,
    # and whether the thing ever broke

    def known(self) -> jax.Array:
        """[N, I, K] the bank's known slots, those that the table does not measure left at 0."""
        columns = jnp.array([slots_lib.KNOWN.index(name) for name in SENSED])
        mine = self.table[..., jnp.array([types.PROPERTIES.index(name) for name in SENSED])]
        empty = jnp.zeros((*mine.shape[:-1], len(slots_lib.KNOWN)))
        return empty.at[..., columns].set(mine)


def keep(rows: types.Interaction) -> Rows:
    """The part of interactions that words are learnt from."""
    return Rows(
        rows.skill, rows.parameters, rows.outcome, rows.measured, rows.measured_ok, rows.finite
    )


def outcomes(rows: Rows) -> jax.Array:
    """[..., C] outcomes as CHANNELS names them. What a skill cannot bring about is 0 in it."""
    result, touch, skill = rows.outcome, rows.outcome.touch_peak_N, rows.skill
    thirds = jnp.array_split(result.sound, 3, -1)
    rises = jnp.where(skill == skills.DROP, rows.measured[..., measures.ELASTICITY], 0.0)
    return jnp.stack(
        [
            rises,
            rows.measured[..., measures.HARDNESS],
            *(jnp.mean(third, -1) for third in thirds),
            jnp.log1p(jnp.max(touch[..., 0], -1)),
            jnp.log1p(jnp.max(touch[..., 2], -1)),
            jnp.log(jnp.linalg.norm(result.displacement_m[..., :2], axis=-1) + 1e-3),
            jnp.log1p(jnp.linalg.norm(result.rotation_rad, axis=-1)),
            rows.measured[..., measures.SIZE],
            result.broken,
        ],
        -1,
    )


def growing_table(rows: Rows) -> tuple[jax.Array, jax.Array, jax.Array]:
    """An agent's table after each interaction: estimates, known-flags [N, I, 5], broke [N, I]."""
    things = rows.skill.shape[0]
    number = jnp.arange(things)

    def enter(table, now):
        table = table_lib.update(table, number, *now)
        return table, (*measures.properties(table), jnp.isfinite(table.broke))

    course = (rows.measured, rows.measured_ok, rows.outcome.broken)
    course = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), course)
    _, told = jax.lax.scan(enter, table_lib.init(things), course)
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), told)


def usual(rows: Rows) -> Usual:
    """From an agent's own babbling [N, I]; what never varied has spread 1."""
    values, known, _ = growing_table(rows)
    things = _moments(values[:, -1], known[:, -1], 0)
    raw = outcomes(rows)
    by_skill = [
        _moments(raw, jnp.broadcast_to((rows.skill == a)[..., None], raw.shape), (0, 1))
        for a in range(len(types.SKILLS))
    ]
    mean, spread = (jnp.stack(x) for x in zip(*by_skill, strict=True))
    return Usual(mean, spread, *things)


def feel(norm: Usual, rows: Rows) -> Felt:
    """Interactions [N, I] as an agent takes them to whom `norm` is usual."""
    outcome = (outcomes(rows) - norm.mean[rows.skill]) / norm.spread[rows.skill]
    main = jnp.asarray(experience.MAIN_PARAMETER)[rows.skill]
    effort = jnp.take_along_axis(rows.parameters, main[..., None], -1)[..., 0]
    values, told, broke = growing_table(rows)
    score = jnp.where(told, (values - norm.thing_mean) / norm.thing_spread, 0.0)
    acts = slots_lib.Acts(rows.skill, 1.0 + 0.5 * effort, jnp.clip(outcome, -LIMIT, LIMIT))
    table = [jnp.clip(score, -LIMIT, LIMIT), broke[..., None]]
    return Felt(acts, jnp.concatenate(table, -1))


def deal(key: jax.Array, rows: Rows) -> Rows:
    """The control: the i-th interactions [N, I] are dealt anew among the things, for every i."""
    things, count = rows.skill.shape
    order = jax.vmap(lambda k: jax.random.permutation(k, things))(jax.random.split(key, count)).T

    def pick(x):
        index = order.reshape(things, count, *([1] * (x.ndim - 2)))
        return jnp.take_along_axis(x, index, 0)

    return jax.tree.map(pick, rows)


def states(bank: slots_lib.SlotBank, params, is_open_F, felt: Felt) -> jax.Array:
    """[N, I, TABLE + F] what is known of each thing after each interaction: table, free slots."""
    count = felt.acts.action.shape[1]
    known = felt.known()

    def after(number):
        seen = (jnp.arange(count) <= number).astype(jnp.float32)
        seen = jnp.broadcast_to(seen, felt.acts.action.shape)
        arguments = (felt.acts, seen, known[:, number], is_open_F)
        return bank.apply({"params": params}, *arguments, method="encode").mean

    free = jnp.swapaxes(jax.vmap(after)(jnp.arange(count)), 0, 1)
    return jnp.concatenate([felt.table, free], -1)


def active(gates_ACS: jax.Array, state: jax.Array, skill: jax.Array) -> jax.Array:
    """[..., A (TABLE + F + 1)] the state as it is active in an interaction: what meets the words.

    A free slot counts by its widest gate to any outcome of the skill. Every skill has places of its
    own, 0 in the interactions of another, with a 1 beside them: what a slot has to do with a word
    may differ between skills.

    Args:
        gates_ACS: of the bank, S = K + F. state: [..., TABLE + F]. skill: [...] int32.
    """
    weight = jnp.max(gates_ACS, 1)[:, len(slots_lib.KNOWN) :]
    own, free = state[..., :TABLE], state[..., TABLE:]
    here = jnp.concatenate([own, free * weight[skill], jnp.ones_like(own[..., :1])], -1)
    places = jax.nn.one_hot(skill, len(types.SKILLS))[..., None] * here[..., None, :]
    return places.reshape(*skill.shape, -1)


class Settings(NamedTuple):
    """Size and pace of the alignment."""

    embedding: int = 32
    batch: int = 64
    steps: int = 600
    learning_rate: float = 3e-3
    weight_decay: float = 3.0  # strong: few utterances, of which some are wrong
    blur: float = 0.3  # noise on what was felt, as a share of it


def align(
    settings: Settings, key: jax.Array, state_RxS, utterance_R, texts_UxD
) -> tuple[Any, jax.Array, faults.Frozen]:
    """Learns which utterances go with which active slots: (parameters, losses [steps], a fault).

    Args:
        state_RxS: active states in R interactions.
        utterance_R: int32 row of `texts_UxD`, negative where nothing was said: no row of it counts.
    """
    model = Aligner(settings.embedding)
    heard = utterance_R >= 0
    first_heard, spoken = jnp.argsort(~heard, stable=True), jnp.sum(heard)
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    optimiser = optax.adamw(rate, weight_decay=settings.weight_decay)
    params = model.init(key, state_RxS[:2], texts_UxD[:2])

    def loss(params, number):
        draw = jax.random.fold_in(key, number)
        pick = jax.random.uniform(jax.random.fold_in(draw, 1), (settings.batch,)) * spoken
        rows = first_heard[pick.astype(jnp.int32)]
        noise = settings.blur * jax.random.normal(draw, (settings.batch, state_RxS.shape[1]))
        felt = state_RxS[rows] * (1.0 + noise)
        similarity = model.apply(params, felt, texts_UxD[utterance_R[rows]])
        value = words.info_nce(similarity, heard[rows].astype(jnp.float32))
        return value, value

    return descent.descend(optimiser, params, loss, settings.steps)


def name(settings: Settings, params, state_xS: jax.Array, texts_NxD: jax.Array) -> jax.Array:
    """[...] int32: which of the texts the agent would choose for active states [..., S]."""
    model = Aligner(settings.embedding)
    thing = model.apply(params, state_xS, method="thing")
    return words.nearest(thing, model.apply(params, texts_NxD, method="word"))


def _moments(x: jax.Array, there: jax.Array, axes) -> tuple[jax.Array, jax.Array]:
    """Mean and spread over what is there; 0 and 1 where nothing is, or nothing varies."""
    count = jnp.maximum(jnp.sum(there, axes), 1)
    mean = jnp.sum(jnp.where(there, x, 0.0), axes) / count
    spread = jnp.sqrt(jnp.sum(jnp.where(there, x - mean, 0.0) ** 2, axes) / count)
    return mean, jnp.where(spread > 1e-6, spread, 1.0)
