"""A babbling run killed at any instant goes on to the same bits."""

import random
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _config, babble
from nsca_jax import checkpoint
from nsca_jax.training import babbling

TINY = {
    "seeds": "2",
    "worlds": "4",
    "random_interactions": "32",
    "competence_interactions": "128",
    "evaluation_interactions": "80",
    "chunk": "1",
    "curiosity.slow_every": "8",
    "learner.width": "32",
    "learner.blocks": "1",
    "learner.members": "2",
    "learner.batch": "32",
    "learner.updates": "2",
}
ITERATIONS = 40


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The final state's leaves of a run that nobody touched."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    start(folder).wait()
    return leaves(folder)


def start(folder):
    """The run as a user would start it."""
    flags = [f"--config.{field}={value}" for field, value in TINY.items()]
    command = [sys.executable, "-m", "experiments.babble", *flags, f"--workdir={folder}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def leaves(folder):
    """Every leaf of the last checkpoint: learner, optimiser, buffer, curiosity, tables, keys."""
    config = _config.load("configs/babble.py:laptop")
    for field, value in TINY.items():
        _config.override(config, field, value)
    init, _ = babbling.make_train(babble.settings_of(config, "competence", 21))
    keys = jax.vmap(jax.random.key)(np.arange(int(TINY["seeds"])))
    state, step = checkpoint.restore(
        folder / "checkpoints" / "competence", jax.eval_shape(init, keys)
    )
    assert step == ITERATIONS
    state = jax.tree.map(lambda x: jax.random.key_data(x) if is_key(x) else x, state)
    flat, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in flat}


def is_key(leaf):
    """Whether a leaf is a typed random key."""
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def saved(folder):
    """Names of the checkpoints, and of those at work."""
    place = folder / "checkpoints" / "competence"
    return sorted(path.name for path in place.glob("*")) if place.exists() else []


def kill_once(folder, luck, in_a_save):
    """Lets the run go on a while past its last checkpoint, then SIGKILL; whether it was alive."""
    process, before = start(folder), saved(folder)
    while process.poll() is None and saved(folder) == before:
        time.sleep(0.001 if in_a_save else 0.02)
    if not in_a_save:
        time.sleep(luck.uniform(0.0, 1.0))
    alive = process.poll() is None
    process.kill()
    process.wait()
    return alive


@pytest.mark.slow
@pytest.mark.parametrize("kills", [pytest.param(3, marks=pytest.mark.guard), 20])
def test_killed_and_the_same_bits_as_unbroken(tmp_path, unbroken, kills):
    luck, killed = random.Random(kills), 0
    for number in range(kills):
        killed += kill_once(tmp_path / "run", luck, in_a_save=number % 4 == 1)
        if (tmp_path / "run" / "result.json").exists():
            break
    assert killed >= min(kills, 20)
    assert start(tmp_path / "run").wait() in (0, 1)
    mended = leaves(tmp_path / "run")
    assert mended.keys() == unbroken.keys()
    for name, leaf in unbroken.items():
        np.testing.assert_array_equal(mended[name], leaf, err_msg=name)
