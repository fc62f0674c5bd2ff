"""The phases of full training: which there are, what passes between them, how far each one is."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import config_dict

from experiments import _children, _config, _ranges, _run
from nsca_jax.reports import results

GIVEN = "given.json"  # in a phase's folder: the gate's verdict, digests of the weights it was given


@dataclasses.dataclass(frozen=True, eq=False)
class Phase:
    """One experiment of the pipeline; several may bear the same number."""

    number: int
    name: str  # its folder, its log, and the prefix of its criteria
    experiment: str
    does: str
    takes: Mapping[str, str] = dataclasses.field(default_factory=dict)  # config field -> weights
    leaves: Mapping[str, str] = dataclasses.field(default_factory=dict)  # weights -> name in model/
    work: tuple[str, ...] = ()  # what its seconds grow with: see _cost.work

    @property
    def title(self) -> str:
        """Such as `phase 2 (vision)`."""
        return f"phase {self.number} ({self.name})"


PHASES = (
    Phase(0, "validate", "validate", "the gate: the mechanisms that everything later stands on"),
    Phase(
        1,
        "babble",
        "babble",
        "a gripper acts on twenty objects and learns what comes of it",
        leaves={"competence.npz": "world_model.npz"},
        work=("arms", "seeds", "random_interactions + competence_interactions"),
    ),
    Phase(
        2,
        "vision",
        "vision",
        "an eye that learns to see from babbling films",
        leaves={"encoder.npz": "encoder.npz"},
        work=("seeds", "steps", "batch", "width"),
    ),
    Phase(
        3,
        "audio",
        "audio",
        "an ear that learns from impacts, against that eye",
        takes={"vision": "vision/encoder.npz"},
        leaves={"ear.npz": "ear.npz"},
        work=("seeds", "steps", "batch"),
    ),
    Phase(
        4,
        "fusion",
        "fusion",
        "where eye, ear, touch and joints meet in one state",
        takes={"vision": "vision/encoder.npz", "audio": "audio/ear.npz"},
        leaves={"fusion.npz": "fusion.npz"},
        work=("seeds", "steps", "batch"),
    ),
    Phase(
        5,
        "temporal",
        "temporal",
        "what comes next, step by step, and pushes chosen by imagining it",
        takes={"fusion": "fusion/fusion.npz"},  # which its config.state=fused stands on
        leaves={"temporal.npz": "temporal.npz"},
        work=("seeds", "steps", "batch", "width"),
    ),
    Phase(
        6,
        "memory",
        "memory",
        "episodes and prototypes: the kitchen, then toys, then tools, and the kitchen again",
        leaves={"memory.npz": "memory.npz"},
        work=("seeds", "interactions"),
    ),
    Phase(
        6,
        "words",
        "words",
        "what a speaker's words mean, for things never met",
        leaves={"words.npz": "words.npz"},
        work=("seeds", "interactions", "bank_steps"),
    ),
    Phase(
        7,
        "evaluation_b",
        "pretrained",
        "the babbled world model before ten objects that it never met",
        takes={"weights": "babble/competence.npz"},
    ),
    Phase(
        7,
        "evaluation_c",
        "pretrained",
        "the same before a third set of objects",
        takes={"weights": "babble/competence.npz"},
    ),
)


class Status(NamedTuple):
    """How far a phase is."""

    state: str  # to do, begun, done, failed criteria, stale
    config_hash: str  # of the config that is wanted
    result: dict[str, Any] | None  # where one with that config exists
    why: str = ""  # it is stale

    @property
    def finished(self) -> bool:
        """Nothing is left to do."""
        return self.state in ("done", "failed criteria")


def source(config, phase: Phase) -> str:
    """FILE.py[:PRESET] of the phase's config."""
    preset = config[phase.name].preset
    return f"configs/{phase.experiment}.py" + (f":{preset}" if preset else "")


