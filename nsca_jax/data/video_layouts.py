"""Where two video data sets keep their clips and labels, as they are distributed.

Something-Something v2 (Goyal et al. 2017; 220,847 clips, 174 classes):

    FOLDER/20bn-something-something-v2/ID.webm
    FOLDER/labels/{labels,train,validation,test}.json, test-answers.csv    or in FOLDER itself

Kinetics-400 (Kay et al. 2017; clips of ten seconds, some of which go missing by nature):

    FOLDER/SPLIT/CLASS/YTID_START_END.mp4     seconds in six digits; or without the CLASS folder
    FOLDER/annotations/SPLIT.csv              or in FOLDER itself; label, youtube_id, time_start,
                                              time_end, split
    FOLDER/replacement/*/*.mp4                where there: its clips stand in for corrupted ones
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nsca_jax.data import _files
from nsca_jax.data._files import DataError

UNLABELLED = -1
_SSV2_NAMES = {"train": "train", "validation": "validation", "test": "test"}
_KINETICS_NAMES = {
    "train": ("train",),
    "validation": ("val", "validate", "validation"),
    "test": ("test",),
}
SPLITS = tuple(_KINETICS_NAMES)
_KINETICS_COLUMNS = ("youtube_id", "time_start", "time_end")


class Listing(NamedTuple):
    """The clips of one split, in the annotations' order."""

    classes: tuple[str, ...]
    ids: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[int, ...]  # index into classes; UNLABELLED where the annotations keep it back
    missing: tuple[str, ...]  # ids that are listed and not there


def something_something(folder: Path, split: str) -> Listing:
    """Raises DataError, one sentence, where the layout is not as above."""
    clips = folder / "20bn-something-something-v2"
    if not clips.is_dir():
        raise DataError(
            "Something-Something v2 is missing: expected the folder of extracted clips ID.webm"
            f" {clips}."
        )
    classes = _templates(_annotation(folder, "labels.json"))
    path = _annotation(folder, f"{split}.json")
    answers = _answers(folder) if split == "test" else {}
    wanted = []
    for number, entry in enumerate(_files.read_json(path, list), start=1):
        where = f"{path}, entry {number}"
        name = _field(entry, "id", where)
        if not re.fullmatch(r"[0-9]{1,12}", name):
            raise DataError(f"{where}: id must be a number, got {name[:40]!r}.")
        template = answers.get(name) if split == "test" else _field(entry, "template", where)
        wanted.append((name, _label(template, classes, where)))
    return _matched(tuple(classes), wanted, _by_stem(clips, ".webm"))


def kinetics(folder: Path, split: str) -> Listing:
    """Raises DataError, one sentence, where the layout is not as above."""
    names = _KINETICS_NAMES[split]
    clips = _files.first_of([folder / name for name in names], f"Kinetics-400's {split} clips")
    path = _kinetics_csv(folder, split)
    if path is None:
        expected = folder / "annotations" / f"{names[0]}.csv"
        raise DataError(f"Kinetics-400's {split} annotations are missing: expected {expected}.")
    tables = [_kinetics_csv(folder, name) for name in SPLITS]
    rows = {table: list(_kinetics_rows(table)) for table in tables if table is not None}
    labels = {label for table in rows.values() for _, label in table if label is not None}
    number = {label: i for i, label in enumerate(sorted(labels))}
    wanted = [(name, UNLABELLED if label is None else number[label]) for name, label in rows[path]]
    found = _by_stem(clips, ".mp4") | _by_stem(folder / "replacement", ".mp4")
    return _matched(tuple(number), wanted, found)


def _annotation(folder: Path, name: str) -> Path:
    return _files.first_of(
        [folder / "labels" / name, folder / name], f"Something-Something v2's {name}"
    )


def _templates(path: Path) -> dict[str, int]:
    """Template (without brackets) -> class: `labels.json` numbers them in order as text."""
    table = _files.read_json(path, dict)
    if sorted(table.values(), key=str) != sorted(map(str, range(len(table)))) or not table:
        raise DataError(f'{path}: must number its {len(table)} templates "0", "1" and so on.')
    return dict(sorted(((name, int(number)) for name, number in table.items()), key=lambda x: x[1]))


def _answers(folder: Path) -> dict[str, str]:
    """id -> template of the test clips; empty where the answers are not there."""
    places = [folder / "labels" / "test-answers.csv", folder / "test-answers.csv"]
    path = next((place for place in places if place.exists()), None)
    if path is None:
        return {}
    answers = {}
    for line, row in _files.read_rows(path, ";"):
        if len(row) != 2:
            raise DataError(f"{path}, line {line}: needs an id and a template, got {len(row)}.")
        answers[row[0]] = row[1]
    return answers


def _label(template: str | None, classes: dict[str, int], where: str) -> int:
    if template is None:
        return UNLABELLED
    plain = template.replace("[", "").replace("]", "")
    if plain not in classes:
        raise DataError(f"{where}: template {plain[:80]!r} is not in labels.json.")
    return classes[plain]


def _field(entry: Any, name: str, where: str) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get(name), str):
        raise DataError(f"{where}: needs the text field {name!r}.")
    return entry[name]


def _kinetics_csv(folder: Path, split: str) -> Path | None:
    names = [f"{name}.csv" for name in _KINETICS_NAMES[split]]
    places = [base / name for base in (folder / "annotations", folder) for name in names]
    return next((place for place in places if place.exists()), None)


def _kinetics_rows(path: Path) -> Iterator[tuple[str, str | None]]:
    """(clip's id, label) of each row; the label is None where the table has no such column."""
    rows = _files.read_rows(path, ",")
    _, header = next(rows, (0, []))
    missing = [name for name in _KINETICS_COLUMNS if name not in header]
    if missing:
        raise DataError(f"{path}: has no column {missing[0]!r}.")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: has {len(row)} of {len(header)} fields.")
        fields = dict(zip(header, row, strict=True))
        seconds = [fields[name] for name in ("time_start", "time_end")]
        if not all(re.fullmatch(r"[0-9]{1,6}", second) for second in seconds):
            raise DataError(f"{path}, line {line}: needs whole seconds, got {seconds}.")
        start, end = map(int, seconds)
        yield f"{fields['youtube_id']}_{start:06d}_{end:06d}", fields.get("label")


def _by_stem(folder: Path, suffix: str) -> dict[str, Path]:
    """Clips under a folder by name: listed once, for a look per clip would be slow."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        found |= {
            name[: -len(suffix)]: Path(place, name) for name in names if name.endswith(suffix)
        }
    return found


def _matched(
    classes: tuple[str, ...], wanted: list[tuple[str, int]], found: dict[str, Path]
) -> Listing:
    there = [(name, found[name], label) for name, label in wanted if name in found]
    ids, paths, labels = zip(*there, strict=True) if there else ((), (), ())
    return Listing(classes, ids, paths, labels, tuple(n for n, _ in wanted if n not in found))
