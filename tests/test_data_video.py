"""Loaders of real video: the layouts, what is in a clip, and everything that can be wrong."""

# PyAV's streams of an unknown codec are of any kind to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import json
import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from nsca_jax.data import video
from nsca_jax.data.video import DataError, Settings, Tolerance, open_dataset

ENCODERS = {
    ".webm": ("libvpx", {"deadline": "realtime", "cpu-used": "8"}),
    ".mp4": ("libx264", {"preset": "ultrafast"}),
}
TEMPLATES = {
    "Pushing something": "1",
    "Dropping something": "0",
    "Lifting a part of something": "2",
}
SMALL = Settings(frames=4, stride=2, height=24, width=32)


def film(path, frames=20, seed=0, size=(48, 64)):
    """A clip whose frame t is grey of the value 10 t, with noise in a corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    codec, options = ENCODERS[path.suffix]
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=12, options=options)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for t in range(frames):
            image = np.full((*size, 3), 10 * t, np.uint8)
            image[:8, :8] = rng.integers(0, 255, (8, 8, 3))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


def something_something(folder, clips=6, labels=True):
    """The data set's layout, with so many clips in `train` and one in each other split."""
    for number in range(1, clips + 3):
        film(folder / "20bn-something-something-v2" / f"{number}.webm", seed=number)
    notes = folder / "labels" if labels else folder
    notes.mkdir(exist_ok=True)
    marked = ["[Something] falls", "Dropping [something]", "Lifting [a part] of [something]"]
    entries = [
        {
            "id": str(number),
            "label": "dropping a cup",
            "template": marked[1 + number % 2],
            "placeholders": ["a cup"],
        }
        for number in range(1, clips + 2)
    ]
    for name, value in {
        "labels.json": TEMPLATES,
        "train.json": entries[:clips],
        "validation.json": entries[clips:],
        "test.json": [{"id": str(clips + 2)}],
    }.items():
        (notes / name).write_text(json.dumps(value))
    (notes / "test-answers.csv").write_text(f"{clips + 2};Pushing something\n")
    return folder


def kinetics(folder, annotations=True, classes=True):
    """The data set's layout: two classes, one clip of the annotations missing."""
    rows = ["label,youtube_id,time_start,time_end,split"]
    listed = [
        ('"air drumming"', "-3B32lodo2M", 59, 69),
        ("zumba", "0abcdefgh_1", 0, 10),
        ("zumba", "zz-_defgh_2", 100, 110),
    ]
    for label, name, start, end in listed:
        rows.append(f"{label},{name},{start},{end},train")
        place = folder / "train" / label.strip('"') if classes else folder / "train"
        if name[0] != "z":
            film(place / f"{name}_{start:06d}_{end:06d}.mp4")
    notes = folder / "annotations" if annotations else folder
    notes.mkdir(exist_ok=True)
    (notes / "train.csv").write_text("\n".join(rows) + "\n")
    (notes / "val.csv").write_text(
        "label,youtube_id,time_start,time_end,split\nabseiling,a,0,10,val\n"
    )
    return folder


@pytest.fixture(scope="module")
def ssv2(tmp_path_factory):
    return something_something(tmp_path_factory.mktemp("ssv2"))


@pytest.fixture
def own_ssv2(ssv2, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(ssv2, tmp_path / "ssv2"))


def clip_path(folder, number):
    return folder / "20bn-something-something-v2" / f"{number}.webm"


def test_something_something_gives_clips_with_their_classes(ssv2):
    dataset = open_dataset("something_something", ssv2, SMALL)
    assert dataset.classes == (
        "Dropping something",
        "Pushing something",
        "Lifting a part of something",
    )
    clips = list(dataset.clips())
    assert [str(c["id"]) for c in clips] == ["1", "2", "3", "4", "5", "6"]
    assert [int(c["label"]) for c in clips] == [2, 0, 2, 0, 2, 0]
    assert clips[0]["frames"].shape == (4, 24, 32, 3)
    assert clips[0]["frames"].dtype == np.uint8
    assert all(c["length"] == 4 for c in clips)


def test_the_clip_is_the_middle_of_the_file_at_the_stride(ssv2):
    clip = next(open_dataset("something_something", ssv2, SMALL).clips())
    grey = clip["frames"][:, 16:, 16:].mean((1, 2, 3))
    first = (20 - 7) // 2  # of 20 frames, 7 are spanned
    np.testing.assert_allclose(grey, 10 * (first + 2 * np.arange(4)), atol=4)


