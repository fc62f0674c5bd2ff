"""Loaders of Physion: both layouts as they are distributed, and everything that can be wrong."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportIndexIssue=false
# pyright: reportCallIssue=false

import io
import json

import av
import h5py
import numpy as np
import pytest
from PIL import Image

from nsca_jax.data import physion, physion_layouts
from nsca_jax.data.physion import DataError, Settings, open_dataset

SMALL = Settings((0, 2), (0, 1), height=16, width=16)


def encoded(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return np.frombuffer(buffer.getvalue(), np.uint8)


def trial(path, contact=(), frames=4, side=32):
    """A trial as the data set's own generator lays it out: frame t is grey of the value 20 t."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["static/stimulus_name"] = path.stem
        for t in range(frames):
            frame = file.create_group(f"frames/{t:04d}")
            image = np.full((side, side, 3), 20 * t, np.uint8)
            frame["images/_img"] = encoded(image)
            frame["images/_id"] = np.zeros(4, np.uint8)
            frame["labels/target_contacting_zone"] = t in contact
    return path


def film(path, frames=6, side=32):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = side, side, "yuv420p"
        for t in range(frames):
            image = np.full((side, side, 3), 20 * t, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


NAMES = {
    "pilot_dominoes_default_boxroom_0001": "dominoes",
    "pilot_towers_nb2_fr015_SJ010_mono0_dis0_occ0_tdwroom_unstable_0002": "support",
    "pilot_it2_collision_simple_box_0003": "collide",
    "pilot_it2_rollingSliding_simple_collision_box_0004": "roll",
    "pilot-containment-bowl_0005": "contain",
    "pilot_it2_drop_simple_box_0006": "drop",
    "pilot_linking_nl1-8_mg000_aCyl_bCyl_tdwroom1_0007": "link",
    "clothSagging_0008": "drape",
}


def films(folder, split="test"):
    place = folder / "physion_mp4s" / split
    labels = {}
    for i, name in enumerate(n for n in NAMES if "cloth" not in n):
        film(place / f"{name}.mp4")
        labels[name] = {"label": bool(i % 2), "contact_frame_label": 3}
    (place / "all_video_labels.json").write_text(json.dumps(labels))
    return place


@pytest.mark.parametrize(("name", "scenario"), NAMES.items())
def test_a_name_tells_its_scenario(name, scenario):
    assert physion.SCENARIOS[physion_layouts.scenario_of(name)] == scenario


def test_trials_of_the_hdf5_layout_are_read(tmp_path):
    trial(tmp_path / "Dominoes_testing_HDF5s" / "0000.hdf5", contact=(3,))
    trial(tmp_path / "Collide_testing_HDF5s" / "0001.hdf5")
    trial(tmp_path / "Collide_readout_training_HDF5s" / "0002.hdf5", contact=(0,))
    dataset = open_dataset(tmp_path, "test", SMALL)
    assert dataset.layout == "hdf5"
    collide, dominoes = dataset.trials()
    assert (dominoes["label"], collide["label"]) == (1, 0)  # any frame's label decides
    assert physion.SCENARIOS[collide["scenario"]] == "collide"
    assert dominoes["frames"].shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(dominoes["frames"][:, 0, 0, 0], [0, 40])
    np.testing.assert_array_equal(collide["frames"][:, 0, 0, 0], [0, 20])  # its own frames
    assert [t["label"] for t in open_dataset(tmp_path, "readout", SMALL).trials()] == [1]


def test_past_the_end_of_a_trial_its_last_frame_stands(tmp_path):
    trial(tmp_path / "testing" / "drop" / "0000.hdf5", frames=2)
    (only,) = open_dataset(tmp_path, "test", SMALL).trials()
    np.testing.assert_array_equal(only["frames"][:, 0, 0, 0], [0, 20])


def test_a_written_trial_is_read_again(tmp_path):
    images = {0: np.full((16, 16, 3), 7, np.uint8), 3: np.full((16, 16, 3), 9, np.uint8)}
    path = tmp_path / "testing" / "roll" / "roll_0000.hdf5"
    contact = {0: False, 3: False, 6: True}
    physion.write_trial(path, images, contact, {"key": (2, 5), "stimulus_name": "roll_0000"})
    frames, label = physion.read_trial(path, (0, 3), SMALL)
    np.testing.assert_array_equal(frames[:, 0, 0, 0], [7, 9])
    assert label == 1
    assert physion.read_key(path) == (2, 5)
    with pytest.raises(physion.Broken, match="0006/images"):
        physion.read_trial(path, (6,), SMALL)


def test_films_are_read_with_their_labels_and_missing_ones_counted(tmp_path):
    place = films(tmp_path)
    (place / "pilot_it2_drop_simple_box_0006.mp4").unlink()
    dataset = open_dataset(tmp_path, "test", SMALL)
    assert dataset.layout == "mp4"
    assert dataset.missing == ("pilot_it2_drop_simple_box_0006",)
    rows = {str(t["id"]): t for t in dataset.trials()}
    assert len(rows) == 6
    roll = rows["pilot_it2_rollingSliding_simple_collision_box_0004"]
    assert (roll["label"], physion.SCENARIOS[roll["scenario"]]) == (1, "roll")
    np.testing.assert_allclose(roll["frames"][:, 4, 4, 0], [0, 40], atol=6)
    collide = rows["pilot_it2_collision_simple_box_0003"]
    np.testing.assert_allclose(collide["frames"][:, 4, 4, 0], [0, 20], atol=6)


def test_glitches_are_left_out_of_the_test_alone(tmp_path):
    name = "pilot_it2_drop_simple_box_0042"
    assert len(physion_layouts.GLITCHES) == 41
    for split in ("train", "test"):
        place = films(tmp_path, split)
        film(place / f"{name}.mp4")
        labels = json.loads((place / "all_video_labels.json").read_text())
        labels[name] = {"label": True, "contact_frame_label": 1}
        (place / "all_video_labels.json").write_text(json.dumps(labels))
    assert open_dataset(tmp_path, "test", SMALL).excluded == (name,)
    for split in ("dynamics", "readout"):
        assert name in open_dataset(tmp_path, split, SMALL).ids


def test_a_limit_keeps_the_first_of_each_scenario(tmp_path):
    for scenario in ("drop", "roll"):
        for number in range(3):
            trial(tmp_path / "testing" / scenario / f"{number:04d}.hdf5")
    dataset = open_dataset(tmp_path, "test", SMALL, limit=2)
    assert [i[-9:] for i in dataset.ids] == ["drop/0000", "drop/0001", "roll/0000", "roll/0001"]


def outside(path):
    with h5py.File(path, "a") as file:
        del file["frames/0000/images/_img"]
        file["frames/0000/images/_img"] = h5py.ExternalLink("other.hdf5", "/secret")


def no_image(path):
    with h5py.File(path, "a") as file:
        del file["frames/0000/images/_img"]
        file["frames/0000/images/_img"] = np.arange(50, dtype=np.uint8)


def no_label(path):
    with h5py.File(path, "a") as file:
        del file["frames/0003/labels/target_contacting_zone"]


def odd_name(path):
    with h5py.File(path, "a") as file:
        file.move("frames/0001", "frames/last")


def huge(path):
    with h5py.File(path, "a") as file:
        del file["frames/0000/images/_img"]
        file.create_dataset("frames/0000/images/_img", shape=(2**40,), dtype="u1", chunks=(2**20,))


def pixels(path):
    with h5py.File(path, "a") as file:
        del file["frames/0000/images/_img"]
        file["frames/0000/images/_img"] = encoded(np.zeros((3000, 3000, 3), np.uint8))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (outside, "link out of the file"),
        (no_image, "no PNG or JPEG"),
        (no_label, "target_contacting_zone is missing"),
        (odd_name, "no number"),
        (huge, "1099511627776 values"),
        (pixels, "3000 x 3000 pixels"),
        (lambda path: path.write_bytes(b"nothing of the kind"), "no readable HDF5"),
        (lambda path: path.write_bytes(path.read_bytes()[:700]), "no readable HDF5"),
        (lambda path: path.write_bytes(b""), "is empty"),
    ],
)
def test_a_broken_trial_is_told(tmp_path, harm, reason):
    path = trial(tmp_path / "0000.hdf5")
    harm(path)
    with pytest.raises(physion.Broken, match=reason):
        physion.read_trial(path, (0, 2), SMALL)


