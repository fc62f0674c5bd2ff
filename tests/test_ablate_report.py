"""The ablation's claims follow from its figures, count what failed, and can fail themselves."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiments import (
    _ablate_babbling,
    _ablate_facts,
    _ablate_metaworld,
    _ablate_report,
    _config,
    ablate,
)
from experiments._ablate_facts import FULL, SHAM
from nsca_jax import checkpoint
from nsca_jax.evaluation import ablation, comparisons
from nsca_jax.reports import results

SEEDS, POINTS = 12, 6
TASKS = ["drop", "strike", "push"]


def facts(lost: dict[str, float], seed: int = 0, broken: tuple[str, int] | None = None):
    """Made-up curves: every condition loses so much of the full agent's score."""
    random = np.random.default_rng(seed)
    rise = np.linspace(0.2, 0.7, POINTS)[:, None] * np.ones(len(TASKS))
    records = {}
    for condition in (FULL, *lost, SHAM):
        own = random.normal(0, 0.02, (SEEDS, 1, 1)) + random.normal(
            0, 0.01, (SEEDS, POINTS, len(TASKS))
        )
        skill = rise - lost.get(condition, 0.0) + own
        records[condition] = {
            "skill": skill,
            "novel": skill - 0.1,
            "first": skill.mean(-1),
            "weight": np.full((SEEDS, POINTS), 0.8),
            "loss": np.ones((SEEDS, POINTS)),
            "contact": np.ones(SEEDS),
            "seconds": np.full(SEEDS, 4.0),
        }
    if broken:
        condition, row = broken
        for name, values in records[condition].items():
            records[condition][name] = values.astype(float)
            records[condition][name][row] = np.nan
    at = np.arange(1, POINTS + 1) * 100
    known = {"knows the task alone": np.full(len(TASKS), 0.3)}
    failed = {f"{broken[0]} 0-11": "no milk"} if broken else {}
    words = _ablate_babbling.words(config())
    return _ablate_facts.Facts(
        "babbling", TASKS, at, at * 2, records, known, failed, words, stages=2
    )


def of_metaworld() -> _ablate_facts.Facts:
    """Made-up curves of the other world: all conditions alike."""
    random = np.random.default_rng(1)
    tasks: list[str] = list(_ablate_metaworld.TASKS)

    def record():
        share = random.random((SEEDS, POINTS, len(tasks)))
        told = {"skill": share, "way": share, "first": share[..., 0], "asked": share[..., 1]}
        return told | {"loss": np.ones((SEEDS, POINTS)), "seconds": np.full(SEEDS, 4.0)}

    records = {c: record() for c in (FULL, "without_priors", SHAM)}
    at, words = np.arange(1, POINTS + 1) * 100, _ablate_metaworld.words(config())
    expert = {"the expert": np.ones(len(tasks))}
    return _ablate_facts.Facts("metaworld", tasks, at, at, records, expert, {}, words, stages=3)


def criteria(of) -> dict[str, dict]:
    return {c["name"].removeprefix("babbling_"): c for c in _ablate_report.claims([of])["criteria"]}


def test_what_helps_is_told_from_what_does_not():
    told = criteria(facts({"without_priors": 0.2, "without_ewc": 0.0, "without_memory": -0.1}))
    assert {name: c["passed"] for name, c in told.items()} == {
        "without_priors": True,
        "without_ewc": False,
        "without_memory": False,
    }
    assert told["without_priors"]["mean"] == pytest.approx(0.2, abs=0.02)
    assert told["without_memory"]["mean"] == pytest.approx(-0.1, abs=0.02)


def test_a_criterion_fails_where_the_sham_passes():
    of = facts({"without_priors": 0.2})
    of.records[SHAM]["skill"] = of.records[SHAM]["skill"] - 0.2
    told = criteria(of)["without_priors"]
    assert told["control"]["passed"]
    assert not told["passed"]