def test_other_splits_and_the_flat_layout(tmp_path):
    folder = something_something(tmp_path, clips=1, labels=False)
    (answered,) = open_dataset("something_something", folder, SMALL, "test").clips()
    assert (str(answered["id"]), int(answered["label"])) == ("3", 1)
    (folder / "test-answers.csv").unlink()
    (kept_back,) = open_dataset("something_something", folder, SMALL, "test").clips()
    assert int(kept_back["label"]) == -1
    assert len(open_dataset("something_something", folder, SMALL, "validation").ids) == 1


@pytest.mark.parametrize(("annotations", "classes"), [(True, True), (False, False)])
def test_kinetics_joins_table_and_files_and_counts_missing_clips(tmp_path, annotations, classes):
    folder = kinetics(tmp_path, annotations, classes)
    dataset = open_dataset("kinetics", folder, Settings(4, 2, 24, 32, tolerance=Tolerance(0, 0.5)))
    assert dataset.classes == ("abseiling", "air drumming", "zumba")
    assert dataset.missing == ("zz-_defgh_2_000100_000110",)
    clips = list(dataset.clips())
    assert [str(c["id"]) for c in clips] == [
        "-3B32lodo2M_000059_000069",
        "0abcdefgh_1_000000_000010",
    ]
    assert [int(c["label"]) for c in clips] == [1, 2]
    with pytest.raises(DataError, match="1 of 3 listed clips are missing"):
        open_dataset("kinetics", folder, SMALL)


def test_batches_are_the_same_again_and_whatever_the_threads(ssv2):
    def first(threads, seed):
        settings = Settings(4, 2, 24, 32, threads=threads)
        stream = open_dataset("something_something", ssv2, settings).batches(4, seed=seed)
        return [next(stream) for _ in range(6)]

    one, again, other = first(1, 7), first(4, 7), first(2, 8)
    for a, b in zip(one, again, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
    assert any((a["id"] != b["id"]).any() for a, b in zip(one, other, strict=True))
    ids = np.concatenate([batch["id"] for batch in one])
    assert all(set(ids[epoch : epoch + 6]) == set("123456") for epoch in (0, 6, 12, 18))
    assert (ids[:6] != ids[6:12]).any()


def test_a_saved_state_goes_on_with_the_same_batches(own_ssv2):
    clip_path(own_ssv2, 3).write_bytes(b"")
    settings = Settings(4, 2, 24, 32, tolerance=Tolerance(broken=0.2))
    dataset = open_dataset("something_something", own_ssv2, settings)
    stream = dataset.batches(4, seed=3)
    for _ in range(3):
        next(stream)
    state = json.loads(json.dumps(stream.get_state()))
    expected = [next(stream) for _ in range(5)]
    more_threads = Settings(4, 2, 24, 32, threads=3, tolerance=Tolerance(broken=0.2))
    resumed = open_dataset("something_something", own_ssv2, more_threads).batches(4, seed=3)
    resumed.set_state(state)
    assert resumed.skipped == {"3": "is empty"}
    for wanted in expected:
        got = next(resumed)
        for name in wanted:
            np.testing.assert_array_equal(got[name], wanted[name])
    with pytest.raises(ValueError, match="of other files, settings, batches or seed"):
        dataset.batches(4, seed=4).set_state(state)


def test_training_draws_moments_from_the_whole_clip(ssv2):
    stream = open_dataset("something_something", ssv2, SMALL).batches(6, seed=0)
    greys = np.concatenate(
        [next(stream)["frames"][:, 0, 16:, 16:].mean((1, 2, 3)) for _ in range(20)]
    )
    starts = np.unique(np.round(greys / 10).astype(int))
    assert starts.tolist() == list(range(20 - 7 + 1))


def test_the_last_batch_of_an_ordered_pass_is_short(ssv2):
    sizes = [len(b["id"]) for b in open_dataset("something_something", ssv2, SMALL).batches(4)]
    assert sizes == [4, 2]


def test_a_short_file_repeats_its_last_frame(tmp_path):
    film(tmp_path / "short.webm", frames=5)
    frames, length = video.decode(tmp_path / "short.webm", SMALL)
    assert length == 3
    np.testing.assert_array_equal(frames[3], frames[2])
    assert (frames[2] != frames[1]).any()


def test_frames_that_an_mp4_hides_do_not_count(tmp_path):
    """A cut without encoding leaves frames in the file that its edit list does not show."""
    path = tmp_path / "film.mp4"
    film(path, frames=24)
    content = bytearray(path.read_bytes())
    at = content.find(b"elst") + 12  # how long the film is shown, in thousandths of a second
    content[at : at + 4] = (1000).to_bytes(4, "big")
    path.write_bytes(content)
    frames, length = video.decode(path, SMALL)
    assert length == 4
    first = (12 - 7) // 2
    grey = frames[:, 16:, 16:].mean((1, 2, 3))
    np.testing.assert_allclose(grey, 10 * (first + 2 * np.arange(4)), atol=4)


def test_frames_are_scaled_to_cover_and_cut_to_the_middle(tmp_path):
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=12)
        stream.height, stream.width, stream.pix_fmt = 40, 160, "yuv420p"
        image = np.zeros((40, 160, 3), np.uint8)
        image[:, 60:100] = 255
        file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())
    frames, _ = video.decode(path, Settings(1, 1, 20, 40))
    bright = frames[0].mean((0, 2)) > 128
    assert (bright[10:30].all(), bright[:9].any(), bright[31:].any()) == (True, False, False)


