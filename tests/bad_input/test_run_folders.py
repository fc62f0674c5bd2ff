"""Folders of runs that are damaged, of another config, or at work."""

import fcntl
import json

import pytest

from experiments import _config, _parts
from tests.bad_input.refusal import ROOT, SHIPPED, refused


def spoil(name, content):
    def harm(folder):
        (folder / name).write_bytes(content)

    return harm


def folder_in_the_way(folder):
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()


OLD_RESULT = json.dumps({"config_hash": "0" * 16, "passed": True}).encode()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (spoil("config.json", b"{"), "config.json is damaged (Expecting property name"),
        (spoil("config.json", b"[1]"), "config.json is damaged (it holds a list): delete it"),
        (spoil("config.json", b"\xff\xfe"), "config.json is damaged"),
        (spoil("config.json", b"[" * 100_000), "config.json is damaged"),
        (spoil("config.json", b'{"seeds": 2}'), "of another config: batch is absent there"),
        (spoil("resume.json", b""), "resume.json is damaged"),
        (spoil("resume.json", b"{}"), "resume.json is damaged (it holds no lengths)"),
        (spoil("resume.json", b'{"wall_s": "1", "metrics_bytes": {}}'), "resume.json is damaged"),
        (spoil("resume.json", b'{"wall_s": 1, "metrics_bytes": [1]}'), "resume.json is damaged"),
        (spoil("given.json", b"[]"), "given.json is damaged (it holds a list)"),
        (spoil("result.json", b'{"pass'), "result.json is no JSON"),
        (spoil("result.json", b"[]"), "result.json: result: [] is not of type 'object'"),
        (spoil("result.json", OLD_RESULT), "is a required property: delete it to have it made"),
        (folder_in_the_way, "config.json: Is a directory."),
    ],
)
def test_a_damaged_folder_is_told(command, tmp_path, harm, words):
    with pytest.raises(AssertionError, match="went to work"):
        command("support")
    harm(tmp_path / "run")
    refused(command, words, "support")


def test_a_folder_of_another_config_or_of_a_run_at_work(command, tmp_path):
    with pytest.raises(AssertionError, match="went to work"):
        command("support")
    refused(command, "seeds is 20 there and 2 here; give another", "support", "--config.seeds=2")
    with open(tmp_path / "run" / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(command, "another run is working in", "support")


def test_a_part_that_is_damaged_is_told(tmp_path):
    path = tmp_path / "part.npz"
    for content in (b"", b"PK", (ROOT / SHIPPED).read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(_config.BadInput, match=r"part\.npz is damaged .*: delete it"):
            _parts.load(path)
