"""Trials of Physion (Bear et al. 2021), as it is distributed (layouts: `physion_layouts`).

    for trial in open_dataset(folder, "test", settings).trials(): trial["frames"]   # [T, H, W, 3]

A trial is `frames` [T, H, W, 3] uint8, those that the settings ask for, `label` (int32, 1 where
the red target ever touches the yellow zone), `scenario` (int32, index into SCENARIOS) and `id`.
Split "dynamics" is for learning without labels. HDF5 is read within bounds, and no link out of a
file is followed.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from nsca_jax.data import _files, _stream, physion_layouts
from nsca_jax.data._files import Broken, DataError
from nsca_jax.data._stream import Stream, Tolerance
from nsca_jax.data.physion_layouts import SCENARIOS, SPLITS

try:
    import av
    import h5py
    from av.error import FFmpegError
except ImportError as error:
    raise ImportError(
        "Physion is read with h5py and PyAV: pip install 'nsca_jax[video]'"
    ) from error

COLLIDE = SCENARIOS.index("collide")

__all__ = ["SCENARIOS", "Broken", "DataError", "Dataset", "Settings", "open_dataset", "write_trial"]


@dataclass(frozen=True)
class Limits:
    """Of a single file, so that a hostile one costs little."""

    trial_bytes: int = 4 * 2**30  # depth, flow and normals of 200 frames and more
    film_bytes: int = 128 * 2**20
    image_bytes: int = 8 * 2**20
    frames: int = 5_000
    pixels: int = 2048 * 2048


@dataclass(frozen=True)
class Settings:
    """Which frames, at what size; past a film's end its last frame stands."""

    frames: tuple[int, ...] = (0, 15, 30, 45)
    frames_collide: tuple[int, ...] = (0, 0, 0, 15)
    height: int = 64
    width: int = 64
    threads: int = 2
    tolerance: Tolerance = field(default_factory=Tolerance)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        for frames in (self.frames, self.frames_collide):
            if not frames or min(frames) < 0 or list(frames) != sorted(frames):
                raise ValueError(f"frames must be ascending and 0 or more, got {frames}")
        if len(self.frames) != len(self.frames_collide):
            raise ValueError("frames and frames_collide must be equally many")
        if min(self.height, self.width) < 1:
            raise ValueError(f"an image of {self.height} x {self.width} pixels is empty")

    def wanted(self, scenario: int) -> tuple[int, ...]:
        """The frames of a trial of that scenario."""
        return self.frames_collide if scenario == COLLIDE else self.frames


@dataclass(frozen=True)
class Dataset:
    """One split: `ids` of the trials there, `scenario` of each, `missing` ids that are not."""

    layout: str  # "hdf5" or "mp4"
    ids: tuple[str, ...]
    scenario: tuple[int, ...]
    missing: tuple[str, ...]
    excluded: tuple[str, ...]  # test trials with glitches, which the official evaluation leaves out
    source: _stream.Source
    threads: int

    def trials(self) -> Stream:
        """Every trial once, in the order of ids; see `Stream.skipped`."""
        return Stream(self.source, 0, threads=self.threads)


def open_dataset(
    folder: str | Path,
    split: str,
    settings: Settings = Settings(),
    limit: int = 0,
    scenario: str = "",
) -> Dataset:
    """A split of Physion, "dynamics", "readout" or "test", in `folder`.

    `limit`, where not 0, keeps so many trials of each scenario, the first by name; `scenario`,
    where given, keeps its trials alone, of which there may be none. Raises
    DataError, one sentence, where the data set is not there as it is distributed, or more of its
    films are missing than `settings.tolerance` allows.
    """
    if split not in SPLITS:
        raise DataError(f"Physion has no split {split!r}: there are {', '.join(SPLITS)}.")
    found = physion_layouts.find(Path(folder), split)
    tolerance = settings.tolerance
    _stream.check_missing(found.ids, found.missing, tolerance.missing, str(folder))
    rows = _first(found.scenario, limit)
    if scenario:
        rows = [row for row in rows if found.scenario[row] == SCENARIOS.index(scenario)]
    found = found.of(rows)
    read = read_trial if found.layout == "hdf5" else read_film

    def load(row: int, rng: np.random.Generator | None) -> dict[str, Any]:
        frames, label = read(found.paths[row], settings.wanted(found.scenario[row]), settings)
        return {
            "frames": frames,
            "label": label if label is not None else np.int32(found.labels[row] or 0),
            "scenario": np.int32(found.scenario[row]),
            "id": np.str_(found.ids[row]),
        }

    form = settings.frames, settings.frames_collide, settings.height, settings.width
    source = _stream.Source(found.ids, load, tolerance, form)
    return Dataset(
        found.layout,
        found.ids,
        found.scenario,
        found.missing,
        found.excluded,
        source,
        settings.threads,
    )


def read_trial(
    path: Path, wanted: Sequence[int], settings: Settings
) -> tuple[np.ndarray, np.int32 | None]:
    """Frames [T, H, W, 3] uint8 and label of an HDF5 trial.

    Raises Broken where the file is no trial, lacks a wanted image, or is beyond the limits.
    """
    _files.size_of(path, settings.limits.trial_bytes)
    try:
        with h5py.File(path, "r") as file:
            frames = _group(file, "frames")
            if not 1 <= len(frames) <= settings.limits.frames:
                raise Broken(f"has {len(frames)} frames, needs 1 to {settings.limits.frames}")
            if not all(isinstance(n, str) and len(n) >= 4 and n.isdecimal() for n in frames):
                raise Broken("has a frame whose name is no number of four digits or more")
            names = sorted(frames)
            label = np.int32(any(_touching(_group(frames, name)) for name in names))
            last = int(names[-1])
            read = {
                number: _image(frames, number, settings)
                for number in {min(w, last) for w in wanted}
            }
    except (OSError, RuntimeError, KeyError) as error:
        raise Broken(f"is no readable HDF5 trial ({' '.join(str(error).split())[:120]})") from error
    return np.stack([read[min(number, last)] for number in wanted]), label


