"""Trained weights as pure functions and parameters, whatever experiment made them.

model, params = nsca_jax.load("pretrained/babbling.npz")
foreseen = jax.jit(model.predict)(params, spawn, skill, parameters)
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import checkpoint, types
from nsca_jax.models import audio, dynamics, normalise, vision
from nsca_jax.models import temporal as temporal_lib
from nsca_jax.priors import visual
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import fusion, learner, temporal
from nsca_jax.training.recording import Recording


def load(path: str | Path, seed: int = 0) -> tuple[Any, Any]:
    """(model, params) of a file of weights: params are a pytree, the model's methods are pure.

    Args:
        path: what babbling, vision, audio, fusion or the temporal phase left.
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
    try:
        model, template, seeds = MAKERS[kind](header)
    except Exception as error:  # whatever a stranger's header claims, or one of another version
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise checkpoint.CheckpointError(
            f"weights {path}: their header is not one of {kind}'s ({reason})"
        ) from error
    if not 0 <= seed < (seeds or 1):
        raise checkpoint.CheckpointError(
            f"weights {path}: seed {seed} is not one of its {seeds or 1}"
        )
    if not seeds:
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


@dataclasses.dataclass(frozen=True)
class Temporal:
    """What `experiments.temporal` learns; see models/temporal.py for what it takes and gives.

    Parameters are `params`, the `statistics` that standardise the senses, and `scale` [H], by which
    a spread is multiplied so that its intervals cover what they say.
    """

    network: temporal_lib.TemporalModel

    def observe(self, params: Mapping[str, Any], history: temporal_lib.History):
        """A history [B, N] of standardised senses -> Belief [B]."""
        return temporal.observe(self.network, params["params"], history)

    def imagine(self, params: Mapping[str, Any], belief: temporal_lib.Belief, acts, horizon: int):
        """K acts [K, B] thought through from the same beliefs [B] -> Future [K, B, ...]."""
        return temporal.imagine(self.network, params["params"], belief, acts, horizon)


Made = tuple[Any, Any, int]  # a model, its parameters' shapes for one seed, seeds stored (0: one)


def _kind(header: Mapping[str, Any]) -> str | None:
    """Which experiment made the weights: by name, or by what an encoder's header alone has."""
    if "experiment" in header:
        return str(header["experiment"])
    marks = {"innate": "vision", "eye": "fusion", "width": "audio"}
    return next((name for mark, name in marks.items() if mark in header), None)


def _eye(header: Mapping[str, Any]) -> Made:
    sizes = {name: header[name] for name in ("patch", "width", "code")}
    eye = vision.VisionEncoder(visual.Innate(**header["innate"]), **sizes)
    look = jax.ShapeDtypeStruct((header["side"], header["side"], 4), jnp.uint8)
    template = jax.eval_shape(eye.init, jax.random.key(0), look)
    return Eye(eye), template, len(header["seeds"])


def _ear(header: Mapping[str, Any]) -> Made:
    ear = audio.AudioEncoder(width=header["width"])
    sound = jax.ShapeDtypeStruct((1, types.SOUND_BANDS), jnp.float32)
    template = jax.eval_shape(ear.init, jax.random.key(0), sound)
    return Ear(ear), template, len(header["seeds"])


def _senses(header: Mapping[str, Any]) -> Made:
    sizes = dict(header["eye"])
    eye = vision.VisionEncoder(visual.Innate(**sizes.pop("innate")), **sizes)
    ear = audio.AudioEncoder(width=header["ear"])
    modules = fusion.make_modules(eye, ear, header["width"], header["window"])
    template = jax.eval_shape(
        lambda key: fusion.init(modules, key, header["side"]), jax.random.key(0)
    )
    return Senses(modules), template, len(header["seeds"])


def _temporal(header: Mapping[str, Any]) -> Made:
    config, moments = header["config"], header["config"]["moments"] + 1
    sizes = {"visual_code": (types.VISUAL_CODE,), "proprio": (3 * types.JOINTS,)}
    sizes |= {"touch_N": (2, 3), "sound": (types.SOUND_BANDS,)}
    film = {name: jnp.zeros((2, moments, *size)) for name, size in sizes.items()}
    film |= {"skill": jnp.zeros(2, jnp.int32), "parameters": jnp.zeros((2, 4))}
    fused = jnp.zeros((2, moments, 512)) if config["state"] == "fused" else None
    of = temporal.tracks(SimpleNamespace(**film), camera_lib.Camera(), fused)
    network = temporal_lib.TemporalModel(
        of.senses.shape[-1], config["latent"], config["width"], header["arm"] == "prior"
    )
    init, _ = temporal.make_learner(network, temporal.Settings(), camera_lib.Camera())
    blank = jax.eval_shape(init, jax.random.key(0), of, jnp.arange(2))
    scale = jax.ShapeDtypeStruct((temporal.HORIZONS[-1],), jnp.float32)
    template = {"params": blank.params, "statistics": blank.statistics, "scale": scale}
    return Temporal(network), template, config["seeds"]


def _world_model(header: Mapping[str, Any]) -> Made:
    known = {field.name for field in dataclasses.fields(learner.LearnerSettings)}
    settings = learner.LearnerSettings(
        **{name: value for name, value in header["config"]["learner"].items() if name in known}
    )
    blank = jax.eval_shape(lambda key: learner.init(settings, key), jax.random.key(0))
    return WorldModel(settings), {"params": blank.params, "statistics": blank.statistics}, 0


MAKERS = {
    "babble": _world_model,
    "vision": _eye,
    "audio": _ear,
    "fusion": _senses,
    "temporal": _temporal,
}
