"""How the compiled loop scales: `python -m benchmarks.scale`, an hour on a laptop.

Worlds of one seed, seeds of 16 worlds, objects, and pixels of the eye, one of them varied at a
time; every case in a process of its own. Prints each row as it is measured, and then writes it to
benchmarks/results/scale_*.json: what a stopped run measured is kept, and the same command goes on.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import clock, probe
from nsca_jax.reports import plain, results

MIB = 2**20


class Case(NamedTuple):
    """What of the laptop preset is other than usual."""

    seeds: int = 1
    worlds: int = 64
    things: int = 30
    pixels: int = 32


SWEEPS = {  # platform -> what is varied -> its values
    "cpu": {
        "worlds": (16, 64, 256, 1024, 2048),
        "seeds": (1, 4, 16, 64),
        "things": (30, 100, 300),
        "pixels": (16, 32, 64, 128),
    },
    "gpu": {
        "worlds": (64, 256, 1024, 4096, 16_384),
        "seeds": (1, 4, 16, 64, 256),
        "things": (30, 100, 300),
        "pixels": (16, 32, 64, 128),
    },
}
QUICK = {"worlds": (8, 16)}


def main(arguments: list[str]) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small sizes, to try it")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    given = parser.parse_args(arguments)
    platform = results.device().partition(":")[0]
    folder, name = ("runs/bench", "scale_quick") if given.quick else ("benchmarks/results", "scale")
    out = given.out or Path(folder) / f"{name}_{platform}.json"
    measure(out, QUICK if given.quick else SWEEPS[platform], given.quick)
    print(f"written: {out}")


def measure(out: Path, sweeps: Mapping[str, tuple[int, ...]], quick: bool) -> None:
    """Adds to the file `out` every row of the sweeps that it lacks."""
    report = {"device": results.device(), "versions": results.versions(), "quick": quick}
    kept = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    same = all(kept.get(key) == value for key, value in report.items())
    rows: list[dict[str, Any]] = kept["rows"] if same else []
    out.parent.mkdir(parents=True, exist_ok=True)
    for varied, values in sweeps.items():
        for value in values:
            if any(row["varied"] == varied and row[varied] == value for row in rows):
                continue
            rows.append(measured(varied, value))
            print("  ".join(f"{k} {x:.4g}" for k, x in rows[-1].items() if k != "varied"))
            text = json.dumps(plain.plain({**report, "rows": rows}), indent=2) + "\n"
            out.write_text(text, encoding="utf-8")


def measured(varied: str, value: int) -> dict[str, Any]:
    """A case's row: rate with its spread, peak memory, seconds of compiling."""
    usual = Case(worlds=16) if varied == "seeds" else Case()
    case = usual._replace(**{varied: value})
    print(f"{case} ...", file=sys.stderr, flush=True)
    sizes = case.seeds, case.worlds, 0, 2, case.things, case.pixels
    found = probe.run("measure", "laptop", *sizes, host_devices=probe.devices_of(case.seeds))
    rate = clock.rate("rate", "", found["interactions"], found["wall_s"])
    row = {"varied": varied, **case._asdict(), "interactions_per_s": rate["median"]}
    row |= {"low": rate["low"], "high": rate["high"]}
    return row | {"peak_MiB": found["peak_bytes"] / MIB, "compile_s": found["compile_s"]}


if __name__ == "__main__":
    main(sys.argv[1:])
