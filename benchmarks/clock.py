"""Timing by repeats: every figure is a median with its spread."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax


class Times(NamedTuple):
    """Seconds of every repeat: by the wall clock, and of all cores together."""

    wall_s: list[float]
    core_s: list[float]


def interleave(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Times]:
    """Each work once untimed, then by turns, so that a busy moment of the machine meets all.

    A work returns when it is done: it waits for the device itself.
    """
    times = {name: Times([], []) for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            wall, core = time.perf_counter(), time.process_time()
            work()
            wall, core = time.perf_counter() - wall, time.process_time() - core
            if turn:
                times[name].wall_s.append(wall)
                times[name].core_s.append(core)
    return times


def figure(name: str, unit: str, values: Sequence[float]) -> dict[str, Any]:
    """A measured figure: median, and the lowest and highest repeat."""
    return {
        "name": name,
        "unit": unit,
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "repeats": len(values),
    }


def rate(name: str, unit: str, count: float, seconds: Sequence[float]) -> dict[str, Any]:
    """`count` things a repeat, as a figure per second."""
    return figure(name, unit, [count / s for s in seconds])


def ratio(name: str, top: Mapping[str, Any], bottom: Mapping[str, Any]) -> dict[str, Any]:
    """The quotient of two figures; low and high are the worst that their spreads allow."""
    return {
        "name": name,
        "of": [top["name"], bottom["name"]],
        "median": top["median"] / bottom["median"],
        "low": top["low"] / bottom["high"],
        "high": top["high"] / bottom["low"],
    }


def peak_memory_bytes() -> int:
    """The most memory so far: the device's own, else what was resident of this process.

    The latter is no less than its parent's at its start.
    """
    own = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in own:
        return own["peak_bytes_in_use"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts in KiB
