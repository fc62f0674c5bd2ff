"""Figures of games, from plain arrays; each writes one PNG. S seeds, T points in time."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from nsca_jax.reports.figures import COLOURS, GREY, STYLE, WIDTH_IN, save


def curves(
    path: str | Path,
    steps: np.ndarray,
    played: Mapping[str, np.ndarray],
    random: float,
) -> Path:
    """Normalised return while learning: `played[arm]` is [S, T] at `steps` [T], NaN where unknown.

    Thin lines are seeds, the thick one the mean of those that are known; dashed: random actions.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.8), layout="constrained")
        ax = figure.subplots()
        for colour, (arm, values) in zip(COLOURS, played.items(), strict=False):
            ax.plot(steps, values.T, color=colour, linewidth=0.6, alpha=0.3)
            known = np.isfinite(values)
            total = np.where(known, values, 0.0).sum(0)
            mean = np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)
            ax.plot(steps, mean, color=colour, linewidth=2, label=arm)
        ax.axhline(random, color=GREY, linestyle="--", linewidth=1, label="random")
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlim(left=0)
        ax.set_xlabel("steps")
        ax.set_ylabel("normalised return")
        figure.legend(loc="outside upper left", ncols=2)
        return save(figure, path)


def scores(path: str | Path, found: Mapping[str, Mapping[str, np.ndarray]]) -> Path:
    """Final scores: `found[arm][levels]` is [S]; dots are seeds, the bar their mean.

    A seed that is not finite is left out and counted.
    """
    kinds = list(next(iter(found.values())))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 0.9 + 0.4 * len(found)), layout="constrained")
        ax = figure.subplots()
        labels = []
        for row, (arm, by_kind) in enumerate(found.items()):
            lost = 0
            for k, (kind, colour) in enumerate(zip(kinds, COLOURS, strict=False)):
                values = np.asarray(by_kind[kind])
                fine = values[np.isfinite(values)]
                lost = max(lost, len(values) - len(fine))
                at = row + 0.3 * (k - 0.5 * (len(kinds) - 1))
                name = kind if row == 0 else None
                ax.scatter(fine, np.full(len(fine), at), s=9, color=colour, alpha=0.5, lw=0)
                if len(fine):
                    ax.scatter(
                        [fine.mean()], [at], s=90, marker="|", color=colour, lw=2.5, label=name
                    )
            labels.append(f"{arm} ({lost} failed)" if lost else arm)
        ax.axvline(0, color=GREY, linewidth=1, linestyle="--")
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(len(labels) - 0.5, -0.5)
        ax.set_xlabel("normalised return of the finished players")
        figure.legend(loc="outside upper left", ncols=2)
        return save(figure, path)
