"""Weights and checkpoints: damaged, of other versions, with pickles inside, too large."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from nsca_jax import checkpoint, loading
from tests.bad_input.archives import array, claims, npy, overstated, packed, weights
from tests.bad_input.refusal import SHIPPED, refused


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


HEADERS = [
    ({"experiment": "balloon", "config": {}}, "was not made by experiments.babble"),
    ({"experiment": "babble"}, "does not say how it was made"),
    ({"experiment": "babble", "config": {"seeds": 3}}, "made by another version: its config lacks"),
    ({"experiment": ["babble"], "config": {}}, "was not made by experiments.babble"),
    ([1, 2], "its header holds a list"),
]
FILES = [
    (b"", "is damaged"),
    (b"not weights", "is damaged"),
    (pickle.dumps({"a": 1}), "is damaged"),
    (array(np.zeros(3)), "is damaged"),
    (packed(header=b"no array"), "is damaged"),
    (packed(other=array(np.zeros(3))), "it has no header"),
    (packed(header=array(np.frombuffer(b"[" * 50_000, np.uint8))), "its header is no JSON"),
    (packed(header=claims("(10**15,)")), "is damaged"),
    (packed(header=claims("(1000000000000000,)")), "claims float64[1000000000000000] and is not"),
    (packed(header=claims("(4294967296, 4294967296, 4294967296)")), "and is not"),
    (packed(header=claims("(-1, -8)")), "is damaged"),
    (packed(header=npy("{" * 5000)), "is damaged"),
    (packed(header=npy("__import__('os').system('touch harmed')")), "is damaged"),
    (
        packed(header=npy("{'descr': 'O', 'fortran_order': False, 'shape': (1,), }")),
        "claims object",
    ),
    (overstated(), "unpacks to 4294967294 bytes"),
    *((weights(header), words) for header, words in HEADERS),
]


@pytest.mark.parametrize(("content", "words"), FILES, ids=range(len(FILES)))
def test_a_file_that_holds_no_weights(command, tmp_path, content, words):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    refused(command, words, "pretrained", f"--config.weights={path}")
    for name, field in (("audio", "vision"), ("fusion", "audio"), ("temporal", "fusion")):
        state = ["--config.state=fused"] if name == "temporal" else []
        refused(command, f"{path} holds no trained", name, f"--config.{field}={path}", *state)
    with pytest.raises(checkpoint.CheckpointError):
        loading.load(path)
    assert not Path("harmed").exists()


def test_weights_cut_short_or_changed_are_refused(command, tmp_path):
    path = tmp_path / "mine.npz"
    whole = Path(SHIPPED).read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0xFF
    for content in (whole[:1000], whole[:-100], bytes(changed)):
        path.write_bytes(content)
        refused(command, "is damaged", "pretrained", f"--config.weights={path}")


def test_weights_of_another_structure_are_refused(command, tmp_path):
    path = tmp_path / "mine.npz"
    arrays = checkpoint.read_arrays(SHIPPED)
    name = next(name for name in arrays if name.startswith("params"))
    arrays[name] = arrays[name][..., :1]
    checkpoint.write_arrays(path, arrays)
    refused(command, "does not fit this program: params", "pretrained", f"--config.weights={path}")


@pytest.mark.parametrize(
    "header",
    [
        {"experiment": "audio"},
        {"experiment": "audio", "width": "wide", "seeds": [0]},
        {"experiment": "vision", "patch": 0, "width": 4, "code": 8, "innate": {}, "side": 32},
        {"experiment": "fusion", "eye": [], "seeds": [0]},
        {"experiment": "temporal", "config": {}, "arm": "prior"},
        {"experiment": "babble", "config": {"learner": {"width": -1}}},
        {"width": 2**40, "seeds": 3},
        {"experiment": {}},
        {},
    ],
)
def test_a_header_of_another_version_is_told(tmp_path, header):
    path = tmp_path / "mine.npz"
    path.write_bytes(weights(header, a=np.zeros(2)))
    with pytest.raises(checkpoint.CheckpointError) as error:
        loading.load(path)
    assert "\n" not in str(error.value)


def test_no_pickle_is_ever_run(command, tmp_path):
    harmed = tmp_path / "harmed"
    payload = Payload(harmed)
    pickle.loads(pickle.dumps(payload))
    assert harmed.exists()  # the payload works
    harmed.unlink()
    inside = array(np.array([payload], object), allow_pickle=True)
    header = json.dumps({"experiment": "babble", "config": {}}).encode()
    path = tmp_path / "mine.npz"
    for content in (
        pickle.dumps(payload),
        inside,
        packed(header=inside),
        packed(header=array(np.frombuffer(header, np.uint8)), params=inside),
    ):
        path.write_bytes(content)
        refused(command, str(path), "pretrained", f"--config.weights={path}")
        refused(command, str(path), "audio", f"--config.vision={path}")
        with pytest.raises(checkpoint.CheckpointError):
            checkpoint.read_arrays(path)
    assert not harmed.exists()


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, header=np.zeros(2**22, np.uint8))
    assert path.stat().st_size < 10_000
    with pytest.raises(
        checkpoint.CheckpointError, match=r"unpacks to 4194\d+ bytes, more than 100"
    ):
        checkpoint.read_arrays(path, max_bytes=1_000_000)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("", "manifest.json: Expecting value"),
        ("[]", "manifest.json: list indices"),
        ("{}", "manifest.json: 'files'"),
        ('{"files": {}}', "manifest.json: 'leaves'"),
        ('{"files": {"gone": 1}, "leaves": {}, "keys": {}}', "gone is missing"),
        ('{"files": 3, "leaves": {}, "keys": {}}', "manifest.json"),
    ],
)
def test_a_checkpoint_of_another_version_is_told(tmp_path, manifest, words):
    folder = tmp_path / "step_000000003"
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises(checkpoint.CheckpointError) as error:
        checkpoint.restore(tmp_path, {"x": np.zeros(2)})
    assert words in str(error.value)
