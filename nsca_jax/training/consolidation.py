"""Babbling with one set of objects after another: what keeps the first from being forgotten.

The outcome model learns from the present set's interactions alone, as they arrive. Beside it stand

    episodic memory   holds each interaction that ends; a share of every batch is replayed from it
    semantic memory   every 1,000 control steps takes in the episodes of the last 40 interactions;
                      a look finds a thing's prototype, whose facts (pitch, load, size, bounce, blow
                      that broke) are the model's memory input
    EWC               at each boundary the parameters become stiff by their Fisher information;
                      those that read what a thing is, ten times as stiff

Each can be switched off by an `Arm`, which is data: one compiled program serves all. Everything is
for one seed; `make_learner` maps it over seeds.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from nsca_jax import types
from nsca_jax.continual import ewc
from nsca_jax.memory import episodic, semantic
from nsca_jax.models import dynamics, normalise
from nsca_jax.sim import scene
from nsca_jax.training import faults, outcome_loss
from nsca_jax.training import learner as learning

STEPS = scene.CONTROL_STEPS  # control steps of an interaction, the unit of the memories' time
SEMANTIC = {"look": 10.0, "memory": 10.0}  # layers that read what a thing is
FACTS = len(types.PROPERTIES)
FACT_LIMIT = 5.0

# Of a key, the numbers that each sense gives; looks are those at the spawn, before any act.
FORM, COLOUR, EAR, HAND = (7, 3, types.SOUND_BANDS, 6)
SENSES = np.repeat(["form", "colour", "ear", "hand"], [FORM, COLOUR, EAR, HAND])
LOOK = (SENSES == "form") | (SENSES == "colour")
UNSURE = 0.3  # weight of roundness, which a few pixels tell, and of forces, which the act decides
KEY = len(SENSES)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Static: sizes, and the pace of the memories."""

    learner: learning.LearnerSettings = dataclasses.field(default_factory=learning.LearnerSettings)
    rules: semantic.Rules = dataclasses.field(default_factory=semantic.Rules)
    capacity: int = 256  # episodes
    places: int = 48  # prototypes
    block: int = 1000 // STEPS  # interactions from one consolidation to the next
    updates: int = 20  # gradient steps a block
    replayed: float = 0.35  # share of a batch, once a set is finished
    fisher_rows: int = 128  # interactions at a boundary


@struct.dataclass
class Arm:
    """Which parts of memory are on."""

    replay: jax.Array  # [] bool
    semantic: jax.Array  # [] bool
    stiffness: jax.Array  # [] of EWC; 0: off
    surprise: jax.Array  # [] power of the surprise that weighs what is kept; 0: all weigh the same


@struct.dataclass
class Agent:
    """All that one seed is."""

    learner: learning.LearnerState
    episodes: episodic.Episodes
    prototypes: semantic.Prototypes
    stiff: ewc.State
    fact_mean: jax.Array  # [FACTS] of the first set, as are all moments: senses keep their scale
    fact_std: jax.Array  # [FACTS]
    key: jax.Array  # typed, never consumed
    time: jax.Array  # [] int32, control steps lived
    sets: jax.Array  # [] int32, sets finished


def make_learner(settings: Settings) -> tuple[Callable, Callable]:
    """`(init(keys [S], rows [S, N]) -> Agent, babble(agent, rows [S, N], arm) -> Agent)`, jitted.

    `init` takes the moments by which senses are scaled from the first set's interactions. `babble`
    lives through one set, N a multiple of `block`, and ends with its boundary. State leaves lead
    with S; the state is donated.
    """
    init = jax.vmap(functools.partial(init_agent, settings))
    babble = jax.vmap(functools.partial(babble_agent, settings), (0, 0, None))
    return jax.jit(init), jax.jit(babble, donate_argnums=0)


def init_agent(settings: Settings, key: jax.Array, rows: types.Interaction) -> Agent:
    """A newborn, with senses scaled by interactions [N]."""
    state = learning.init(settings.learner, jax.random.fold_in(key, 0))
    state = state.replace(statistics=learning.observe(state.statistics, rows))
    facts, found = facts_of(rows)
    n = jnp.maximum(jnp.sum(found, 0), 1)
    mean = jnp.sum(jnp.where(found, facts, 0.0), 0) / n
    var = jnp.sum(jnp.where(found, facts - mean, 0.0) ** 2, 0) / n
    return Agent(
        learner=state,
        episodes=episodic.init(jax.tree.map(lambda x: x[0], rows), settings.capacity, KEY),
        prototypes=semantic.init(settings.places, KEY, FACTS),
        stiff=ewc.init(state.params),
        fact_mean=mean,
        fact_std=jnp.sqrt(jnp.where(var > 0.0, var, 1.0)),
        key=key,
        time=jnp.zeros((), jnp.int32),
        sets=jnp.zeros((), jnp.int32),
    )


