"""The least a physics step can cost: its operations, bytes and kernels, each at its own speed.

What XLA compiles for one step of W worlds is asked for its arithmetic, its memory traffic and its
kernels; what a core of this machine does of each in a second is measured by itself. No step of this
program can be quicker than the dearest of the three.
"""

import functools
import re

import jax
import jax.numpy as jnp

from benchmarks import clock, workload
from nsca_jax.sim import env

WIDTH = 4096  # float32 of a test array: 16 KiB, within the nearest cache as a step's arrays are
ROUNDS = 2000
MULTIPLY_ADDS = 64  # of each element in a round
KERNELS = {"fusion", "dot", "copy", "custom-call", "reduce", "gather", "scatter", "concatenate"}
COMPUTATION = re.compile(r"^(?:ENTRY )?%([\w.\-]+) \(.*?\{\n(.*?)^\}", re.M | re.S)
INSTRUCTION = re.compile(r"^.* = .*? ([\w\-]+)\((.*)$", re.M)


def measure(body, worlds: int, repeats: int) -> list:
    """Figures of one physics step of W worlds: what it takes, what a core gives, the floors."""
    program = _program(body, worlds)
    cost, text = program.cost_analysis(), program.as_text()
    if cost is None or text is None:
        raise RuntimeError("this back end does not say what its programs take")
    work = {
        "operations": cost["flops"] / worlds,
        "bytes": cost["bytes accessed"] / worlds,
        "kernels": kernels(text, body.scene.model.opt.iterations) / worlds,
    }
    line, few = jnp.ones(WIDTH), jnp.ones(8)
    times = clock.interleave(
        {
            "operations": lambda: _multiply_adds(line).block_until_ready(),
            "bytes": lambda: _one_kernel(line).block_until_ready(),
            "kernels": lambda: _one_kernel(few).block_until_ready(),
        },
        repeats,
    )
    of_a_round = {"operations": 2 * MULTIPLY_ADDS * WIDTH, "bytes": 8 * WIDTH, "kernels": 1}
    found = []
    for name, count in of_a_round.items():
        speed = clock.rate(f"machine_{name}", f"{name}/s", count * ROUNDS, times[name].core_s)
        floor = [work[name] / value for value in (speed["low"], speed["median"], speed["high"])]
        found += [
            clock.figure(f"step_{name}", f"{name} a step and world", [work[name]]),
            speed,
            clock.figure(f"floor_{name}", "s a step and world", floor),
        ]
    return found


def kernels(text: str, iterations: int) -> int:
    """How many kernels a compiled program starts, of its optimised HLO text.

    A loop counts as often as it is known to turn, else `iterations` times; of a condition's
    branches the longest counts.
    """
    bodies = dict(COMPUTATION.findall(text))
    entry = re.search(r"^ENTRY %([\w.\-]+)", text, re.M)
    if entry is None:
        raise ValueError("no ENTRY computation in the HLO text")

    @functools.cache
    def count(name: str) -> int:
        total = 0
        for operation, rest in INSTRUCTION.findall(bodies[name]):
            if operation in KERNELS:
                total += 1
            elif operation == "while":
                turns = re.search(r'known_trip_count":\{"n":"(\d+)"', rest)
                often = int(turns.group(1)) if turns else iterations
                inner = re.findall(r"(?:condition|body)=%([\w.\-]+)", rest)
                total += often * sum(map(count, inner))
            elif operation == "conditional":
                branches = re.search(r"branch_computations=\{([^}]*)\}", rest)
                names = branches.group(1) if branches else ""
                total += max(map(count, re.findall(r"%([\w.\-]+)", names)), default=0)
            elif operation == "call":
                total += sum(map(count, re.findall(r"to_apply=%([\w.\-]+)", rest)))
        return total

    return count(entry.group(1))


def _program(body, worlds: int):
    """One physics step of W worlds, compiled."""
    keys, choice = workload.random_choice(len(body.scene.properties.mass_kg), worlds)
    start = workload.spawn(body, keys, choice)

    def step(now):
        fields = jax.tree.map(lambda leaf: leaf[now.object_id], body.scene.objects)
        return env.physics_step(body.scene, fields, body.scene.fragility_Ns[now.object_id], now)

    return jax.jit(step).lower(start).compile()


@jax.jit
def _multiply_adds(x):
    def turn(_, x):
        for _ in range(MULTIPLY_ADDS):
            x = x * 0.999 + 0.001
        return x

    return jax.lax.fori_loop(0, ROUNDS, turn, x)


@jax.jit
def _one_kernel(x):
    """Reads and writes `x` once a round."""
    return jax.lax.fori_loop(0, ROUNDS, lambda _, x: x * 0.999 + 0.001, x)
