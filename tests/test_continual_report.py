"""What the forgetting experiment claims, from made-up accuracies, and its page."""

import types

import numpy as np
import pytest

from experiments import _config, _forgetting_report, forgetting
from nsca_jax.reports import results

SEEDS = 4


def _matrix(kept, last, tasks=5):
    """R [S, T, T]: every task is learnt to `last` and falls to `kept` at once; seeds differ."""
    matrix = np.where(np.eye(tasks, dtype=bool), last, kept)
    return matrix + np.arange(SEEDS)[:, None, None] * 0.1


def _records():
    joint = _matrix(97.0, 97.0)[:, -1:]
    return {
        "permuted": {
            "plain": _matrix(20.0, 97.0),
            "ewc": _matrix(80.0, 95.0),
            "ewc_stiff": _matrix(90.0, 20.0),
            "kfac": _matrix(96.0, 96.0),
            "joint": joint,
        },
        "rotated": {"plain": _matrix(25.0, 97.0), "kfac": _matrix(93.0, 95.0), "joint": joint},
        "classes": {
            "ewc": _matrix(0.0, 98.0),
            "kfac": _matrix(60.0, 60.0),
            "ewc_replay": _matrix(88.0, 96.0),
            "joint": joint,
        },
    }


def _passed(records):
    return {c["name"]: c["passed"] for c in _forgetting_report.claims(records)["criteria"]}


def test_good_figures_pass_every_criterion():
    passed = _passed(_records())
    assert len(passed) == 9
    assert all(passed.values())


@pytest.mark.parametrize(
    ("sequence", "method", "worse", "criterion"),
    [
        ("permuted", "plain", _matrix(60.0, 97.0), "plain_forgets_permuted"),
        ("permuted", "plain", _matrix(75.0, 97.0), "ewc_keeps_first_permuted"),
        ("permuted", "ewc", _matrix(65.0, 95.0), "ewc_keeps_first_permuted"),
        ("permuted", "ewc", _matrix(80.0, 90.0), "ewc_learns_last_permuted"),
        ("permuted", "ewc_stiff", _matrix(90.0, 96.0), "ewc_learns_last_permuted"),
        ("permuted", "kfac", _matrix(94.0, 94.0), "kfac_near_joint_permuted"),
        ("permuted", "kfac", _matrix(90.0, 99.0), "kfac_forgets_little_permuted"),
        ("rotated", "kfac", _matrix(89.0, 95.0), "kfac_keeps_first_rotated"),
        ("classes", "ewc", _matrix(60.0, 60.0), "ewc_alone_fails_classes"),
        ("classes", "ewc", _matrix(90.0, 98.0), "ewc_with_replay_classes"),
        ("classes", "kfac", _matrix(90.0, 98.0), "ewc_with_replay_classes"),
        ("classes", "ewc_replay", _matrix(80.0, 96.0), "ewc_with_replay_classes"),
    ],
)
def test_worse_figures_or_a_control_that_succeeds_fail(sequence, method, worse, criterion):
    records = _records()
    records[sequence][method] = worse
    assert not _passed(records)[criterion]


def test_a_failed_seed_is_counted_and_never_averaged():
    records = _records()
    records["rotated"]["kfac"][2] = np.nan
    claims = _forgetting_report.claims(records)
    assert claims["n_failed_seeds"] == 1
    keeps = next(c for c in claims["criteria"] if c["name"] == "kfac_keeps_first_rotated")
    assert keeps["per_seed"][2] is None
    result = results.build(
        "x", seeds=list(range(SEEDS)), config_hash="0" * 16, wall_s=1.0, **claims
    )
    assert not result["passed"]


def test_report_shows_every_sequence(tmp_path):
    records = _records()
    records["halves"] = {"plain": _matrix(30.0, 97.0, 2), "joint": _matrix(97.0, 97.0, 2)[:, -1:]}
    records["permuted_ten"] = {"plain": _matrix(12.0, 97.0, 10)}
    records["rotated_ten"] = {"plain": _matrix(50.0, 97.0, 10)}
    claims = _forgetting_report.claims(records)
    result = results.build(
        "x", seeds=list(range(SEEDS)), config_hash="0" * 16, wall_s=1.0, **claims
    )
    run = types.SimpleNamespace(workdir=tmp_path)
    _forgetting_report.write({"seeds": SEEDS}, run, records, result)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert set(records) == set(forgetting.SEQUENCES)
    for title, _ in _forgetting_report.TEXTS.values():
        assert title in page
    assert page.count("data:image/png") == 2 * len(records)
    assert claims["baselines"]["rotated_two"]["plain"]["first task"][0] == pytest.approx(25.15)
    assert "halves: plain training 30.1" in page


def test_of_two_tasks_it_is_told_where_plain_training_forgets_less_than_supposed():
    records = _records()
    records["permuted"]["plain"] = _matrix(60.0, 97.0)
    records["halves"] = {"plain": _matrix(30.0, 97.0, 2)}
    text = _forgetting_report._two_tasks_text(records)
    assert "forgets less than that: permuted 60.2. Not above: rotated 25.1, halves 30.1." in text
    assert "less than that: none." in _forgetting_report._two_tasks_text(_records())


def test_every_sequence_with_plain_training_is_watched():
    records = _records()
    records["rotated_ten"] = {
        "plain": _matrix(50.0, 97.0, 10),
        "kfac": _matrix(90.0, 90.0, 10),
        "replay": _matrix(90.0, 95.0, 10),
    }
    read = {r.name: r for r in _forgetting_report.claims(records)["monitors"]}
    assert set(read) == {
        "ewc_too_strong, five permuted tasks: EWC, diagonal",
        "ewc_too_strong, five permuted tasks: EWC, K-FAC",
        "ewc_too_strong, five rotated tasks: EWC, K-FAC",
        "ewc_too_strong, ten rotated tasks: EWC, K-FAC",
    }
    stiff = read["ewc_too_strong, ten rotated tasks: EWC, K-FAC"]
    assert stiff.alarm  # what it keeps, it gains nothing on
    assert stiff.remedy == "a smaller config.strength.rotated_ten.kfac"


def test_of_nearly_equal_strengths_the_one_that_keeps_the_first_task():
    tried = {
        "1": {"average": 90.0, "first": 70.0},
        "2": {"average": 89.7, "first": 80.0},
        "4": {"average": 89.0, "first": 95.0},
    }
    assert forgetting._choose(tried) == "2"


def test_an_unknown_method_is_refused():
    config = _config.load("configs/forgetting.py:quick")
    forgetting.check(config)
    _config.override(config, "methods.rotated", "plain,kfacc")
    with pytest.raises(_config.BadInput, match="'kfacc' is not one of plain"):
        forgetting.check(config)
