"""Loaders of real video: the layouts, and what is in a clip."""

# PyAV's streams of an unknown codec are of any kind to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import json

import av
import numpy as np
import pytest

from nsca_jax.data import video
from nsca_jax.data.video import DataError, Settings, Tolerance, open_dataset
from tests.clips import SMALL, clip_path, film, kinetics, something_something


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
