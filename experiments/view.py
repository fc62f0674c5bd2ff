"""Replay interactions in MuJoCo's viewer, in real time and over and over, until its window closes.

Each replay draws other parameters of the skill: heights, speeds, directions, forces.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import mujoco.viewer
import numpy as np

from experiments._config import BadInput
from nsca_jax import objects
from nsca_jax.sim import env
from nsca_jax.sim import scene as scene_lib
from nsca_jax.types import SHAPES, SKILLS

# pyright: reportAttributeAccessIssue=false
# (mujoco's names live in its C extension)

FRAME_S = scene_lib.SUBSTEPS * scene_lib.DT_S
PAUSE_S = 0.6  # between two interactions
REPLAYS = 16  # computed at once, then shown one after another


def replays(known: objects.ObjectSet, thing: int, skill: int, key) -> np.ndarray:
    """Positions [T + 1, REPLAYS, 12] of interactions with one object, the spawn first."""
    scene = scene_lib.build(known.properties)
    parameters = jax.random.uniform(key, (REPLAYS, 4), minval=-1.0, maxval=1.0)
    spawn = jax.jit(jax.vmap(env.reset, (None, None, None, 0, None)))
    start = spawn(scene, jnp.int32(thing), jnp.int32(skill), parameters, jnp.zeros(2))
    _, readings = jax.jit(env.rollout)(scene, start)
    return np.concatenate([start.qpos[None], readings.qpos])


def model_of(known: objects.ObjectSet, thing: int) -> mujoco.MjModel:
    """The C engine's model of one object, in its own colour."""
    row = jax.tree.map(lambda leaf: np.asarray(leaf)[thing], known.properties)
    numbers = (row.mass_kg, row.contact_stiffness, row.damping_ratio, row.friction)
    model = scene_lib.spec(int(row.shape), row.size_m, *map(float, numbers)).compile()
    hidden = scene_lib.BOX if SHAPES[int(row.shape)] != "box" else scene_lib.CAPSULE
    model.geom_rgba[[scene_lib.CAPSULE, scene_lib.BOX], :3] = row.rgb
    model.geom_rgba[hidden, 3] = 0.0
    return model


def play(viewer, model: mujoco.MjModel, data: mujoco.MjData, qpos_TxRx12: np.ndarray) -> None:
    """Shows all replays in turn, frame by frame, until the viewer is closed."""
    while viewer.is_running():
        for track in np.swapaxes(qpos_TxRx12, 0, 1):
            for qpos in track:
                if not viewer.is_running():
                    return
                data.qpos[:] = qpos
                mujoco.mj_forward(model, data)
                viewer.sync()
                time.sleep(FRAME_S)
            time.sleep(PAUSE_S)


def choose(name: str, allowed: Sequence[str], what: str) -> int:
    """The number of `name`; raises BadInput with all that is allowed."""
    if name not in allowed:
        known = ", ".join(allowed)
        raise BadInput(f"--{what}={name}: there is no such {what}; it is one of {known}.")
    return allowed.index(name)


def need_screen() -> None:
    """Raises BadInput where no window can be opened."""
    import glfw  # it comes with mujoco, and looks for a display when it is imported

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = glfw.init()
    if not found:
        raise BadInput(
            "No screen was found here (DISPLAY"
            f"={os.environ.get('DISPLAY', '')!r}): the viewer needs one; "
            "report.html of a babbling run shows films without."
        )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; --help is argparse's."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.view",
        description=__doc__,
        epilog="example: python -m experiments.view --object='glass marble' --skill=drop",
    )
    parser.add_argument("--set", default="configs/objects_set_a.yaml", help="file of objects")
    parser.add_argument("--object", help="a name in that file (the first one, if not given)")
    parser.add_argument("--skill", default=SKILLS[0], help=", ".join(SKILLS))
    parser.add_argument("--seed", type=int, default=0, help="of the drawn parameters")
    return parser.parse_args(arguments)


def view(arguments: argparse.Namespace) -> None:
    """Opens the window; raises BadInput or ObjectError."""
    known = objects.load(arguments.set)
    thing = choose(arguments.object or known.names[0], known.names, "object")
    skill = choose(arguments.skill, SKILLS, "skill")
    need_screen()
    print(f"{SKILLS[skill]} of {known.names[thing]}: compiling", flush=True)
    tracks = replays(known, thing, skill, jax.random.key(arguments.seed))
    model = model_of(known, thing)
    data = mujoco.MjData(model)
    data.qpos[:] = tracks[0, 0]
    try:
        viewer: Any = mujoco.viewer.launch_passive(model, data)
    except RuntimeError as error:  # macOS: its windows belong to the main thread
        raise BadInput(f"{error}: write mjpython in place of python.") from error
    with viewer:
        play(viewer, model, data, tracks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 when the window was closed, 2 on bad input or without a screen."""
    try:
        view(parse(arguments))
    except (BadInput, objects.ObjectError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
