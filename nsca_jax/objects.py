"""Object sets: YAML files of everyday things, validated to the last field.

A set is a list under `objects:`; every object has exactly the fields of `FIELDS`. Whatever is
wrong is said in one sentence: file, object, field, allowed range.
"""

import difflib
import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax import documents
from nsca_jax.types import SHAPES, ObjectProperties

# Inclusive SI bounds. The robot sets those of size: two pads must close around the object.
RANGES = {
    "mass_kg": (0.02, 2.0),
    "contact_stiffness": (1e4, 6e4),
    "damping_ratio": (0.02, 0.7),
    "friction": (0.1, 1.5),
    "fragility_Ns": (1e-3, 1e3),  # or .inf: never breaks
    "rgb": (0.0, 1.0),
}
SIZES = {  # per shape: (what, bounds) of every entry of size_m
    "sphere": (("radius", (0.015, 0.045)),),
    "capsule": (("radius", (0.015, 0.045)), ("half_length", (0.005, 0.045))),
    "box": (("hx", (0.015, 0.045)), ("hy", (0.015, 0.06)), ("hz", (0.015, 0.06))),
}
FIELDS = ("name", "shape", "size_m", *RANGES)

# YAML 1.1 reads 1e4 as text. Text that is a plain decimal number with an exponent is a number.
_EXPONENT_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


class ObjectError(ValueError):
    """An object set is wrong; the message is one sentence for the person who wrote the file."""


class ObjectSet(NamedTuple):
    """N objects: `names[i]` belongs to row i of `properties` (leaves `[N, ...]`, float32)."""

    names: tuple[str, ...]
    properties: ObjectProperties
    path: str


def load(path: str | Path) -> ObjectSet:
    """Reads and validates an object set. Raises `ObjectError`, one sentence, on anything wrong."""
    where = str(path)
    try:
        document = documents.read(path)
    except documents.DocumentError as error:
        raise ObjectError(f"{where}: {error}.") from error
    if document is None:
        raise ObjectError(f"{where}: is empty, needs a list of objects under `objects:`.")
    if not isinstance(document, dict) or set(document) != {"objects"}:
        raise ObjectError(f"{where}: needs exactly one key at the top, `objects:`.")
    entries = document["objects"]
    if not isinstance(entries, list) or not entries:
        raise ObjectError(f"{where}: `objects:` needs a list of at least one object.")
    rows = [_row(entry, i, where) for i, entry in enumerate(entries)]
    names = tuple(row["name"] for row in rows)
    _refuse_duplicates(names, where)
    return ObjectSet(names, _stack(rows), where)


def concatenate(sets: Sequence[ObjectSet]) -> ObjectSet:
    """The objects of all sets in order. Raises `ObjectError` if a name occurs twice."""
    if not sets:
        raise ObjectError("concatenate: needs at least one object set.")
    names = tuple(name for s in sets for name in s.names)
    where = " + ".join(s.path for s in sets)
    _refuse_duplicates(names, where)
    properties = jax.tree.map(
        lambda *leaves: jnp.concatenate(leaves), *(s.properties for s in sets)
    )
    return ObjectSet(names, properties, where)


def _row(entry: Any, index: int, where: str) -> dict[str, Any]:
    """One validated object as plain Python values, its size padded to three entries."""
    where = f"{where}: object {index + 1}"
    if not isinstance(entry, Mapping):
        raise ObjectError(f"{where}: needs the fields {', '.join(FIELDS)}, got {_shown(entry)}.")
    name = _name(entry.get("name"))
    if name:
        where = f"{where} ({name})"
    for field in entry:
        if field not in FIELDS:
            raise ObjectError(f"{where}: unknown field {_shown(field)}{_suggestion(field)}.")
    for field in FIELDS:
        if field not in entry:
            raise ObjectError(f"{where}: field {field} is missing, needs {_allowed(field)}.")
    if not name:
        got = _shown(entry["name"])
        raise ObjectError(f"{where}: name must be {_allowed('name')}, got {got}.")
    shape = entry["shape"]
    if shape not in SHAPES:
        raise ObjectError(f"{where}: shape must be {_allowed('shape')}, got {_shown(shape)}.")
    row: dict[str, Any] = {"name": name, "shape": SHAPES.index(shape)}
    row["size_m"] = _size(entry["size_m"], shape, where)
    row["rgb"] = _colour(entry["rgb"], where)
    for field in RANGES:
        if field != "rgb":
            unbreakable = field == "fragility_Ns" and entry[field] == math.inf
            row[field] = (
                math.inf
                if unbreakable
                else _number(entry[field], RANGES[field], f"{where}: {field}", _allowed(field))
            )
    return row


