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
from nsca_jax.models import audio, dynamics, normalise, vision
from nsca_jax.priors import visual
from nsca_jax.training import fusion, learner
from nsca_jax.training.recording import Recording


def load(path: str | Path, seed: int = 0) -> tuple[Any, Any]:
    """(model, params) of a file of weights: params are a pytree, the model's methods are pure.

    Args:
        path: what babbling, vision, audio or fusion left.
        seed: which of the file's seeds, counted from 0, where it holds several.

    Raises:
        FileNotFoundError: there is no such file.
        checkpoint.CheckpointError: it is damaged, no experiment known here made it, or it does not
            hold so many seeds.
    """
    header = checkpoint.read_weights_header(path)
    kind = _kind(header)
    if kind not in MAKERS:
        known = ", ".join(MAKERS)
        raise checkpoint.CheckpointError(f"weights {path}: made by {kind!r}, not by {known}")
    model, template = MAKERS[kind](header)
    seeds = len(header.get("seeds", "1"))
    if not 0 <= seed < seeds:
        raise checkpoint.CheckpointError(f"weights {path}: seed {seed} is not one of its {seeds}")
    if "seeds" not in header:
        return model, checkpoint.load_weights(path, template)[0]
    stacked = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((seeds, *leaf.shape), leaf.dtype), template
    )
    params, _ = checkpoint.load_weights(path, stacked)
    return model, jax.tree.map(lambda leaf: leaf[seed], params)


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


@dataclasses.dataclass(frozen=True)
class Eye:
    """What `experiments.vision` learns."""

    network: vision.VisionEncoder

    def encode(self, params: Any, image: jax.Array) -> jax.Array:
        """Packed images [..., H, W, 4] uint8 -> codes [..., 256]."""
        return self.network.apply(params, image)


@dataclasses.dataclass(frozen=True)
class Ear:
    """What `experiments.audio` learns."""

    network: audio.AudioEncoder

    def encode(self, params: Any, sound: jax.Array) -> jax.Array:
        """Windows of log(1 + band energy) [..., T, 32] -> codes [..., 256]."""
        return self.network.apply(params, sound)


@dataclasses.dataclass(frozen=True)
class Senses:
    """What `experiments.fusion` learns, with the encoders that it stands on."""

    modules: fusion.Modules

    def codes(self, params: Any, film: Recording) -> dict[str, jax.Array]:
        """Each sense's code at every moment of N filmed interactions: {sense: [N, T + 1, 256]}."""
        return fusion.codes(self.modules, params, film)

    def states(self, params: Any, film: Recording) -> jax.Array:
        """The fused state at every moment: [N, T + 1, 512]."""
        return fusion.states(self.modules, params, film)


def _kind(header: Mapping[str, Any]) -> str | None:
    """Which experiment made the weights: by name, or by what an encoder's header alone has."""
    if "experiment" in header:
        return header["experiment"]
    marks = {"innate": "vision", "eye": "fusion", "width": "audio"}
    return next((name for mark, name in marks.items() if mark in header), None)


def _eye(header: Mapping[str, Any]) -> tuple[Eye, Any]:
    sizes = {name: header[name] for name in ("patch", "width", "code")}
    eye = vision.VisionEncoder(visual.Innate(**header["innate"]), **sizes)
    look = jax.ShapeDtypeStruct((header["side"], header["side"], 4), jnp.uint8)
    return Eye(eye), jax.eval_shape(eye.init, jax.random.key(0), look)


def _ear(header: Mapping[str, Any]) -> tuple[Ear, Any]:
    ear = audio.AudioEncoder(width=header["width"])
    sound = jax.ShapeDtypeStruct((1, types.SOUND_BANDS), jnp.float32)
    return Ear(ear), jax.eval_shape(ear.init, jax.random.key(0), sound)


def _senses(header: Mapping[str, Any]) -> tuple[Senses, Any]:
    eye, _ = _eye({**header["eye"], "side": header["side"]})
    ear, _ = _ear({"width": header["ear"]})
    modules = fusion.make_modules(eye.network, ear.network, header["width"], header["window"])
    side = header["side"]
    template = jax.eval_shape(lambda key: fusion.init(modules, key, side), jax.random.key(0))
    return Senses(modules), template


def _world_model(header: Mapping[str, Any]) -> tuple[WorldModel, Any]:
    known = {field.name for field in dataclasses.fields(learner.LearnerSettings)}
    settings = learner.LearnerSettings(
        **{name: value for name, value in header["config"]["learner"].items() if name in known}
    )
    blank = jax.eval_shape(lambda key: learner.init(settings, key), jax.random.key(0))
    return WorldModel(settings), {"params": blank.params, "statistics": blank.statistics}


MAKERS = {"babble": _world_model, "vision": _eye, "audio": _ear, "fusion": _senses}
