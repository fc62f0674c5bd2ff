"""The launcher, with a tiny experiment in a process of its own."""

import errno
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import experiments
from experiments import _config, _launch, _run, babble
from experiments._progress import Progress, duration
from experiments._run import Run
from nsca_jax.reports import metrics, results

ROOT = Path(__file__).parents[1]

EXPERIMENT = '''"""A tiny experiment that counts."""

import time

import jax
import jax.numpy as jnp

from experiments._launch import BadInput, launch
from nsca_jax.reports.results import criterion


def check(config):
    if config.steps < 1:
        raise ValueError(f"--config.steps={config.steps}: it must be 1 or more.")


def main(config, run):
    state = run.restore({"step": 0, "total": jnp.zeros(())}) or {"step": 0, "total": jnp.zeros(())}
    run.log(0, {"devices": len(jax.devices())})
    for step in range(state["step"] + 1, config.steps + 1):
        time.sleep(config.sleep_s)
        state = {"step": step, "total": state["total"] + step}
        run.log(step, {"total": state["total"]})
        run.save(step, state)
        run.progress(step, config.steps, "steps", total=float(state["total"]))
        if run.stopping:
            raise run.interrupted()
    if config.learner.width == 13:
        raise BadInput("width 13 is unlucky.")
    total = float(state["total"])
    made = criterion("sum", "adds up", [total], config.learner.threshold, ">=")
    return run.result([made], [0])


if __name__ == "__main__":
    launch("tiny", main, check)
'''

CONFIG = '''"""Tiny."""

from ml_collections import config_dict

PRESETS = ("laptop", "paper")


def get_config(preset="laptop"):
    config = config_dict.ConfigDict()
    config.steps = 3 if preset == "laptop" else 300
    config.sleep_s = 0.0
    config.arms = ("a", "b")
    config.verbose = False
    config.learner = config_dict.ConfigDict(dict(width=4, threshold=6.0))
    return config
'''


@pytest.fixture
def place(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "tiny.py").write_text(CONFIG)
    (tmp_path / "tiny.py").write_text(EXPERIMENT)
    return tmp_path


def start(place, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    environment["JAX_COMPILATION_CACHE_DIR"] = str(place / "cache")
    return subprocess.Popen(
        [sys.executable, "tiny.py", *arguments],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def call(place, monkeypatch, capsys):
    """Runs the experiment in this process: (exit status, standard output and error)."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(_launch, "set_up_jax", lambda *_: None)
    monkeypatch.setattr(_launch, "_listen", lambda run: None)
    names = runpy.run_path("tiny.py")
    monkeypatch.setattr(sys.modules["__main__"], "__doc__", names["__doc__"])

    def run_it(*arguments):
        monkeypatch.setattr(sys, "argv", ["tiny.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            _launch.launch("tiny", names["main"], names["check"])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run_it


def run(place, *arguments):
    process = start(place, *arguments)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def wait_for(process, path, text):
    while process.poll() is None:
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(process.communicate()[1])


def read_result(place, workdir="runs/tiny"):
    return results.read(place / workdir / "result.json")


def test_a_run_from_start_to_finish_and_not_again(place):
    status, out, _ = run(place, "--config.verbose=true")
    assert status == 0
    assert "passed  sum: 6 (>= 6)" in out
    assert "result: runs/tiny/result.json" in out
    result = read_result(place)
    config = json.loads((place / "runs/tiny/config.json").read_text())
    assert config["steps"] == 3
    assert result["config_hash"] == results.config_hash(config)
    records, dropped = metrics.read(place / "runs/tiny/metrics.jsonl")
    assert dropped == 0
    assert config["verbose"] is True
    assert records[0]["devices"] == experiments.CORES
    assert [r["total"] for r in records[1:]] == [1, 3, 6]
    status, out, _ = run(place, "--config.verbose=true")
    assert status == 0
    assert "runs/tiny is finished (passed): delete it or give another --workdir" in out


def test_a_failed_criterion_exits_1_and_says_which(place, call):
    status, out, _ = call("--config.learner.threshold=7", "--workdir=runs/other")
    assert status == 1
    assert "FAILED  sum: 6 (>= 7)" in out
    assert not read_result(place, "runs/other")["passed"]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--config.stepz=3", ["--config.stepz", "did you mean steps?"]),
        ("--config.learner.widht=3", ["did you mean learner.width?"]),
        ("--config.steps=2.5", ["it takes a whole number of at most 9 digits, such as 3"]),
        ("--config.steps=0", ["it must be 1 or more"]),
        ("--config.sleep_s=nan", ["a finite number"]),
        ("--config.verbose=perhaps", ["true or false"]),
        ("--config.learner=3", ["is a group: give one of threshold, width"]),
        ("--config.steps", ["needs a value"]),
        ("--config=configs/tiny.py:papr", ["no preset 'papr' (did you mean paper?)", "laptop"]),
        ("--config=configs/nothing.py", ["is no file", "configs/tiny.py"]),
        ("--wrkdir=x", ["did you mean --workdir?"]),
        ("surplus", ["'surplus' is not an argument"]),
        ("--workdir=tiny.py/below", ["--workdir=tiny.py/below cannot be written"]),
        ("--config.learner.width=13", ["width 13 is unlucky."]),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(call, argument, words):
    status, out, err = call(argument)
    assert status == 2, err
    assert all(word in err for word in words), err
    assert "passed" not in out


def test_a_disk_without_room_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    """Of what babbling's arms keep: two checkpoints each, beside one that is being written."""
    config = _config.load("configs/babble.py:evidence")
    run, usage = Run("babble", tmp_path, config.to_dict()), shutil.disk_usage(tmp_path)

    def room(gigabytes):
        free = usage._replace(free=int(1e9 * gigabytes))
        monkeypatch.setattr(shutil, "disk_usage", lambda path: free)

    room(0.1)
    with pytest.raises(_launch.BadInput, match=r"needs about 0\.\d+ GB and its disk has 0\.1 GB"):
        babble.main(config, run)
    room(10.0)
    babble.need_disk(config, run)


def test_compiling_is_timed_and_counted_over_a_resume(tmp_path):
    run = Run("tiny", tmp_path, {"steps": 3})
    assert run.compile_s == 0
    jax.jit(lambda x: x + 1)(np.arange(7.0))
    before = run.compile_s
    assert 0 < before < run.wall_s
    run.keep_time()
    again = _run._read_resume(tmp_path / "resume.json")
    assert again["compile_s"] == pytest.approx(before)
    assert run.result([results.criterion("a", "b", [1], 0, ">=")], [0])["compile_s"] >= before


def test_help_teaches(place, call):
    status, out, _ = call("--help")
    assert status == 0
    for word in ("A tiny experiment that counts.", "laptop, paper", "learner.width", "example:"):
        assert word in out
    assert not (place / "runs").exists()


def test_overrides_keep_their_type(place, call):
    call("--config.arms=x,y,z", "--config.verbose=true", "--config.learner.threshold=1")
    config = json.loads((place / "runs/tiny/config.json").read_text())
    assert config["arms"] == ["x", "y", "z"]
    assert config["verbose"] is True
    assert config["learner"]["threshold"] == 1.0


def test_another_config_in_the_same_workdir_is_refused(place, call):
    call()
    status, _, err = call("--config.steps=4", "--config.learner.width=5")
    assert status == 2
    assert "learner.width is 4 there and 5 here, steps is 3 there and 4 here" in err


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=[pytest.mark.slow, pytest.mark.guard]),
    ],
)
def test_stopped_resumed_and_the_same_as_unbroken(place, number, code):
    slow = ("--config.steps=20", "--config.sleep_s=0.2", "--config.learner.threshold=210")
    process = start(place, *slow)
    wait_for(process, place / "runs/tiny/metrics.jsonl", '"step": 3')
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command goes on" in err
    assert not (place / "runs/tiny/result.json").exists()
    with open(place / "runs/tiny/metrics.jsonl", "a") as file:
        file.write('{"step": 99, "total": 0}\n{"torn')  # logged after the save, and cut short
    status, _, err = run(place, *slow)
    assert status == 0
    assert "going on from step" in err
    records, dropped = metrics.read(place / "runs/tiny/metrics.jsonl")
    totals = [record["total"] for record in records if "total" in record]
    assert totals == [step * (step + 1) / 2 for step in range(1, 21)]
    assert dropped == 0
    assert read_result(place)["wall_s"] > 4.0  # both parts count


