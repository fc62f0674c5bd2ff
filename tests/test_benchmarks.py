"""The quick benchmark writes a whole report; the clock's arithmetic is by hand."""

import json
import math
import subprocess
import sys

import pytest

from benchmarks import clock, long_run, targets

QUICK_TARGETS = {"compile_cold", "compile_cached"}


def test_a_figure_is_the_median_with_its_extremes():
    rate = clock.rate("steps", "steps/s", 12.0, [2.0, 4.0, 3.0])
    assert rate["median"] == 4.0
    assert (rate["low"], rate["high"], rate["repeats"]) == (3.0, 6.0, 3)


def test_a_ratio_spans_the_worst_that_both_spreads_allow():
    top = clock.figure("top", "s", [8.0, 10.0, 12.0])
    bottom = clock.figure("bottom", "s", [4.0, 5.0, 6.0])
    found = clock.ratio("top_to_bottom", top, bottom)
    assert found["median"] == 2.0
    assert found["low"] == pytest.approx(8 / 6)
    assert found["high"] == 3.0


def test_works_take_turns_and_the_first_turn_is_not_timed():
    turns = []
    times = clock.interleave({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 2)
    assert turns == ["a", "b"] * 3
    assert [len(times[name].wall_s) for name in "ab"] == [2, 2]


@pytest.mark.parametrize(("median", "reached"), [(119.9, False), (120.0, True)])
def test_a_target_is_reached_at_its_threshold(median, reached):
    (held,) = targets.judge([{"name": "prototype_1x64", "median": median}])
    assert held["value"] == pytest.approx(25 * median)
    assert held["reached"] is reached


@pytest.mark.parametrize(("median", "reached"), [(60.0, True), (60.1, False)])
def test_a_target_that_is_a_limit(median, reached):
    (held,) = targets.judge([{"name": "compile_cold", "median": median}])
    assert held["reached"] is reached


@pytest.mark.parametrize(("later", "compiled", "grown"), [(4.6, 9, (1.0, 0)), (5.06, 11, (1.1, 2))])
def test_a_long_run_compares_peaks_with_peaks_after_the_warm_up(later, compiled, grown):
    """At its start it holds less, and a chunk's end holds more for a moment: neither is a leak."""
    held = [1.0, 3.0, 4.6, 4.0, 4.0, later, 4.0]
    notes = [{"s": 10.0 * n, "resident_bytes": x, "compiled": 9} for n, x in enumerate(held)]
    notes[-1]["compiled"] = compiled
    assert long_run.grown(notes, 60.0) == pytest.approx(grown)


@pytest.mark.slow
def test_the_quick_run_writes_every_kind_of_figure(tmp_path):
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks.run", "--quick", f"--out={out}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    report = json.loads(out.read_text())
    found = {x["name"]: x for x in [*report["figures"], *report["ratios"]]}
    assert all(
        math.isfinite(x["median"]) and x["low"] <= x["median"] <= x["high"] for x in found.values()
    )
    shares = [found[f"{part}_share"]["median"] for part in ("physics", "sensing", "learning")]
    assert sum(shares) == pytest.approx(1.0, abs=0.2)  # medians of two repeats
    assert found["compile_cached"]["median"] < found["compile_cold"]["median"]
    assert found["agreement_8_worlds"]["median"] < 20.0  # mm: the peer's physics is the same
    assert {
        "loop_1x8",
        "seed_cost_2x8",
        "devices_to_1_2x8",
        "loop_to_c_host",
        "memory_2x8",
    } <= set(found)
    assert {x["name"] for x in report["targets"]} == QUICK_TARGETS
    assert report["quick"]
    assert report["versions"]["jax"]
    assert report["device"] in done.stdout
