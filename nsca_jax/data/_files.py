"""Strangers' files: read within bounds, refused in one sentence."""

import csv
import json
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

MAX_TEXT_BYTES = 256 * 2**20  # ten times the largest annotation file of the data sets read here


class DataError(ValueError):
    """A data set cannot be used; the message is one sentence: what is expected where."""


class Broken(Exception):
    """One clip cannot be used: it is skipped, counted and listed with this reason."""


def size_of(path: Path, max_bytes: int) -> int:
    """Bytes of a file; raises Broken where it is none, empty, or larger than `max_bytes`."""
    try:
        found = path.stat()
    except OSError as error:
        raise Broken(f"cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(found.st_mode):
        raise Broken("is no regular file")
    if found.st_size == 0:
        raise Broken("is empty")
    if found.st_size > max_bytes:
        raise Broken(f"has {found.st_size} bytes, more than {max_bytes}")
    return found.st_size


def first_of(paths: Sequence[Path], what: str) -> Path:
    """The first path that is there; raises DataError, naming all of them, where none is."""
    for path in paths:
        if path.exists():
            return path
    raise DataError(f"{what} is missing: expected {' or '.join(map(str, paths))}.")


def read_text(path: Path) -> str:
    """An annotation file; raises DataError where it is no UTF-8 text of reasonable size."""
    try:
        size_of(path, MAX_TEXT_BYTES)
        return path.read_text(encoding="utf-8-sig")
    except (Broken, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def read_json(path: Path, kind: type) -> Any:
    """The `kind` (dict or list) that a JSON file holds; raises DataError for anything else."""
    try:
        value = json.loads(read_text(path))
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no JSON ({error}).") from error
    if not isinstance(value, kind):
        raise DataError(f"{path}: holds a {type(value).__name__}, needs a {kind.__name__}.")
    return value


def read_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of a CSV file's rows that are not empty; raises DataError."""
    rows = csv.reader(read_text(path).splitlines(), delimiter=delimiter)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: {error}.") from error
