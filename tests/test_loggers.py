"""TensorBoard and W&B are told what metrics.jsonl is told: no more, no less, and only on demand."""

import glob
import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments._config import BadInput
from experiments._run import Run
from nsca_jax.reports import loggers, metrics
from tests.test_launch import place, run, start, wait_for  # noqa: F401 - `place` is a fixture

STATE = {"x": np.zeros(2)}


def tensorboard_scalars(folder):
    """[(name, step, value)] of the event files, read as the format is documented.

    A record is its length (8 bytes), a checksum (4), a protobuf Event, and a checksum (4).
    """
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2", reason="tensorboardX is absent")
    told = []
    for path in sorted(glob.glob(str(folder / "events.out.tfevents.*"))):
        with open(path, "rb") as file:
            while head := file.read(12):
                event = event_pb2.Event.FromString(file.read(struct.unpack("<Q", head[:8])[0]))
                file.read(4)
                told += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
    return told


def wandb_history(folder):
    """[{name: value}] of the offline runs in `folder`.

    A file is seven bytes and then LevelDB's log: blocks of 32 KiB of pieces, each a checksum (4
    bytes), a length (2) and a kind (1: a whole protobuf Record, 4: the last piece of one).
    """
    wandb_pb2 = pytest.importorskip("wandb.proto.wandb_internal_pb2", reason="wandb is absent")
    rows = []
    for path in sorted(glob.glob(str(folder / "wandb" / "offline-run-*" / "run-*.wandb"))):
        content, at, pieces = Path(path).read_bytes(), 7, b""
        while at < len(content):
            if (left := -at % 2**15) < 7:  # no room for another piece in this block
                at += left
                continue
            length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
            pieces += content[at + 7 : at + 7 + length]
            at += 7 + length
            if kind in (1, 4):
                items, pieces = wandb_pb2.Record.FromString(pieces).history.item, b""
                row = {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}
                rows.append({name: x for name, x in row.items() if not name.startswith("_")})
    return [row for row in rows if row]


@pytest.fixture
def logged(tmp_path):
    """Opens a run in this test's folder."""
    opened = []

    def open_run(*names):
        for one in opened:
            one._lock.close()
        opened.append(Run("tiny", tmp_path, {"steps": 3, "loggers": names}))
        return opened[-1]

    yield open_run
    for one in opened:
        one.close()


def test_a_line_becomes_numbers_by_name():
    line = {"step": 3, "arm": "count", "loss": [0.5, None], "deep": {"x": 1}, "empty": None}
    assert loggers.scalars(line) == {"count/loss/0": 0.5, "count/deep/x": 1.0}


def test_none_by_default(tmp_path, logged):
    one = logged()
    one.log(1, {"loss": 0.5})
    one.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "config.json", "metrics.jsonl"]


def test_tensorboard_holds_the_figures(tmp_path, logged):
    one = logged("tensorboard")
    one.log(1, {"loss": [0.5, 0.25], "arm": "a"})
    one.log(2, {"loss": [0.125, None], "arm": "a"})
    one.close()
    assert tensorboard_scalars(tmp_path / "tensorboard") == [
        ("a/loss/0", 1, 0.5),
        ("a/loss/1", 1, 0.25),
        ("a/loss/0", 2, 0.125),
    ]


