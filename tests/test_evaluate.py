"""The evaluation: benchmarks as processes under one verdict, and objects never met."""

import sys

import pytest

from experiments import _config, _launch, evaluate, transfer
from experiments._run import Run

FAKE = """
import pathlib, sys
from nsca_jax.reports import results
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
made = results.criterion("gain", "it gains", [0.5, 0.7], 0.0, ">=", control=("none", -0.1))
out = results.build("fake", [made], [0, 1], config_hash="0" * 16, wall_s=61.0, compile_s=7.0)
results.write(folder / "result.json", out)
"""


def opened(**given):
    config = _config.load("configs/evaluate.py:quick").unlock()
    config.update(given)
    return config


def test_every_claim_with_its_cost_and_command(tmp_path, monkeypatch):
    monkeypatch.setattr(
        evaluate._children,
        "command",
        lambda name, source, folder, fields=(): [sys.executable, "-c", FAKE, str(folder)],
    )
    config = opened(benchmarks=("transfer", "physion"))
    run = Run("evaluate", tmp_path / "run", config.to_dict())
    result = evaluate.main(config, run)
    assert result["passed"]
    assert [item["name"] for item in result["criteria"]] == ["transfer.gain", "physion.gain"]
    page = (run.workdir / "report.html").read_text()
    assert "n = 2 seeds, 0 failed; 61 s on" in page
    assert "7 s to compile" in page


def test_own_objects_reach_the_transfer_and_it_alone(tmp_path):
    config = opened(objects="mine.yaml")
    assert "--config.objects=mine.yaml" in evaluate.command(config, "transfer", tmp_path)
    assert not any("mine.yaml" in word for word in evaluate.command(config, "physion", tmp_path))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"benchmarks": ()}, "one or more of metaworld"),
        ({"benchmarks": ("physion", "physion")}, "each once"),
        ({"benchmarks": ("atari",)}, "'atari' is not one of metaworld, physion, procgen, transfer"),
        ({"at_once": 0}, "at_once"),
        ({"physion": {"preset": "huge", "fields": ()}}, "no preset 'huge'"),
        ({"physion": {"preset": "quick", "fields": ("sneeds=1",)}}, "no such field"),
        ({"physion": {"preset": "quick", "fields": ("seeds",)}}, "NAME=VALUE"),
    ],
)
def test_bad_input_is_refused(given, said):
    with pytest.raises(_launch.BadInput, match=said):
        evaluate.check(opened(**given))


def test_objects_that_were_met_are_refused():
    config = _config.load("configs/transfer.py:quick")
    config.objects = "configs/objects_set_b.yaml"
    with pytest.raises(_launch.BadInput, match="objects never met need names of their own"):
        transfer.check(config)
