"""Ratios against peers in one run: `make bench`, or `python -m benchmarks.run`.

Physics against the C engine; the compiled loop at several batch sizes, spread over the cores as
experiments are, its parts, and against a loop in which the host drives the C engine; a gradient
step against PyTorch's, where that is installed; seeds together against one after another; seconds
of compiling; peak memory. Prints a table and writes JSON. Every part is kept in runs/bench/ as soon
as it is measured, until the report is whole: the same command goes on after the last one.
`--only=torch` measures that part alone and puts it into the JSON that is there.
"""

import argparse
import functools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import (
    clock,
    floor,
    parts,
    physics,
    predictions,
    probe,
    targets,
    torch_peer,
    workload,
)
from nsca_jax.reports import plain, results

UNIT = "interactions/s"
PAPER_INTERACTIONS = 101_000
PAPER_WORLDS = 80


class Plan(NamedTuple):
    """How much is measured."""

    updates: int  # gradient steps an iteration; 0: the preset's own
    repeats: int
    batches: tuple[int, ...]  # worlds of the physics alone
    laptop: tuple[int, int]  # seeds, worlds of the loop that is compiled from nothing
    alone: tuple[int, ...]  # worlds of the loop with one seed; the last is taken apart
    together: tuple[tuple[int, int], ...]  # seeds, worlds; `alone` has the same worlds
    paper: bool


FULL = Plan(0, 3, (16, 64, 128, 512), (3, 32), (16, 32, 64), ((4, 64), (16, 16)), True)
QUICK = Plan(4, 2, (8,), (1, 8), (8,), ((2, 8),), False)


def main(arguments: list[str]) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the benchmark")
    parser.add_argument("--only", choices=["torch"], help="measure this part of a report anew")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    given = parser.parse_args(arguments)
    platform = results.device().partition(":")[0]
    folder, name = ("runs/bench", "quick") if given.quick else ("benchmarks/results", "loop")
    out = given.out or Path(folder) / f"{name}_{platform}.json"
    plan, kept = QUICK if given.quick else FULL, Path("runs/bench") / f"{out.stem}_parts.json"
    report = with_torch(out, plan) if given.only else measure(plan, kept)
    write(out, report)
    if not given.only:
        kept.unlink(missing_ok=True)
    print(table(report))
    print(f"\nwritten: {out} ({report['wall_s']:.0f} s)")


def measure(plan: Plan, kept: Path) -> dict[str, Any]:
    """Figures, ratios and targets; device and versions; seconds that measuring took.

    Every part is added to the file `kept`, and not measured where it is there already.
    """
    workload.use_compile_cache()
    loaded = functools.cache(lambda: workload.load("laptop", 1, plan.alone[-1], plan.updates))
    every = {
        # first what runs in processes of its own: a child's peak memory is at least its parent's
        "loops": lambda: loops(plan),
        "seeds": lambda: seeds_together(plan),
        "compiling": lambda: compiling(plan),
        "physics": lambda: physics.measure(loaded()[1], plan.batches, plan.repeats),
        "parts": lambda: parts.measure(*loaded(), plan.repeats),
        "torch": lambda: beside_torch(loaded()[0], plan),
        "floor": lambda: (floor.measure(loaded()[1], plan.alone[-1], plan.repeats), []),
    }
    origin = {"device": results.device(), "versions": results.versions(), "plan": list(plan)}
    origin = plain.plain(origin)
    held = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    found = held["parts"] if held.get("origin") == origin else {}
    for name, part in every.items():
        if name in found:
            _say(f"{name}: measured before ({kept})")
            continue
        _say(name)
        begin = time.perf_counter()
        figures, ratios = part()
        wall_s = time.perf_counter() - begin
        found[name] = {"figures": figures, "ratios": ratios, "wall_s": wall_s}
        write(kept, {"origin": origin, "parts": found})
    figures = [x for part in found.values() for x in part["figures"]]
    ratios = [x for part in found.values() for x in part["ratios"]]
    return {
        "device": results.device(),
        "versions": results.versions(),
        "figures": figures,
        "ratios": ratios,
        "targets": targets.judge([*figures, *ratios]),
        "predictions": predictions.compare([*figures, *ratios]),
        "quick": plan is QUICK,
        "wall_s": sum(part["wall_s"] for part in found.values()),
    }


