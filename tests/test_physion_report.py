"""The Physion experiment: what it claims, refuses, and writes to disk as scenes."""

# pyright: reportArgumentType=false

import types

import numpy as np
import pytest

from experiments import _config, _physion_report
from experiments import _physion_world as world
from experiments import physion as experiment
from nsca_jax.data import physion
from nsca_jax.worlds.physion_like import scenarios
from tests.test_data_physion import trial

SEEDS, EACH = 4, 20
QUICK = "configs/physion.py:quick"


def found(seed=0, **share_right):
    """Answers that are right as often as told, in the same trials for every seed but a few."""
    rng = np.random.default_rng(seed)
    n = EACH * len(physion.SCENARIOS)
    split = {
        "label": np.arange(n) % 2,
        "scenario": np.repeat(np.arange(len(physion.SCENARIOS)), EACH),
        "skipped": np.array([], str),
        "missing": np.array([], str),
        "excluded": np.array(["one"]),
    }
    shares = {
        "grown, imagined": 0.85,
        "grown, observed": 0.65,
        "fresh, observed": 0.55,
        "fresh, imagined": 0.55,
    } | {name.replace("_", ", "): share for name, share in share_right.items()}
    order = rng.permuted(np.tile(np.arange(EACH), (len(physion.SCENARIOS), 1)), axis=1).ravel()
    answers = {}
    for arm, share in shares.items():
        wobble = rng.integers(-1, 2, (SEEDS, 1))
        answers[f"{arm}/right"] = order < share * EACH + wobble
    return _physion_report.Found(
        dict.fromkeys(("dynamics", "readout", "test"), split),
        np.ones((SEEDS, 5)),
        answers,
        {"right": (order < 12)[None]},
        {"accuracy": np.full(len(physion.SCENARIOS), 0.95)},
    )


def claims(**share_right):
    return _physion_report.claims(_config.load(QUICK), found(**share_right))


def passed(**share_right):
    return {c["name"]: c["passed"] for c in claims(**share_right)["criteria"]}


def test_claims_pass_where_they_should_and_only_there():
    assert all(passed().values())
    assert not passed(grown_imagined=0.7)["mean_accuracy"]
    assert not passed(fresh_observed=0.85)["mean_accuracy"]  # the control must fail
    assert not passed(grown_observed=0.85)["over_observed"]
    assert not passed(fresh_observed=0.9)["over_untrained"]


def test_a_failed_seed_is_counted_and_never_averaged():
    broken = found()
    broken.loss[1, 3] = np.nan
    told = _physion_report.claims(_config.load(QUICK), broken)
    assert told["n_failed_seeds"] == 1
    assert told["criteria"][0]["per_seed"][1] is None


def test_what_stands_beside():
    beside = claims()["baselines"]
    assert beside["dataset"].startswith("physion_like")
    assert beside["commoner label"] == 0.5
    assert beside["last observed picture"] == pytest.approx(0.6)
    assert beside["noisy simulator"] == pytest.approx(0.95)
    assert beside["trials left out"]["test"] == 1


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("seeds", "0", "1 or more"),
        ("steps", "70", "multiple of 50"),
        ("readout", "15", "even number"),
        ("learning_rate", "0", "more than 0"),
        ("data", "nowhere", "is no folder"),
    ],
)
def test_bad_configs_are_refused(name, value, told):
    config = _config.load(QUICK)
    experiment.check(config)
    _config.override(config, name, value)
    with pytest.raises(_config.BadInput, match=told):
        experiment.check(config)


def test_a_folder_without_one_of_the_splits_is_refused(tmp_path):
    config = _config.load(QUICK)
    _config.override(config, "data", str(tmp_path))
    trial(tmp_path / "dynamics_training" / "drop" / "0000.hdf5")
    with pytest.raises(_config.BadInput, match="readout trials are missing"):
        experiment.check(config)


class Quiet:
    """A run that says nothing."""

    stopping = False

    def progress(self, *_, **__):
        """Says nothing."""


@pytest.mark.slow
def test_scenes_are_written_as_physion_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setattr(scenarios, "SCENARIOS", {"roll": scenarios.SCENARIOS["roll"]})
    monkeypatch.setattr(world, "BLOCK", 6)
    world.make(Quiet(), tmp_path, {"dynamics": 2, "test": 4})
    config = types.SimpleNamespace(data="")
    dataset = experiment._open(config, tmp_path, "test", "roll")
    trials = list(dataset.trials())
    assert [t["label"] for t in trials].count(1) == 2  # half of each
    for one in trials:
        frames = one["frames"]
        assert frames.shape == (6, 64, 64, 3)
        colours = frames.reshape(-1, 3).astype(int)
        red = (colours[:, 0] > 90) & (colours[:, 1:].max(1) < 60)
        assert red.sum() > 20  # the target is seen
    film = experiment._open(config, tmp_path, "dynamics", "roll")
    assert next(film.trials())["frames"].shape[0] == world.FRAMES // world.EVERY
    said = world.oracle(tmp_path, "test", "roll", 4, 1)
    assert np.mean((said > 0.5) == [t["label"] for t in trials]) >= 0.75
