"""What is left of old skill, and which thing a partial observation brings to mind."""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportArgumentType=false, reportReturnType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax import types
from nsca_jax.evaluation import transfer
from nsca_jax.memory import episodic, semantic
from nsca_jax.models import dynamics, normalise
from nsca_jax.training import consolidation, learner

CUES = {  # what is given of an observation; all else is withheld
    "look": consolidation.LOOK,
    "eyes shut": ~consolidation.LOOK,
    "sound": consolidation.SENSES == "ear",
    "touch": consolidation.SENSES == "hand",
    "colour": consolidation.SENSES == "colour",
    "form": consolidation.SENSES == "form",
    "ears shut": consolidation.SENSES != "ear",
    "hands off": consolidation.SENSES != "hand",
    "all senses": np.ones(consolidation.KEY, bool),
}


@functools.partial(jax.jit, static_argnums=0)
def skill(settings: consolidation.Settings, agents, rows: types.Interaction, arm) -> jax.Array:
    """Of S agents on held-out interactions [n]: [S, 1 + modalities], the mean over them first."""

    def one(agent: consolidation.Agent):
        state = agent.learner
        memory = consolidation.recollect(settings, agent, rows, arm)
        out = learner.predict(settings.learner, state.params, state.statistics, rows, memory)
        said = normalise.invert(state.statistics.outcome, out.outcome_mean.mean(0))
        parts = transfer.modality_skill(said, dynamics.outcome_vector(rows.outcome))
        each = jnp.stack([parts[name] for name in transfer.MODALITIES])
        return jnp.concatenate([jnp.mean(each, keepdims=True), each])

    return jax.vmap(one)(agents)


@functools.partial(jax.jit, static_argnums=3)
def recalled(agents, rows: types.Interaction, given, recency: episodic.Recency) -> jax.Array:
    """[S, n] object_id of the episode that each of n observations brings to mind.

    given: [KEY] bool, the senses of the cue.
    """

    def one(agent: consolidation.Agent):
        cues = consolidation.key_of(agent.learner.statistics, rows)
        slot, _ = jax.vmap(
            lambda cue: episodic.read(agent.episodes, cue, given, agent.time, recency)
        )(cues)
        return agent.episodes.content.object_id[slot[:, 0]]

    return jax.vmap(one)(agents)


@functools.partial(jax.jit, static_argnums=(0, 4))
def recognised(
    settings: consolidation.Settings, agents, rows: types.Interaction, given, things: int
) -> jax.Array:
    """[S, n] object_id of the prototype that each of n observations brings to mind.

    Prototypes have no names: each gets that of the thing that most of the held episodes which
    bring it to mind, by all senses, are of; it scores them, and is told to no agent.
    """

    def one(agent: consolidation.Agent):
        def place_of(keys, given):
            held = agent.prototypes
            return jax.vmap(lambda x: semantic.read(held, x, given, settings.rules)[0])(keys)

        place = place_of(agent.episodes.key, jnp.ones(consolidation.KEY, bool))
        votes = jnp.zeros((settings.places, things))
        votes = votes.at[place, agent.episodes.content.object_id].add(agent.episodes.held)
        name = jnp.where(jnp.sum(votes, -1) > 0, jnp.argmax(votes, -1), -1)
        return name[place_of(consolidation.key_of(agent.learner.statistics, rows), given)]

    return jax.vmap(one)(agents)


def shuffled(agents: consolidation.Agent, key: jax.Array) -> consolidation.Agent:
    """The control: every key with another episode's content."""

    def one(agent, key):
        order = jax.random.permutation(key, agent.episodes.lot.shape[0])
        keys = agent.episodes.key[order]
        return agent.replace(episodes=agent.episodes.replace(key=keys))

    seeds = agents.time.shape[0]
    return jax.vmap(one)(agents, jax.random.split(key, seeds))


def forgotten(skill_SxTxT: np.ndarray) -> np.ndarray:
    """[S] share of the first set's skill that is lost: (after it - at the end) / after it.

    skill[s, i, j]: seed s on set j after learning set i.
    """
    return (skill_SxTxT[:, 0, 0] - skill_SxTxT[:, -1, 0]) / skill_SxTxT[:, 0, 0]


def learnt_last(skill_SxTxT: np.ndarray) -> np.ndarray:
    """[S] skill on the last set when it is learnt."""
    return skill_SxTxT[:, -1, -1]
