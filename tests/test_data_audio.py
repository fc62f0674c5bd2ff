"""The Greatest Hits' loader: layout, windows around hits, and everything that can be wrong."""

import json
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import soundfile

from nsca_jax import types
from nsca_jax.data import audio, audio_layouts
from nsca_jax.data.audio import DataError, Settings, Tolerance, open_dataset
from nsca_jax.sensors import mel
from tests import shipped

RATE_Hz = 16_000
SMALL = Settings(sample_rate_Hz=RATE_Hz, before_s=0.1, after_s=0.3)
HITS = {
    "2015-02-16-16-49-06": "0.500000 metal hit static\n1.250000 wood hit static\n",
    "2015-02-16-16-50-01": "0.200000 wood hit static\n\n0.900000 leaf hit scatter\n",
    "2015-03-02-00-10-00": "1.950000 rock hit static\n0.400000 rock scratch None\n",
}


def clicks(times, seconds=2.0, rate_Hz=RATE_Hz):
    """Silence with a decaying tone from each time on."""
    wave = np.zeros(round(seconds * rate_Hz), np.float32)
    ring = np.exp(-np.arange(rate_Hz // 10) / 300) * np.sin(np.arange(rate_Hz // 10) / 3)
    for time in times:
        start = round(time * rate_Hz)
        wave[start : start + len(ring)] += ring[: len(wave) - start]
    return 0.5 * wave


def greatest_hits(folder):
    """The data set's layout: three recordings to learn from, one listed and not there."""
    for name, rows in HITS.items():
        times = [float(row.split()[0]) for row in rows.splitlines() if row]
        soundfile.write(folder / f"{name}_denoised.wav", clicks(times), RATE_Hz, "PCM_16")
        (folder / f"{name}_times.txt").write_text(rows)
    (folder / "train.txt").write_text("\n".join(HITS) + "\n")
    (folder / "test.txt").write_text("2015-02-16-16-49-06\n2015-09-09-09-09-09\n")
    return folder


@pytest.fixture(scope="module")
def hits(tmp_path_factory):
    return greatest_hits(tmp_path_factory.mktemp("hits"))


@pytest.fixture
def own_hits(hits, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(hits, tmp_path / "hits"))


def wav(folder, number):
    return folder / f"{list(HITS)[number]}_denoised.wav"


def tolerant(broken=0.05, missing=0.2):
    return Settings(RATE_Hz, 0.1, 0.3, tolerance=Tolerance(broken, missing))


def test_hits_of_the_common_read_out_with_their_materials(hits):
    dataset = open_dataset(hits, SMALL)
    names = list(HITS)
    assert dataset.ids == (f"{names[0]}#0", f"{names[0]}#1", f"{names[1]}#0", f"{names[2]}#0")
    assert dataset.films[0] == hits / f"{names[0]}_denoised.mp4"
    assert (dataset.others, dataset.missing, dataset.broken) == (2, (), {})
    clips = list(dataset.clips())
    materials = [dataset.classes[clip["material"]] for clip in clips]
    assert materials == ["metal", "wood", "wood", "rock"]
    assert all(clip["sound"].shape == (6400,) for clip in clips)
    assert all(clip["sound"].dtype == np.float32 for clip in clips)


def test_hits_become_what_the_ear_takes(hits):
    heard = [
        mel.log_mel(jnp.asarray(clip["sound"]), RATE_Hz, 1024, 640)  # 40 ms, the control step
        for clip in open_dataset(hits, SMALL).clips()
    ]
    assert {x.shape for x in heard} == {(9, types.SOUND_BANDS)}
    assert all(x.max() == x[1:3].max() > 1 for x in heard)  # the hit, 100 ms from the start


def test_the_window_has_the_hit_after_what_came_before(hits):
    for clip in open_dataset(hits, SMALL).clips():
        loud = np.flatnonzero(np.abs(clip["sound"]) > 0.05)
        assert loud[0] == pytest.approx(0.1 * RATE_Hz, abs=10)


def test_the_window_is_the_file_and_beyond_its_end_is_silence(hits):
    last = list(open_dataset(hits, SMALL).clips())[-1]  # at 1.95 of 2 s
    whole, _ = soundfile.read(wav(hits, 2), dtype="float32")
    start = round(1.85 * RATE_Hz)
    np.testing.assert_array_equal(last["sound"][: len(whole) - start], whole[start:])
    assert (last["sound"][len(whole) - start :] == 0).all()


def test_other_kinds_of_hits_on_demand(hits):
    settings = Settings(RATE_Hz, materials=("leaf",), reactions=("scatter",))
    (clip,) = open_dataset(hits, settings).clips()
    assert clip["time_s"] == np.float32(0.9)
    with pytest.raises(DataError, match="none of 6 hits is of the kinds asked for"):
        open_dataset(hits, Settings(materials=("snow",)))


def test_other_rates_and_channels_come_out_alike(tmp_path):
    tone = np.sin(2 * np.pi * 440 * np.arange(96_000) / 48_000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, 0 * tone], 1), 48_000, "FLOAT")
    sound = audio.read(tmp_path / "a.wav", 1.0, SMALL)
    here = np.arange(-1600, 4800) / RATE_Hz + 1.0
    np.testing.assert_allclose(
        sound[100:-100], 0.5 * np.sin(2 * np.pi * 440 * here)[100:-100], atol=2e-3
    )


