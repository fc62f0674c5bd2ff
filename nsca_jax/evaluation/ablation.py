"""What is lost where one mechanism of the babbling agent is switched off.

The full agent and the ablated ones live through the same stream: Set A in stages, so that what came
first can be forgotten. They are judged along the way on held-out interactions, task by task.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nsca_jax import types
from nsca_jax.evaluation import transfer
from nsca_jax.models import dynamics, normalise
from nsca_jax.training import babbling, learner

TASKS = ("drop", "strike", "push")  # of types.SKILLS: those that are judged
FULL = "with_priors"
SHAM = "sham"  # the full agent once more with other draws: what chance alone makes of a comparison
CONDITIONS = {  # condition -> what is switched off
    FULL: "nothing",
    "without_priors": "gravity, solidity and persistence in the dynamics",
    "without_ewc": "stiffness of what was learnt in the stages before",
    "without_curiosity": "choice by learnability and error: babbling is random",
    "without_slots": "stuff, form, size and traits between a thing's look and what comes of it",
    "without_memory": "replay of the past, and the agent's own table of things",
    "without_forced_interaction": "contact at the spawn: hands start anywhere beside their objects",
    SHAM: "nothing (other draws)",
}


class Bench(NamedTuple):
    """Held-out interactions: Set A's [n], which `object_id` counts from 0, and Set B's [m]."""

    known: types.Interaction
    novel: types.Interaction


def switch(settings: babbling.BabbleSettings, condition: str) -> babbling.BabbleSettings:
    """The settings of a condition; `settings` are the full agent's. KeyError for another name."""
    return dataclasses.replace(
        settings,
        **{
            FULL: {},
            SHAM: {},
            "without_priors": {"learner": _learner(settings, use_priors=False)},
            "without_ewc": {"stiffness": 0.0},
            "without_curiosity": {"curiosity": "uniform"},
            "without_slots": {"learner": _learner(settings, use_slots=False)},
            "without_memory": {"memory": False},
            "without_forced_interaction": {"forced": False},
        }[condition],
    )


def judged(rows: types.Interaction, tasks: Sequence[str] = TASKS) -> types.Interaction:
    """Interactions of the tasks alone, task by task and as many of each: [tasks * n]."""
    parts = [jnp.flatnonzero(rows.skill == types.SKILLS.index(task)) for task in tasks]
    return jax.tree.map(lambda x: x[jnp.concatenate(parts)], rows)


@functools.partial(jax.jit, static_argnums=(0, 3))
def judge(settings: babbling.BabbleSettings, state: babbling.TrainState, bench: Bench, tasks: int):
    """Figures of S agents on a bench of `judged` interactions.

    skill, novel [S, tasks]: 1 - MSE / variance, the variance being that over all tasks; Set A with
    the agent's own table, Set B at first sight. first [S]: on the objects of the first stage, over
    tasks. weight [S]: mean trust in the prior.
    """

    def one(learnt, table, key):
        memory = babbling.own_memory(settings, table, bench.known.object_id)
        error, weight = _errors(settings.learner, learnt, bench.known, memory, tasks)
        blank = jnp.zeros((bench.novel.skill.shape[0], dynamics.MEMORY))
        novel, _ = _errors(settings.learner, learnt, bench.novel, blank, tasks)
        first = babbling.present(settings, key, 0)
        early = jnp.isin(bench.known.object_id, first).reshape(error.shape)
        kept = 1.0 - jnp.sum(error * early) / jnp.sum(early)
        return {
            "skill": 1.0 - error.mean(1),
            "novel": 1.0 - novel.mean(1),
            "first": kept,
            "weight": weight,
        }

    return jax.vmap(one)(state.learner, state.table, state.keys)


def by_task_mean(rows: types.Interaction, tasks: int) -> jax.Array:
    """Skill [tasks] on `judged` interactions of whoever foresees each task's mean outcome."""
    true = dynamics.outcome_vector(rows.outcome)
    each = true.reshape(tasks, -1, true.shape[-1])
    said = jnp.broadcast_to(each.mean(1, keepdims=True), each.shape).reshape(true.shape)
    return 1.0 - transfer.row_error(said, true).reshape(tasks, -1).mean(1)


def _errors(settings: learner.LearnerSettings, state, rows, memory, tasks: int):
    """Error of each interaction [tasks, n] over the variance, and mean trust []."""
    out = learner.predict(settings, state.params, state.statistics, rows, memory)
    said = normalise.invert(state.statistics.outcome, out.outcome_mean.mean(0))
    true = dynamics.outcome_vector(rows.outcome)
    return transfer.row_error(said, true).reshape(tasks, -1), out.weight.mean()


def _learner(settings: babbling.BabbleSettings, **off: bool) -> learner.LearnerSettings:
    return dataclasses.replace(settings.learner, **off)
