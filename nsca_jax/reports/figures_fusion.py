"""Figures of fused senses, from plain arrays; each writes one PNG. S seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.reports.figures import BLUE, GREY, STYLE, WIDTH_IN, save


def table_of(path: str | Path, rows: Mapping[str, np.ndarray], columns: Sequence[str]) -> Path:
    """A coloured table: {who: [columns]}, colours from 0 to 1."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH_IN, 0.8 + 0.36 * len(rows)), layout="constrained")
        ax = figure.subplots()
        values = np.stack(list(rows.values()))
        ax.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            colour = "white" if value < 0.6 else "black"
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
        ax.set_xticks(range(len(columns)), columns)
        ax.set_yticks(range(len(rows)), list(rows))
        ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False)
        return save(figure, path)


def losses_without(
    path: str | Path, losses: Mapping[str, np.ndarray], senses: Sequence[str]
) -> Path:
    """What each sense's absence costs: {who: [S, senses]}; bars are means, dots seeds."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.8), layout="constrained")
        ax = figure.subplots()
        width = 0.8 / len(losses)
        for number, (who, values) in enumerate(losses.items()):
            at = np.arange(len(senses)) + (number - (len(losses) - 1) / 2) * width
            colour = (BLUE, GREY)[number % 2]
            ax.bar(at, values.mean(0), 0.9 * width, color=colour, alpha=0.45, lw=0, label=who)
            for x, dots in zip(at, values.T, strict=True):
                ax.scatter(np.full(len(dots), x), dots, s=5, color=colour, lw=0)
        ax.axhline(0.0, color="black", linewidth=0.6)
        ax.set_xticks(range(len(senses)), [f"no {name}" for name in senses])
        ax.set_ylabel("loss of mean R²")
        ax.legend()
        return save(figure, path)