def test_wandb_is_offline_and_holds_the_figures(tmp_path, logged, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    one = logged("wandb")
    one.log(5, {"loss": [0.5]})
    one.log(0, {"loss": [0.25], "arm": "b"})  # another arm counts from zero
    one.close()
    assert wandb_history(tmp_path) == [{"step": 5, "loss/0": 0.5}, {"step": 0, "b/loss/0": 0.25}]


def test_after_an_interruption_no_line_is_missing_and_none_is_there_twice(tmp_path, logged):
    one = logged("tensorboard", "wandb")
    one.log(1, {"loss": 1.0})
    one.save(1, STATE)
    one.log(2, {"loss": 99.0})  # not saved: the resumed run logs it again
    one.close()
    two = logged("tensorboard", "wandb")
    assert two.restore(STATE) is not None
    two.log(2, {"loss": 2.0})
    two.log(3, {"loss": 3.0})
    two.close()
    expected = [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert [x[1:] for x in tensorboard_scalars(tmp_path / "tensorboard")] == expected
    assert [(r["step"], r["loss"]) for r in wandb_history(tmp_path)] == expected
    kept = metrics.read(tmp_path / "metrics.jsonl")[0]
    assert [(r["step"], r["loss"]) for r in kept] == expected


def test_going_back_to_a_checkpoint_within_a_run(tmp_path, logged):
    one = logged("tensorboard")
    one.log(1, {"loss": 1.0})
    one.save(1, STATE)
    one.log(2, {"loss": 99.0})
    one.restore(STATE)
    one.log(2, {"loss": 2.0})
    one.close()
    told = [x[1:] for x in tensorboard_scalars(tmp_path / "tensorboard")]
    assert told == [(1, 1.0), (2, 2.0)]


def test_loggers_are_no_part_of_a_run_s_identity(tmp_path, logged):
    plain = logged()
    told = logged("tensorboard")  # the same folder: another config would be refused
    assert plain.config_hash == told.config_hash
    assert "loggers" not in json.loads((tmp_path / "config.json").read_text())


@pytest.mark.parametrize(("name", "package"), [("wandb", "wandb"), ("tensorboard", "tensorboardX")])
def test_a_missing_package_is_one_sentence_that_names_the_extra(monkeypatch, name, package, logged):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == package else find(n, *a)
    )
    with pytest.raises(ValueError, match=rf"{package}: pip install 'nsca_jax\[log\]'\.$"):
        logged(name)


def test_a_failed_opening_is_bad_input(logged, monkeypatch):
    def refuse(*arguments):
        raise loggers.LoggerError("logger 'wandb' cannot be opened: no account.")

    monkeypatch.setattr(loggers, "WandB", refuse)
    with pytest.raises(BadInput, match="no account"):
        logged("wandb").log(1, {"loss": 1.0})


def test_from_the_command_line(place):  # noqa: F811
    status, out, _ = run(place, "--config.loggers=tensorboard")
    assert status == 0, out
    told = tensorboard_scalars(place / "runs" / "tiny" / "tensorboard")
    assert [x for x in told if x[0] == "total"] == [
        ("total", n, t) for n, t in enumerate((1, 3, 6), 1)
    ]
    status, _, err = run(place, "--config.loggers=tensorbord", "--workdir=runs/other")
    assert status == 2
    assert "logger 'tensorbord' is none of tensorboard, wandb" in err
    assert not (place / "runs" / "other" / "metrics.jsonl").exists()


def test_neither_package_is_imported_unless_asked_for(tmp_path):
    code = (
        "import sys; from pathlib import Path; from experiments._run import Run;"
        "Run('tiny', Path(sys.argv[1]), {'steps': 3}).log(1, {'loss': 1.0});"
        "print([m for m in ('wandb', 'tensorboardX') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert told.stdout.strip() == "[]"


@pytest.mark.slow
def test_stopped_and_resumed_under_both_loggers(place):  # noqa: F811
    arguments = ("--config.steps=20", "--config.sleep_s=0.2", "--config.learner.threshold=210")
    arguments += ("--config.loggers=wandb,tensorboard",)
    folder = place / "runs" / "tiny"
    process = start(place, *arguments)
    wait_for(process, folder / "metrics.jsonl", '"step": 4')
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert run(place, *arguments)[0] == 0
    kept = [x["step"] for x in metrics.read(folder / "metrics.jsonl")[0]]
    assert [row["step"] for row in wandb_history(folder)] == kept
    assert [step for _, step, _ in tensorboard_scalars(folder / "tensorboard")] == kept
