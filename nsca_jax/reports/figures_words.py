"""Figures of naming, from plain arrays; each writes one PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.reports.figures import BLUE, GREY, ORANGE, STYLE, WIDTH_IN, save


def confusion(path: str | Path, counts: np.ndarray, names: Sequence[str]) -> Path:
    """Share of each right name (row) that each answer (column) got: counts [names, names]."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH_IN, 4.3), layout="constrained")
        ax = figure.subplots()
        total = counts.sum(1, keepdims=True)
        share = np.where(total > 0, counts / np.maximum(total, 1), np.nan)
        image = ax.imshow(share, vmin=0, vmax=1, cmap="Blues")
        for (i, j), value in np.ndenumerate(share):
            if np.isfinite(value) and value >= 0.005:
                colour = "white" if value > 0.6 else "#1f2430"
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
        labels = [f"{name} ({n})" for name, n in zip(names, total[:, 0], strict=True)]
        ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
        ax.set_yticks(range(len(names)), labels)
        ax.set_xlabel("the agent's answer")
        ax.set_ylabel("the speaker's name (times asked)")
        figure.colorbar(image, ax=ax, label="share of the answers", pad=0.02, aspect=30)
        return save(figure, path)


def arms(
    path: str | Path, accuracy: Mapping[str, np.ndarray], chance: float, needed: float
) -> Path:
    """One line an arm: dots are seeds [S], the bar their mean; dashed: chance and what is needed.

    A seed that is not finite is left out and counted.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 0.8 + 0.28 * len(accuracy)), layout="constrained")
        ax = figure.subplots()
        labels = []
        for row, (name, values) in enumerate(accuracy.items()):
            fine = values[np.isfinite(values)]
            ax.scatter(fine, np.full(len(fine), row), s=9, color=GREY, alpha=0.5, lw=0)
            if len(fine):
                ax.scatter([fine.mean()], [row], s=90, marker="|", color=BLUE, lw=2.5)
            lost = len(values) - len(fine)
            labels.append(f"{name} ({lost} failed)" if lost else name)
        ax.axvline(chance, color=GREY, linewidth=1, linestyle="--")
        ax.axvline(needed, color=ORANGE, linewidth=1, linestyle="--")
        ax.text(chance, -0.8, "skill alone", ha="center", fontsize=7, color=GREY)
        ax.text(needed, -0.8, "needed", ha="center", fontsize=7, color=ORANGE)
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(len(labels) - 0.5, -1.2)
        ax.set_xlim(0, 1.02)
        ax.set_xlabel("Set B named as the speaker would")
        return save(figure, path)


def sweeps(
    path: str | Path, lines: Mapping[str, tuple[Sequence[float], np.ndarray]], needed: float
) -> Path:
    """One panel a quantity: its values [T], and accuracies [S, T]; thin lines are seeds."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.4), layout="constrained")
        axes = figure.subplots(1, len(lines), sharey=True, squeeze=False)[0]
        for ax, (name, (at, values)) in zip(axes, lines.items(), strict=True):
            ax.plot(at, values.T, color=BLUE, alpha=0.15, linewidth=0.7)
            ax.plot(at, np.nanmean(values, 0), color=BLUE, linewidth=1.8, marker="o", markersize=4)
            ax.axhline(needed, color=ORANGE, linewidth=1, linestyle="--")
            ax.set_xlabel(name)
            ax.set_ylim(0, 1.03)
        axes[0].set_ylabel("accuracy on Set B")
        return save(figure, path)
