"""`metrics.jsonl`: one line of JSON a log step, `{"step": 3, "loss": [0.2, 0.3], ...}`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nsca_jax.reports.plain import plain


def append(path: str | Path, step: int, figures: Mapping[str, Any]) -> None:
    """Adds one line; raises ValueError, with the leaf's path, where a number is not finite."""
    line = json.dumps({"step": int(step), **plain(figures)}, allow_nan=False)
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def read(path: str | Path) -> tuple[list[dict[str, Any]], int]:
    """`(records, dropped)`, oldest first: a last line that was cut short is dropped and counted.

    Raises ValueError where any other line is no JSON, FileNotFoundError without the file.
    """
    *lines, rest = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return records, int(bool(rest))


def column(records: list[dict[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """`(steps [T], values [T, ...])` of the records that have `name`; a None becomes NaN."""
    having = [record for record in records if name in record]
    steps = np.asarray([record["step"] for record in having])
    return steps, np.asarray([record[name] for record in having], dtype=float)
