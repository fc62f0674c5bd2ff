"""Trained ears, and trained fusions with all that they stand on: one file each, all seeds in it.

ear, params = load_audio("runs/audio/ear.npz")
modules, params = load_fusion("runs/fusion/fusion.npz")
of_seed = jax.tree.map(lambda x: x[seed], params)
states = training.fusion.states(modules, of_seed, film)  # [N, T + 1, 512]
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _encoders
from experiments._config import BadInput
from nsca_jax import checkpoint, types
from nsca_jax.models import audio, vision
from nsca_jax.priors import visual
from nsca_jax.training import fusion

AUDIO_COMMAND = "python -m experiments.audio --workdir=runs/audio"
FUSION_COMMAND = "python -m experiments.fusion --workdir=runs/fusion"


def save_audio(run, width: int, params: Any, seeds: list[int]) -> Path:
    """Writes `workdir/ear.npz`: an ear of that width, parameters [S, ...]."""
    return _save(run, "ear", params, {"width": width, "seeds": seeds})


def load_audio(path: str | Path) -> tuple[audio.AudioEncoder, Any]:
    """The ear and its parameters [S, ...]; raises BadInput without a file that holds one."""

    def build(header):
        ear = audio.AudioEncoder(width=header["width"])
        sound = jax.ShapeDtypeStruct((1, types.SOUND_BANDS), jnp.float32)
        return ear, jax.eval_shape(ear.init, jax.random.key(0), sound)

    return _load(path, "ear", AUDIO_COMMAND, build)


def save_fusion(run, modules: fusion.Modules, params: Any, side: int, seeds: list[int]) -> Path:
    """Writes `workdir/fusion.npz`: the fusion and the encoders below it, parameters [S, ...]."""
    eye = {name: getattr(modules.vision, name) for name in ("patch", "width", "code")}
    header = {
        "eye": {"innate": dataclasses.asdict(modules.vision.innate), **eye},
        "ear": modules.audio.width,
        "width": modules.fusion.width,
        "window": modules.window,
        "side": side,
        "seeds": seeds,
    }
    return _save(run, "fusion", params, header)


def load_fusion(path: str | Path) -> tuple[fusion.Modules, Any]:
    """(modules, {sense and fusion: parameters [S, ...]}), as `training.fusion.states` wants them.

    Raises BadInput without a file that holds them.
    """

    def build(header):
        sizes = dict(header["eye"])
        innate = visual.Innate(**sizes.pop("innate"))
        eye = vision.VisionEncoder(innate, **sizes)
        ear = audio.AudioEncoder(width=header["ear"])
        modules = fusion.make_modules(eye, ear, header["width"], header["window"])
        return modules, jax.eval_shape(
            lambda key: fusion.init(modules, key, header["side"]), jax.random.key(0)
        )

    return _load(path, "fusion", FUSION_COMMAND, build)


def _save(run, name: str, params: Any, header: dict[str, Any]) -> Path:
    text = np.frombuffer(json.dumps({**header, "config": run.config}).encode(), np.uint8)
    path = run.workdir / f"{name}.npz"
    run.write_arrays(path, {"header": text, **_encoders.named(params)})
    return path


def _load(path: str | Path, what: str, command: str, build: Callable[[dict], Any]) -> Any:
    """(what `build` makes of the header, the file's parameters in its template's structure)."""
    if not Path(path).is_file():
        raise BadInput(f"{path} is no file: a trained {what} is made by `{command}`.")
    try:
        arrays = checkpoint.read_arrays(path)
        made, template = build(checkpoint.read_header(arrays))
        return made, _encoders.fill(template, arrays)
    except Exception as error:  # whatever a stranger's header claims
        raise BadInput(f"{path} holds no trained {what} ({error}): `{command}`.") from error
