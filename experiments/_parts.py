"""Parts of an experiment that are kept as they are done."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments._config import BadInput
from nsca_jax import checkpoint


def once(run, name: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `compute` gives, or gave before the run was interrupted.

    Where it learns, its `faults` are those of `training.faults.found`, of all the run's seeds; the
    run is told of them.
    """
    done = run.workdir / "parts" / f"{name}.npz"
    if not done.exists():
        run.write_arrays(done, compute())
    arrays = load(done)
    if "faults" in arrays:
        run.tell_faults(name, arrays["faults"])
    return arrays


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a part that is done; raises BadInput where its file is damaged."""
    try:
        return checkpoint.read_arrays(path, math.inf)  # the run's own
    except checkpoint.CheckpointError as error:
        raise BadInput(f"{error}: delete it, and it is made again.") from error


def every(run, parts: dict[str, Callable[[], dict[str, np.ndarray]]]) -> dict[str, dict]:
    """All of them, in order; a run asked to stop does so between two."""
    out = {}
    for number, (name, compute) in enumerate(parts.items()):
        run.progress(number, len(parts), "parts", next=name)
        out[name] = once(run, name, compute)
        if run.stopping:
            raise run.interrupted()
    run.progress(len(parts), len(parts), "parts")
    return out
