"""Jobs run in processes of their own or in this one; one that fails costs its file alone."""

import dataclasses
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments import _jobs
from experiments._config import BadInput
from experiments._run import Interrupted

OWN = (pytest.mark.slow, pytest.mark.guard)  # processes of their own take seconds to start
SOON = _jobs.Launcher("debug", 2, 5, True)


@dataclasses.dataclass(frozen=True)
class Errand:
    """Writes a file, or does not."""

    path: Path
    deed: str = "write"

    @property
    def name(self) -> str:
        return self.path.stem

    def __call__(self) -> None:
        if self.deed == "fail":
            raise ValueError("no milk today")
        if self.deed == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.deed == "dawdle":
            time.sleep(60)
        if self.deed != "forget":
            self.path.write_text(self.path.read_text() + "again" if self.path.exists() else "once")


class Told:
    """What `finish` asks of a run."""

    stopping = False

    def __init__(self):
        self.said: list[str] = []

    def progress(self, done, total, unit, /, **figures: Any) -> None:
        pass

    def keep_time(self) -> None:
        pass

    def say(self, text: str) -> None:
        self.said.append(text)

    def interrupted(self) -> Interrupted:
        return Interrupted("what is done is kept")


def errands(folder: Path, *deeds: str) -> list[Errand]:
    return [Errand(folder / f"{number}.txt", deed) for number, deed in enumerate(deeds)]


@pytest.mark.parametrize("kind", ["debug", pytest.param("local", marks=OWN)])
def test_a_failed_job_costs_its_file_alone(tmp_path, kind):
    jobs = errands(tmp_path, "write", "fail", "forget", "write")
    launcher = dataclasses.replace(SOON, kind=kind)
    run = Told()
    failed = _jobs.finish(run, jobs, launcher, tmp_path / "logs")
    assert set(failed) == {"1", "2"}
    assert "no milk today" in failed["1"]
    assert "left no" in failed["2"]
    assert [job.path.exists() for job in jobs] == [True, False, False, True]
    assert len(run.said) == 2
    better = [dataclasses.replace(job, deed="write") for job in jobs]
    assert _jobs.finish(Told(), better, launcher, tmp_path / "logs") == {}
    assert [job.path.read_text() for job in jobs] == ["once"] * 4  # what was done stays as it was


@pytest.mark.slow
@pytest.mark.guard
def test_a_killed_job_costs_its_file_alone(tmp_path):
    jobs = errands(tmp_path, "die", "write")
    failed = _jobs.finish(Told(), jobs, dataclasses.replace(SOON, kind="local"), tmp_path / "logs")
    assert list(failed) == ["0"]
    assert failed["0"]
    assert jobs[1].path.read_text() == "once"


def test_a_stopped_run_takes_its_jobs_along(tmp_path):
    run = Told()
    run.stopping = True
    started = time.monotonic()
    with pytest.raises(Interrupted):
        _jobs.finish(
            run,
            errands(tmp_path, "dawdle"),
            dataclasses.replace(SOON, kind="local"),
            tmp_path / "l",
        )
    assert time.monotonic() - started < 30


def test_what_is_done_asks_for_no_launcher(tmp_path):
    job = Errand(tmp_path / "done.txt")
    job()
    assert _jobs.finish(Told(), [job], dataclasses.replace(SOON, kind="nowhere"), tmp_path) == {}


def test_a_preempted_job_asks_to_be_begun_again(tmp_path):
    job = _jobs.Requeued(Errand(tmp_path / "a.txt"))
    again = job.checkpoint()
    again.result()
    assert (tmp_path / "a.txt").read_text() == "once"


def test_requeueing_is_a_choice(tmp_path, monkeypatch):
    handed = []

    class Executor:
        def submit(self, task):
            handed.append(task)
            return SimpleNamespace(exception=task, done=lambda: True)

    monkeypatch.setattr(_jobs, "open_executor", lambda *_: Executor())
    for requeue in (True, False):
        launcher = dataclasses.replace(SOON, requeue=requeue)
        _jobs.finish(Told(), [Errand(tmp_path / f"{requeue}.txt")], launcher, tmp_path)
    assert [hasattr(task, "checkpoint") for task in handed] == [True, False]


def test_a_cluster_that_is_not_there_is_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="slurm cannot be had here"):
        _jobs.open_executor(dataclasses.replace(SOON, kind="slurm"), tmp_path)