def test_chance_passes_no_more_often_than_holm_allows():
    names = [c for c in ablation.CONDITIONS if c not in (FULL, SHAM)]
    passed = 0
    for seed in range(60):
        of = facts(dict.fromkeys(names, 0.0), seed)
        p = [comparisons.paired_t(of.area(FULL), of.area(c)).p for c in names]
        passed += any(comparisons.holm(p) <= 0.05)
    assert passed / 60 <= 0.12


def test_the_interval_decides_as_holms_p_does():
    for seed in range(8):
        of = facts({"without_priors": 0.02, "without_ewc": 0.01, "without_slots": 0.0}, seed)
        found = {c: _ablate_facts.compare(of, c) for c in of.ablated}
        holm = _ablate_facts.corrected(found)
        for name, c in criteria(of).items():
            clear = c["value"] is not None and c["value"] >= 0
            assert clear == (holm[name].paired_p <= 0.05 and c["mean"] > 0)


def test_a_failed_seed_is_counted_and_never_dropped():
    of = facts({"without_priors": 0.2}, broken=("without_priors", 3))
    out = _ablate_report.claims([of])
    assert out["n_failed_seeds"] == 1
    told = out["criteria"][0]
    assert told["per_seed"][3] is None
    assert sum(x is None for x in told["per_seed"]) == 1
    row = next(r for r in _ablate_report.table_of_areas(of) if r[0] == "without_priors")
    assert row[-1] == f"{SEEDS - 1} (1)"
    result = results.build("ablate", config_hash="0" * 16, wall_s=0.0, seeds=range(SEEDS), **out)
    assert not result["passed"]


def test_a_condition_of_which_nothing_is_left_has_no_value():
    of = facts({"without_priors": 0.2, "without_ewc": 0.1})
    for name, values in of.records["without_ewc"].items():
        of.records["without_ewc"][name] = np.full_like(values, np.nan, float)
    told = criteria(of)
    assert told["without_ewc"]["value"] is None
    assert not told["without_ewc"]["passed"]
    assert told["without_priors"]["passed"]


def test_worse_than_the_mean_counts_as_nothing():
    of = facts({"without_priors": 5.0})
    assert (of.scores("without_priors") == 0).all()
    assert of.area(FULL).max() < 1


def test_the_page_holds_figures_tables_and_what_failed(tmp_path):
    of = facts({"without_priors": 0.2, "without_ewc": 0.0}, broken=("without_ewc", 0))
    seeds = list(range(SEEDS))
    out = _ablate_report.claims([of])
    result = results.build("ablate", config_hash="0" * 16, wall_s=1.0, seeds=seeds, **out)
    run = SimpleNamespace(workdir=tmp_path)
    _ablate_report.write({}, run, seeds, [of, of_metaworld()], result)
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png") == 4 + 3
    assert "Demonstrations are asked for" in page
    assert page.count("Trust in the priors") == 1, "there is none in the other world"
    assert "without_ewc 0-11 failed: no milk" in page
    assert "P(improvement)" in page
    both = json.loads((tmp_path / "seeds.json").read_text())
    assert len(both["metaworld"][FULL]["3"]["way"]) == POINTS
    stored = both["babbling"]
    assert stored["without_ewc"]["0"] is None
    assert stored[FULL]["1"]["area"] == pytest.approx(of.area(FULL)[1])
    assert len(stored[FULL]["1"]["skill"]) == POINTS


def config(**fields):
    out = _config.load("configs/ablate.py:quick")
    for field, text in fields.items():
        _config.override(out, field.replace("__", "."), text)
    return out