def test_broken_trials_are_counted_and_too_many_refused(tmp_path):
    for number in range(30):
        trial(tmp_path / "testing" / "drop" / f"{number:04d}.hdf5")
    (tmp_path / "testing" / "drop" / "0003.hdf5").write_bytes(b"")
    stream = open_dataset(tmp_path, "test", SMALL).trials()
    assert len(list(stream)) == 29
    assert list(stream.skipped.values()) == ["is empty"]
    for number in range(3):
        (tmp_path / "testing" / "drop" / f"{number:04d}.hdf5").write_bytes(b"")
    with pytest.raises(DataError, match="broken"):
        list(open_dataset(tmp_path, "test", SMALL).trials())


def test_what_is_not_there_is_told_with_what_is_expected(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        open_dataset(tmp_path / "nowhere", "test", SMALL)
    with pytest.raises(DataError, match=r"expected .*testing.*hdf5.* or physion_mp4s"):
        open_dataset(tmp_path, "test", SMALL)
    with pytest.raises(DataError, match="no split 'validation'"):
        open_dataset(tmp_path, "validation", SMALL)
    trial(tmp_path / "testing" / "nameless" / "0000.hdf5")
    with pytest.raises(DataError, match="tells a scenario"):
        open_dataset(tmp_path, "test", SMALL)
    place = films(tmp_path)
    (place / "all_video_labels.json").write_text('{"pilot_it2_drop_simple_box_0006": {}}')
    with pytest.raises(DataError, match="needs a label"):
        open_dataset(tmp_path, "test", SMALL)
    (place / "all_video_labels.json").unlink()
    with pytest.raises(DataError, match=r"expected .*all_video_labels\.json"):
        open_dataset(tmp_path, "test", SMALL)


def test_settings_refuse_nonsense():
    for frames in ((), (3, 1), (-1, 2)):
        with pytest.raises(ValueError, match="ascending"):
            Settings(frames, frames)
    with pytest.raises(ValueError, match="equally many"):
        Settings((0, 1), (0,))
