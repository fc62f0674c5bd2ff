"""Bad input by the command line: one sentence that says what, where and what is allowed; status 2.

Each case is a command as a user would give it, or a file. Nothing may be worked on before.
"""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted(path.stem for path in (ROOT / "configs").glob("*.py"))
SHIPPED = "pretrained/babbling.npz"


def experiment_of(name: str):
    """The experiment's module; skips where the benchmark that it needs is not installed."""
    needs = {"metaworld": ("metaworld",), "procgen": ("envpool",)}
    for package in needs.get(name, ("metaworld", "envpool") if name == "evaluate" else ()):
        pytest.importorskip(package)
    return importlib.import_module(f"experiments.{name}")


def refused(command, words, name, *flags):
    """Asserts that the command ends with status 2 and one line that holds the words."""
    status, told = command(name, *flags)
    assert status == 2, told
    assert told.count("\n") == 1, told
    assert "Traceback" not in told
    assert words in told, told