def fields(config, phase: Phase, workdir: Path) -> list[str]:
    """NAME=VALUE of all that the pipeline sets in the phase's config."""
    given = [f"{field}={workdir / file}" for field, file in phase.takes.items()]
    return [*config[phase.name].fields, *given]


def command(config, phase: Phase, workdir: Path) -> list[str]:
    """How the phase is run."""
    told = fields(config, phase, workdir)
    if config.loggers:
        told.append(f"loggers={','.join(config.loggers)}")
    return _children.command(phase.experiment, source(config, phase), workdir / phase.name, told)


def wanted(config, phase: Phase, workdir: Path) -> dict[str, Any]:
    """The config that the phase will have, resolved; raises BadInput where it cannot be."""
    try:
        resolved = _config.load(source(config, phase))
        _config.override_all(resolved, fields(config, phase, workdir))
        _ranges.check(resolved)
    except _config.BadInput as error:
        raise _config.BadInput(f"config.{phase.name}: {error}") from error
    return _run.identity(resolved.to_dict())


def look(config, phase: Phase, workdir: Path) -> Status:
    """How far the phase is, by what lies in its folder."""
    folder = workdir / phase.name
    config_wanted = wanted(config, phase, workdir)
    identity = results.config_hash(config_wanted)
    stored = _run.read_json(folder / "config.json")
    if stored is None:
        return Status("to do", identity, None)
    if why := _run.differences(stored, config_wanted) or _other_inputs(phase, workdir):
        return Status("stale", identity, None, why)
    path = folder / "result.json"
    if not path.exists():
        return Status("begun", identity, None)
    result = _run.read_result(path)
    return Status("done" if result["passed"] else "failed criteria", identity, result)


def log(phase: Phase, workdir: Path) -> Path:
    """Where what the phase prints goes."""
    return workdir / f"{phase.name}.log"


def give(phase: Phase, workdir: Path, gate: str) -> None:
    """Writes what the phase is given beside its config: the gate's verdict, weights' digests."""
    folder = workdir / phase.name
    folder.mkdir(parents=True, exist_ok=True)
    given = {"inputs": digests(phase, workdir), **({"gate": gate} if gate else {})}
    _run.write_json(folder / GIVEN, given)


def mark(phase: Phase, workdir: Path, gate: str) -> None:
    """Marks a finished phase's result with the gate's verdict, where it bore another."""
    path = workdir / phase.name / "result.json"
    result = _run.read_result(path)
    if gate and result.get("gate") != gate:
        give(phase, workdir, gate)
        results.write(path, {**result, "gate": gate})


def data(folder: Path) -> dict[str, Any]:
    """The fields of a phase's config that say what it learnt from, and how much of it."""
    stored = _config.fields(config_dict.ConfigDict(_run.read_json(folder / "config.json")))
    parts = ("objects", "interactions", "seeds", "weights")
    return {name: value for name, value in stored.items() if any(p in name for p in parts)}


def set_aside(phase: Phase, workdir: Path) -> Path:
    """Moves a stale phase's folder out of the way, and says where to."""
    number = 1
    while (aside := workdir / f"{phase.name}.stale-{number}").exists():
        number += 1
    (workdir / phase.name).rename(aside)
    return aside


def digests(phase: Phase, workdir: Path) -> dict[str, str]:
    """16 hexadecimal digits of each file of weights that the phase takes and that exists."""
    paths = {field: workdir / file for field, file in phase.takes.items()}
    return {
        field: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for field, path in paths.items()
        if path.exists()
    }


def missing(phase: Phase, workdir: Path) -> list[str]:
    """Files that the phase takes and that do not exist."""
    return [file for file in phase.takes.values() if not (workdir / file).exists()]


def _other_inputs(phase: Phase, workdir: Path) -> str:
    """Which of the weights that the phase was given have changed since, in words."""
    given = (_run.read_json(workdir / phase.name / GIVEN) or {}).get("inputs", {})
    changed = [field for field, now in digests(phase, workdir).items() if given.get(field) != now]
    return f"it was given another {' and '.join(changed)}" if changed else ""
