"""The compiled loop in a process of its own: compile seconds, rate and peak memory.

    python -m benchmarks.probe PRESET SEEDS WORLDS UPDATES REPEATS [OBJECTS PIXELS DEVICES]

0: the preset's own. Prints one line of JSON. `run` is the same from another process.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

import jax

from benchmarks import clock, workload


def measure(
    preset: str,
    seeds: int,
    worlds: int,
    updates: int,
    repeats: int,
    things: int = 0,
    pixels: int = 0,
    devices: int = 1,
) -> dict[str, Any]:
    """{"compile_s", "wall_s" [repeats] of one iteration, "interactions" in it, "peak_bytes"}.

    The peak is the device's where it has memory of its own, else the process's.
    """
    workload.use_compile_cache()
    settings, body = workload.load(preset, seeds, worlds, updates, things, pixels)
    state, chunk = workload.start(settings, devices)
    begin = time.perf_counter()
    program = chunk.lower(body, state, 1).compile()
    compile_s = time.perf_counter() - begin

    def iterate():
        nonlocal state
        state, metrics = program(body, state)
        jax.block_until_ready(metrics)

    times = clock.interleave({"loop": iterate}, repeats)["loop"]
    return {
        "compile_s": compile_s,
        "wall_s": times.wall_s,
        "interactions": seeds * worlds,
        "peak_bytes": clock.peak_memory_bytes(),
    }


def run(*case: str | int, cache: str | None = None, host_devices: int = 1) -> dict[str, Any]:
    """`measure(*case)` in a fresh process, with another compilation cache if one is named.

    `host_devices`: how many devices JAX shall see where there is a CPU alone.
    Raises CalledProcessError where it fails; its complaint is on stderr.
    """
    environment = os.environ | ({"JAX_COMPILATION_CACHE_DIR": cache} if cache else {})
    environment |= {"JAX_NUM_CPU_DEVICES": str(host_devices)}
    command = [sys.executable, "-m", "benchmarks.probe", *map(str, case)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *map(int, sys.argv[2:]))))
