"""Results: intervals against hand-worked numbers, and no NaN ever in a file."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.reports import metrics, results


def make_result(**changes):
    passing = results.criterion("skill", "predicts", [0.7, 0.8, 0.9], 0.6, ">=")
    fields = {"criteria": [passing], "seeds": [0, 1, 2], "config_hash": "0" * 16, "wall_s": 1.5}
    return results.build("babble", **{**fields, **changes})


def test_criterion_by_hand():
    # mean .8, standard deviation .1, t(2, .975) = 4.302653
    made = results.criterion("skill", "predicts", np.array([0.7, 0.8, 0.9], np.float32), 0.6, ">=")
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert made["value"] == made["mean"] == pytest.approx(0.8)
    assert made["se"] == pytest.approx(0.1 / math.sqrt(3), rel=1e-6)
    assert made["ci95"] == pytest.approx([0.8 - half, 0.8 + half], rel=1e-6)
    assert made["passed"]
    assert "control" not in made


def test_the_interval_decides_where_asked():
    values = [0.1, 0.2, 0.6]
    assert results.criterion("gain", "better", values, 0.0, ">=")["passed"]
    judged = results.criterion("gain", "better", values, 0.0, ">=", by_interval=True)
    assert judged["value"] == judged["ci95"][0] < 0
    assert not judged["passed"]
    loss = results.criterion("loss", "worse", [-0.3, -0.31, -0.29], 0.0, "<=", by_interval=True)
    assert loss["passed"]
    assert loss["value"] == loss["ci95"][1]
    alone = results.criterion("gain", "better", [5.0], 0.0, ">=", by_interval=True)
    assert alone["ci95"] is None
    assert not alone["passed"]


def test_a_control_that_passes_fails_the_criterion():
    good = results.criterion("skill", "predicts", [0.9], 0.6, ">=", ("no actions", 0.2))
    assert good["passed"]
    assert good["control"] == {"name": "no actions", "value": 0.2, "passed": False}
    assert not results.criterion("skill", "predicts", [0.9], 0.6, ">=", ("twin", 0.7))["passed"]


def test_failed_seeds_are_shown_and_fail_the_result():
    made = results.criterion("skill", "predicts", [0.7, None, 0.9], 0.6, ">=")
    assert made["mean"] == pytest.approx(0.8)
    assert made["per_seed"][1] is None
    assert not make_result(criteria=[made], n_failed_seeds=1)["passed"]
    nobody = results.criterion("skill", "predicts", [None], 0.6, ">=")
    assert nobody["value"] is None
    assert not nobody["passed"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, np.float32("nan"), jnp.array([0.0, jnp.nan])])
def test_no_nan_anywhere(bad, tmp_path):
    with pytest.raises(ValueError, match=r"skill\.per_seed\[1\]"):
        results.criterion("skill", "predicts", [0.5, bad], 0.6, ">=")
    with pytest.raises(ValueError, match=r"baselines\.persistence\.skill"):
        make_result(baselines={"persistence": {"skill": bad}})
    with pytest.raises(ValueError, match="loss"):
        metrics.append(tmp_path / "metrics.jsonl", 1, {"loss": bad})
    assert not (tmp_path / "metrics.jsonl").exists()


def test_written_and_read_back(tmp_path):
    made = make_result(effect_sizes={"gain": results.effect_size([1.0, 2.0, 4.0], [0.0, 0.0, 1.0])})
    # differences 1, 2, 3: mean 2, standard deviation 1
    assert made["effect_sizes"]["gain"] == pytest.approx(2.0)
    assert made["passed"]
    assert made["versions"]["jax"]
    results.write(tmp_path / "result.json", made)
    assert results.read(tmp_path / "result.json") == made
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_the_schema_refuses_with_the_place(tmp_path):
    made = make_result()
    with pytest.raises(ValueError, match=r"result\.criteria\[0\]\.direction"):
        results.validate({**made, "criteria": [{**made["criteria"][0], "direction": ">"}]})
    with pytest.raises(ValueError, match="wall_s"):
        results.validate({**made, "wall_s": -1})
    with pytest.raises(ValueError, match="'device' is a required property"):
        results.validate({k: v for k, v in made.items() if k != "device"})
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(ValueError, match="no JSON"):
        results.read(tmp_path / "result.json")


def test_effect_size_without_size():
    assert results.effect_size([1.0], [0.0]) is None
    assert results.effect_size([1.0, 2.0], [0.0, 1.0]) is None


def test_config_hash_knows_values_and_not_order():
    config = {"seed": 0, "learner": {"width": 3, "arms": ("a", "b")}}
    turned = {"learner": {"arms": ["a", "b"], "width": 3}, "seed": 0}
    assert results.config_hash(config) == results.config_hash(turned)
    assert results.config_hash(config) != results.config_hash({**config, "seed": 1})


def test_metrics_round_trip_and_a_torn_last_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics.append(path, 1, {"loss": jnp.array([0.5, 0.25]), "arm": "a"})
    metrics.append(path, 2, {"loss": [0.5, None]})
    assert metrics.read(path)[1] == 0
    with open(path, "a") as file:
        file.write('{"step": 3, "los')
    records, dropped = metrics.read(path)
    assert records[0] == {"step": 1, "loss": [0.5, 0.25], "arm": "a"}
    assert (len(records), dropped) == (2, 1)
    steps, losses = metrics.column(records, "loss")
    assert steps.tolist() == [1, 2]
    np.testing.assert_array_equal(losses, [[0.5, 0.25], [0.5, np.nan]])
    path.write_text('{"step": 1}\nnonsense\n' + json.dumps({"step": 2}) + "\n")
    with pytest.raises(ValueError, match="line 2"):
        metrics.read(path)
