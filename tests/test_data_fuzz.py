"""Strangers' annotation files: whatever is in them, the loaders raise nothing but DataError."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsca_jax.data import audio, audio_layouts, video, video_layouts

ANY = st.binary(max_size=200) | st.text(max_size=200).map(lambda s: s.encode("utf-8", "replace"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
IDS = st.sampled_from(["1", "2", "x", "", "../1"]) | st.text(max_size=4)
WORDS = st.sampled_from(["[Some] thing", "Some thing", "other"]) | JSON
ENTRIES = st.lists(
    JSON | st.fixed_dictionaries({"id": IDS | st.integers(), "template": WORDS}), max_size=4
)
LABELS = JSON | st.dictionaries(
    st.sampled_from(["Some thing", "other"]), st.sampled_from(["0", "1", "2", "", "00", 0, None])
)
CELLS = st.sampled_from(
    [
        "label",
        "youtube_id",
        "time_start",
        "time_end",
        "split",
        "0",
        "10",
        "-1",
        '"',
        "a\nb",
        "",
        "é",
    ]
)
TABLES = st.lists(st.lists(CELLS, max_size=6), max_size=5).map(
    lambda rows: "\n".join(",".join(row) for row in rows).encode()
)
HEADED = TABLES.map(lambda table: b"label,youtube_id,time_start,time_end,split\n" + table)
NUMBERS = st.floats().map(str) | st.integers(-9, 10**30).map(str) | st.text(max_size=5)
ROWS = st.lists(
    st.tuples(NUMBERS, st.sampled_from(["wood hit static", "wood", "a b c d", "\x85", "\u2028"])),
    max_size=4,
).map(lambda rows: "\n".join(f"{time} {rest}" for time, rest in rows).encode("utf-8", "replace"))


def as_json(value):
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def ssv2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ssv2")
    (folder / "20bn-something-something-v2").mkdir()
    (folder / "20bn-something-something-v2" / "1.webm").write_bytes(b"x")
    return folder


def tried(allowed, call, *arguments):
    """What the call gives; None where it refuses by the allowed exception, in one line."""
    try:
        return call(*arguments)
    except allowed as error:
        said = str(error)
    assert said
    assert "\n" not in said
    return None


def refuses_or_lists(listing, folder, split):
    """Opens what a layout lists; nothing but DataError may come of it."""
    found = tried(video.DataError, listing, folder, split)
    if found is None:
        return
    assert len(found.ids) == len(found.paths) == len(found.labels)
    assert all(-1 <= label < len(found.classes) for label in found.labels)
    assert all(folder in path.parents for path in found.paths)


@settings(max_examples=150, deadline=None)
@given(labels=ANY | LABELS.map(as_json), entries=ANY | ENTRIES.map(as_json), answers=ANY | TABLES)
def test_something_something(ssv2, labels, entries, answers):
    (ssv2 / "labels.json").write_bytes(labels)
    for split in ("train", "test"):
        (ssv2 / f"{split}.json").write_bytes(entries)
    (ssv2 / "test-answers.csv").write_bytes(answers)
    for split in ("train", "test"):
        refuses_or_lists(video_layouts.something_something, ssv2, split)


@settings(max_examples=150, deadline=None)
@given(entries=ENTRIES.map(as_json), answers=TABLES)
def test_something_something_with_good_labels(ssv2, entries, answers):
    test_something_something.hypothesis.inner_test(
        ssv2, b'{"Some thing": "0"}', entries, answers.replace(b",", b";")
    )


@settings(max_examples=200, deadline=None)
@given(train=ANY | TABLES | HEADED, test=ANY | HEADED)
def test_kinetics(tmp_path_factory, train, test):
    folder = tmp_path_factory.getbasetemp() / "kinetics"
    (folder / "train" / "zumba").mkdir(parents=True, exist_ok=True)
    (folder / "train" / "zumba" / "0_000000_000010.mp4").write_bytes(b"x")
    (folder / "train.csv").write_bytes(train)
    (folder / "test.csv").write_bytes(test)
    refuses_or_lists(video_layouts.kinetics, folder, "train")


@settings(max_examples=200, deadline=None)
@given(names=ANY | st.just(b"a\nb\n"), hits=ANY | ROWS)
def test_greatest_hits(tmp_path_factory, names, hits):
    folder = tmp_path_factory.getbasetemp() / "hits"
    folder.mkdir(exist_ok=True)
    (folder / "train.txt").write_bytes(names)
    for name in "ab":
        (folder / f"{name}_times.txt").write_bytes(hits)
        (folder / f"{name}_denoised.wav").write_bytes(b"x")
    dataset = tried(audio.DataError, audio.open_dataset, folder)
    assert dataset is None or dataset.ids


@settings(max_examples=300, deadline=None)
@given(st.text() | ROWS.map(bytes.decode))
def test_rows_of_hits(text):
    hits = tried(audio.Broken, audio_layouts.parse_hits, text)
    assert all(0 <= hit.time_s <= audio_layouts.MAX_TIME_s for hit in hits or [])
