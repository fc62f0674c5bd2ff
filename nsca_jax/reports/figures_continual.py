"""Figures of learning task after task, from plain arrays; each writes one PNG, returns its path.

S seeds, T tasks; accuracies in percent. A seed with a NaN is left out and counted in its label.
"""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from nsca_jax.reports.figures import COLOURS, STYLE, WIDTH_IN, save

DARK = "#1f2430"


def method_bars(
    path: str | Path, measures: Mapping[str, Mapping[str, np.ndarray]], unit: str
) -> Path:
    """Bars of seeds' means with 95 % of their spread: `measures[method][measure]` is [S].

    The first method has every measure; where another lacks one, a dash stands for its bar.
    """
    names = list(next(iter(measures.values())))
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        height = 0.8 + 0.17 * len(measures) * (len(names) + 1)
        figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        ax = figure.subplots()
        rows = np.arange(len(measures)) * (len(names) + 1)
        for number, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
            seeds = [_finished(values.get(name, [])) for values in measures.values()]
            means = [float(s.mean()) if s.size else 0.0 for s in seeds]
            ends = [np.quantile(s, [0.025, 0.975]) if s.size else np.zeros(2) for s in seeds]
            spread = [np.abs(end - mean) for mean, end in zip(means, ends, strict=True)]
            ax.barh(
                rows + number,
                means,
                height=0.86,
                color=colour,
                alpha=0.85,
                label=name,
                xerr=np.array(spread).T,
                error_kw={"elinewidth": 0.8, "ecolor": DARK},
            )
            sizes = [s.size for s in seeds]
            for row, mean, end, size in zip(rows + number, means, ends, sizes, strict=True):
                place = max(mean, float(end[1]), 0.0) + 1
                note = f"{mean:.1f}" if size else "–"
                ax.text(place, float(row), note, va="center", fontsize=7, color=DARK)
        ax.set_yticks(rows + (len(names) - 1) / 2, [_label(*item) for item in measures.items()])
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(right=108)
        ax.invert_yaxis()
        ax.set_xlabel(unit)
        figure.legend(loc="outside upper left", ncols=len(names), borderaxespad=0.2)
        return save(figure, path)


def accuracy_matrices(path: str | Path, matrices: Mapping[str, np.ndarray]) -> Path:
    """One square a method: accuracy on task j (column) after learning task i (row).

    `matrices[method]` is [S, T, T]; shown is the mean of the seeds that finished.
    """
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        columns = min(len(matrices), 3)
        lines = -(-len(matrices) // columns)
        figure = Figure(figsize=(WIDTH_IN, 0.3 + 2.0 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for ax, (method, matrix) in zip(axes, matrices.items(), strict=False):
            mean = matrix[np.isfinite(matrix).all((1, 2))].mean(0)
            tasks = len(mean)
            learnt = np.where(np.tri(tasks, dtype=bool), mean, np.nan)
            ax.imshow(learnt, vmin=0, vmax=100, cmap="viridis")
            for i, j in zip(*np.tril_indices(tasks), strict=True):
                colour = "white" if mean[i, j] < 60 else "black"
                note = f"{mean[i, j]:.0f}"
                size = 7 if tasks <= 6 else 4.5
                ax.text(j, i, note, ha="center", va="center", fontsize=size, color=colour)
            ax.set_title(method)
            ax.set_xticks(range(tasks), range(1, tasks + 1))
            ax.set_yticks(range(tasks), range(1, tasks + 1))
            ax.set_xlabel("tested on task")
            ax.set_ylabel("after task")
        for ax in axes[len(matrices) :]:
            ax.remove()
        return save(figure, path)


def _finished(values: ArrayLike) -> np.ndarray:
    finished = np.asarray(values, np.float64)
    return finished[np.isfinite(finished)]


def _label(method: str, values: Mapping[str, np.ndarray]) -> str:
    first = next(iter(values.values()))
    failed = len(first) - len(_finished(first))
    return f"{method} ({failed} failed)" if failed else method
