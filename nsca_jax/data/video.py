"""Clips of real video: Something-Something v2 and Kinetics-400 (layouts: `video_layouts`).

    dataset = open_dataset("something_something", folder, Settings(frames=16, stride=2))
    for batch in dataset.batches(32, seed=0): ...   # shuffled, endless, `get_state`, `set_state`
    for clip in dataset.clips(): ...                # in order, once: the middle of every clip

A clip is `frames` [T, H, W, 3] uint8, `label` and `length` (int32) and `id`. `length` frames are
the file's own; a file that is too short repeats its last frame. Decoding is PyAV's (FFmpeg), with
the container named by the file's suffix: no file talks FFmpeg into reading others, as playlists do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nsca_jax.data import _files, _stream, video_layouts
from nsca_jax.data._files import Broken, DataError
from nsca_jax.data._stream import Stream, Tolerance

try:
    import av
    from av.error import FFmpegError
except ImportError as error:
    raise ImportError("videos are read with PyAV: pip install 'nsca_jax[video]'") from error

LAYOUTS = {
    "something_something": video_layouts.something_something,
    "kinetics": video_layouts.kinetics,
}
CONTAINERS = {".webm": "matroska", ".mp4": "mov"}
LOST_SHARE = 0.05  # of the stated duration may lack at the end: containers round it

__all__ = ["Broken", "DataError", "Dataset", "Settings", "Tolerance", "decode", "open_dataset"]


@dataclass(frozen=True)
class Limits:
    """Of a single file, so that a hostile one costs little."""

    bytes: int = 128 * 2**20
    frames: int = 20_000
    pixels: int = 4096 * 2304  # of a frame


@dataclass(frozen=True)
class Settings:
    """What a clip looks like."""

    frames: int = 16  # T
    stride: int = 2  # of the file's frames, from one to the next of the clip
    height: int = 64  # H and W: scaled to cover, then cut to the middle
    width: int = 64
    threads: int = 2  # that read ahead
    tolerance: Tolerance = field(default_factory=Tolerance)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        for name in ("frames", "stride", "height", "width", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")


@dataclass(frozen=True)
class Dataset:
    """One split: `classes` by label, `ids` of the clips there, `missing` ids that are not."""

    classes: tuple[str, ...]
    ids: tuple[str, ...]
    missing: tuple[str, ...]
    source: _stream.Source
    threads: int

    def clips(self) -> Stream:
        """Every clip once, in the annotations' order, leaves as above; see `Stream.skipped`."""
        return Stream(self.source, 0, threads=self.threads)

    def batches(self, size: int, seed: int | None = None) -> Stream:
        """Batches [size, ...]: in order, once; with a seed shuffled, endless, from any moment."""
        return Stream(self.source, size, seed, self.threads)


def open_dataset(
    name: str, folder: str | Path, settings: Settings = Settings(), split: str = "train"
) -> Dataset:
    """A split ("train", "validation" or "test") of one of LAYOUTS in its folder.

    Raises DataError, one sentence, where the data set is not there as it is distributed, or more
    than `settings.tolerance.missing` of its clips are not.
    """
    if name not in LAYOUTS or split not in video_layouts.SPLITS:
        known = f"{', '.join(LAYOUTS)} with {', '.join(video_layouts.SPLITS)}"
        raise DataError(f"no data set {name!r} with a split {split!r}: there are {known}.")
    folder = Path(folder)
    found = LAYOUTS[name](folder, split)
    _stream.check_missing(found.ids, found.missing, settings.tolerance.missing, str(folder))

    def load(row: int, rng: np.random.Generator | None) -> dict[str, Any]:
        frames, length = decode(found.paths[row], settings, rng)
        label = np.int32(found.labels[row])
        return {"frames": frames, "label": label, "length": length, "id": np.str_(found.ids[row])}

    form = settings.frames, settings.stride, settings.height, settings.width
    source = _stream.Source(found.ids, load, settings.tolerance, form)
    return Dataset(found.classes, found.ids, found.missing, source, settings.threads)


