"""A command in this process, up to its work, in the project's folder."""

import sys

import pytest

from experiments import _launch
from tests.bad_input.refusal import ROOT, experiment_of


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs `NAME [FLAGS]` in this process up to its work: (exit status, what it printed)."""

    def work(config, run):
        raise AssertionError("it went to work")

    monkeypatch.setattr(_launch, "set_up_jax", lambda *_: None)
    monkeypatch.setattr(_launch, "_listen", lambda run: None)

    def run(name, *flags):
        if not any(flag.startswith("--workdir") for flag in flags):
            flags = (*flags, f"--workdir={tmp_path / 'run'}")
        monkeypatch.setattr(sys, "argv", [name, *flags])
        experiment = experiment_of(name)
        steering = getattr(experiment, "STEERING", ())
        status = _launch._launch(name, work, experiment.check, steering)
        out, err = capsys.readouterr()
        return status, out + err

    return run
