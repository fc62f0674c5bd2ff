"""Filmstrips, animations and sounds decode to what went in."""

import wave

import numpy as np
import pytest
from PIL import Image, ImageSequence

from nsca_jax.reports import media


@pytest.fixture
def frames():
    """Two interactions of three plain grey frames, every one another grey."""
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40 + 20
    return np.broadcast_to(grey[:, :, None, None, None], (2, 3, 8, 8, 3)).copy()


def test_filmstrip_shows_every_frame_at_its_place(tmp_path, frames):
    path = media.filmstrip(tmp_path / "x" / "s.png", frames, ["egg", "brick"], list("abc"), 10)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    assert pixels.shape[1] == 3 * (80 + media.GAP_PX) + media.GAP_PX
    for grey in np.unique(frames):
        rows, columns = np.nonzero((pixels == grey).all(axis=2))
        assert len(rows) >= 80 * 80
        assert len(np.unique(columns)) >= 80


def test_animation_plays_all_frames_and_rests_at_the_end(tmp_path, frames):
    path = media.animation(tmp_path / "a.gif", frames, ["egg · drop", "brick · push"], [0, 0.2, 1])
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        pages = [
            (f.info["duration"], np.asarray(f.convert("RGB")))
            for f in ImageSequence.Iterator(image)
        ]
    assert [duration for duration, _ in pages] == [80, 80, 1000, 80, 80, 1000]
    seen = [int(page[-10, 10, 0]) for _, page in pages]
    np.testing.assert_allclose(seen, frames[:, :, 0, 0, 0].ravel(), atol=2)


def test_a_caption_that_is_too_long_stays_inside(tmp_path, frames):
    path = media.filmstrip(tmp_path / "s.png", frames, ["egg" * 200, "b"], list("abc"), 10)
    with Image.open(path) as image:
        strip = np.asarray(image.convert("L"))[30:48, -media.GAP_PX :]
    assert len(np.unique(strip)) == 1


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 3, 8, 8, 3), np.float32), np.zeros((3, 8, 8, 3), np.uint8)]
)
def test_wrong_frames_are_refused(tmp_path, bad):
    with pytest.raises(ValueError, match=r"needs uint8 \[N, T, H, W, 3\]"):
        media.filmstrip(tmp_path / "s.png", bad, ["a", "b"], list("abc"))


def test_wrong_number_of_captions_is_refused(tmp_path, frames):
    with pytest.raises(ValueError, match="captions has 1 entries, the frames need 2"):
        media.animation(tmp_path / "a.gif", frames, ["one"], [0, 1, 2])


def test_wav_holds_the_waveform(tmp_path):
    tone = 1e-4 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    path = media.write_wav(tmp_path / "t.wav", tone, 16000)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    np.testing.assert_allclose(samples / 32767, 0.9 * tone / np.abs(tone).max(), atol=2e-5)


def test_wav_of_silence_is_silent(tmp_path):
    with wave.open(str(media.write_wav(tmp_path / "t.wav", np.zeros(10), 16000))) as file:
        assert not np.frombuffer(file.readframes(10), "<i2").any()


@pytest.mark.parametrize(
    ("waveform", "words"),
    [
        (np.array([0, np.nan, np.inf]), "2 non-finite samples of 3"),
        (np.zeros((2, 5)), "needs"),
        (np.zeros(0), "needs"),
    ],
)
def test_wav_refuses(tmp_path, waveform, words):
    with pytest.raises(ValueError, match=words):
        media.write_wav(tmp_path / "t.wav", waveform, 16000)
    assert not (tmp_path / "t.wav").exists()
