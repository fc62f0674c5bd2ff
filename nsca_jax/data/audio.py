"""Struck things from the Greatest Hits (layout: `audio_layouts`).

    for hit in open_dataset(folder).clips(): hit["sound"]   # [N] float32 in [-1, 1]

A hit is `sound` [N], a window around it, `material` (int32, index into the settings' materials),
`time_s` (float32) and `id`. Sound beyond the file's ends is silence.
"""

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal

from nsca_jax.data import _files, _stream, audio_layouts
from nsca_jax.data._files import Broken, DataError
from nsca_jax.data._stream import Stream, Tolerance

try:
    import soundfile
except ImportError as error:
    raise ImportError("sounds are read with soundfile: pip install 'nsca_jax[video]'") from error

# The common read-out (as Su et al. 2023): hits on static things of these materials.
MATERIALS = (
    *("carpet", "ceramic", "cloth", "drywall", "glass"),
    *("metal", "paper", "plastic", "rock", "wood"),
)

__all__ = ["Broken", "DataError", "Dataset", "Settings", "Tolerance", "open_dataset", "read"]


@dataclass(frozen=True)
class Limits:
    """Of a single sound file, so that a hostile one costs little."""

    bytes: int = 512 * 2**20
    channels: int = 8
    rate_Hz: tuple[int, int] = (8_000, 192_000)


@dataclass(frozen=True)
class Settings:
    """Which hits, and how much sound around each."""

    sample_rate_Hz: int = 44_100
    before_s: float = 0.05
    after_s: float = 0.45
    materials: tuple[str, ...] = MATERIALS
    actions: tuple[str, ...] = ("hit",)
    reactions: tuple[str, ...] = ("static",)
    threads: int = 2  # that read ahead
    tolerance: Tolerance = field(default_factory=Tolerance)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        if self.before_s < 0 or round(self.sample_rate_Hz * self.after_s) < 1:
            raise ValueError("a window needs before_s >= 0, and a sample or more of after_s")

    def wants(self, hit: audio_layouts.Hit) -> bool:
        """Whether a hit is of the kinds asked for."""
        kinds = self.materials, self.actions, self.reactions
        return all(kind in known for kind, known in zip(hit[1:], kinds, strict=True))


@dataclass(frozen=True)
class Dataset:
    """One split's hits of the kinds asked for, and what is not among them."""

    classes: tuple[str, ...]  # the settings' materials
    ids: tuple[str, ...]  # ID#ROW of its file of hits
    films: tuple[Path, ...]  # of each hit
    broken: dict[str, str]  # recordings whose file of hits is wrong, and how
    missing: tuple[str, ...]  # recordings without sound or file of hits
    others: int  # hits of other kinds
    source: _stream.Source
    threads: int

    def clips(self) -> Stream:
        """Every hit once, in order, leaves as above; see `Stream.skipped`."""
        return Stream(self.source, 0, threads=self.threads)

    def batches(self, size: int, seed: int | None = None) -> Stream:
        """Batches [size, ...]: in order, once; with a seed shuffled, endless."""
        return Stream(self.source, size, seed, self.threads)


def open_dataset(
    folder: str | Path, settings: Settings = Settings(), split: str = "train"
) -> Dataset:
    """The hits of a split, "train" or "test".

    Raises DataError, one sentence, where the data set is not there as it is distributed, or where
    more of its recordings are missing or broken than `settings.tolerance` allows.
    """
    folder, tolerance = Path(folder), settings.tolerance
    found = audio_layouts.greatest_hits(folder, split)
    _stream.check_missing(found.recordings, found.missing, tolerance.missing, str(folder))
    _stream.check_broken(found.broken, len(found.recordings), tolerance.broken)
    rows = [row for row in found.hits if settings.wants(row[2])]
    if not rows:
        raise DataError(f"{folder}: none of {len(found.hits)} hits is of the kinds asked for.")
    ids = tuple(f"{name}#{number}" for name, number, _ in rows)
    form = settings.sample_rate_Hz, settings.before_s, settings.after_s

    def load(row: int, rng: np.random.Generator | None) -> dict[str, Any]:
        name, _, hit = rows[row]
        return {
            "sound": read(audio_layouts.sound_of(folder, name), hit.time_s, settings),
            "material": np.int32(settings.materials.index(hit.material)),
            "time_s": np.float32(hit.time_s),
            "id": np.str_(ids[row]),
        }

    return Dataset(
        settings.materials,
        ids,
        tuple(audio_layouts.film_of(folder, name) for name, _, _ in rows),
        found.broken,
        found.missing,
        len(found.hits) - len(rows),
        _stream.Source(ids, load, tolerance, form),
        settings.threads,
    )


def read(path: Path, time_s: float, settings: Settings) -> np.ndarray:
    """[N] float32: the sound around `time_s`, its channels averaged, at the settings' rate.

    Raises Broken where the file is empty, truncated, no sound, beyond the limits, or ends before.
    """
    size = _files.size_of(path, settings.limits.bytes)
    _refuse_truncated(path, size)
    try:
        with soundfile.SoundFile(path) as file:
            wave = _window(file, time_s, settings)
    except soundfile.SoundFileError as error:
        raise Broken(f"is no readable sound ({' '.join(str(error).split())})") from error
    if not np.isfinite(wave).all():
        raise Broken("has samples that are not finite")
    return wave


def _refuse_truncated(path: Path, size: int) -> None:
    """A RIFF file says how long it is; libsndfile reads a shorter one without a word."""
    with open(path, "rb") as file:
        head = file.read(8)
    if len(head) == 8 and head[:4] == b"RIFF":
        stated = struct.unpack("<I", head[4:])[0] + 8
        if size < stated < 2**32 - 1:
            raise Broken(f"is truncated: {size} of {stated} bytes")


def _window(file: Any, time_s: float, settings: Settings) -> np.ndarray:
    low, high = settings.limits.rate_Hz
    rate = file.samplerate
    if not low <= rate <= high or file.channels > settings.limits.channels:
        raise Broken(f"has {file.channels} channels of {rate} samples/s")
    middle, end = round(time_s * rate), file.frames
    if middle >= end:
        raise Broken(f"ends at {end / rate:.2f} s, before the hit at {time_s:.2f} s")
    first = middle - round(settings.before_s * rate)
    last = middle + round(settings.after_s * rate)
    file.seek(max(first, 0))
    found = file.read(min(last, end) - max(first, 0), "float32", always_2d=True).mean(axis=1)
    silence = max(-first, 0), max(last - end, 0)
    return _resampled(np.pad(found, silence), rate, settings)


def _resampled(wave: np.ndarray, rate_Hz: int, settings: Settings) -> np.ndarray:
    wanted = settings.sample_rate_Hz
    if rate_Hz != wanted:
        common = math.gcd(rate_Hz, wanted)
        wave = signal.resample_poly(wave, wanted // common, rate_Hz // common)
    samples = round(settings.before_s * wanted) + round(settings.after_s * wanted)
    return np.pad(wave, (0, max(samples - len(wave), 0)))[:samples].astype(np.float32)