def write(path: Path, report: dict[str, Any]) -> None:
    """The report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain.plain(report), indent=2) + "\n", encoding="utf-8")


def beside_torch(settings, plan: Plan) -> tuple[list, list]:
    """(figures, ratios) of a gradient step here and in PyTorch; none where that is missing."""
    if not torch_peer.there():
        print(torch_peer.MISSING, file=sys.stderr)
        return [], []
    return torch_peer.measure(settings.learner, 5 * plan.repeats)


def with_torch(path: Path, plan: Plan) -> dict[str, Any]:
    """The report that `path` holds, with what `beside_torch` finds now."""
    if not path.exists():
        sys.exit(f"{path} is no file: a whole run writes it, and --only puts one part into it")
    report = json.loads(path.read_text(encoding="utf-8"))
    if report["versions"] != results.versions():
        sys.exit(f"{path} was measured with other versions: {report['versions']}")
    workload.use_compile_cache()
    settings, _ = workload.load("laptop", 1, plan.alone[-1], plan.updates)
    figures, ratios = beside_torch(settings, plan)
    named = {item["name"] for item in [*figures, *ratios]}
    for key, found in (("figures", figures), ("ratios", ratios)):
        report[key] = [x for x in report[key] if x["name"] not in named] + found
    report["predictions"] = predictions.compare([*report["figures"], *report["ratios"]])
    return report


def compiling(plan: Plan) -> tuple[list, list]:
    """Figures: seconds to compile the laptop preset's loop from nothing, and with the cache."""
    case = "measure", "laptop", *plan.laptop, plan.updates, 1
    over = probe.devices_of(plan.laptop[0])
    with tempfile.TemporaryDirectory() as cache:
        _say("compiling from nothing")
        found = [probe.run(*case, cache=cache, host_devices=over) for _ in range(3)]
    cold, *cached = [one["compile_s"] for one in found]
    figure = functools.partial(clock.figure, unit="s")
    return [figure("compile_cold", values=[cold]), figure("compile_cached", values=cached)], []


def loops(plan: Plan) -> tuple[list, list]:
    """Figures: the compiled loop's rate and peak memory."""
    found = _probe("prototype", 1, plan.alone[-1], plan)
    figures = [_rate(f"prototype_1x{plan.alone[-1]}", found)]
    for seeds, worlds in (*((1, worlds) for worlds in plan.alone), *plan.together):
        name = f"{seeds}x{worlds}"
        found = _probe("laptop", seeds, worlds, plan)
        memory = clock.figure(f"memory_{name}", "GiB", [found["peak_bytes"] / targets.GIB])
        figures += [_rate(f"loop_{name}", found), memory]
    if plan.paper:
        found = _probe("paper", 1, PAPER_WORLDS, plan)
        minutes = [s / PAPER_WORLDS * PAPER_INTERACTIONS / 60 for s in found["wall_s"]]
        figures.append(clock.figure("paper_minutes", "min", minutes))
    return figures, []


def seeds_together(plan: Plan) -> tuple[list, list]:
    """(figures, ratios): seeds one after another, and together; spread over devices as the launcher
    does it, and on one device.

    One seed after another costs each what it costs alone.
    """
    figures, ratios = [], []
    for seeds, worlds in plan.together:
        _say(f"{seeds} seeds of {worlds} worlds one after another, and together")
        name, over = f"{seeds}x{worlds}", probe.devices_of(seeds)
        case = "by_turns", "laptop", worlds, plan.updates, plan.repeats
        programs = {"alone": (1, probe.devices_of(1)), "alone_on_1": (1, 1), "on_1": (seeds, 1)}
        programs["together"] = seeds, over
        asked = [number for program in programs.values() for number in program]
        found = probe.run(*case, *asked, host_devices=max(asked[1::2]))
        rate = {
            how: clock.rate(f"{how}_{name}", UNIT, count * worlds, found[f"{count}x{devices}"])
            for how, (count, devices) in programs.items()
        }
        figures += rate.values()
        ratios += [
            clock.ratio(f"seed_cost_{name}", rate["alone"], rate["together"]),
            clock.ratio(f"seed_cost_on_1_device_{name}", rate["alone_on_1"], rate["on_1"]),
            clock.ratio(f"devices_to_1_alone_{name}", rate["alone"], rate["alone_on_1"]),
            clock.ratio(f"devices_to_1_{name}", rate["together"], rate["on_1"]),
        ]
    return figures, ratios


def table(report: dict[str, Any]) -> str:
    """The report as lines of text."""
    rows = [
        f"{x['name']:<40} {x['median']:>10.4g}  {x['low']:.4g} to {x['high']:.4g}  {x['unit']}"
        for x in [*report["figures"], *({"unit": "", **x} for x in report["ratios"])]
    ]
    held = [
        f"{'reached' if x['reached'] else 'MISSED':<8} {x['claim']}: {x['value']:.4g}"
        f" ({x['direction']} {x['threshold']:g})"
        for x in report["targets"]
    ]
    return "\n".join([report["device"], *rows, "", *held])


def _probe(preset: str, seeds: int, worlds: int, plan: Plan) -> dict[str, Any]:
    _say(f"loop of {preset}, {seeds} x {worlds} worlds")
    case = "measure", preset, seeds, worlds, plan.updates, plan.repeats
    return probe.run(*case, host_devices=probe.devices_of(seeds))


def _rate(name: str, found: dict[str, Any]) -> dict[str, Any]:
    return clock.rate(name, UNIT, found["interactions"], found["wall_s"])


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
