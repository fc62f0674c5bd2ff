"""Interactions as arrays by name, to be kept in a file."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax import types


def by_name(rows: types.Interaction) -> dict[str, np.ndarray]:
    """The leaves by dotted name."""
    out = {}
    for name, value in vars(rows).items():
        parts = {name: value} if isinstance(value, jax.Array) else vars(value)
        out |= {name if name in parts else f"{name}.{k}": np.asarray(v) for k, v in parts.items()}
    return out


def from_names(arrays: dict[str, np.ndarray]) -> types.Interaction:
    """The inverse of `by_name`."""
    fields: dict[str, Any] = {"spawn": {}, "outcome": {}}
    for name, array in arrays.items():
        group, _, leaf = name.rpartition(".")
        (fields[group] if group else fields)[leaf] = jnp.asarray(array)
    fields["spawn"] = types.Observation(**fields["spawn"])
    fields["outcome"] = types.Outcome(**fields["outcome"])
    return types.Interaction(**fields)
