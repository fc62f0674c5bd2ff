"""Two seeds on two devices, each alone, and both on one: `python -m tests.sharded_run` tells how
far they are apart, as JSON. A process of its own: the devices are forced before JAX starts.
"""

import dataclasses
import json
import os

os.environ["JAX_NUM_CPU_DEVICES"] = "2"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax
import numpy as np

from experiments import _launch
from nsca_jax.training import babbling, parallel
from tests import bits, killed_run

SEEDS, CHUNKS = 2, 4


def main():
    _launch.set_up_jax()
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    settings = killed_run.SETTINGS
    assert settings.seeds == SEEDS
    spread, shards, compiles = live(settings, killed_run.fresh(0), 2, compiled)
    together, _, _ = live(settings, killed_run.fresh(0), 1, compiled)
    alone = dataclasses.replace(settings, seeds=1)
    differ = []
    for seed in range(SEEDS):
        ends, _, _ = live(alone, share(killed_run.fresh(0), seed), 1, compiled)
        differ += differing(share(spread[-1], seed), ends[-1])
    told = {
        "devices": parallel.devices_for(SEEDS),
        "shards": shards,
        "compiled_after_compiling_ahead": compiles,
        "differ_from_alone": differ,
        "apart_after_one_chunk": apart(spread[0], together[0]),
    }
    print(json.dumps(told))


def live(settings, state, devices, compiled):
    """(the state after each chunk, on the host; on how many devices; compilations but for the one
    that came before there was a state)."""
    _, chunk = babbling.make_train(settings, devices)
    body, shapes = killed_run.body(), jax.eval_shape(lambda x: x, state)
    chunk.lower(body, babbling.layout(settings, shapes, devices), 1).compile()
    state = babbling.place(settings, state, devices)
    states, counts = [], [len(compiled)]
    for _ in range(CHUNKS):
        state, _ = chunk(body, state, 1)
        jax.block_until_ready(state)
        counts.append(len(compiled))
        states.append(bits.on_host(state))
    spread = len(state.learner.optimiser.fault.sharding.device_set)
    return states, spread, counts[-1] - counts[0]


def share(state, seed):
    """One seed of a state."""
    return jax.tree.map(
        lambda axis, part: jax.tree.map(lambda x: _one(x, axis, seed), part),
        babbling.seed_axes(killed_run.SETTINGS),
        state,
        is_leaf=lambda x: x is None,
    )


def _one(x, axis, seed):
    return x if axis is None else x[(slice(None),) * axis + (slice(seed, seed + 1),)]


def differing(one, other):
    """The leaves that have not the same bits."""
    pairs = zip(jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(other), strict=True)
    return [jax.tree_util.keystr(path) for (path, x), y in pairs if x.tobytes() != y.tobytes()]


def apart(one, other):
    """The largest difference of any leaf, over that leaf's largest magnitude."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    ratios = [
        np.abs(x - y).max() / (np.abs(y).max() + 1e-12)
        for x, y in pairs
        if x.dtype.kind == "f" and x.size
    ]
    return float(max(ratios))


if __name__ == "__main__":
    main()
