"""The compiled loop in a process of its own: compile seconds, rate and peak memory; or by turns.

    python -m benchmarks.probe measure PRESET SEEDS WORLDS UPDATES REPEATS [OBJECTS PIXELS]
    python -m benchmarks.probe by_turns PRESET WORLDS UPDATES REPEATS [SEEDS DEVICES] ...

0: the preset's own. Prints one line of JSON. `run` is the same from another process.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax

import experiments
from benchmarks import clock, workload
from experiments import _launch
from nsca_jax.training import babbling, parallel


def measure(
    preset: str,
    seeds: int,
    worlds: int,
    updates: int,
    repeats: int,
    things: int = 0,
    pixels: int = 0,
) -> dict[str, Any]:
    """{"compile_s", "wall_s" [repeats] of one iteration, "interactions" in it, "peak_bytes"}.

    The peak is the device's where it has memory of its own, else the process's.
    """
    settings, body = workload.load(preset, seeds, worlds, updates, things, pixels)
    spread = parallel.spread_for(seeds, babbling.parts(settings))
    iterate, compile_s = _iteration(settings, body, spread)
    times = clock.interleave({"loop": iterate}, repeats)["loop"]
    return {
        "compile_s": compile_s,
        "wall_s": times.wall_s,
        "interactions": seeds * worlds,
        "peak_bytes": clock.peak_memory_bytes(),
    }


def by_turns(
    preset: str, worlds: int, updates: int, repeats: int, *spread: int
) -> dict[str, list[float]]:
    """{"SEEDSxDEVICES": seconds [repeats] of one iteration}, the programs timed by turns.

    `spread`: seeds, and how many devices share them or their work, of one program after another.
    """
    works = {}
    for seeds, devices in zip(spread[::2], spread[1::2], strict=True):
        settings, body = workload.load(preset, seeds, worlds, updates)
        over = parallel.spread_for(seeds, babbling.parts(settings), devices)
        works[f"{seeds}x{devices}"], _ = _iteration(settings, body, over)
    return {name: times.wall_s for name, times in clock.interleave(works, repeats).items()}


def _iteration(settings, body, spread: parallel.Spread) -> tuple[Callable[[], None], float]:
    """One iteration of the compiled loop, that waits for its end, and the seconds of compiling."""
    state, chunk = workload.start(settings, spread)
    begin = time.perf_counter()
    program = chunk.lower(body, state, 1).compile()
    compile_s = time.perf_counter() - begin

    def iterate() -> None:
        nonlocal state
        state, metrics = program(body, state)
        jax.block_until_ready(metrics)

    return iterate, compile_s


def devices_of(seeds: int) -> int:
    """With how many CPU devices babbling with so many seeds starts."""
    return parallel.host_devices(seeds, experiments.CORES, parts=True)


def run(*case: str | int, cache: str | None = None, host_devices: int = 1) -> dict[str, Any]:
    """What `case` asks for, in a fresh process; with another compilation cache if one is named.

    `host_devices`: how many devices JAX shall see where there is a CPU alone.
    Raises CalledProcessError where it fails; its complaint is on stderr.
    """
    environment = os.environ | ({"JAX_COMPILATION_CACHE_DIR": cache} if cache else {})
    environment |= {"JAX_NUM_CPU_DEVICES": str(host_devices)}
    command = [sys.executable, "-m", "benchmarks.probe", *map(str, case)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    _launch.spare_the_collector()
    workload.use_compile_cache()
    work = {"measure": measure, "by_turns": by_turns}[sys.argv[1]]
    print(json.dumps(work(sys.argv[2], *map(int, sys.argv[3:]))))
