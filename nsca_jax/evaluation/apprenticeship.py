"""What is lost where one mechanism of the apprentice is switched off (training/apprentice.py).

The full apprentice and the ablated ones are shown the same three tasks of Meta-World in the same
order, for as many steps. It has no slots: a scene is given by its readings, thing by thing, so that
there is no bottleneck to take away, and no such condition.
"""

import dataclasses

import numpy as np

from nsca_jax.evaluation.ablation import FULL, SHAM
from nsca_jax.training import apprentice

TASKS = ("reach-v3", "push-v3", "pick-place-v3")
CONDITIONS = {  # condition -> what is switched off
    FULL: "nothing",
    "without_priors": "innate relations: it sees raw readings, standardised",
    "without_ewc": "stiffness of what was learnt in the stages before",
    "without_curiosity": "choice of goals by learnability and error: they are asked for at random",
    "without_memory": "replay of the stages before",
    "without_forced_interaction": (
        "contact at the start: every demonstration begins where the official episode does"
    ),
    SHAM: "nothing (other draws)",
}


def switch(settings: apprentice.Settings, condition: str) -> apprentice.Settings:
    """The settings of a condition; `settings` are the full apprentice's. KeyError for another."""
    raw = dataclasses.replace(settings.learner, eye="readings")
    return dataclasses.replace(
        settings,
        **{
            FULL: {},
            SHAM: {},
            "without_priors": {"learner": raw},
            "without_ewc": {"stiffness": 0.0},
            "without_curiosity": {"curiosity": "uniform"},
            "without_memory": {"memory": False},
            "without_forced_interaction": {"forced": 0.0},
        }[condition],
    )


def gap_m(task: str, seen: np.ndarray) -> np.ndarray:
    """[...] metres from the goal to what is to be brought there: the hand in reach, else the thing.

    `seen` [..., 39] are readings that show the goal.
    """
    moved = seen[..., 0:3] if task.startswith("reach") else seen[..., 4:7]
    return np.linalg.norm(seen[..., 36:39] - moved, axis=-1)
