"""Where the Greatest Hits keep recordings and hits, as they are distributed.

977 videos of a drumstick on things (Owens et al. 2016, "Visually indicated sounds"):

    FOLDER/ID_denoised.wav      the sound
    FOLDER/ID_denoised.mp4      the film
    FOLDER/ID_times.txt         a row a hit: time (s), material, action, reaction
    FOLDER/{train,test}.txt     the split's IDs
"""

import re
from pathlib import Path
from typing import NamedTuple

from nsca_jax.data import _files
from nsca_jax.data._files import Broken, DataError

SPLITS = ("train", "test")
MAX_HITS = 10_000  # of a file
MAX_TIME_s = 36_000.0


class Hit(NamedTuple):
    """One row of a file of hits."""

    time_s: float
    material: str
    action: str
    reaction: str


class Listing(NamedTuple):
    """The hits of one split, in order."""

    recordings: tuple[str, ...]  # that are there
    hits: tuple[tuple[str, int, Hit], ...]  # recording, row of its file of hits, hit
    broken: dict[str, str]  # recordings whose file of hits is wrong, and how
    missing: tuple[str, ...]  # recordings without sound or file of hits


def greatest_hits(folder: Path, split: str) -> Listing:
    """Raises DataError, one sentence, where the layout is not as above."""
    if split not in SPLITS:
        raise DataError(f"the Greatest Hits have no split {split!r}: there are train and test.")
    names = _names(_files.first_of([folder / f"{split}.txt"], f"the Greatest Hits' {split} split"))
    hits, broken, missing = [], {}, []
    for name in names:
        times = folder / f"{name}_times.txt"
        if not times.exists() or not sound_of(folder, name).exists():
            missing.append(name)
            continue
        try:
            rows = parse_hits(_files.read_text(times))
            hits += [(name, number, hit) for number, hit in enumerate(rows)]
        except (Broken, DataError) as error:
            broken[name] = str(error)
    there = tuple(name for name in names if name not in set(missing))
    return Listing(there, tuple(hits), broken, tuple(missing))


def sound_of(folder: Path, name: str) -> Path:
    """The sound of a recording."""
    return folder / f"{name}_denoised.wav"


def film_of(folder: Path, name: str) -> Path:
    """The film of a recording."""
    return folder / f"{name}_denoised.mp4"


def parse_hits(text: str) -> list[Hit]:
    """The rows of a file of hits; raises Broken where one is not as it should be."""
    lines = text.splitlines()
    if len(lines) > MAX_HITS:
        raise Broken(f"has more than {MAX_HITS} lines")
    hits = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 4:
            raise Broken(f"line {number}: needs a time, material, action and reaction")
        hits.append(Hit(_time(words[0], number), *words[1:]))
    return hits


def _time(word: str, number: int) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,20})?(e[-+]?[0-9]{1,2})?", word):
        raise Broken(f"line {number}: {word[:40]!r} is no time in seconds")
    if float(word) > MAX_TIME_s:
        raise Broken(f"line {number}: {word[:40]} s is beyond {MAX_TIME_s:g} s")
    return float(word)


def _names(path: Path) -> list[str]:
    names = [line.strip() for line in _files.read_text(path).splitlines() if line.strip()]
    for number, name in enumerate(names, start=1):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise DataError(f"{path}: name {number}, {name[:40]!r}, is no recording's.")
    return names
