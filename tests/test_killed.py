"""A run that is killed at any instant goes on to the bits of one that nobody touched."""

import hashlib
import random
import signal
import subprocess
import sys
import time

import jax
import pytest

from nsca_jax import checkpoint
from nsca_jax.reports import metrics
from tests import bits, killed_run

pytestmark = pytest.mark.slow
KILLS = 20


def start(workdir):
    """The run as a user would start it."""
    command = [sys.executable, "-m", "tests.killed_run", "--config=tests/killed_run.py"]
    return subprocess.Popen(
        [*command, f"--workdir={workdir}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def digest(workdir) -> str:
    """A hash over the name and bits of every leaf of the last checkpoint."""
    template = jax.eval_shape(killed_run.fresh, 0)
    state, step = checkpoint.restore(workdir / "checkpoints", template)
    assert step == killed_run.ITERATIONS
    told = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(bits.on_host(state)):
        told.update(jax.tree_util.keystr(path).encode() + leaf.tobytes())
    return told.hexdigest()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """(folder, digest, seconds from the first checkpoint to the end) of an untouched run."""
    folder = tmp_path_factory.mktemp("unbroken")
    start(folder).communicate()  # compiles, and fills the cache
    again = tmp_path_factory.mktemp("again")
    process = start(again)
    began = first_save(process, again)
    process.communicate()
    assert process.returncode == 0
    assert digest(again) == digest(folder), "two processes, the same seed, other bits"
    return folder, digest(folder), time.monotonic() - began


def first_save(process, workdir) -> float:
    """Waits until this process has saved something; when that was."""
    folder, before = workdir / "checkpoints", checkpoint.latest(workdir / "checkpoints")
    while checkpoint.latest(folder) == before and process.poll() is None:
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.guard
def test_a_fresh_process_has_the_same_bits(unbroken):
    """What the fixture asserts: the digests of two processes are equal."""
    assert len(unbroken[1]) == 64


@pytest.mark.parametrize(
    "kills", [pytest.param(3, marks=pytest.mark.guard), pytest.param(KILLS - 3)]
)
def test_killed_at_random_instants_the_run_ends_with_the_same_bits(unbroken, tmp_path, kills):
    _, wanted, seconds = unbroken
    draw = random.Random(kills)
    killed = torn = 0
    while killed < kills:
        process = start(tmp_path)
        first_save(process, tmp_path)
        time.sleep(draw.uniform(0.0, 2.0 * seconds / kills))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode in (-signal.SIGKILL, 0)
        if process.returncode == 0:
            break
        killed += 1
        torn += any((tmp_path / "checkpoints").glob(".writing_*"))
        assert not (tmp_path / "result.json").exists()
    assert killed >= min(kills, 3)
    process = start(tmp_path)
    process.communicate()
    assert process.returncode == 0
    assert digest(tmp_path) == wanted
    lines, dropped = metrics.read(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, killed_run.ITERATIONS + 1))
    assert dropped == 0
    assert torn or kills < KILLS - 3, "no kill met a save: the test shows less than it says"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_politely_it_says_how_to_go_on_and_ends_with_the_same_bits(
    unbroken, tmp_path, number, status
):
    process = start(tmp_path)
    first_save(process, tmp_path)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == status
    assert "the same command goes on" in err
    assert "python -m experiments.killed_run --config=tests/killed_run.py" in err
    assert start(tmp_path).wait() == 0
    assert digest(tmp_path) == unbroken[1]
