"""An agent that learns how objects behave by acting on them."""

from pathlib import Path
from typing import Any


def load(path: str | Path, seed: int = 0) -> tuple[Any, Any]:
    """(model, params) of trained weights: `model, params = nsca_jax.load(path)`; see loading.py."""
    from nsca_jax import loading  # not above: whoever wants the simulator alone needs no networks

    return loading.load(path, seed)