def babble_agent(settings: Settings, agent: Agent, rows: types.Interaction, arm: Arm) -> Agent:
    """One set of objects: interactions [N] as they arrive, then the boundary."""
    blocks = rows.skill.shape[0] // settings.block
    key = jax.random.fold_in(agent.key, 1 + agent.sets)
    fresh = learning.make_optimiser(settings.learner).init(agent.learner.params)
    fresh = faults.renewed(agent.learner.optimiser, fresh)
    agent = agent.replace(learner=agent.learner.replace(optimiser=fresh))

    def block(agent: Agent, number):
        live_key, learn_key = jax.random.split(jax.random.fold_in(key, number))
        first = number * settings.block
        now = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, first, settings.block), rows)
        agent = remember(settings, agent, now, arm, live_key)
        return learn(settings, agent, rows, first + settings.block, arm, learn_key), None

    agent, _ = jax.lax.scan(block, agent, jnp.arange(blocks))
    return boundary(settings, agent, rows, arm, jax.random.fold_in(key, blocks))


def remember(settings: Settings, agent: Agent, rows: types.Interaction, arm: Arm, key) -> Agent:
    """Interactions [block] enter both memories; how surprising each is, is told before learning.

    Surprise is relative to the block's mean, so that no stretch of life is kept for being the
    first, when everything surprised.
    """
    state = agent.learner
    memory = recollect(settings, agent, rows, arm)
    error = learning.error(settings.learner, state.params, state.statistics, rows, memory)
    surprise = (error / (jnp.mean(error) + 1e-6)) ** arm.surprise
    senses = key_of(state.statistics, rows)
    n = rows.skill.shape[0]
    time = agent.time + STEPS * (1 + jnp.arange(n, dtype=jnp.int32))

    def take(episodes, one):
        return episodic.write(episodes, *one), None

    draws = jax.random.split(key, n)
    episodes, _ = jax.lax.scan(
        take, agent.episodes, (senses, rows, surprise, time, draws, rows.finite)
    )
    prototypes = semantic.consolidate(
        agent.prototypes, senses, *facts_of(rows), time, rows.finite, LOOK, settings.rules
    )
    return agent.replace(episodes=episodes, prototypes=prototypes, time=time[-1])


def learn(
    settings: Settings, agent: Agent, rows: types.Interaction, arrived, arm: Arm, key
) -> Agent:
    """`updates` gradient steps on what arrived of the present set, and on episodes."""
    batch = settings.learner.batch
    old = jnp.arange(batch) < round(settings.replayed * batch)
    old = old & arm.replay & (agent.sets > 0)
    memory = recollect(settings, agent, rows, arm)
    memory_old = recollect(settings, agent, agent.episodes.content, arm)
    pull = settings.learner.learning_rate * arm.stiffness

    def step(state, number):
        draw, old_draw, update_key = jax.random.split(jax.random.fold_in(key, number), 3)
        row = jax.random.randint(draw, (batch,), 0, arrived)
        slot, _ = episodic.sample(agent.episodes, old_draw, batch)

        def mix(past, present):
            past, present = past[slot], present[row]
            return jnp.where(old.reshape(-1, *[1] * (past.ndim - 1)), past, present)

        mixed = jax.tree.map(mix, agent.episodes.content, rows)
        recalled = mix(memory_old, memory)
        state, loss = learning.update(
            settings.learner, state, mixed, recalled, mixed.finite, update_key
        )
        pulled = pull_back(agent.stiff, state.params, pull)
        return state.replace(params=faults.keep(state.optimiser, pulled, state.params)), loss

    state, _ = jax.lax.scan(step, agent.learner, jnp.arange(settings.updates))
    return agent.replace(learner=state)


def pull_back(stiff: ewc.State, params: Any, pull: jax.Array) -> Any:
    """A proximal step on pull * 1/2 sum P (theta - c)^2: exact, stable however stiff.

    It comes after Adam's step, as AdamW's decay does (Loshchilov & Hutter 2019): within Adam the
    penalty's gradient would be divided by its own size.
    """

    def one(precision, centre, theta):
        weight = pull * precision
        return (theta + weight * centre) / (1.0 + weight)

    return jax.tree.map(one, stiff.precision, stiff.centre, params)


def boundary(settings: Settings, agent: Agent, rows: types.Interaction, arm: Arm, key) -> Agent:
    """The set is finished: its parameters get an anchor of their own."""
    some = jax.tree.map(lambda x: x[-settings.fisher_rows :], rows)
    memory = recollect(settings, agent, some, arm)
    state = agent.learner
    information = fisher(settings.learner, state.params, state.statistics, some, memory, key)
    information = ewc.scale_groups(information, SEMANTIC)
    stiff = ewc.update(agent.stiff, state.params, information)
    return agent.replace(stiff=stiff, sets=agent.sets + 1)


