"""Trained weights as pure functions and parameters, whatever experiment made them.

model, params = nsca_jax.load("pretrained/babbling.npz")
foreseen = jax.jit(model.predict)(params, spawn, skill, parameters)
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import checkpoint, types
from nsca_jax.models import dynamics, normalise
from nsca_jax.training import learner


def load(path: str | Path) -> tuple[Any, Any]:
    """(model, params) of a file of weights: params are a pytree, the model's methods are pure.

    Raises:
        FileNotFoundError: there is no such file.
        checkpoint.CheckpointError: it is damaged, or no experiment known here made it.
    """
    header = checkpoint.read_weights_header(path)
    made_by = header.get("experiment")
    if made_by not in MAKERS:
        known = ", ".join(MAKERS)
        raise checkpoint.CheckpointError(f"weights {path}: made by {made_by!r}, not by {known}")
    model, template = MAKERS[made_by](header["config"])
    params, _ = checkpoint.load_weights(path, template)
    return model, params


@struct.dataclass
class Foreseen:
    """What will come of B acts: means, and standard deviations over noise and doubt together."""

    motion: jax.Array  # [B, K, MOTION] as types.Interaction.motion
    motion_std: jax.Array  # [B, K, MOTION]
    outcome: types.Outcome  # [B, ...]
    outcome_std: types.Outcome  # [B, ...]


class Act(NamedTuple):
    """What is known before an act."""

    spawn: types.Observation  # [B, ...]
    skill: jax.Array  # [B] int32
    parameters: jax.Array  # [B, 4] in [-1, 1]


@dataclasses.dataclass(frozen=True)
class WorldModel:
    """What `experiments.babble` learns: from the spawn's senses and an act to what comes of it."""

    settings: learner.LearnerSettings

    def predict(
        self,
        params: Mapping[str, Any],
        spawn: types.Observation,
        skill: jax.Array,
        parameters: jax.Array,
        memory: jax.Array | None = None,
    ) -> Foreseen:
        """Foresees B acts, in SI units.

        Args:
            spawn: [B, ...] what the senses tell before the act.
            skill: [B] int32, index into types.SKILLS.
            parameters: [B, 4] in [-1, 1], as types.SKILL_PARAMETERS.
            memory: [B, 10] what is known of the objects (grounding/table.py); by default nothing.
        """
        if memory is None:
            memory = jnp.zeros((skill.shape[0], dynamics.MEMORY))
        statistics = params["statistics"]
        act = Act(spawn, skill, parameters)
        out = learner.predict(self.settings, params["params"], statistics, act, memory)
        motion = _spread(out.motion_mean, out.motion_log_variance, statistics.motion)
        outcome = _spread(out.outcome_mean, out.outcome_log_variance, statistics.outcome)
        return Foreseen(*motion, *map(_outcome, outcome))


def _spread(mean, log_variance, statistics) -> tuple[jax.Array, jax.Array]:
    """Standardised moments [E, ...] of an ensemble -> mean and standard deviation [...] in SI."""
    variance = jnp.exp(log_variance).mean(0) + mean.var(0)
    scale = normalise.std(statistics)
    return normalise.invert(statistics, mean.mean(0)), jnp.sqrt(variance) * scale


def _outcome(vector: jax.Array) -> types.Outcome:
    """[B, O] as dynamics.outcome_vector orders it -> Outcome."""
    parts = dynamics.split_outcome(vector)
    return types.Outcome(
        displacement_m=parts["displacement"],
        rotation_rad=parts["rotation"],
        sound=parts["sound"],
        touch_peak_N=parts["touch"].reshape(*vector.shape[:-1], 2, 3),
        broken=parts["broken"][..., 0],
        image_code=parts["image"],
    )


def _world_model(config: Mapping[str, Any]) -> tuple[WorldModel, Any]:
    """The model of a babbling run's config, and the structure of its parameters."""
    known = {field.name for field in dataclasses.fields(learner.LearnerSettings)}
    settings = learner.LearnerSettings(
        **{name: value for name, value in config["learner"].items() if name in known}
    )
    blank = jax.eval_shape(lambda key: learner.init(settings, key), jax.random.key(0))
    return WorldModel(settings), {"params": blank.params, "statistics": blank.statistics}


MAKERS = {"babble": _world_model}