def decode(
    path: Path, settings: Settings, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, np.int32]:
    """Frames [T, H, W, 3] uint8 of a clip, and how many of them are the file's own.

    From the middle of the file, or from a moment that `rng` draws. Raises Broken where the file is
    empty, truncated, no video, or beyond the limits.
    """
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise Broken(f"is none of {', '.join(CONTAINERS)}")
    _files.size_of(path, settings.limits.bytes)
    try:
        # real files carry titles in old encodings
        with av.open(str(path), format=container, metadata_errors="replace") as file:
            return _clip(file, settings, rng)
    except FFmpegError as error:
        raise Broken(f"is no readable video ({error.strerror})") from error


def _clip(file, settings: Settings, rng) -> tuple[np.ndarray, np.int32]:
    if not file.streams.video:
        raise Broken("has no video stream")
    stream = file.streams.video[0]
    if stream.codec_context is None:
        raise Broken("is of an unknown codec")
    stream.codec_context.thread_count = 1  # the threads are over files
    stream.codec_context.options = {"max_pixels": str(settings.limits.pixels)}
    packets = _packets(file, stream, settings.limits.frames)
    shown = sum(not packet.is_discard for packet in packets)  # a cut MP4 keeps what it hides
    spare = shown - ((settings.frames - 1) * settings.stride + 1)
    start = max(spare, 0) // 2 if rng is None else int(rng.integers(max(spare, 0) + 1))
    wanted = range(start, start + settings.frames * settings.stride, settings.stride)
    frames = []
    for number, frame in enumerate(_frames(stream, packets)):
        if number in wanted:
            frames.append(_fit(frame, settings))
        if number == wanted[-1]:
            break
    if not frames:
        raise Broken("has no frames")
    padding = [frames[-1]] * (settings.frames - len(frames))
    return np.stack(frames + padding), np.int32(len(frames))


def _packets(file, stream, limit: int) -> list:
    """The compressed frames; raises Broken where there are too many, or the file ends early."""
    packets = []
    for packet in file.demux(stream):
        if packet.is_corrupt:
            raise Broken("is truncated")
        if packet.size:
            packets.append(packet)
        if len(packets) > limit:
            raise Broken(f"has more than {limit} frames")
    if len(packets) < stream.frames:
        raise Broken(f"is truncated: {len(packets)} of {stream.frames} frames")
    # MP4 counts its frames, and its duration may be that of longer sound
    if not stream.frames:
        _refuse_early_end(packets, float(file.duration or 0) / av.time_base)
    return packets


def _refuse_early_end(packets: list, stated_s: float) -> None:
    """Raises Broken where the last frame is over long before the stated end."""
    times = sorted(float(p.pts * p.time_base) for p in packets if p.pts is not None)
    if not times:
        raise Broken("is truncated: no frames")
    frame_s = (times[-1] - times[0]) / max(len(times) - 1, 1)
    end_s = times[-1] + frame_s
    if stated_s - end_s > LOST_SHARE * stated_s + frame_s:
        raise Broken(f"is truncated: {end_s:.2f} of {stated_s:.2f} s")


def _frames(stream, packets: list) -> Iterator:
    for packet in packets:
        yield from stream.decode(packet)
    yield from stream.decode(None)


def _fit(frame, settings: Settings) -> np.ndarray:
    """[H, W, 3] uint8: scaled until it covers H x W, cut to the middle."""
    if frame.is_corrupt:
        raise Broken("has a corrupt frame")
    scale = max(settings.height / frame.height, settings.width / frame.width)
    height = max(round(frame.height * scale), settings.height)
    width = max(round(frame.width * scale), settings.width)
    if max(height * width, frame.height * frame.width) > settings.limits.pixels:
        raise Broken(f"has frames of {frame.width} x {frame.height} pixels")
    image = frame.reformat(width, height, format="rgb24", interpolation="AREA").to_ndarray()
    top, left = (height - settings.height) // 2, (width - settings.width) // 2
    return image[top : top + settings.height, left : left + settings.width]
