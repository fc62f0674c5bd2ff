"""The temporal experiment's claims on made-up records: each can hold and each can fail."""

import numpy as np
import pytest

from configs import temporal as configs
from experiments import _launch, _temporal_report, temporal
from nsca_jax.training.temporal import HORIZONS

S, A, W, M = 4, len(HORIZONS), 6, 16


def records(
    ours=0.01, coverage=0.9, rank=0.7, planned=0.02, innate=1e-3
) -> _temporal_report.Records:
    """Of S seeds; persistence errs by 5 cm, velocity by 3, the other arm by 2, a push by 20."""
    rng = np.random.default_rng(0)

    def arm(error):
        return {
            "error_m": error + 1e-4 * rng.random((S, A)),
            "in_view_m": np.full((S, A), error),
            "coverage": np.full((S, A), coverage),
            "rank": np.full((S, A), rank),
            "senses": np.full((S, A), 0.3),
            "senses_persistence": np.full((S, A), 0.1),
            "by_skill_m": np.full((S, 4, A), error),
            "weight": np.full((S, 30), 0.9),
            "scale": np.ones((S, 30)),
            "prior_error": np.full((S, A), innate),
        }

    names = ("persistence", "constant velocity", "last velocity", "ballistic")
    rivals = {name: np.full(A, e) for name, e in zip(names, (0.05, 0.04, 0.03, 0.03), strict=True)}
    rivals["persistence_squared"] = np.full(A, 0.0025)
    target = np.zeros((W, 2))
    away = np.array([1.0, 0.0])
    plans = {
        "target_m": target,
        "place_m": target + 0.1 * away,
        "planned_end_m": np.full((S, W, 1), planned) * away,
        "planned_imagined_m": np.full((S, W, 1), 0.01) * away,
        "shuffled_end_m": np.full((S, W, 1), 0.2) * away,
        "straight_end_m": np.full((W, 1), 0.03) * away,
        "random_end_m": np.full((W, M, 1), 0.2) * away,
    }
    return {"prior": arm(ours), "none": arm(0.02), "rivals": rivals, "plans": plans}


def passed(**changes) -> dict[str, bool]:
    claims = _temporal_report.claims(configs.get_config(), records(**changes))
    return {item["name"]: item["passed"] for item in claims["criteria"]}


def test_all_hold_where_all_is_well():
    assert all(passed().values())
    assert len(passed()) == 3 * A + 4


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"ours": 0.025}, "below_no_prior_15"),
        ({"ours": 0.035}, "below_velocity_1"),
        ({"ours": 0.06}, "below_persistence_30"),
        ({"coverage": 0.84}, "coverage_least"),
        ({"coverage": 0.96}, "coverage_most"),
        ({"rank": 0.4}, "uncertainty_predicts_error"),
        ({"planned": 0.15}, "planning"),
    ],
)
def test_each_can_fail(changes, failing):
    assert not passed(**changes)[failing]


@pytest.mark.parametrize(("innate", "alarm"), [(0.002, False), (0.003, True)])
def test_innate_physics_that_is_worse_than_none_and_trusted(innate, alarm):
    claims = _temporal_report.claims(configs.get_config(), records(innate=innate))
    (told,) = claims["monitors"]
    assert told.name == "prior_holds_on"
    assert told.alarm is alarm
    assert f"error is {innate / 0.0025:.2g} of" in told.statistic


def test_a_seed_that_broke_off_is_counted():
    broken = records()
    broken["prior"]["error_m"][1, 0] = np.nan
    claims = _temporal_report.claims(configs.get_config(), broken)
    assert claims["n_failed_seeds"] == 1
    assert claims["criteria"][0]["per_seed"][1] is None


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("moments", 20, "moments"),
        ("interactions", 5000, "pool"),
        ("steps", 150, "multiple"),
        ("state", "other", "innate"),
        ("candidates", 2, "candidates"),
    ],
)
def test_bad_input_is_refused(field, value, word):
    config = configs.get_config()
    config[field] = value
    with pytest.raises(_launch.BadInput, match=word):
        temporal.check(config)
