"""physion_like trials on disk, in Physion's own layout, and what a noisy simulator says of them.

Folder: SPLIT/SCENARIO/SCENARIO_NUMBER.hdf5. Of every third frame the films for dynamics have an
image; those for the read-out and the test have so up to the cutoff, and then every fifteenth.
"""

# pyright: reportArgumentType=false

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax import types
from nsca_jax.data import physion
from nsca_jax.evaluation import physion as judge
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.worlds.physion_like import scenarios
from nsca_jax.worlds.physion_like import scene as scene_lib

FRAMES = scene_lib.FRAMES
EVERY = 3  # frames, from one image to the next
LATER = 15  # the same after the cutoff, of the labelled splits
FOLDERS = {"dynamics": "dynamics_training", "readout": "readout_training", "test": "testing"}
EYE = camera_lib.Camera(
    position_m=(0.0, -3.3, 1.9),
    target_m=(0.0, 0.0, 0.22),
    fovy_deg=34.0,
    width=64,
    height=64,
    near_m=0.1,
    far_m=12.0,
)
BLOCK = 16  # trials at a time
CAPSULES, BOXES = 2, 6  # of a scene without cloth, at most
NOISE_M, NOISE_SHARE = 0.01, 0.05  # of the noisy simulator: places, velocities


class Trial(NamedTuple):
    key: tuple[int, int]  # of `scenarios.draw`
    scene: scene_lib.Scene
    motion: scene_lib.Motion


def make(run, folder: Path, counts: dict[str, int]) -> None:
    """Writes `counts` trials of each scenario a split, what is there already being kept."""
    todo = [(split, s) for split in counts for s in scenarios.SCENARIOS]
    for number, (split, scenario) in enumerate(todo):
        run.progress(number, len(todo), "sets of scenes", next=f"{scenario}, {split}")
        place = folder / FOLDERS[split] / scenario
        if place.exists():
            continue
        beside = place.with_name(f".{scenario}.writing")
        for i, trial in enumerate(_wanted(split, scenario, counts[split])):
            static = {
                "stimulus_name": f"physion_like_{scenario}_{i:04d}",
                "generator": f"physion_like {scenarios.VERSION} {scenarios.fingerprint()}",
                "key": trial[0].key,
            }
            name = f"{scenario}_{i:04d}.hdf5"
            physion.write_trial(beside / name, trial[1], _contact(trial[0]), static)
            if run.stopping:
                raise run.interrupted()
        beside.rename(place)
    run.progress(len(todo), len(todo), "sets of scenes")


def oracle(folder: Path, split: str, scenario: str, count: int, tries: int) -> np.ndarray:
    """[count] share of noisy simulations, from the truth at the cutoff, that end in contact."""

    def say(path: Path) -> float:
        scene = scenarios.draw(scenario, tuple(physion.read_key(path)))
        cutoff = judge.cutoff(scenario)
        ends = [
            scene_lib.simulate(
                scene, (0,), scene_lib.Noise(cutoff, NOISE_M, NOISE_SHARE, seed)
            ).contact.any()
            for seed in range(tries)
        ]
        return float(np.mean(ends))

    paths = sorted((folder / FOLDERS[split] / scenario).glob("*.hdf5"))[:count]
    with ThreadPoolExecutor(2) as pool:
        return np.array(list(pool.map(say, paths)))


def frames_of(split: str, scenario: str) -> tuple[int, ...]:
    """The frames that have an image."""
    every = range(0, scene_lib.FRAMES, EVERY)
    cutoff = judge.cutoff(scenario)
    return tuple(f for f in every if split == "dynamics" or f <= cutoff or f % LATER == 0)


