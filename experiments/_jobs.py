"""Jobs through submitit: in processes of this machine, in this process, or on a SLURM cluster.

A job is a callable that leaves a file behind; where the file is there already it has nothing to do.
One that fails or is killed costs its own file alone. submitit keeps its logs, and pickles of its
own making, in `folder`.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from experiments import _children
from experiments._config import BadInput

LAUNCHERS = ("local", "debug", "slurm")


class Job(Protocol):
    """What can be run: `path` is the file that it leaves behind, `name` tells it from others."""

    @property
    def path(self) -> Path: ...

    @property
    def name(self) -> str: ...

    def __call__(self) -> None: ...


@dataclasses.dataclass(frozen=True)
class Launcher:
    """Where jobs run."""

    kind: str  # of LAUNCHERS
    at_once: int  # jobs handed over and not finished
    minutes: int  # that a job may take
    requeue: bool  # SLURM: a job that is preempted, or out of time, is queued again
    partition: str = ""  # SLURM's, or its default


@dataclasses.dataclass
class Requeued:
    """A job that, when the cluster takes its place away, asks to be begun again."""

    job: Job

    def __call__(self) -> None:
        self.job()

    def checkpoint(self) -> Any:
        """What submitit queues in its stead: itself, which goes on by what files are there."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def finish(run, jobs: Sequence[Job], launcher: Launcher, folder: Path) -> dict[str, str]:
    """Runs the jobs that have not left their file; returns name -> why of those that failed.

    Raises BadInput where the launcher is not to be had, and Interrupted where the run is stopped;
    jobs at work are cancelled then, and begin again with the next call.
    """
    waiting = [job for job in jobs if not job.path.exists()]
    if not waiting:
        return {}
    executor = open_executor(launcher, folder)
    running: dict[str, tuple[Job, Any]] = {}
    failed: dict[str, str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < launcher.at_once:
                job = waiting.pop(0)
                task = Requeued(job) if launcher.requeue else job
                running[job.name] = job, executor.submit(task)
            done = len(jobs) - len(waiting) - len(running)
            run.progress(done, len(jobs), "jobs", running=", ".join(running))
            for name, (job, handle) in list(running.items()):
                if launcher.kind == "debug" or handle.done():
                    del running[name]
                    run.keep_time()
                    if reason := why_failed(job, handle):
                        failed[name] = reason
                        run.say(f"{name} failed: {reason}")
            if run.stopping:
                raise run.interrupted()
            if running:
                time.sleep(_children.POLL_S)
    finally:
        for _, handle in running.values():
            handle.cancel()
    run.progress(len(jobs), len(jobs), "jobs")
    return failed


def open_executor(launcher: Launcher, folder: Path) -> Any:
    """submitit's executor; raises BadInput where it, or the cluster, is not to be had."""
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise BadInput(
            "config.launcher needs submitit, which is not installed: pip install 'nsca_jax[slurm]'."
        ) from error
    try:
        executor = submitit.AutoExecutor(folder, cluster=launcher.kind)
    except RuntimeError as error:
        raise BadInput(f"config.launcher={launcher.kind} cannot be had here: {error}.") from error
    executor.update_parameters(timeout_min=launcher.minutes, name="nsca_jax")
    if launcher.kind == "slurm" and launcher.partition:
        executor.update_parameters(slurm_partition=launcher.partition)
    return executor


def why_failed(job: Job, handle: Any) -> str:
    """In one line, why a finished job failed; empty where its file is there."""
    error = handle.exception()
    if job.path.exists():
        return ""
    if error is None:
        return f"it left no {job.path}"
    told = str(error).strip()
    _, raised, trace = told.partition("with trace:\n")  # submitit's: trace, rule, where logs are
    if raised:
        return trace.rpartition("\n---")[0].strip().splitlines()[-1]
    return (told.splitlines() or [repr(error)])[0]
