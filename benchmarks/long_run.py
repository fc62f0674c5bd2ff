"""Does it leak? `python -m benchmarks.long_run --minutes=120` lets the main job babble and watches.

`experiments.babble` runs as a user would run it, with its logs and checkpoints, and is stopped when
the time is over. Every ten seconds it is noted what memory is resident and how many programs were
compiled so far. After a warm-up of a sixth of the time neither may grow: no program more, and no
moment of the later half that holds over 5 % more than the fullest of the earlier. Exit status 1
where it does. Linux only. Writes benchmarks/results/long_run_cpu.json.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments import _progress
from nsca_jax.reports import plain, results

EVERY_S = 10.0
WARM_UP = 1 / 6
MAY_GROW = 1.05
CHUNK = 128  # iterations; a chunk of 32 worlds is more than a seed does in a minute
COMPILED = b"Finished XLA compilation"  # what JAX_LOG_COMPILES says of each
BABBLE = ("-m", "experiments.babble", "--config.seeds=2", "--config.worlds=32")


def main(arguments: list[str]) -> int:
    """Runs, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0, help="how long to babble")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    given = parser.parse_args(arguments)
    if not given.minutes > 0:
        parser.error(f"--minutes is {given.minutes:g}; it must be above 0")
    if not sys.platform.startswith("linux"):
        parser.error("it reads /proc, which only Linux has")
    with tempfile.TemporaryDirectory() as folder:
        report = watch(60.0 * given.minutes, Path(folder))
    out = given.out or Path("benchmarks/results/long_run_cpu.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(plain.plain(report), indent=2) + "\n", encoding="utf-8")
    print("  ".join(f"{key} {report[key]:.4g}" for key in SAID))
    print(f"{'flat' if report['flat'] else 'GREW'}; written: {out}")
    return 0 if report["flat"] else 1


SAID = ("minutes", "interactions", "resident_growth", "compiled_after_warm_up")


def watch(seconds: float, folder: Path) -> dict[str, Any]:
    """The report of a run of so many seconds after its first chunk."""
    log, meter = folder / "stderr", _progress.Progress()
    competent = 32 * CHUNK * (2 + int(seconds / 60.0))  # more than there is time for
    command = [
        *(sys.executable, *BABBLE, f"--config.chunk={CHUNK}", f"--workdir={folder / 'run'}"),
        f"--config.random_interactions={32 * CHUNK}",
        f"--config.competence_interactions={competent}",
    ]
    with log.open("wb") as stderr:
        environment = os.environ | {"JAX_LOG_COMPILES": "1"}
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            notes = _notes(child, folder / "run" / "metrics.jsonl", log, seconds, meter)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait()
    if not notes:
        raise RuntimeError(f"babbling ended by itself: {log.read_text(errors='replace')[-2000:]}")
    growth, compiled = grown(notes, seconds)
    return {
        "device": results.device(),
        "versions": results.versions(),
        "minutes": seconds / 60.0,
        "interactions": notes[-1]["interactions"],
        "resident_growth": growth,
        "compiled_after_warm_up": compiled,
        "flat": growth <= MAY_GROW and compiled == 0,
        "notes": notes,
    }


def grown(notes: list[dict[str, Any]], seconds: float) -> tuple[float, int]:
    """By how much the memory's peak grew after the warm-up, and how many programs were compiled.

    A chunk's end takes more for a moment, to judge and to save: peaks are compared with peaks.
    """
    warm = [note for note in notes if note["s"] >= WARM_UP * seconds] or notes[-1:]
    middle = (1.0 + WARM_UP) / 2.0 * seconds
    early = [note["resident_bytes"] for note in warm if note["s"] < middle]
    late = [note["resident_bytes"] for note in warm if note["s"] >= middle]
    growth = max(late) / max(early) if early and late else 1.0
    return growth, notes[-1]["compiled"] - warm[0]["compiled"]


def _notes(child, metrics: Path, log: Path, seconds: float, meter) -> list[dict[str, Any]]:
    """What was seen every EVERY_S, from the first logged chunk on; empty where the child ended."""
    begin, notes = None, []
    while begin is None or time.monotonic() - begin < seconds:
        time.sleep(EVERY_S if begin else 1.0)
        if child.poll() is not None:
            return []
        if not metrics.exists():
            continue
        begin = begin or time.monotonic()
        elapsed = time.monotonic() - begin
        last = metrics.read_text(encoding="utf-8").splitlines()[-1]
        notes.append(
            {
                "s": elapsed,
                "resident_bytes": _resident(child.pid),
                "compiled": log.read_bytes().count(COMPILED),
                "interactions": json.loads(last)["step"],
            }
        )
        figures = {"resident_GB": notes[-1]["resident_bytes"] / 1e9}
        meter.tell(min(elapsed, seconds), seconds, "s", **figures)
    return notes


def _resident(process: int) -> int:
    """Bytes of memory that the process holds now."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
