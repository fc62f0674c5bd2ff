"""The commands that users meet first: a small babbling run, and the shipped world model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import _launch, pretrained

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "pretrained" / "babbling.npz"


def command(name: str, *flags) -> subprocess.CompletedProcess:
    arguments = [sys.executable, "-m", f"experiments.{name}", *map(str, flags)]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=900)


def test_the_shipped_weights_are_small_and_say_what_made_them():
    assert SHIPPED.stat().st_size <= 5e6
    config = pretrained.read_header(str(SHIPPED))
    assert config["learner"]["members"] >= 2
    assert config["objects_a"] == "configs/objects_set_a.yaml"


def test_other_files_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(_launch.BadInput, match="no file"):
        pretrained.read_header(str(tmp_path / "none.npz"))
    other = tmp_path / "other.npz"
    other.write_bytes(b"not weights")
    with pytest.raises(_launch.BadInput, match=r"other\.npz"):
        pretrained.read_header(str(other))


@pytest.mark.slow
@pytest.mark.guard
def test_the_shipped_model_predicts_what_it_was_not_trained_on(tmp_path):
    done = command("pretrained", f"--workdir={tmp_path}")
    assert done.returncode in (0, 1), done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    value = {c["name"]: c["value"] for c in result["criteria"]}
    assert value["skill_set_a"] >= 0.8
    assert value["transfer"] >= 0.75
    assert (tmp_path / "report.html").stat().st_size > 2_000


@pytest.mark.slow
@pytest.mark.guard
def test_a_small_babbling_run_ends_with_a_report_and_is_not_done_twice(tmp_path):
    small = {
        "seeds": 2,
        "random_interactions": 64,
        "competence_interactions": 64,
        "evaluation_interactions": 80,
        "worlds": 16,
        "chunk": 2,
        "learner.updates": 4,
    }
    flags = [f"--config.{field}={value}" for field, value in small.items()]
    done = command("babble", *flags, f"--workdir={tmp_path}")
    assert done.returncode == 1, done.stderr  # so little experience passes no threshold
    assert "report:" in done.stdout
    assert "FAILED" in done.stdout
    page = (tmp_path / "report.html").read_text()
    for part in ("<img", "<audio", "image/gif"):
        assert part in page
    names = {c["name"] for c in json.loads((tmp_path / "result.json").read_text())["criteria"]}
    assert {"skill_set_a", "transfer_set_b", "open_loop_position", "distractor_share"} <= names
    again = command("babble", *flags, f"--workdir={tmp_path}")
    assert again.returncode == 1
    assert "finished" in again.stdout
