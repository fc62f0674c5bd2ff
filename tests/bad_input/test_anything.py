"""Whatever is given, it is taken, or refused in one line."""

import io
import json

import h5py
import numpy as np
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import _config, _ranges, _run
from nsca_jax import checkpoint, documents, loading, objects
from nsca_jax.data import physion
from nsca_jax.worlds import speaker
from tests.bad_input.archives import claims, npy, packed, weights
from tests.bad_input.refusal import ROOT
from tests.bad_input.test_object_files import GOOD
from tests.test_data_fuzz import ANY, JSON, tried

NUMBERS = st.integers(-9, 99) | st.floats() | st.sampled_from(["1e4", "1e999", "0x10", None, True])
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        **{field: NUMBERS | JSON | st.just(GOOD[field]) for field in objects.FIELDS},
        "other": JSON,
    },
)
DOCUMENTS = st.fixed_dictionaries({"objects": st.lists(ENTRIES, max_size=3) | JSON}) | JSON
MARKS = "objects: - name: {} [] , ? ' \" | > % --- ... << &a *a !!int !x 2001-01-01 0x_ ._ 1:9 \n"
SNIPPETS = st.lists(st.sampled_from(MARKS.split(" ")), max_size=12).map(" ".join)
BYTES = ANY | SNIPPETS.map(str.encode)
TEXTS = st.text(max_size=20) | NUMBERS.map(str) | st.lists(NUMBERS.map(str)).map(",".join)
CONFIG = _config.load(str(ROOT / "configs" / "vision.py"))
FIELDS = st.sampled_from([*_config.fields(CONFIG), "priors", "eye_with"]) | st.text(max_size=12)
SHAPES = st.lists(st.integers(-9, 2**40), max_size=4).map(tuple)


@st.composite
def changed(draw, whole: bytes) -> bytes:
    """A file with some bytes changed, and perhaps cut short."""
    content = bytearray(whole)
    for place in draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        content[place] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.just(len(whole)) | st.integers(0, len(whole)))])


def small_trial(file):
    image = np.frombuffer(b"no picture at all", np.uint8)
    for number in range(3):
        file[f"frames/{number:04d}/images/_img"] = image
        file[f"frames/{number:04d}/labels/target_contacting_zone"] = number == 2


def in_memory(write) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


@settings(max_examples=400, deadline=None)
@given(BYTES | DOCUMENTS.map(lambda tree: yaml.safe_dump(tree).encode()))
def test_any_object_file(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(content)
    found = tried(objects.ObjectError, objects.load, path)
    if found is not None:
        assert len(found.names) == len(found.properties.shape) > 0
        assert np.isfinite(found.properties.mass_kg).all()


@settings(max_examples=200, deadline=None)
@given(JSON.map(yaml.safe_dump).filter(lambda text: "!!" not in text))
def test_any_tree_of_values_is_read_as_yaml_reads_it(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    path.write_text(text, encoding="utf-8")
    assert repr(documents.read(path)) == repr(yaml.safe_load(text))


@settings(max_examples=300, deadline=None)
@given(JSON | DOCUMENTS, st.sampled_from(["names", "carriers", "shown", "stands_out", "lead"]))
def test_any_lexicon(tree, field):
    whole = documents.read(ROOT / "configs" / "speaker.yaml")
    for document in (tree, whole | {field: tree}):
        tried(ValueError, speaker.lexicon, document)


@settings(max_examples=400, deadline=None)
@given(FIELDS.filter(str.isprintable), TEXTS.filter(str.isprintable))
def test_any_override(field, text):
    config = CONFIG.copy_and_resolve_references()
    kinds = {name: type(value) for name, value in _config.fields(config).items()}
    tried(_config.BadInput, _config.override, config, field, text)
    tried(_config.BadInput, _ranges.check, config)
    assert {name: type(value) for name, value in _config.fields(config).items()} == kinds


@settings(max_examples=200, deadline=None)
@given(st.lists((st.text(max_size=15) | TEXTS.map("--config.seeds={}".format)), max_size=4))
def test_any_command_line(arguments):
    printable = [argument for argument in arguments if argument.isprintable()]
    tried(_config.BadInput, _config.parse, "support", printable)


@settings(max_examples=300, deadline=None)
@given(
    ANY
    | st.text(max_size=80).map(lambda text: packed(header=npy(text)))
    | SHAPES.map(lambda shape: packed(header=claims(shape)))
    | JSON.map(lambda tree: weights(tree))
    | changed(weights({"experiment": "babble"}, x=np.arange(600.0)))
)
def test_any_file_of_weights(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.npz"
    path.write_bytes(content)
    tried(checkpoint.CheckpointError, loading.load, path)


@settings(max_examples=200, deadline=None)
@given(changed(in_memory(small_trial)))
def test_any_hdf5_file(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.hdf5"
    path.write_bytes(content)
    tried(physion.Broken, physion.read_trial, path, (0,), physion.Settings((0,), (0,)))


@settings(max_examples=200, deadline=None)
@given(ANY | JSON.map(lambda tree: json.dumps(tree).encode()))
def test_any_file_of_a_run(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "resume.json"
    path.write_bytes(content)
    for read in (_run.read_json, _run._read_resume, _run.read_result):
        tried(_config.BadInput, read, path)