def broken_files(folder):
    """Name -> what is wrong with it, of files that are made here."""
    film(folder / "whole.webm", frames=25)
    film(folder / "whole.mp4", frames=25)
    with (  # the same with its table of frames in front, as for streaming
        av.open(str(folder / "whole.mp4")) as whole,
        av.open(str(folder / "front.mp4"), "w", container_options={"movflags": "faststart"}) as to,
    ):
        stream = to.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            packet.stream = stream
            if packet.size:
                to.mux(packet)
    cases = {"empty": (b"", "is empty"), "text": (b"not a film\n" * 99, "is no readable video")}
    for path in sorted(folder.glob("*.*")):
        name, whole = path.name, path.read_bytes()
        for share in (0.05, 0.3, 0.6, 0.85):
            cases[f"{share}{name}"] = (whole[: int(share * len(whole))], None)
    for name, (content, reason) in cases.items():
        path = folder / (name if "." in name else f"{name}.webm")
        path.write_bytes(content)
        yield path, reason


def test_truncated_empty_and_foreign_files_are_broken(tmp_path):
    for path, reason in broken_files(tmp_path):
        with pytest.raises(video.Broken, match=reason):
            video.decode(path, SMALL)


def test_what_is_no_file_and_what_has_no_picture_is_broken(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    film(tmp_path / "film.mp4")
    (tmp_path / "film.avi").write_bytes((tmp_path / "film.mp4").read_bytes())
    with av.open(str(tmp_path / "sound.mp4"), "w") as file:
        stream = file.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    for name, reason in {
        "folder.mp4": "no regular file",
        "pipe.mp4": "no regular file",
        "gone.mp4": "cannot be read",
        "film.avi": "none of .webm, .mp4",
        "sound.mp4": "no video stream",
    }.items():
        with pytest.raises(video.Broken, match=reason):
            video.decode(tmp_path / name, SMALL)


def test_a_playlist_cannot_make_it_read_other_files(tmp_path):
    film(tmp_path / "secret.mp4")
    playlist = "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n"
    for name in ("list.mp4", "list.webm"):
        (tmp_path / name).write_text(playlist)
        with pytest.raises(video.Broken):
            video.decode(tmp_path / name, SMALL)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (video.Limits(bytes=100), "more than 100"),
        (video.Limits(frames=19), "more than 19 frames"),
        (video.Limits(pixels=48 * 64 - 1), "pixels|readable"),
    ],
)
def test_limits_of_bytes_frames_and_pixels(tmp_path, limits, reason):
    film(tmp_path / "film.webm")
    with pytest.raises(video.Broken, match=reason):
        video.decode(tmp_path / "film.webm", Settings(4, 2, 8, 8, limits=limits))
    enough = video.Limits(bytes=10**6, frames=20, pixels=48 * 64)
    video.decode(tmp_path / "film.webm", Settings(4, 2, 8, 8, limits=enough))


