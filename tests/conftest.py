"""What all tests share: the persistent compilation cache and the simulation's programs."""

import os
import shutil
from pathlib import Path

# XLA complains at length that a cached program names features that this very machine invented
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax
import pytest

CACHE = Path.home() / ".cache" / "nsca_jax" / "xla"
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    jax.config.update("jax_compilation_cache_dir", str(CACHE))


@pytest.fixture(scope="session")
def lab():
    """The simulation, compiled once for the whole session (tests/lab.py)."""
    from tests.lab import Lab

    return Lab()


@pytest.fixture(scope="session")
def household():
    """(properties, scene) of the thirty objects of both sets, as NumPy and compiled."""
    from nsca_jax import objects
    from nsca_jax.sim import scene

    root = Path(__file__).parent.parent / "configs"
    sets = [objects.load(root / f"objects_set_{name}.yaml") for name in "ab"]
    truth = objects.concatenate(sets).properties
    return jax.device_get(truth), scene.build(truth)


@pytest.fixture(scope="session")
def ssv2(tmp_path_factory):
    """Small clips in Something-Something v2's layout, for all to read."""
    from tests import clips

    return clips.something_something(tmp_path_factory.mktemp("ssv2"))


@pytest.fixture
def own_ssv2(ssv2, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(ssv2, tmp_path / "ssv2"))