def test_batches_repeat_and_resume(own_hits):
    wav(own_hits, 1).write_bytes(b"")
    dataset = open_dataset(own_hits, tolerant(broken=0.3))
    stream = dataset.batches(3, seed=5)
    for _ in range(2):
        next(stream)
    state = json.loads(json.dumps(stream.get_state()))
    expected = [next(stream) for _ in range(3)]
    resumed = open_dataset(own_hits, tolerant(broken=0.3)).batches(3, seed=5)
    resumed.set_state(state)
    assert resumed.skipped == {"2015-02-16-16-50-01#0": "is empty"}
    for batch in expected:
        again = next(resumed)
        for name in batch:
            np.testing.assert_array_equal(again[name], batch[name])


def test_missing_recordings_are_counted_and_too_many_stop_the_run(hits):
    dataset = open_dataset(hits, tolerant(missing=0.5), "test")
    assert dataset.missing == ("2015-09-09-09-09-09",)
    with pytest.raises(DataError, match="1 of 2 listed clips are missing"):
        open_dataset(hits, SMALL, "test")


def spoil(path, how):
    whole = path.read_bytes()
    if how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "not finite":
        wave = np.full(2 * RATE_Hz, np.nan, np.float32)
        soundfile.write(path, wave, RATE_Hz, "FLOAT")
    elif how == "too early an end":
        soundfile.write(path, np.zeros(100), RATE_Hz)
    elif how == "channels":
        soundfile.write(path, np.zeros((2 * RATE_Hz, 9)), RATE_Hz)
    else:
        path.write_bytes(
            {"empty": b"", "text": b"no sound\n" * 9, "head": whole[:30]}.get(how, whole[:40_000])
        )


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("empty", "is empty"),
        ("text", "is no readable sound"),
        ("head", "truncated"),
        ("truncated", "truncated: 40000 of 64044 bytes"),
        ("folder", "no regular file"),
        ("not finite", "not finite"),
        ("too early an end", "before the hit"),
        ("channels", "9 channels"),
    ],
)
def test_broken_sounds_are_skipped_counted_and_listed(own_hits, how, reason):
    spoil(wav(own_hits, 1), how)
    stream = open_dataset(own_hits, tolerant(broken=0.3)).clips()
    assert len(list(stream)) == 3
    assert reason in stream.skipped["2015-02-16-16-50-01#0"]
    with pytest.raises(DataError, match="1 files are broken"):
        list(open_dataset(own_hits, SMALL).clips())


def test_broken_files_of_hits_are_skipped_counted_and_listed(own_hits):
    path = own_hits / "2015-02-16-16-50-01_times.txt"
    path.write_text("0.2 wood hit\n")
    dataset = open_dataset(own_hits, tolerant(broken=0.4))
    assert "line 1: needs a time" in dataset.broken["2015-02-16-16-50-01"]
    assert len(dataset.ids) == 3
    with pytest.raises(DataError, match="1 files are broken"):
        open_dataset(own_hits, SMALL)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nan wood hit static", "no time"),
        ("-1 wood hit static", "no time"),
        ("1e99 wood hit static", "beyond"),
        ("1 wood hit static extra", "needs a time"),
        ("1 wood hit static\n" * 10_001, "more than 10000 lines"),
    ],
)
def test_rows_that_are_no_hits(text, reason):
    with pytest.raises(audio.Broken, match=reason):
        audio_layouts.parse_hits(text)


def test_a_missing_data_set_is_said_in_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"train split is missing: expected .*train\.txt\.$"):
        open_dataset(tmp_path)
    (tmp_path / "train.txt").write_text("../../secret\n")
    with pytest.raises(DataError, match="is no recording's"):
        open_dataset(tmp_path)
    (tmp_path / "train.txt").write_text("a\n")
    with pytest.raises(DataError, match="none of 1 listed clips"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="no split 'dev'"):
        open_dataset(tmp_path, split="dev")


def test_damaged_bytes_give_a_window_or_are_broken(own_hits):
    rng = np.random.default_rng(0)
    path = wav(own_hits, 0)
    whole, outcomes = path.read_bytes(), set()
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(60, size=rng.integers(1, 9)):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            assert audio.read(path, 0.5, SMALL).shape == (6400,)
            outcomes.add("window")
        except audio.Broken:
            outcomes.add("broken")
    assert outcomes == {"window", "broken"}


@pytest.mark.parametrize("path", shipped.sounds(), ids=lambda p: p.stem)
def test_real_sounds(path, tmp_path):
    sound = audio.read(path, 0.0, Settings(11_025, 0.0, 0.3))
    whole, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(sound[: len(whole)], whole[: len(sound)])
    cut = tmp_path / path.name
    cut.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(audio.Broken, match="truncated"):
        audio.read(cut, 0.0, SMALL)