def test_broken_files_are_skipped_counted_and_listed(own_ssv2):
    whole = clip_path(own_ssv2, 2).read_bytes()
    clip_path(own_ssv2, 2).write_bytes(whole[: len(whole) // 2])
    clip_path(own_ssv2, 5).write_text("not a film")
    settings = Settings(4, 2, 24, 32, tolerance=Tolerance(broken=0.34))
    stream = open_dataset("something_something", own_ssv2, settings).clips()
    assert [str(clip["id"]) for clip in stream] == ["1", "3", "4", "6"]
    assert sorted(stream.skipped) == ["2", "5"]
    assert "truncated" in stream.skipped["2"]
    endless = open_dataset("something_something", own_ssv2, settings).batches(4, seed=0)
    for _ in range(9):
        assert not set(next(endless)["id"]) & {"2", "5"}
    assert sorted(endless.skipped) == ["2", "5"]


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_more_than_the_share_of_broken_files_stops_the_run(own_ssv2, share):
    for number in (2, 5) if share < 1 else range(1, 7):
        clip_path(own_ssv2, number).write_bytes(b"")
    settings = Settings(4, 2, 24, 32, tolerance=Tolerance(broken=share))
    with pytest.raises(DataError, match=r"2 files are broken.*is empty|none of 6"):
        list(open_dataset("something_something", own_ssv2, settings).clips())


def test_a_missing_data_set_is_said_in_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"20bn-something-something-v2\.$"):
        open_dataset("something_something", tmp_path)
    (tmp_path / "20bn-something-something-v2").mkdir()
    with pytest.raises(
        DataError, match=r"labels\.json is missing: expected .*labels\.json or .*\.$"
    ):
        open_dataset("something_something", tmp_path)
    with pytest.raises(DataError, match=r"train clips is missing: expected .*train\.$"):
        open_dataset("kinetics", tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"annotations are missing: expected .*train\.csv\.$"):
        open_dataset("kinetics", tmp_path)
    (tmp_path / "train.csv").write_text(
        "label,youtube_id,time_start,time_end,split\nx,a,0,10,train\n"
    )
    with pytest.raises(DataError, match="none of 1 listed clips"):
        open_dataset("kinetics", tmp_path)
    with pytest.raises(DataError, match="no data set 'imagenet'"):
        open_dataset("imagenet", tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("labels.json", "{", "is no JSON"),
        ("labels.json", "[]", "holds a list, needs a dict"),
        ("labels.json", '{"a": "0", "b": "0"}', "must number its 2 templates"),
        ("labels.json", '{"a": {"0": 1}}', "must number its 1 templates"),
        ("labels.json", "", "is empty"),
        ("train.json", "[" * 100_000, "is no JSON"),
        ("train.json", "[3]", "entry 1: needs the text field 'id'"),
        ("train.json", '[{"id": "../../x", "template": "x"}]', "id must be a number"),
        ("train.json", '[{"id": "1", "template": "Eating [it]"}]', "'Eating it' is not in labels"),
        ("train.json", "9" * 5000, "is no JSON"),
    ],
)
def test_annotations_that_are_wrong_are_said_in_one_sentence(own_ssv2, name, text, reason):
    (own_ssv2 / "labels" / name).write_text(text)
    with pytest.raises(DataError, match=reason):
        open_dataset("something_something", own_ssv2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n", "no column 'youtube_id'"),
        ("label,youtube_id,time_start,time_end,split\nx,y,0\n", "line 2: has 3 of 5 fields"),
        ("label,youtube_id,time_start,time_end,split\nx,y,0,ten,train\n", "needs whole seconds"),
        (
            "label,youtube_id,time_start,time_end,split\n\x00,y,0,10,train\n",
            "none of 1 listed clips",
        ),
    ],
)
def test_a_wrong_table_is_said_in_one_sentence(tmp_path, text, reason):
    (tmp_path / "train").mkdir()
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        open_dataset("kinetics", tmp_path)


def test_damaged_bytes_give_a_clip_or_are_broken(tmp_path):
    rng = np.random.default_rng(0)
    for suffix in (".webm", ".mp4"):
        path = tmp_path / f"film{suffix}"
        film(path)
        whole = path.read_bytes()
        outcomes = set()
        for _ in range(150):
            content = bytearray(whole)
            reach = len(content) if rng.random() < 0.5 else 600  # the head has the most to say
            for place in rng.integers(min(reach, len(content)), size=rng.integers(1, 60)):
                content[place] = rng.integers(256)
            path.write_bytes(content)
            try:
                frames, _ = video.decode(path, SMALL, rng)
                assert frames.shape == (4, 24, 32, 3)
                outcomes.add("clip")
            except video.Broken:
                outcomes.add("broken")
        assert outcomes == {"clip", "broken"}
