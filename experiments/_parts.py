"""Parts of an experiment that are kept as they are done."""

from collections.abc import Callable

import numpy as np


def once(run, name: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `compute` gives, or gave before the run was interrupted."""
    done = run.workdir / "parts" / f"{name}.npz"
    if not done.exists():
        run.write_arrays(done, compute())
    with np.load(done) as stored:
        return dict(stored)


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
