"""Two seeds on two devices, each alone, and both on one; and one seed whose work two devices share:
`python -m tests.sharded_run` tells how far they are apart, as JSON. A process of its own: the
devices are forced before JAX starts.
"""

# pyright: reportAttributeAccessIssue=false
# (a struct's replace)

import dataclasses
import json
import os

os.environ["JAX_NUM_CPU_DEVICES"] = "2"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax
import numpy as np

from experiments import _launch
from nsca_jax.training import babbling, parallel
from nsca_jax.training.parallel import Spread
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
    spread, shards, compiles, _ = live(settings, killed_run.fresh(0), Spread(2), compiled)
    together, *_ = live(settings, killed_run.fresh(0), Spread(), compiled)
    alone = dataclasses.replace(settings, seeds=1)
    differ = []
    for seed in range(SEEDS):
        ends, *_ = live(alone, share(killed_run.fresh(0), seed), Spread(), compiled)
        differ += differing(share(spread[-1], seed), ends[-1])
    begun = share(killed_run.fresh(0), seed)
    both, holders, more, unlike = live(alone, begun, Spread(1, 2), compiled)
    again, *_ = live(alone, share(killed_run.fresh(0), seed), Spread(1, 2), compiled)
    told = {
        "devices": parallel.devices_for(SEEDS),
        "shards": shards,
        "compiled_after_compiling_ahead": compiles,
        "differ_from_alone": differ,
        "apart_after_one_chunk": apart(spread[0], together[0]),
        "shared": {
            "holders": holders,
            "compiled_after_compiling_ahead": more,
            "differ_between_holders": unlike,
            "differ_when_run_again": differing(both[-1], again[-1]),
            "differ_in_whole_numbers_from_one_device": [
                name for name in differing(both[0], ends[0]) if name in whole(ends[0])
            ],
            # Adam makes a whole step of any gradient: of weights that began at 0 moments tell more
            "moments_apart_after_one_chunk": apart(
                both[0].learner.optimiser, ends[0].learner.optimiser
            ),
        },
    }
    print(json.dumps(told))


def live(settings, state, spread, compiled):
    """(the state after each chunk, on the host; on how many devices; compilations but for the one
    that came before there was a state; the leaves that two devices should hold alike and do not).
    """
    _, chunk = babbling.make_train(settings, spread)
    body, shapes = killed_run.body(), jax.eval_shape(lambda x: x, state)
    chunk.lower(body, babbling.layout(settings, shapes, spread), 1).compile()
    state = babbling.place(settings, state, spread)
    states, counts = [], [len(compiled)]
    for _ in range(CHUNKS):
        state, _ = chunk(body, state, 1)
        jax.block_until_ready(state)
        counts.append(len(compiled))
        states.append(bits.on_host(state))
    held = len(state.learner.optimiser.fault.sharding.device_set)
    unlike = []
    if spread.parts > 1:
        keyless = state.replace(keys=jax.random.key_data(state.keys))
        copies = [
            jax.tree.map(lambda x, n=n: np.array(x.addressable_shards[n].data), keyless)
            for n in range(held)
        ]
        unlike = differing(*copies)
    return states, held, counts[-1] - counts[0], unlike


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


def whole(tree):
    """The names of the leaves that are no fractions."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [jax.tree_util.keystr(path) for path, x in leaves if x.dtype.kind != "f"]


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