def _wanted(split: str, scenario: str, count: int) -> Iterator[tuple[Trial, dict]]:
    """`count` trials with their images: of a labelled split, half of each label, none decided
    before the cutoff; for dynamics, whatever comes."""
    left = {True: count // 2, False: count - count // 2}
    found = 0
    frames = frames_of(split, scenario)
    for block in _blocks(split, scenario, frames):
        kept = []
        for trial in block:
            contact = trial.motion.contact
            label = bool(contact.any())
            if split != "dynamics":
                if contact[: judge.cutoff(scenario) + 1].any() or not left[label]:
                    continue
                left[label] -= 1
            if found < count:
                kept.append(trial)
                found += 1
        if kept:
            for trial, images in zip(kept, _pictures(kept), strict=True):
                yield trial, dict(zip(frames, images, strict=True))
        if found == count:
            return


def _blocks(split: str, scenario: str, frames: tuple[int, ...]) -> Iterator[list[Trial]]:
    """Simulated scenes, BLOCK at a time; one that diverges is left out."""

    def run(number: int) -> Trial | None:
        key = (list(FOLDERS).index(split), number)
        scene = scenarios.draw(scenario, key)
        try:
            return Trial(key, scene, scene_lib.simulate(scene, frames))
        except FloatingPointError:
            return None

    first = 0
    with ThreadPoolExecutor(2) as pool:  # the C engine lets go of Python's lock
        while True:
            found = list(pool.map(run, range(first, first + BLOCK)))
            first += BLOCK
            yield [trial for trial in found if trial is not None]


def _contact(trial: Trial) -> dict[int, bool]:
    """Whether target and zone touched since the frame before, of every third frame."""
    contact = trial.motion.contact
    return {
        f: bool(contact[max(f - EVERY + 1, 0) : f + 1].any()) for f in range(0, len(contact), EVERY)
    }


def _pictures(trials: list[Trial]) -> np.ndarray:
    """[trials, K, H, W, 3] uint8."""
    cloth = trials[0].scene.cloth is not None
    counts = (scene_lib.CLOTH_ROWS**2, 2) if cloth else (CAPSULES, BOXES)
    packed = [_primitives(trial, counts) for trial in trials]
    packed += [packed[-1]] * (BLOCK - len(packed))
    primitives = jax.tree.map(lambda *x: jnp.asarray(np.stack(x)), *packed)
    return np.asarray(_render(counts, primitives))[: len(trials)]


def _primitives(trial: Trial, counts: tuple[int, int]) -> types.Primitives:
    """[K, P] solids in the order of `_kinds`; what a scene lacks is switched off by its size."""
    motion = trial.motion
    frames = len(motion.position_m)
    total = 1 + sum(counts)
    out = types.Primitives(
        position_m=np.zeros((frames, total, 3), np.float32),
        rotation=np.tile(np.eye(3, dtype=np.float32), (frames, total, 1, 1)),
        size_m=np.zeros((frames, total, 3), np.float32),
        rgb=np.zeros((frames, total, 3), np.float32),
    )
    out.rgb[:, 0] = trial.scene.floor_rgb
    free = {"capsule": 1, "box": 1 + counts[0]}
    for p, kind in enumerate(motion.kinds):
        at = free[kind]
        free[kind] += 1
        out.position_m[:, at], out.rotation[:, at] = motion.position_m[:, p], motion.rotation[:, p]
        out.size_m[:, at], out.rgb[:, at] = motion.size_m[p], motion.rgb[p]
    return out


@functools.partial(jax.jit, static_argnums=0)
def _render(counts: tuple[int, int], primitives: types.Primitives) -> jax.Array:
    kinds = ("plane", *("capsule",) * counts[0], *("box",) * counts[1])
    segments = (0,) * len(kinds)

    def one(solids: types.Primitives) -> jax.Array:
        image = camera_lib.render(EYE, kinds, segments, solids)
        return jnp.round(image.rgb * 255).astype(jnp.uint8)

    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), primitives)
    lead = primitives.position_m.shape[:2]
    seen = jax.lax.map(one, flat, batch_size=16)
    return seen.reshape(*lead, *seen.shape[1:])
