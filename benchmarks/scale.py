"""How the compiled loop scales: `python -m benchmarks.scale`, half an hour on a laptop.

Worlds of one seed, seeds of 16 worlds, objects, and pixels of the eye, one of them varied at a
time; every case in a process of its own. Prints a table and writes benchmarks/results/scale_*.json.
"""

import argparse
import json
import sys
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
    sweeps = QUICK if given.quick else SWEEPS[platform]
    report = {"device": results.device(), "versions": results.versions(), "quick": given.quick}
    report["rows"] = [row for name, values in sweeps.items() for row in sweep(name, values)]
    folder, name = ("runs/bench", "scale_quick") if given.quick else ("benchmarks/results", "scale")
    out = given.out or Path(folder) / f"{name}_{platform}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(plain.plain(report), indent=2) + "\n", encoding="utf-8")
    for row in report["rows"]:
        print("  ".join(f"{key} {value:.4g}" for key, value in row.items() if key != "varied"))
    print(f"written: {out}")


def sweep(varied: str, values: tuple[int, ...]) -> list[dict[str, Any]]:
    """A row for each value: rate, spread, peak memory, and what a world more takes of it."""
    rows: list[dict[str, Any]] = []
    for value in values:
        usual = Case(worlds=16) if varied == "seeds" else Case()
        case = usual._replace(**{varied: value})
        print(f"{case} ...", file=sys.stderr, flush=True)
        found = probe.run("laptop", case.seeds, case.worlds, 0, 2, case.things, case.pixels)
        rate = clock.rate("rate", "", found["interactions"], found["wall_s"])
        row = {"varied": varied, **case._asdict(), "interactions_per_s": rate["median"]}
        row |= {"low": rate["low"], "high": rate["high"]}
        row |= {"peak_MiB": found["peak_bytes"] / MIB, "compile_s": found["compile_s"]}
        if rows and varied in ("worlds", "seeds"):
            more = (row["peak_MiB"] - rows[0]["peak_MiB"]) / (
                row["seeds"] * row["worlds"] - rows[0]["seeds"] * rows[0]["worlds"]
            )
            row["MiB_per_further_world"] = more
        rows.append(row)
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
