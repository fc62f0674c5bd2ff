"""Data sets that are not as distributed, and HDF5 of strangers, read within bounds."""

from pathlib import Path

import h5py
import pytest

from nsca_jax.data import physion
from tests.bad_input.refusal import refused


def hdf5(path: Path, write) -> None:
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        write(file)


def labels(text: str):
    def write(folder):
        for split in ("train", "test"):
            (folder / "physion_mp4s" / split).mkdir(parents=True)
            (folder / "physion_mp4s" / split / "all_video_labels.json").write_text(text)

    return write


def kinetics(text: str):
    def write(folder):
        (folder / "train").mkdir()
        (folder / "train.csv").write_text(text)

    return write


def nameless(folder):
    for split in ("dynamics_training", "readout_training", "testing"):
        hdf5(folder / split / "x" / "0000.hdf5", lambda file: None)


PHYSION, KINETICS = "physion --config.data=", "vision --config.data=kinetics --config.data_dir="


@pytest.mark.parametrize(
    ("given", "write", "words"),
    [
        (PHYSION, labels("{"), "all_video_labels.json: is no JSON"),
        (PHYSION, labels("[" * 100_000), "all_video_labels.json: is no JSON"),
        (PHYSION, labels("[]"), "holds a list, needs a dict"),
        (PHYSION, labels('{"drop": {"label": "yes"}}'), "needs a label that is false or true"),
        (PHYSION, labels('{"drop": {"label": true}}'), "none of 1 listed clips is in"),
        (PHYSION, nameless, "neither its name nor its folder tells a scenario"),
        (KINETICS, lambda folder: None, "Kinetics-400's train clips is missing"),
        (KINETICS, kinetics("label,split"), "has no column 'youtube_id'"),
        (KINETICS, kinetics("youtube_id,time_start,time_end\na,b,c"), "needs whole seconds"),
        (KINETICS, kinetics("youtube_id,time_start,time_end\na,0,9"), "none of 1 listed clips"),
    ],
)
def test_a_data_set_that_is_not_as_distributed(command, tmp_path, given, write, words):
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder)
    refused(command, words, *f"{given}{folder}".split())


def huge(file):
    file.create_dataset("frames/0000/images/_img", shape=(2**50,), dtype="u1", chunks=(2**20,))
    file["frames/0000/labels/target_contacting_zone"] = False


def huge_label(file):
    shape = (2**20,) * 3
    file.create_dataset(
        "frames/0000/labels/target_contacting_zone", dtype="f4", shape=shape, chunks=(1, 1, 9)
    )


def crowded(file):
    for number in range(20):
        file.create_group(f"frames/{number:04d}")


def in_another_file(file):
    file["frames/0000/labels/target_contacting_zone"] = False
    there = [("/etc/passwd", 0, 16)]
    file.create_dataset("frames/0000/images/_img", shape=(16,), dtype="u1", external=there)


def soft_link(file):
    file["frames/0000"] = h5py.SoftLink("/frames")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (huge, "_img holds 1125899906842624 values, needs 1 to"),
        (huge_label, "target_contacting_zone holds no whole numbers"),
        (crowded, "has 20 frames, needs 1 to 10"),
        (in_another_file, "_img lies in another file"),
        (soft_link, "is missing, or a link out of the file"),
        (lambda file: file.create_group(b"frames/00\xff0"), "no number of four digits"),
        (lambda file: None, "/frames is missing"),
        (lambda file: file.create_dataset("frames", data=3), "/frames is no group"),
    ],
)
def test_hdf5_is_read_within_bounds(tmp_path, write, words):
    path = tmp_path / "data" / "0000.hdf5"
    hdf5(path, write)
    sparing = physion.Settings((0,), (0,), limits=physion.Limits(frames=10))
    with pytest.raises(physion.Broken) as error:
        physion.read_trial(path, (0,), sparing)
    assert words in str(error.value)