def fisher(settings: learning.LearnerSettings, params, statistics, rows, memory, key, chunk=8):
    """Diagonal Fisher information of the model's own predictive Gaussians, mean over rows [N].

    For a Gaussian with mean m and log-variance s that is the generalised Gauss-Newton matrix

        F = sum_d w_d [ (dm_d / dtheta)^2 / sigma_d^2 + 1/2 (ds_d / dtheta)^2 ]

    with the weights w_d of the loss (mean within, then over modalities, times sigma^(2 beta)). The
    squares are per example, and the sum over outputs is taken by one gradient along random signs,
    whose square has it as its mean (Hutchinson 1990). `chunk` divides N.
    """
    model_fn = functools.partial(learning.predict, settings)

    def squares(row, memory, key):
        row = jax.tree.map(lambda x: x[None], row)

        def along(theta):
            out = model_fn(theta, statistics, row, memory[None])
            return jnp.sum(_scores(out, settings.beta_nll, key))

        return jax.tree.map(jnp.square, jax.grad(along)(params))

    def add(total, part):
        some = jax.vmap(squares)(*part)
        return jax.tree.map(lambda t, x: t + jnp.sum(x, 0), total, some), None

    n = rows.skill.shape[0]
    parts = (rows, memory, jax.random.split(key, n))
    parts = jax.tree.map(lambda x: x.reshape(n // chunk, chunk, *x.shape[1:]), parts)
    total, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), parts)
    return jax.tree.map(lambda t: t / n, total)


def _scores(out: dynamics.Prediction, beta: float, key) -> jax.Array:
    """Random-signed outputs whose squared gradients sum to F: [E, outputs]."""
    keys = iter(jax.random.split(key, 4))
    size = jax.eval_shape(
        lambda: outcome_loss.by_modality(out.motion_log_variance, out.outcome_log_variance)
    )

    def share(log_variance, motion: bool):
        """Of each output in the loss, [..., outputs]."""
        like = jnp.zeros_like(log_variance)
        other = jnp.zeros_like(out.outcome_log_variance if motion else out.motion_log_variance)
        pair = (like, other) if motion else (other, like)

        def total(motion_x, outcome_x):
            return sum(jnp.sum(x) for x in outcome_loss.by_modality(motion_x, outcome_x).values())

        return jax.grad(total, 0 if motion else 1)(*pair) / len(size)

    parts = []
    for mean, log_variance, motion in (
        (out.motion_mean, out.motion_log_variance, True),
        (out.outcome_mean, out.outcome_log_variance, False),
    ):
        fixed = jax.lax.stop_gradient(log_variance)
        weight = share(fixed, motion) * jnp.exp(beta * fixed)
        signs = (jax.random.rademacher(next(keys), mean.shape, mean.dtype) for _ in range(2))
        score = next(signs) * mean * jnp.exp(-0.5 * fixed) + next(signs) * log_variance / 2**0.5
        parts.append((jnp.sqrt(weight) * score).reshape(mean.shape[0], -1))
    return jnp.concatenate(parts, -1)


def key_of(statistics: dynamics.Statistics, rows: types.Interaction) -> jax.Array:
    """[n, KEY] what the senses told of interactions [n]; each sense counts alike, but the hand.

    A distance over looks is about a root mean square of standard deviations.
    """
    look = normalise.apply(statistics.features, dynamics.feature_vector(rows.spawn))
    outcome = normalise.apply(statistics.outcome, dynamics.outcome_vector(rows.outcome))
    lengths, colour, shape = look[:, 4:8], look[:, 8:11], look[:, 11:14]
    seen = jnp.concatenate([lengths, UNSURE * shape, colour], -1) / (FORM + COLOUR) ** 0.5
    heard = outcome[:, dynamics.SOUND] / EAR**0.5
    felt = UNSURE * outcome[:, dynamics.TOUCH] / HAND**0.5
    return jnp.concatenate([seen, heard, felt], -1)


def facts_of(rows: types.Interaction) -> tuple[jax.Array, jax.Array]:
    """What interactions [n] found out of their things: values [n, 5] and found [n, 5] bool.

    The senses' own measures (grounding/measures.py); of fragility, the blow that broke the thing.
    """
    broke = rows.outcome.broken > 0.5
    values = rows.measured.at[:, -1].set(jnp.log(jnp.maximum(rows.measured[:, -1], 1e-6)))
    return values, rows.measured_ok.at[:, -1].set(rows.measured_ok[:, -1] & broke)


def recollect(settings: Settings, agent: Agent, rows: types.Interaction, arm: Arm) -> jax.Array:
    """Memory input [n, 10]: what semantic memory knows of the things that are looked at.

    Standardised facts, then flags; 0 where a look is within reach of no prototype.
    """
    looks = key_of(agent.learner.statistics, rows)
    held = agent.prototypes
    place, _ = jax.vmap(lambda x: semantic.read(held, x, LOOK, settings.rules))(looks)
    gap = jnp.linalg.norm((looks - held.mean[place])[:, LOOK], axis=-1)
    met = (gap <= settings.rules.radius) & held.known[place]
    known = (held.fact_count[place] > 0) & met[:, None]
    value = (held.fact_mean[place] - agent.fact_mean) / agent.fact_std
    value = jnp.clip(value, -FACT_LIMIT, FACT_LIMIT)
    recalled = jnp.concatenate([jnp.where(known, value, 0.0), known], -1)
    return jnp.where(arm.semantic, recalled, 0.0)
