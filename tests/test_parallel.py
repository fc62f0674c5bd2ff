"""Seeds on several devices: the same bits as each alone, in one program."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.models import dynamics
from nsca_jax.training import babbling, learner, parallel


@pytest.mark.slow
@pytest.mark.guard
def test_a_seed_on_its_own_device_has_the_bits_of_that_seed_alone_and_two_may_share_one():
    process = subprocess.run(
        [sys.executable, "-m", "tests.sharded_run"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-2000:]
    told = json.loads(process.stdout.splitlines()[-1])
    shared = told.pop("shared")
    assert told.pop("apart_after_one_chunk") < 1e-3  # other sums, in another order
    assert shared.pop("moments_apart_after_one_chunk") < 1e-3
    assert shared == {
        "holders": 2,
        "compiled_after_compiling_ahead": 0,
        "differ_between_holders": [],
        "differ_when_run_again": [],
        "differ_in_whole_numbers_from_one_device": [],
    }
    assert told == {
        "devices": 2,
        "shards": 2,
        "compiled_after_compiling_ahead": 0,
        "differ_from_alone": [],
    }


@pytest.mark.parametrize(
    ("seeds", "local", "used"), [(1, 4, 1), (3, 2, 1), (20, 8, 5), (20, 4, 4), (6, 4, 3)]
)
def test_as_many_devices_as_divide_the_seeds(monkeypatch, seeds, local, used):
    monkeypatch.setattr(jax, "local_device_count", lambda: local)
    assert parallel.devices_for(seeds) == used


def test_no_module_computes_when_it_is_imported():
    """Else JAX would start before the launcher has said with how many devices."""
    modules = [
        ".".join(path.with_suffix("").parts)
        for folder in ("nsca_jax", "experiments")
        for path in sorted(Path(folder).rglob("*.py"))
    ]
    ask = (
        "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]; "
        "from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized())"
    )
    command = [sys.executable, "-c", ask, *modules]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_parts_of_a_batch_have_the_gradient_of_the_whole():
    """Two holders of a seed, as an axis of `vmap` under the devices' name."""
    small = learner.LearnerSettings(members=2, width=16, blocks=1, latent=8)
    key = jax.random.key(0)
    begun = jax.jit(lambda: learner.init(small, key))()
    row = jax.tree.map(lambda x: jnp.zeros((8, *x.shape), x.dtype), babbling._example())
    keys = iter(jax.random.split(key, 64))
    rows = jax.tree.map(
        lambda x: jax.random.normal(next(keys), x.shape) if x.dtype.kind == "f" else x, row
    )
    valid = jnp.arange(8) < 5  # four in the first part, one in the second
    batch = rows, jnp.zeros((8, dynamics.MEMORY)), valid, key

    def gradient(devices):
        def loss(params):
            return learner.loss(small, params, begun.statistics, *batch, devices)

        return parallel.mean_of_parts(jax.value_and_grad(loss)(begun.params), devices)

    whole = jax.jit(lambda: gradient(1))()
    parts = jax.jit(jax.vmap(lambda _: gradient(2), axis_name=parallel.PARTS))(jnp.arange(2))
    far = jax.tree.map(lambda a, b: jnp.abs(a - b).max() / (jnp.abs(b).max() + 1e-6), parts, whole)
    assert max(jax.tree.leaves(far)) < 1e-4
    assert whole[0] > 0.1


def test_every_part_of_the_worlds_comes_back_in_its_place():
    worlds = {
        "place": jnp.arange(12.0).reshape(6, 2),
        "keys": jax.random.split(jax.random.key(1), 6),
    }

    def work(world):
        return {"there": world["place"] + 1.0, "key": jax.random.key_data(world["keys"])}

    spread = parallel.over_worlds(work, 3)
    found = jax.vmap(lambda _: spread(worlds), axis_name=parallel.PARTS)(jnp.arange(3))
    for got, wanted in zip(jax.tree.leaves(found), jax.tree.leaves(work(worlds)), strict=True):
        np.testing.assert_array_equal(got, np.stack([wanted] * 3))


@pytest.mark.parametrize(
    ("seeds", "parts", "devices", "spread"),
    [
        (1, 80, 2, (1, 2)),
        (1, 7, 4, (1, 1)),
        (3, 32, 3, (3, 1)),
        (2, 32, 8, (2, 4)),
        (1, 6, 4, (1, 3)),
    ],
)
def test_devices_that_seeds_leave_over_share_their_work(seeds, parts, devices, spread):
    assert parallel.spread_for(seeds, parts, devices) == spread
    assert parallel.spread_for(seeds, parts, 1) == parallel.ONE_DEVICE


@pytest.mark.parametrize(
    ("seeds", "cores", "parts", "devices"),
    [(1, 2, True, 2), (1, 2, False, 1), (3, 2, True, 3), (2, 8, True, 8), (2, 8, False, 2)],
)
def test_as_many_devices_as_there_is_work_for(seeds, cores, parts, devices):
    assert parallel.host_devices(seeds, cores, parts) == devices


@pytest.mark.parametrize(
    ("seeds", "cores", "shares"),
    [(1, 4, 1), (2, 4, 2), (3, 2, 3), (4, 2, 2), (20, 8, 10), (22, 4, 11), (11, 2, 1)],
)
def test_the_fewest_shares_that_keep_every_core_at_work(seeds, cores, shares):
    assert parallel.shares(seeds, cores) == shares
