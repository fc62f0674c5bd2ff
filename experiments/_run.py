"""A run and its folder: what an experiment may do with files while it works.

config.json  metrics.jsonl  checkpoints/  result.json  figures/  report.html
resume.json   seconds worked and compiled so far, and how long metrics.jsonl was at each checkpoint
given.json    in a phase of full training: the gate's verdict, which its result repeats, and the
              digests of the weights that it was given
.lock         held while a run works here
"""

import fcntl
import functools
import json
import math
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments._config import BadInput
from experiments._progress import Progress
from nsca_jax import checkpoint
from nsca_jax.reports import loggers, metrics, results
from nsca_jax.reports.plain import plain
from nsca_jax.training import faults


class Finished(Exception):
    """The folder holds the finished run that was asked for; `passed` is what it found."""

    def __init__(self, message: str, passed: bool):
        super().__init__(message)
        self.passed = passed


class Interrupted(Exception):
    """The run stopped and saved because the user, or the system, asked it to."""


class Run:
    """What `main(config, run)` gets. Opening one raises BadInput or Finished (see `launch`).

    `steering` names the config's fields that say how to go on and not what to find: they are no
    part of the run's identity. A run that has some is never finished: `main` looks for itself.
    `loggers`, who else is told what metrics.jsonl is told, is no part of it either.
    """

    def __init__(
        self, name: str, workdir: Path, config: Mapping[str, Any], steering: Sequence[str] = ()
    ):
        self.name = name
        self.workdir = workdir
        self.config = identity(config, steering)
        self.config_hash = results.config_hash(self.config)
        self.signal = 0  # the first signal received, or 0
        self.faults: dict[str, dict[int, str]] = {}  # part of the run -> seed -> what befell it
        self._steered = bool(steering)
        self._loggers = tuple(config.get("loggers", ()))
        loggers.check(self._loggers)
        self._writer: loggers.Writer | None = None
        self._progress = Progress()
        self._saved = ""
        self._lock = _lock(workdir)
        self._claim()
        self._resume = _read_resume(workdir / "resume.json")
        self._cut_metrics(max(self._resume["metrics_bytes"].values(), default=0))
        self._started = time.monotonic()
        self._compiled = sum(_compilations())

    @property
    def stopping(self) -> bool:
        """True once asked to stop: finish the chunk, save, then `raise run.interrupted()`."""
        return self.signal != 0

    @property
    def wall_s(self) -> float:
        """Seconds worked, over all parts of an interrupted run."""
        return self._resume["wall_s"] + time.monotonic() - self._started

    @property
    def compile_s(self) -> float:
        """Seconds of XLA's compiler, or of loading what it compiled before, over all parts.

        Of two programs that are compiled side by side both count.
        """
        return self._resume["compile_s"] + sum(_compilations()) - self._compiled

    def log(self, step: int, figures: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl; ValueError where a number is not finite (None is allowed)."""
        metrics.append(self.workdir / "metrics.jsonl", step, figures)
        if self._writer is not None:
            self._writer.write(plain({"step": step, **figures}))
        elif self._loggers:
            self._writer = self._open_writer()

    def close(self) -> None:
        """Closes the loggers; the next line opens them again, and tells them the file anew."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def progress(self, done: float, total: float, unit: str, /, **figures: float | str) -> None:
        """How far the run is, with rate, time left and figures."""
        self._progress.tell(done, total, unit, **figures)

    def say(self, text: str) -> None:
        """Prints a line for the user."""
        self._progress.say(text)

    def tell_faults(self, part: str, found: np.ndarray) -> None:
        """Says which seeds stopped learning, each once; `found` [S] are all so far.

        Raises FaultError where no seed is left that is whole in all parts.
        """
        told = {int(seed): str(found[seed]) for seed in np.flatnonzero(found != "")}
        for seed, what in told.items():
            if seed not in self.faults.get(part, {}):
                self.say(f"{part}, seed {seed} has stopped learning: {what}; the others go on")
        self.faults[part] = told
        faults.refuse_none_left(self.failed, len(found))

    @property
    def failed(self) -> dict[int, str]:
        """Seed -> in which part it stopped learning first, and why; seeds count from 0."""
        first: dict[int, str] = {}
        for part, told in self.faults.items():
            first |= {seed: f"{part}: {what}" for seed, what in told.items() if seed not in first}
        return first

    def without_failed(self, figures: Any) -> Any:
        """A tree of figures [S, ...] without the seeds that stopped learning."""
        return jax.tree.map(lambda x: np.delete(np.asarray(x), sorted(self.failed), 0), figures)

    def need_disk(self, state: Any, parts: int) -> None:
        """Raises BadInput where the disk has no room for the checkpoints of so many parts.

        `state`: any part's, or its ShapeDtypeStructs. Each keeps `checkpoint.KEEP`, and one more
        is being written.
        """
        one = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
        needed_gb = (parts * checkpoint.KEEP + 1) * one / 1e9
        free_gb = shutil.disk_usage(self.workdir).free / 1e9
        if free_gb < needed_gb:
            raise BadInput(
                f"{self.workdir} needs about {needed_gb:.2g} GB and its disk has {free_gb:.2g} GB "
                "free: make room or give another --workdir."
            )

    def save(self, step: int, state: Any, name: str = "") -> None:
        """Checkpoints `state`, the whole state after `step`; `name` tells parts of a run apart."""
        path = self.workdir / "metrics.jsonl"
        length = path.stat().st_size if path.exists() else 0
        lengths = {**self._resume["metrics_bytes"], f"{name}:{step}": length}
        self._note(lengths)
        checkpoint.save(self.workdir / "checkpoints" / name, step, state)
        self._resume["metrics_bytes"] = lengths
        self._saved = f"saved at step {step}"

    def restore(self, template: Any, name: str = "") -> Any | None:
        """The last saved state, in the structure of `template`; None where nothing was saved.

        What was logged after that state is dropped: the run will log it again.
        """
        folder = self.workdir / "checkpoints" / name
        if checkpoint.latest(folder) is None:
            return None
        state, step = checkpoint.restore(folder, template)
        self._cut_metrics(self._resume["metrics_bytes"].get(f"{name}:{step}", 0))
        self.say(f"{self.workdir}: going on{' with ' + name if name else ''} from step {step}")
        return state

    def write_arrays(self, path: Path, arrays: Mapping[str, Any]) -> None:
        """Writes arrays by name as one .npz file, whole or not at all."""
        checkpoint.write_arrays(path, arrays)
        self.keep_time()

    def keep_time(self) -> None:
        """What was worked so far counts after a resume."""
        self._note(self._resume["metrics_bytes"])

    def save_weights(self, name: str, tree: Any, **header: Any) -> Path:
        """Writes a small tree of arrays as `workdir/NAME.npz`, with the config in its header."""
        path = self.workdir / f"{name}.npz"
        origin = {"experiment": self.name, "config": self.config, **plain(header)}
        checkpoint.save_weights(path, tree, origin)
        return path

    def interrupted(self) -> Interrupted:
        """The exception to raise once `stopping` and saved."""
        return Interrupted(self._saved or "nothing was saved yet")

    def result(
        self, criteria: Sequence[Mapping[str, Any]], seeds: Sequence[int], **more: Any
    ) -> dict[str, Any]:
        """What `main` returns: `reports.results.build` for this run (see there for `more`)."""
        gate = (read_json(self.workdir / "given.json") or {}).get("gate", "")
        known = {"config_hash": self.config_hash, "wall_s": self.wall_s, "gate": gate}
        known |= {"compile_s": self.compile_s, "n_failed_seeds": len(self.failed)}
        return results.build(self.name, criteria, seeds, **known | more)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Writes result.json: from then on the run counts as finished."""
        results.write(self.workdir / "result.json", result)

    def _note(self, metrics_bytes: Mapping[str, int]) -> None:
        """Keeps, for a resume, the seconds worked so far and the metrics' lengths."""
        seconds = {"wall_s": self.wall_s, "compile_s": self.compile_s}
        kept = {**seconds, "metrics_bytes": dict(metrics_bytes)}
        write_json(self.workdir / "resume.json", kept)

    def _claim(self) -> None:
        """Takes the folder for this config, or says why not."""
        stored = read_json(self.workdir / "config.json")
        if stored is None:
            write_json(self.workdir / "config.json", self.config)
            return
        if stored != self.config:
            raise BadInput(
                f"{self.workdir} holds a run of another config: {differences(stored, self.config)}"
                "; give another --workdir, or delete it."
            )
        read_json(self.workdir / "given.json")  # now, and not once all is done
        path = self.workdir / "result.json"
        if self._steered or not path.exists():
            return
        done = read_result(path)
        if done["config_hash"] == self.config_hash:
            raise Finished(
                f"{self.workdir} is finished ({'passed' if done['passed'] else 'not passed'}): "
                "delete it or give another --workdir to run again.",
                bool(done["passed"]),
            )

    def _open_writer(self) -> loggers.Writer:
        mode = os.environ.get("WANDB_MODE", "offline")
        try:
            return loggers.open_writer(self._loggers, self.workdir, self.name, self.config, mode)
        except loggers.LoggerError as error:
            raise BadInput(str(error)) from error

    def _cut_metrics(self, length: int) -> None:
        path = self.workdir / "metrics.jsonl"
        if path.exists() and path.stat().st_size > length:
            os.truncate(path, length)
            self.close()


def _lock(workdir: Path) -> Any:
    """Holds the folder until the process ends; raises BadInput if another run holds it."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        file = open(workdir / ".lock", "w")  # noqa: SIM115 - held open for the process's life
    except OSError as error:
        raise BadInput(f"--workdir={workdir} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadInput(
            f"another run is working in {workdir}: wait for it or give another --workdir."
        ) from error
    return file


def busy(workdir: Path) -> bool:
    """Whether a run is working in the folder, which may not exist."""
    if not (workdir / ".lock").exists():
        return False
    with open(workdir / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def identity(config: Mapping[str, Any], steering: Sequence[str] = ()) -> dict[str, Any]:
    """The fields that decide what a run finds, as plain values."""
    return plain({key: config[key] for key in config if key not in (*steering, "loggers")})


def exit_status(number: int) -> int:
    """What a shell reports of a process that a signal ended: 130 or 143."""
    return 128 + signal.Signals(number)


def differences(stored: Any, wanted: Any) -> str:
    """Which fields of two configs differ, and how, in words; empty where none does."""
    there, here = _flat(stored), _flat(wanted)
    names = [name for name in sorted(there | here) if there.get(name) != here.get(name)]
    told = [
        f"{n} is {there.get(n, 'absent')} there and {here.get(n, 'absent')} here" for n in names
    ]
    return ", ".join(told)


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix[:-1]: tree}
    out: dict[str, Any] = {}
    for name, value in tree.items():
        out |= _flat(value, f"{prefix}{name}.")
    return out


def read_json(path: Path) -> dict[str, Any] | None:
    """The object that a JSON file holds, None where there is none; raises BadInput where not."""
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"it holds a {type(found).__name__}")
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is damaged ({error}): delete it, or the whole folder.") from error
    return found


def read_result(path: Path) -> dict[str, Any]:
    """A validated result; raises BadInput where the file holds none."""
    try:
        return results.read(path)
    except ValueError as error:
        raise BadInput(f"{error}: delete it to have it made again.") from error


@functools.cache
def _compilations() -> list[float]:
    """Seconds of each of this process's compilations, from the first call on."""
    seconds: list[float] = []

    def hear(event: str, duration_secs: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            seconds.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(hear)
    return seconds


def _read_resume(path: Path) -> dict[str, Any]:
    """resume.json, or that of a run which has not begun; raises BadInput where it is damaged."""
    found = read_json(path)
    if found is None:
        return {"wall_s": 0.0, "compile_s": 0.0, "metrics_bytes": {}}
    lengths = found.get("metrics_bytes")
    numbers = [found.get("wall_s"), found.setdefault("compile_s", 0.0)]
    numbers += lengths.values() if isinstance(lengths, dict) else [None]
    if not all(isinstance(n, int | float) and 0 <= n < math.inf for n in numbers):
        raise BadInput(f"{path} is damaged (it holds no lengths): delete it, or the whole folder.")
    return found


def write_json(path: Path, value: Any) -> None:
    """Writes beside and renames: a reader sees the whole file or none."""
    beside = path.with_name(f".{path.name}.writing")
    beside.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    beside.replace(path)
