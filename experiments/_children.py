"""Experiments as processes of others: each in a folder of its own, as a user would run it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import experiments
from nsca_jax.evaluation.monitors import Reading

POLL_S = 0.1


def command(name: str, source: str, folder: Path, fields: Iterable[str] = ()) -> list[str]:
    """How a user would run experiment `name`; `fields` are NAME=VALUE, set in its config."""
    given = [f"--config.{field}" for field in fields]
    flags = [f"--config={source}", *given, f"--workdir={folder}"]
    return [sys.executable, "-m", f"experiments.{name}", *flags]


def start(
    arguments: list[str], log: Path, xla_flags: str = "", at_once: int = 1
) -> subprocess.Popen:
    """One process; what it prints is added to the file `log`. It has these XLA flags besides ours.

    Of `at_once` such processes each computes with its share of the cores: threads that wait for
    each other's cores cost a quarter more. It has a process group of its own: a Ctrl-C reaches it
    once, by `stop`, and not twice, which would end it unsaved.
    """
    flags = f"{os.environ.get('XLA_FLAGS', '')} {xla_flags}".strip()
    share = f"{max(1, experiments.CORES // at_once)}"
    threads = {"NPROC": share, "JAX_NUM_CPU_DEVICES": share} if at_once > 1 else {}
    env = {**threads, **os.environ, **({"XLA_FLAGS": flags} if flags else {})}
    with log.open("a", encoding="utf-8") as file:
        return subprocess.Popen(
            arguments, stdout=file, stderr=subprocess.STDOUT, process_group=0, env=env
        )


def stop(processes: Iterable[subprocess.Popen]) -> None:
    """Asks each to save and end, and waits until it has."""
    processes = list(processes)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait()


def last_lines(log: Path, count: int = 1) -> str:
    """The end of what a process printed; empty where it printed nothing."""
    if not log.exists():
        return ""
    return "\n".join(
        log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-count:]
    )


def merge(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Results by name as the arguments of one over all; what they hold is prefixed by the name."""
    return {
        "criteria": [
            {**item, "name": f"{name}.{item['name']}"}
            for name, one in found.items()
            for item in one["criteria"]
        ],
        "seeds": max((one["seeds"] for one in found.values()), key=len, default=[]),
        "n_failed_seeds": sum(one["n_failed_seeds"] for one in found.values()),
        "compile_s": sum(one["compile_s"] for one in found.values()),
        "baselines": {"wall_s": {name: one["wall_s"] for name, one in found.items()}},
        "effect_sizes": {
            f"{name}.{what}": size
            for name, one in found.items()
            for what, size in one["effect_sizes"].items()
        },
        "monitors": [
            Reading(**{**item, "name": f"{name}.{item['name']}"})
            for name, one in found.items()
            for item in one.get("monitors", ())
        ],
    }
