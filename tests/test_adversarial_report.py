"""What the adversarial experiment claims, from made-up records, and its page."""

import types

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _adversarial_report, _config, adversarial
from nsca_jax.evaluation import poison
from nsca_jax.reports import results

SEEDS, OBJECTS, TIMES = 3, 6, 3


def _levels():
    level = jnp.tile(jnp.array([0, 0, 1, 1, 2, 2])[:, None], (SEEDS, 1, 4))
    centre = jnp.tile(jnp.array([0.0, 1.0, 2.0]), (SEEDS, 4, 1))
    return poison.Levels(centre, level, jnp.ones((SEEDS, OBJECTS, 4), bool))


def _record(answer, suspicion):
    rng = np.random.default_rng(0)
    shape = answer.shape[:2]
    return {
        "answer": answer,
        "surprise": np.full(shape, suspicion) + 0.01 * rng.random(shape),
        "disagreement": np.full(shape, 0.1),
        "looks": np.zeros((4, 8, 8, 4), np.uint8),
    }


def _facts():
    ids = np.tile(np.arange(OBJECTS), (SEEDS, TIMES))
    levels = _levels()
    right = np.take_along_axis(np.asarray(levels.level), ids[..., None], 1)
    wrong = (right + 1) % 3
    names = ["clean", "random signs", "FGSM", "PGD 2", "PGD 8", "PGD l2", "adaptive 10"]
    records = {name: _record(wrong, 30.0) for name in names}
    records |= {name: _record(right, 0.5) for name in ("clean", "random signs")}
    records["adaptive 10"] = _record(wrong, 0.9)
    records |= {name: _record(wrong, 90.0) for name in _adversarial_report.DROPOUT}
    records |= {name: _record(right, 0.6) for name in _adversarial_report.STRANGE}
    return _adversarial_report.Facts(levels, ids, records, 8)


def _passed(facts):
    return {c["name"]: c["passed"] for c in _adversarial_report.claims(facts)["criteria"]}


def test_a_guard_that_notices_passes_every_criterion():
    passed = _passed(_facts())
    assert len(passed) == 6
    assert all(passed.values())


def test_without_the_guard_table_and_memory_say_what_the_attacker_wants():
    """Every answer is wrong: the table and semantic memory are wrong in all."""
    criteria = {c["name"]: c for c in _adversarial_report.claims(_facts())["criteria"]}
    for name in ("guarded_table_stays_clean", "guarded_memory_stays_clean"):
        assert criteria[name]["mean"] == 0.0
        assert criteria[name]["control"] == {"name": "no guard", "value": 100.0, "passed": False}


@pytest.mark.parametrize(
    ("name", "suspicion", "criterion"),
    [
        ("PGD 8", 0.9, "guarded_table_stays_clean"),
        ("PGD 8", 0.9, "guarded_memory_stays_clean"),
        ("clean", 1.1, "clean_looks_pass"),
        ("dead blue", 0.9, "dropout_is_refused"),
        ("black", float("nan"), None),
    ],
)
def test_suspicions_that_are_wrong_fail(name, suspicion, criterion):
    facts = _facts()
    record = facts.records[name]
    record["surprise"][:] = suspicion
    failed = {c for c, passed in _passed(facts).items() if not passed}
    assert criterion in failed if criterion else not failed


def test_an_attack_that_flips_nothing_fails():
    facts = _facts()
    facts.records["PGD 8"]["answer"][:] = facts.records["clean"]["answer"]  # pyright: ignore[reportIndexIssue]
    assert not _passed(facts)["attack_flips_undefended"]


def test_adaptive_attack_is_reported_as_it_is():
    told = _adversarial_report.claims(_facts())["baselines"]["adaptive 10"]
    assert told["poisoned"][0] == told["memory_poisoned"][0] == pytest.approx(100.0)
    assert told["refused"][0] == 0.0


def test_report_shows_every_kind(tmp_path):
    facts = _facts()
    result = results.build(
        "x",
        seeds=list(range(SEEDS)),
        config_hash="0" * 16,
        wall_s=1.0,
        **_adversarial_report.claims(facts),
    )
    run = types.SimpleNamespace(workdir=tmp_path)
    _adversarial_report.write({"seeds": SEEDS}, run, facts, result)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 3
    assert "100.0 % of entries poisoned, and 100.0 % of facts recalled" in page
    assert "recoloured: 0.0 % refused" in page


def test_bad_config_is_refused_in_one_sentence():
    config = _config.load("configs/adversarial.py:quick")
    adversarial.check(config)
    _config.override(config, "test", "4")
    with pytest.raises(_config.BadInput, match="must be odd"):
        adversarial.check(config)


def test_attacks_have_the_names_that_the_report_asks_for():
    names = set(adversarial.make_attacks(_config.load("configs/adversarial.py")))
    assert set(_facts().records) - set(_adversarial_report.STRANGE) <= names | {"PGD 2"}
