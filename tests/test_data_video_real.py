"""Loaders of real video on real films."""

# PyAV's streams of an unknown codec are of any kind to pyright.
# pyright: reportAttributeAccessIssue=false

import av
import numpy as np
import pytest

from nsca_jax.data import video
from nsca_jax.data.video import Settings, Tolerance, open_dataset
from tests import shipped


@pytest.mark.parametrize("path", shipped.clips(), ids=lambda p: p.stem)
def test_real_clips(path, tmp_path):
    settings = Settings(frames=16, stride=2, height=64, width=64)
    frames, length = video.decode(path, settings)
    assert (frames.shape, length) == ((16, 64, 64, 3), 16)
    assert frames.std() > 10  # a picture
    assert 0 < np.abs(np.diff(frames.astype(float), axis=0)).mean() < 60  # that moves, a little
    with av.open(str(path)) as file:  # the same frame, decoded here by the container's own account
        shown = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
    start = (len(shown) - 31) // 2
    whole, _ = video.decode(path, Settings(1, 1, *shown[0].shape[:2]))
    np.testing.assert_array_equal(whole[0], shown[(len(shown) - 1) // 2])
    colour = frames[0].mean((0, 1))
    side = min(shown[0].shape[:2])
    top, left = ((n - side) // 2 for n in shown[0].shape[:2])
    middle = shown[start][top : top + side, left : left + side].mean((0, 1))
    np.testing.assert_allclose(colour, middle, atol=3)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(video.Broken):
        video.decode(cut, settings)


def test_real_clips_in_a_data_set_s_layout(tmp_path):
    rows = ["label,youtube_id,time_start,time_end,split"]
    for number, path in enumerate(shipped.clips()):
        place = tmp_path / "train" / path.stem
        place.mkdir(parents=True)
        whole = path.read_bytes()
        name = f"{number:011d}_000000_000010.mp4"
        (place / name).write_bytes(whole[: len(whole) // 2] if path.stem == "bikes" else whole)
        rows.append(f"{path.stem},{number:011d},0,10,train")
    (tmp_path / "train.csv").write_text("\n".join(rows))
    settings = Settings(8, 2, 64, 64, tolerance=Tolerance(broken=0.25))
    dataset = open_dataset("kinetics", tmp_path, settings)
    stream = dataset.batches(len(dataset.ids) - 1, seed=0)
    batch = next(stream)
    assert batch["frames"].shape == (len(dataset.ids) - 1, 8, 64, 64, 3)
    assert len(stream.skipped) <= 1
    more = [next(stream) for _ in range(2)]
    assert list(stream.skipped) == [i for i in dataset.ids if i not in more[1]["id"]]
    seen = {str(dataset.classes[label]) for b in (batch, *more) for label in b["label"]}
    assert seen == {path.stem for path in shipped.clips()} - {"bikes"}
