"""What the noisy TV experiment claims, from made-up diaries, and its page."""

import types

import numpy as np
import pytest

from experiments import _config, _noisy_tv_report, noisy_tv
from nsca_jax.evaluation import tv
from nsca_jax.reports import results
from nsca_jax.training import exploring
from nsca_jax.worlds import rooms

SEEDS, EPISODES = 4, 10


def _diary(first=0.1, second=0.01, learnability=0.01, error=0.05, cells=121):
    watched = np.repeat([[first] * 5 + [second] * 5], SEEDS, 0) + np.arange(SEEDS)[:, None] * 1e-5
    full = lambda value: np.full((SEEDS, EPISODES), value)  # noqa: E731
    shares = np.full((SEEDS, EPISODES, 5), 0.2)
    return exploring.Diary(watched, shares, full(error), full(learnability), full(cells))


def _records():
    held = {kind: _diary(second=0.5) for kind in ("noise", "loud", "fading")}
    return {
        "gamma_progress": {kind: _diary() for kind in rooms.TV_KINDS},
        **{rival: dict(held) for rival in _noisy_tv_report.RIVALS},
    }


def _passed(records):
    return {c["name"]: c["passed"] for c in _noisy_tv_report.claims(records)["criteria"]}


def test_good_diaries_pass_every_criterion():
    passed = _passed(_records())
    assert len(passed) == 8 * 6 + 3
    assert all(passed.values())


@pytest.mark.parametrize(
    ("worse", "failing"),
    [
        (_diary(second=0.03), {"noise_visits", "noise_seeds"}),
        (_diary(first=0.9, second=0.3), {"noise_visits", "noise_seeds", "noise_occupancy"}),
        (_diary(learnability=0.2), {"noise_learnability"}),
        (_diary(error=0.07), {"noise_error"}),
        (_diary(cells=120), {"noise_coverage"}),
    ],
)
def test_each_worse_diary_fails_its_own_criteria_only(worse, failing):
    records = _records()
    records["gamma_progress"]["noise"] = worse
    assert {name for name, passed in _passed(records).items() if not passed} == failing


@pytest.mark.parametrize("rival", _noisy_tv_report.RIVALS)
def test_a_control_that_no_tv_holds_fails(rival):
    records = _records()
    records[rival] |= {"noise": _diary(), "fading": _diary()}  # two of three let go
    failing = {name for name, passed in _passed(records).items() if not passed}
    assert f"control_{rival}_fails" in failing
    assert ("noise_visits" in failing) == (rival == "prediction_error")
    assert ("fading_visits" in failing) == (rival == "count")


def test_a_seed_that_broke_off_is_counted_and_written_as_none():
    records = _records()
    records["gamma_progress"]["coin"].error[1, -1] = np.nan
    claims = _noisy_tv_report.claims(records)
    assert claims["n_failed_seeds"] == 1
    error = next(c for c in claims["criteria"] if c["name"] == "coin_error")
    assert error["per_seed"][1] is None


def test_report_shows_the_tables(tmp_path):
    records = _records()
    claims = _noisy_tv_report.claims(records)
    seeds = list(range(SEEDS))
    stalled = _noisy_tv_report.watch(_config.load("configs/noisy_tv.py"), records)
    identity = {"config_hash": "0" * 16, "wall_s": 1.0}
    result = results.build("x", seeds=seeds, monitors=[stalled], **identity, **claims)
    _noisy_tv_report.write({}, types.SimpleNamespace(workdir=tmp_path), records, result)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 6
    assert "Every signal before every TV" in page
    assert "curiosity_stalled" in page


def test_curiosity_that_finds_no_more_cells_is_reported():
    config, records = _config.load("configs/noisy_tv.py"), _records()
    assert not _noisy_tv_report.watch(config, records).alarm  # all of them are found
    records["gamma_progress"]["noise"] = _diary(cells=20)
    stalled = _noisy_tv_report.watch(config, records)
    assert stalled.alarm
    assert stalled.value == 0.0
    cells = records["gamma_progress"]["noise"].cells
    cells[:] = np.linspace(11, 110, EPISODES)  # 99 cells a life, of which the last quarter's count
    assert not _noisy_tv_report.watch(config, records).alarm
    cells[0, :-1] = 110
    records["gamma_progress"]["noise"].error[0] = np.nan  # that seed broke off
    assert not _noisy_tv_report.watch(config, records).alarm


def test_ratios_by_hand():
    watched = np.array([[0.4, 0.2, 0.1, 0.05], [0.0, 0.0, 0.0, 1e-4]])
    np.testing.assert_allclose(tv.visit_ratio(watched), [0.25, 0.5])
    np.testing.assert_allclose(tv.occupancy(watched), [0.075, 5e-5])
    np.testing.assert_allclose(tv.error_ratio(watched, 2 * watched), [0.5, 0.5])


def test_an_unknown_signal_or_world_is_refused():
    config = _config.load("configs/noisy_tv.py:quick")
    noisy_tv.check(config)
    _config.override(config, "signals.count", "none,radio")
    with pytest.raises(_config.BadInput, match="'radio' is not one of none"):
        noisy_tv.check(config)
