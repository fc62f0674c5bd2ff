"""Seeds on several devices: the same bits as each alone, in one program."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from nsca_jax.training import parallel


@pytest.mark.slow
@pytest.mark.guard
def test_a_seed_on_its_own_device_has_the_bits_of_that_seed_alone():
    process = subprocess.run(
        [sys.executable, "-m", "tests.sharded_run"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-2000:]
    told = json.loads(process.stdout.splitlines()[-1])
    rounding = told.pop("apart_after_one_chunk")
    assert rounding < 1e-3  # more seeds in a program are other sums, in another order
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


@pytest.mark.parametrize(
    ("seeds", "cores", "shares"),
    [(1, 4, 1), (2, 4, 2), (3, 2, 3), (4, 2, 2), (20, 8, 10), (22, 4, 11), (11, 2, 1)],
)
def test_the_fewest_shares_that_keep_every_core_at_work(seeds, cores, shares):
    assert parallel.shares(seeds, cores) == shares