def test_a_second_signal_stops_at_once(place):
    process = start(place, "--config.steps=5", "--config.sleep_s=30")
    wait_for(process, place / "runs/tiny/metrics.jsonl", "devices")
    process.send_signal(signal.SIGINT)
    line = process.stderr.readline() if process.stderr else ""
    assert "once more to stop at once" in line
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


def test_a_full_disk_and_a_damaged_checkpoint_are_one_sentence(place, call, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/tiny/metrics.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr(metrics, "append", full)
        status, _, err = call()
    assert status == 1
    assert (
        err == "cannot write runs/tiny/metrics.jsonl: No space left on device; what was saved "
        "is kept.\n"
    )
    assert call()[0] == 0
    (place / "runs/tiny/result.json").unlink()
    for manifest in place.rglob("manifest.json"):
        manifest.write_text("{}")
    status, _, err = call()
    assert status == 1
    assert "step_000000003 is damaged" in err
    assert "Delete runs/tiny/checkpoints to start over." in err


def test_two_runs_in_one_workdir(place):
    process = start(place, "--config.steps=5", "--config.sleep_s=30")
    wait_for(process, place / "runs/tiny/metrics.jsonl", "devices")
    status, _, err = run(place, "--config.steps=5", "--config.sleep_s=30")
    process.kill()
    process.communicate(timeout=10)
    assert status == 2
    assert "another run is working in runs/tiny" in err


def test_progress_plain_and_live(monkeypatch, capsys):
    now = [0.0]
    plain = Progress(sys.stderr, clock=lambda: now[0])
    for done in range(0, 101, 5):
        now[0] = done / 2
        plain.tell(done, 100, "steps", skill=0.5, arm="main")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6  # one each 10 s, and the last
    assert lines[1] == " 20 %  20 of 100 steps  2/s  40 s left  skill 0.5  arm main"
    assert lines[-1].startswith("100 %  100 of 100 steps  2/s  skill")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    live = Progress(sys.stderr, clock=lambda: now[0])
    live.tell(1, 2, "steps")
    live.say("hello")
    live.tell(2, 2, "steps")
    shown = capsys.readouterr().err
    assert shown.startswith("\r")
    assert "\rhello\n" in shown
    assert shown.endswith("\n")


def test_durations():
    told = [duration(s) for s in (9.4, 125, 7500)]
    assert told == ["9 s", "2 min 05 s", "2 h 05 min"]


def test_time_worked_on_finished_parts_counts_after_a_resume(tmp_path):
    first = Run("tiny", tmp_path, {"steps": 1})
    time.sleep(0.2)
    first.write_arrays(tmp_path / "parts" / "a.npz", {"x": np.zeros(2)})
    worked_s = first.wall_s
    del first  # its folder is free again
    assert worked_s <= Run("tiny", tmp_path, {"steps": 1}).wall_s + 0.05