def _name(value: Any) -> str:
    """A name, or "" for what is none."""
    stripped = value.strip() if isinstance(value, str) else ""
    return stripped if stripped.isprintable() else ""


def _shown(value: Any) -> str:
    """What a file says, as one line of moderate length."""
    shortened = reprlib.Repr()
    shortened.maxstring = shortened.maxother = 60
    try:
        return shortened.repr(value)
    except ValueError:  # Python spells no number of thousands of digits
        return "a far too large number"


def _size(value: Any, shape: str, where: str) -> list[float]:
    entries = SIZES[shape]
    if not isinstance(value, list) or len(value) != len(entries):
        layout = ", ".join(what for what, _ in entries)
        raise ObjectError(
            f"{where}: size_m of a {shape} must be [{layout}] in m, got {_shown(value)}."
        )
    sizes = [
        _number(v, bounds, f"{where}: size_m {what}", _range(bounds))
        for v, (what, bounds) in zip(value, entries, strict=True)
    ]
    return sizes + [0.0] * (3 - len(sizes))


def _colour(value: Any, where: str) -> list[float]:
    if not isinstance(value, list) or len(value) != 3:
        raise ObjectError(f"{where}: rgb must be {_allowed('rgb')}, got {_shown(value)}.")
    return [
        _number(v, RANGES["rgb"], f"{where}: rgb {what}", _range(RANGES["rgb"]))
        for v, what in zip(value, ("red", "green", "blue"), strict=True)
    ]


def _number(value: Any, bounds: tuple[float, float], where: str, needs: str) -> float:
    """A number within the bounds, which nan and the infinities never are."""
    low, high = bounds
    if isinstance(value, str) and _EXPONENT_NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ObjectError(f"{where} must be {needs}, got {_shown(value)}.")
    return float(value)


def _range(bounds: tuple[float, float]) -> str:
    return f"a number from {bounds[0]:g} to {bounds[1]:g}"


def _allowed(field: str) -> str:
    if field == "name":
        return "one line of text that is not empty"
    if field == "shape":
        return f"one of {', '.join(SHAPES)}"
    if field == "size_m":
        return "[radius], [radius, half_length] or [hx, hy, hz] in m"
    if field == "rgb":
        return "[red, green, blue], each from 0 to 1"
    never = ", or .inf (never breaks)" if field == "fragility_Ns" else ""
    return _range(RANGES[field]) + never


def _suggestion(field: Any) -> str:
    near = difflib.get_close_matches(_shown(field).strip("'"), FIELDS, n=1, cutoff=0.5)
    return f", did you mean {near[0]}" if near else f", allowed are {', '.join(FIELDS)}"


def _refuse_duplicates(names: Sequence[str], where: str) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ObjectError(
                f"{where}: object {i + 1} ({name}): name must be unique, object"
                f" {names.index(name) + 1} has it already."
            )


def _stack(rows: Sequence[Mapping[str, Any]]) -> ObjectProperties:
    def column(field: str) -> jax.Array:
        return jnp.asarray(np.asarray([row[field] for row in rows], np.float32))

    shape = jnp.asarray(np.asarray([row["shape"] for row in rows], np.int32))
    return ObjectProperties(shape=shape, size_m=column("size_m"), **{f: column(f) for f in RANGES})