def read_film(
    path: Path, wanted: Sequence[int], settings: Settings
) -> tuple[np.ndarray, np.int32 | None]:
    """Frames [T, H, W, 3] uint8 of a film; its label stands elsewhere (None).

    Raises Broken where the file is empty, truncated, no film, or beyond the limits.
    """
    _files.size_of(path, settings.limits.film_bytes)
    seen: dict[int, Any] = {}
    last = None
    try:
        with av.open(str(path), format="mov", metadata_errors="replace") as file:
            if not file.streams.video:
                raise Broken("has no video stream")
            stream: Any = file.streams.video[0]
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(settings.limits.pixels)}
            for number, frame in enumerate(file.decode(stream)):
                last = frame
                if number in wanted:
                    seen[number] = frame
                if number >= min(wanted[-1], settings.limits.frames):
                    break
    except FFmpegError as error:
        raise Broken(f"is no readable film ({error.strerror})") from error
    if last is None:
        raise Broken("has no frames")
    images = [_fit(seen.get(number, last).to_image().convert("RGB"), settings) for number in wanted]
    return np.stack(images), None


def write_trial(
    path: Path,
    images: Mapping[int, np.ndarray],
    contact: Mapping[int, bool],
    static: Mapping[str, Any],
) -> None:
    """Writes an HDF5 trial in Physion's layout, whole or not at all.

    `images` are [H, W, 3] uint8 by the number of the frame; `contact` says of each frame there,
    whether target and zone touched since the one before; `static` holds plain values.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.writing")
    with h5py.File(beside, "w", libver="latest") as file:
        for name, value in static.items():
            file[f"static/{name}"] = value
        frames = file.create_group("frames")
        for number, touching in contact.items():
            frame = frames.create_group(f"{number:04d}")
            frame["labels/target_contacting_zone"] = bool(touching)
            if number in images:
                buffer = io.BytesIO()
                Image.fromarray(images[number]).save(buffer, "PNG", compress_level=1)
                frame["images/_img"] = np.frombuffer(buffer.getvalue(), np.uint8)
    beside.replace(path)


def read_key(path: Path) -> tuple[int, ...]:
    """The whole numbers by which a generator named a trial that it wrote; raises Broken."""
    try:
        with h5py.File(path, "r") as file:
            return tuple(int(x) for x in _values(_group(file, "static"), "key", 16))
    except OSError as error:
        raise Broken("is no readable HDF5 trial") from error


def _first(scenario: Sequence[int], limit: int) -> list[int]:
    """Rows, the first `limit` of each scenario; all of them where it is 0."""
    seen: dict[int, int] = {}
    rows = []
    for row, kind in enumerate(scenario):
        seen[kind] = seen.get(kind, 0) + 1
        if not limit or seen[kind] <= limit:
            rows.append(row)
    return rows


def _inside(group: Any, name: str) -> Any:
    """A member of a group; raises Broken where it is not in this file itself."""
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise Broken(f"{group.name}/{name} is missing, or a link out of the file")
    return group[name]


def _group(group: Any, name: str) -> Any:
    found = _inside(group, name)
    if not isinstance(found, h5py.Group):
        raise Broken(f"{group.name}/{name} is no group")
    return found


def _values(group: Any, name: str, most: int) -> np.ndarray:
    """A small numeric data set; raises Broken for any other."""
    found = _inside(group, name)
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "bui":
        raise Broken(f"{group.name}/{name} holds no whole numbers")
    if found.external or found.is_virtual:
        raise Broken(f"{group.name}/{name} lies in another file")
    if not found.size or found.size > most:
        raise Broken(f"{group.name}/{name} holds {found.size} values, needs 1 to {most}")
    return np.asarray(found[()])


def _touching(frame: Any) -> bool:
    return bool(_values(_group(frame, "labels"), "target_contacting_zone", 1).any())


def _image(frames: Any, number: int, settings: Settings) -> np.ndarray:
    frame = _group(frames, f"{number:04d}")
    data = _values(_group(frame, "images"), "_img", settings.limits.image_bytes)
    if data.dtype != np.uint8 or data.ndim != 1:
        raise Broken(f"{frame.name}/images/_img holds no encoded bytes")
    try:
        image = Image.open(io.BytesIO(data.tobytes()), formats=("PNG", "JPEG"))
        if image.width * image.height > settings.limits.pixels:
            raise Broken(f"has frames of {image.width} x {image.height} pixels")
        return _fit(image.convert("RGB"), settings)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Broken(f"{frame.name}/images/_img is no PNG or JPEG image") from error


def _fit(image: Image.Image, settings: Settings) -> np.ndarray:
    """[H, W, 3] uint8: scaled until it covers H x W, cut to the middle."""
    scale = max(settings.height / image.height, settings.width / image.width)
    height = max(round(image.height * scale), settings.height)
    width = max(round(image.width * scale), settings.width)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BOX)
    top, left = (height - settings.height) // 2, (width - settings.width) // 2
    return np.asarray(image)[top : top + settings.height, left : left + settings.width]
