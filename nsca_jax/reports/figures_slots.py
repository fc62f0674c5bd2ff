"""Figures of free slots and hidden properties, from plain arrays; each writes one PNG.

S seeds, N objects, P properties, T looks, A actions, C channels.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.reports.figures import BLUE, COLOURS, GREY, ORANGE, STYLE, WIDTH_IN, save

DARK = "#1f2430"


def correlation_matrices(
    path: str | Path, matrices: Mapping[str, np.ndarray], properties: Sequence[str]
) -> Path:
    """One square a world: |r| [P, P] of each property's slot (row) with each property (column)."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        columns = min(len(matrices), 2)
        lines = -(-len(matrices) // columns)
        figure = Figure(figsize=(WIDTH_IN, 0.3 + 2.7 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        short = [name[:5] for name in properties]
        for ax, (title, r) in zip(axes, matrices.items(), strict=False):
            ax.imshow(r, vmin=0, vmax=1, cmap="viridis")
            for (i, j), value in np.ndenumerate(r):
                colour = "white" if value < 0.6 else "black"
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
            ax.set_title(title)
            ax.set_xticks(range(len(short)), short, rotation=40, ha="right", fontsize=7)
            ax.set_yticks(range(len(short)), [f"slot {k}" for k in short], fontsize=7)
        for ax in axes[len(matrices) :]:
            ax.remove()
        return save(figure, path)


def openings(
    path: str | Path,
    interactions: np.ndarray,
    opened: np.ndarray,
    active: np.ndarray,
    surprise: np.ndarray,
    properties: int,
    threshold: float,
) -> Path:
    """Above: slots opened and in use, [S, T] each; below: persistent surprise [S, T], z-score."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 4.0), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for values, colour, label in ((opened, GREY, "opened"), (active, BLUE, "in use")):
            _lines(above, interactions, values, colour, label)
        above.axhline(properties, color=ORANGE, linewidth=1, linestyle="--", label="properties")
        above.set_ylabel("free slots")
        above.set_ylim(bottom=0)
        above.legend(ncols=3, loc="lower right")
        _lines(below, interactions, surprise, BLUE, "largest z-score")
        below.axhline(threshold, color=ORANGE, linewidth=1, linestyle="--", label="opens a slot")
        below.set_ylabel("errors that persist")
        below.set_xlabel("training steps")
        below.legend(ncols=2, loc="upper right")
        return save(figure, path)


def slot_scatter(
    path: str | Path, truth: np.ndarray, slots: np.ndarray, r: np.ndarray, names: Sequence[str]
) -> Path:
    """Held-out objects of one seed: each property [N, P] and the slot [N, P] that stands for it."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.9), layout="constrained")
        axes = figure.subplots(2, 3).ravel()
        for p, (ax, name) in enumerate(zip(axes, names, strict=False)):
            colour = COLOURS[p % len(COLOURS)]
            ax.scatter(truth[:, p], slots[:, p], s=6, alpha=0.6, lw=0, color=colour)
            ax.set_title(f"{name}, |r| {r[p]:.2f}", fontsize=8.5)
        for ax in axes[len(names) :]:
            ax.remove()
        figure.supxlabel("true property", fontsize=9, color="#3b4252")
        figure.supylabel("mean of its slot", fontsize=9, color="#3b4252")
        return save(figure, path)


def gate_map(
    path: str | Path,
    gates: np.ndarray,
    actions: Sequence[str],
    channels: Sequence[str],
    slots: Sequence[str],
) -> Path:
    """Which slot each action's channel reads: gates [A, C, slots] in [0, 1], mean over seeds."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH_IN, 3.9), layout="constrained")
        ax = figure.subplots()
        rows = gates.shape[0] * gates.shape[1]
        image = ax.imshow(
            gates.reshape(rows, -1).T,
            aspect="auto",
            vmin=0,
            vmax=1,
            cmap="magma",
            interpolation="nearest",
        )
        width = len(channels)
        ax.vlines(width * np.arange(1, len(actions)) - 0.5, -0.5, len(slots) - 0.5, color="white")
        ax.set_yticks(range(len(slots)), slots)
        ax.set_xticks(range(rows), list(channels) * len(actions), rotation=90, fontsize=7)
        for a, name in enumerate(actions):
            ax.text(
                width * (a + 0.5) - 0.5,
                -0.8,
                name,
                ha="center",
                va="bottom",
                fontsize=9,
                color=DARK,
            )
        figure.colorbar(image, ax=ax, label="gate, mean of the seeds", pad=0.02, aspect=30)
        return save(figure, path)


def _lines(ax, x: np.ndarray, values_SxT: np.ndarray, colour: str, label: str) -> None:
    """Thin lines are seeds, the thick one their mean; a seed with a NaN is left out and counted."""
    fine = np.isfinite(values_SxT).all(1)
    if not fine.all():
        label = f"{label} ({int((~fine).sum())} failed)"
    ax.plot(x, values_SxT[fine].T, color=colour, alpha=0.2, linewidth=0.7)
    if fine.any():
        ax.plot(x, values_SxT[fine].mean(0), color=colour, linewidth=1.8, label=label)
