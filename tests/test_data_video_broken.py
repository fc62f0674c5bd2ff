"""Loaders of real video: everything that can be wrong with files, folders and tables."""

# PyAV's streams of an unknown codec are of any kind to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import os

import av
import numpy as np
import pytest

from nsca_jax.data import video
from nsca_jax.data.video import DataError, Settings, Tolerance, open_dataset
from tests.clips import SMALL, clip_path, film


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
