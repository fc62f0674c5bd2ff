"""Trained encoders of all seeds in one file, which later phases read.

eye, params = load_vision("runs/vision/encoder.npz")
codes = jax.vmap(eye.apply, (0, None))(params, images)  # [S, N, 256]
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments._config import BadInput
from nsca_jax import checkpoint
from nsca_jax.models import vision
from nsca_jax.priors import visual

VISION_COMMAND = "python -m experiments.vision --workdir=runs/vision"


def save_vision(run, eye: vision.VisionEncoder, params: Any, side: int, seeds: list[int]) -> Path:
    """Writes `workdir/encoder.npz`: an eye for pictures of side x side, parameters [S, ...]."""
    header = {
        "innate": dataclasses.asdict(eye.innate),
        **{name: getattr(eye, name) for name in ("patch", "width", "code")},
        "side": side,
        "seeds": seeds,
        "config": run.config,
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    path = run.workdir / "encoder.npz"
    run.write_arrays(path, {"header": text, **named(params)})
    return path


def load_vision(path: str | Path) -> tuple[vision.VisionEncoder, Any]:
    """The eye and its parameters [S, ...], frozen for whoever loads them.

    Raises:
        BadInput: no file, or one that holds no eye.
    """
    if not Path(path).is_file():
        raise BadInput(f"{path} is no file: the trained eye is made by `{VISION_COMMAND}`.")
    try:
        arrays = checkpoint.read_arrays(path)
        header = checkpoint.read_header(arrays)
        eye = vision.VisionEncoder(
            visual.Innate(**header["innate"]), header["patch"], header["width"], header["code"]
        )
        return eye, tree_of(eye, header["side"], arrays)
    except Exception as error:  # whatever a stranger's header claims
        raise BadInput(f"{path} holds no trained eye ({error}): `{VISION_COMMAND}`.") from error


def named(tree: Any) -> dict[str, Any]:
    """Leaves by the names of their places."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def tree_of(eye: vision.VisionEncoder, side: int, arrays: dict[str, Any]) -> Any:
    """Inverse of `named` for the parameters of an eye; ValueError where one does not fit."""
    look = jax.ShapeDtypeStruct((side, side, 4), jnp.uint8)
    return fill(jax.eval_shape(eye.init, jax.random.key(0), look), arrays)


def fill(template: Any, arrays: Mapping[str, Any]) -> Any:
    """The template's tree with the arrays [S, ...] of those names; ValueError where one misfits."""
    wanted = named(template)
    seeds = {np.shape(arrays[name])[:1] for name in wanted if name in arrays}
    for name, leaf in wanted.items():
        shape = np.shape(arrays[name]) if name in arrays else None
        if shape is None or shape[1:] != leaf.shape or len(seeds) != 1:
            raise ValueError(f"{name} is {shape or 'absent'} and must be (seeds, *{leaf.shape})")
    leaves = [jnp.asarray(arrays[name]) for name in wanted]
    return jax.tree.unflatten(jax.tree.structure(template), leaves)
