"""Plain values for JSON: numbers, words, lists and mappings, and never a NaN."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def plain(value: Any, path: str = "") -> Any:
    """`value` with arrays and NumPy or JAX scalars as lists and numbers.

    Raises ValueError, with the path of the leaf, where a number is not finite: JSON has no NaN,
    and a failed seed is written as None. Raises TypeError for what JSON cannot hold.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, Sequence):
        return [plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} is {value}: a number must be finite")
        return float(value)
    if hasattr(value, "__array__"):
        return plain(np.asarray(value).tolist(), path)
    raise TypeError(f"{path} is of type {type(value).__name__}, which JSON cannot hold")
