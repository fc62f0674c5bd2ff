"""The Meta-World experiment: what it refuses, which goals judge, what it claims."""

# pyright: reportArgumentType=false

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from configs import metaworld as configs
from experiments import _metaworld_arms as arms
from experiments import _metaworld_report as report
from experiments import metaworld as experiment
from experiments._config import BadInput
from nsca_jax.evaluation import metaworld as benchmark
from nsca_jax.training import imitation


@pytest.mark.parametrize("preset", configs.PRESETS)
def test_presets_are_accepted(preset):
    experiment.check(configs.get_config(preset))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": 0}, "config.seeds=0: it must be 1 or more"),
        ({"processes": 0}, "config.processes=0: it must be 1 or more"),
        ({"shots": (5, 1)}, "config.shots=5,1: it must be whole numbers from 1 on, each larger"),
        ({"shots": (0, 5)}, "config.shots=0,5: it must be 1 or more"),
        ({"shots": (1, 2)}, "config.main=5: it must be one of 1, 2"),
        ({"shots": (5, 50)}, "config.shots must stay below 50"),
        ({"judged": 46}, "config.judged must be 50 at most"),
        ({"shown_training": 51}, "config.shown_training=51: it must be 50 at most"),
        ({"noise": 1.5}, "config.noise=1.5: it must be from 0 to 1"),
        ({"agent": {"batch": 0}}, "config.agent.batch=0: it must be 1 or more"),
    ],
)
def test_bad_config_is_refused_in_a_sentence(fields, message):
    config = configs.get_config()
    config.update(fields)
    with pytest.raises(BadInput, match=message):
        experiment.check(config)


def test_no_goal_judges_that_was_demonstrated():
    config = configs.get_config("paper")
    plain, gappy = np.arange(10), np.array([0, 1, 2, 3, 6, 7, 8, 9, 10, 12])
    for shown, shots, many in ((plain, 1, 45), (plain, 5, 45), (plain, 10, 40), (gappy, 5, 43)):
        goals = experiment.judged_goals(config, 7, shown, shots)
        assert len(set(goals)) == many
        assert not set(goals) & set(shown[: max(shots, 5)])
    config = configs.get_config()
    few = experiment.judged_goals(config, 7, plain, 1)
    np.testing.assert_array_equal(few, experiment.judged_goals(config, 7, plain, 5))
    assert not np.array_equal(few, experiment.judged_goals(config, 8, plain, 5))


def test_each_ablation_lacks_one_thing_and_cloning_all():
    config = configs.get_config()
    whole = arms.arm(config, "agent")
    assert (whole.trunk, whole.persistent, whole.settings.eye) == ("whole", True, "relations")
    assert arms.arm(config, "no pretraining") == whole._replace(trunk="")
    assert arms.arm(config, "no persistence") == whole._replace(persistent=False)
    blind, lazy = arms.arm(config, "no priors"), arms.arm(config, "no foresight")
    assert blind == (replace(whole.settings, eye="readings"), "no priors", True)
    assert lazy == (replace(whole.settings, foresight=0.0), "no foresight", True)
    cloning = arms.arm(config, "cloning")
    assert (cloning.trunk, cloning.persistent, cloning.settings.eye) == ("", False, "readings")


def test_rows_are_filled_up_with_rows_of_no_demonstration():
    def shown(lengths):
        fields = {f: np.ones((sum(lengths), 2), np.float32) for f in imitation.Rows._fields}
        fields["of"] = np.repeat(np.arange(len(lengths)), lengths).astype(np.int32)
        return {f"{name}/{f}": rows for name in benchmark.TEST for f, rows in fields.items()}

    rows = experiment.stack([shown([3, 2]), shown([4, 4])])
    assert rows.seen.shape == (2, 5, 8, 2)
    assert int((rows.of[0, 0] < benchmark.GOALS).sum()) == 5
    np.testing.assert_array_equal(experiment.longest_shown(rows, 1), [3] * 5 + [4] * 5)


def _seen(config, gain):
    """Records in which the agent reaches `gain` more of the goals than cloning, give or take."""
    rng = np.random.default_rng(0)
    shape = (config.seeds, len(benchmark.TEST), 40)

    def part(share):
        reached = (rng.random(shape) < share).astype(float)
        steps = np.where(reached > 0, 100, benchmark.HORIZON)
        return {"success": reached, "steps": steps, "errors": np.zeros((*shape[:2], 2))}

    shares = {"agent": 0.7 + gain, "expert": 0.97, "random": 0.0}
    found = {
        (name, shots): part(shares.get(name, 0.7)) for name, shots in experiment.wanted(config)
    }
    rows = imitation.Rows(*[np.zeros((config.seeds, 5, 4), np.int32)] * len(imitation.Rows._fields))
    return report.Seen(found, rows, {"whole": {"errors": np.zeros((config.seeds, 3, 2))}})


def _passed(claims):
    return {item["name"]: item["passed"] for item in claims["criteria"]}


def test_a_real_gain_passes_and_none_does_not():
    config = configs.get_config()
    assert all(_passed(report.claims(config, _seen(config, 0.2))).values())
    none = _passed(report.claims(config, _seen(config, 0.0)))
    assert not any(none.values())


def test_a_seed_whose_learning_broke_is_counted_and_left_out():
    config = configs.get_config()
    seen = _seen(config, 0.2)
    seen.found["agent", 5]["errors"][3] = np.nan
    claims = report.claims(config, seen)
    assert claims["n_failed_seeds"] == 1
    assert all(item["per_seed"][3] is None for item in claims["criteria"])


@pytest.mark.slow
def test_quick_runs_by_command(tmp_path):
    command = [sys.executable, "-m", "experiments.metaworld"]
    flags = ["--config=configs/metaworld.py:quick", f"--workdir={tmp_path}"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["n_failed_seeds"] == 0
    assert result["baselines"]["expert, 5 shown"]["all"][0] > 0.7
    assert result["baselines"]["random, 5 shown"]["all"][0] < 0.2
    assert result["baselines"]["agent, 5 shown"]["all"][0] > 0.4
    assert (tmp_path / "report.html").stat().st_size > 50_000