@pytest.mark.parametrize("preset", ["laptop", "quick", "paper"])
def test_presets_pass_their_own_check(preset):
    ablate.check(_config.load(f"configs/ablate.py:{preset}"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seeds": "0"}, "config.seeds=0: it must be 1 or more"),
        ({"launcher": "moon"}, "must be one of local, debug, slurm"),
        (
            {"conditions": "with_priors,sham,without_gravity"},
            "'without_gravity' is not one of with_priors",
        ),
        ({"conditions": "without_priors,sham"}, "must hold 'with_priors'"),
        ({"conditions": "with_priors,with_priors,sham"}, "each once"),
        ({"tasks": "drop,juggle"}, "'juggle' is not one of drop"),
        ({"metaworld__watched": "33"}, "watched=33: it must be a multiple of 10, at least 32"),
        ({"metaworld__watched": "40"}, "a stage of 1 x 40 steps needs 128 or more"),
        ({"metaworld__longest": "20"}, "longest=20: it must be 30 or more"),
        ({"metaworld__shown": "20"}, "judged x chunks is 82, and a task has 50 goals"),
        ({"metaworld__forced": "1.5"}, "forced=1.5: it must be from 0 to 1"),
        ({"stages": "3"}, "be a divisor of the 20 objects"),
        ({"interactions": "500"}, "must be a multiple of"),
        ({"stages": "10", "interactions": "640", "chunk": "4"}, "a stage has 64 interactions"),
        ({"random_interactions": "100"}, "multiple of config.worlds=16"),
        ({"recorded": "-1"}, "0 or more"),
        ({"objects_a": "nowhere.yaml"}, "cannot be read"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(fields, words):
    with pytest.raises((_config.BadInput, ValueError), match=words):
        ablate.check(config(**fields))


def test_without_meta_world_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(_ablate_metaworld.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(_config.BadInput, match="not installed: `make metaworld` installs it"):
        ablate.check(config())
    ablate.check(config(tasks="drop,strike,push"))


def test_each_world_has_its_own_part_of_the_config():
    of = config(conditions="with_priors,without_slots,without_memory,sham")
    babbling, metaworld = (ablate.own(of, name) for name in ("babbling", "metaworld"))
    assert tuple(babbling.tasks) == ("drop", "strike", "push")
    assert tuple(metaworld.tasks) == ("reach-v3", "push-v3", "pick-place-v3")
    assert "without_slots" in babbling.conditions
    assert tuple(metaworld.conditions) == ("with_priors", "without_memory", "sham")
    assert ("metaworld" in babbling, "learner" in babbling) == (False, True)
    assert ("metaworld" in metaworld, "learner" in metaworld) == (True, False)


def block(world: str = "babbling", config_of=None, **fields):
    own = ablate.own(config_of or config(), world).to_dict()
    given = {"world": world, "config": own, "folder": ablate.Path("w")}
    return ablate.Block(**(given | {"condition": FULL, "numbers": (0, 1)} | fields))


def test_a_block_is_named_by_what_its_outcome_depends_on():
    here = block().path
    assert block(config_of=config(seeds="20", block="5", launcher="slurm")).path == here
    assert block(config_of=config(metaworld__updates="9")).path == here
    for other in (
        block(condition=SHAM),
        block(numbers=(2, 3)),
        block(config_of=config(learner__width="32")),
    ):
        assert other.path != here


def test_a_block_of_meta_world_knows_nothing_of_babbling():
    here = block("metaworld").path
    assert block("metaworld", config(learner__width="32")).path == here
    assert block("metaworld", config(metaworld__updates="9")).path != here


def test_blocks_cover_every_seed_once_per_condition(tmp_path):
    of: Any = config(seeds="7", block="3", seed="40")
    jobs = ablate.blocks(of, "babbling", tmp_path)
    for condition in of.conditions:
        numbers = [n for job in jobs if job.condition == condition for n in job.numbers]
        assert numbers == list(range(40, 47))


def test_a_missing_block_is_nan_in_its_place(tmp_path):
    of = ablate.own(config(seeds="4", block="2"), "babbling")
    jobs = ablate.blocks(of, "babbling", tmp_path)
    blank = ablate.WORLDS["babbling"].blank(of)
    done = next(job for job in jobs if job.condition == FULL and job.numbers == (2, 3))
    done.path.parent.mkdir(parents=True)
    checkpoint.write_arrays(
        done.path, {k: np.stack([np.ones_like(v)] * 2) for k, v in blank.items()}
    )
    merged = ablate.merge(jobs, FULL, blank)
    assert np.isnan(merged["skill"][:2]).all()
    assert (merged["skill"][2:] == 1).all()
    assert merged["skill"].shape[1:] == blank["skill"].shape
