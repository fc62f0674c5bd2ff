"""What is each mechanism of the agent worth? It is switched off, and twenty seeds live on without.

In two worlds: babbling (drop, strike, push) and, after `make metaworld`, Meta-World's reach, push
and pick-place, for an agent that is shown them. The full agent and the ablated ones live through
the same stream with the same budget; each condition is one compiled program over all seeds of a
block, and each block a job of its own, here or on a cluster. Presets: laptop (20 seeds), quick (3
seeds, for CI), paper (the plan's 100,000 interactions).
"""

import dataclasses
import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import config_dict

from experiments import (
    _ablate_babbling,
    _ablate_metaworld,
    _ablate_report,
    _jobs,
    _launch,
    _parts,
    _ranges,
)
from experiments._ablate_facts import Facts
from nsca_jax import checkpoint
from nsca_jax.evaluation import ablation
from nsca_jax.reports import results

# each names its TASKS and CONDITIONS; a group of config with its name is its own
WORLDS = {"babbling": _ablate_babbling, "metaworld": _ablate_metaworld}
STEERING = ("launcher", "at_once", "requeue", "minutes", "partition")
SHARED = ("seed", "seeds", "block", "conditions", "tasks", *STEERING)  # by all worlds
WIDENING = ("seeds", "block", "conditions", *STEERING)  # what no job's outcome depends on


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    _ranges.one_of(config, "launcher", _jobs.LAUNCHERS)
    _ranges.some_of(config, "tasks", [task for world in WORLDS.values() for task in world.TASKS])
    for needed in (ablation.FULL, ablation.SHAM):
        if needed not in config.conditions:
            raise _launch.BadInput(
                f"config.conditions must hold {needed!r}, which the others are compared with"
            )
    known = dict.fromkeys(c for world in WORLDS.values() for c in world.CONDITIONS)
    _ranges.some_of(config, "conditions", known)
    for name, world in worlds_of(config).items():
        world.check(own(config, name))


def own(config, name: str) -> Any:
    """The config as one world has it: its own tasks, the conditions that it knows, its fields.

    A condition that has no meaning in a world is none of it, as its report says; what another world
    is told is no part of it either, and so a finished job stays finished.
    """
    world, plain = WORLDS[name], config.to_dict()
    others = [other for other in WORLDS if other != name]
    kept = {k: v for k, v in plain.items() if k not in others}
    if name in plain:
        kept = {k: plain[k] for k in (*SHARED, name)}
    kept["tasks"] = tuple(task for task in config.tasks if task in world.TASKS)
    kept["conditions"] = tuple(c for c in config.conditions if c in world.CONDITIONS)
    return config_dict.ConfigDict(kept)


def worlds_of(config) -> dict[str, Any]:
    """The worlds of the tasks that are asked for."""
    return {n: world for n, world in WORLDS.items() if set(world.TASKS) & set(config.tasks)}


@dataclasses.dataclass(frozen=True)
class Block:
    """A job: one condition, some seeds. It is written whole or not at all."""

    world: str
    config: dict[str, Any]
    folder: Path  # the run's
    condition: str
    numbers: tuple[int, ...]

    @property
    def path(self) -> Path:
        kept = {k: v for k, v in self.config.items() if k not in WIDENING}
        name = f"{self.condition}_{self.numbers[0]}-{self.numbers[-1]}.npz"
        return self.folder / "jobs" / f"{self.world}-{results.config_hash(kept)}" / name

    @property
    def name(self) -> str:
        return f"{self.condition} {self.numbers[0]}-{self.numbers[-1]}"

    def __call__(self) -> None:
        """Lives through it, unless that was done."""
        if self.path.exists():
            return
        started = time.monotonic()
        _launch.set_up_jax()
        world, config = WORLDS[self.world], config_dict.ConfigDict(self.config)
        has = world.given(config, read_parts(self.folder, world.prepare(config)))
        record = world.live(config, has, self.condition, list(self.numbers))
        seconds = np.full(len(self.numbers), (time.monotonic() - started) / len(self.numbers))
        checkpoint.write_arrays(self.path, {**record, "seconds": seconds})


def read_parts(folder: Path, names) -> dict[str, dict[str, np.ndarray]]:
    """Finished parts of a run, arrays by name."""
    return {name: _parts.load(folder / "parts" / f"{name}.npz") for name in names}


def blocks(config, world: str, folder: Path) -> list[Block]:
    """Every job of a world."""
    plain = config.to_dict()
    firsts = range(config.seed, config.seed + config.seeds, config.block)
    last = config.seed + config.seeds
    spans = [tuple(range(first, min(first + config.block, last))) for first in firsts]
    return [
        Block(world, plain, folder, condition, span)
        for condition in config.conditions
        for span in spans
    ]


def merge(jobs: list[Block], condition: str, blank: dict[str, np.ndarray]) -> dict:
    """One condition's blocks as arrays that lead with seeds; NaN where a block is not there."""
    parts = []
    for job in (job for job in jobs if job.condition == condition):
        record = {k: np.stack([v] * len(job.numbers)) for k, v in blank.items()}
        if job.path.exists():
            stored = _parts.load(job.path)
            record |= {k: np.asarray(stored[k], np.float64) for k in stored if k in blank}
        parts.append(record)
    return {k: np.concatenate([part[k] for part in parts]) for k in blank}


def live(config, run, name: str) -> Facts:
    """Every job of one world, run and merged."""
    world, config = WORLDS[name], own(config, name)
    parts = world.prepare(config)
    has = world.given(config, _parts.every(run, parts))
    jobs = blocks(config, name, run.workdir.resolve())
    launcher = _jobs.Launcher(
        config.launcher, config.at_once, config.minutes, config.requeue, config.partition
    )
    failed = _jobs.finish(run, jobs, launcher, run.workdir / "submitit")
    blank = {**world.blank(config), "seconds": np.full((), np.nan)}
    records = {c: merge(jobs, c, blank) for c in config.conditions}
    tasks = list(config.tasks)
    return Facts(
        name, tasks, world.interactions(config), world.updates(config), records,
        world.baseline(has, len(tasks)), failed, world.words(config), world.stages(config),
    )  # fmt: skip


def main(config, run) -> dict:
    """Every world's jobs, then the claims, then the report."""
    facts = [live(config, run, name) for name in worlds_of(config)]
    seeds = list(range(config.seed, config.seed + config.seeds))
    result = run.result(seeds=seeds, **_ablate_report.claims(facts))
    _ablate_report.write(config.to_dict(), run, seeds, facts, result)
    return result


if __name__ == "__main__":
    # a job must find its class by a name that its own process can import
    module = importlib.import_module("experiments.ablate")
    _launch.launch("ablate", module.main, module.check, steering=STEERING)
