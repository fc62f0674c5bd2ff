"""Seeds on several devices: the same bits as on one, in one program."""

import json
import subprocess
import sys

import jax
import pytest

from nsca_jax.training import parallel

SEVERAL = """
import json, os, sys
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import jax, numpy as np
from experiments import _launch
from nsca_jax.training import babbling, parallel
from tests import killed_run

_launch.set_up_jax()
body, settings = killed_run.body(), killed_run.SETTINGS
told = {"devices": parallel.devices_for(settings.seeds), "differ": [], "programs": []}
ends = []
for devices in (1, 2):
    init, chunk = babbling.make_train(settings, devices)
    state = babbling.place(settings, killed_run.fresh(0), devices)
    for _ in range(2):
        state, metrics = chunk(body, state, 2)
    told["programs"].append(chunk._cache_size())
    told["spread"] = len(state.learner.optimiser.fault.sharding.device_set)
    ends.append((state, metrics))

def plain(x):
    is_key = jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(x) if is_key else x)

def compare(path, one, other):
    if plain(one).tobytes() != plain(other).tobytes():
        told["differ"].append(jax.tree_util.keystr(path))
jax.tree_util.tree_map_with_path(compare, *ends)
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.guard
def test_two_devices_give_the_bits_of_one():
    process = subprocess.run(
        [sys.executable, "-c", SEVERAL], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-2000:]
    told = json.loads(process.stdout.splitlines()[-1])
    assert told == {"devices": 2, "differ": [], "programs": [1, 1], "spread": 2}


@pytest.mark.parametrize(
    ("seeds", "local", "used"), [(1, 4, 1), (3, 2, 1), (20, 8, 5), (20, 4, 4), (6, 4, 3)]
)
def test_as_many_devices_as_divide_the_seeds(monkeypatch, seeds, local, used):
    monkeypatch.setattr(jax, "local_device_count", lambda: local)
    assert parallel.devices_for(seeds) == used
