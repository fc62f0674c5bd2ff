"""Figures of memories, from plain arrays; each writes one PNG and returns its path.

S seeds, T sets of objects. A seed with a NaN is left out and counted in its label.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.reports.figures import COLOURS, GREY, STYLE, WIDTH_IN, save

DARK = "#1f2430"


def skill_by_set(
    path: str | Path, matrices: Mapping[str, np.ndarray], sets: Sequence[str], low: float = -0.5
) -> Path:
    """A panel a set: skill on it after each set was learnt; `matrices[arm]` is [S, T, T].

    Whiskers hold 95 % of the seeds; what lies below `low` is cut off.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, len(sets), sharey=True))
        after = np.arange(len(sets))
        for judged, (ax, name) in enumerate(zip(axes, sets, strict=True)):
            for number, (arm, matrix) in enumerate(matrices.items()):
                fine = matrix[np.isfinite(matrix).all((1, 2))][:, :, judged]
                label = arm if len(fine) == len(matrix) else f"{arm} ({len(fine)} seeds)"
                _points(ax, after + 0.06 * (number - len(matrices) / 2), fine, number, label)
            ax.axvline(judged, color=GREY, linewidth=6, alpha=0.15)
            ax.axhline(0, color=GREY, linewidth=0.8)
            ax.set_title(f"skill on {name}")
            ax.set_xticks(after, [f"after\n{s}" for s in sets], fontsize=8)
            ax.set_ylim(low, 1)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
        return save(figure, path)


def retrieval(
    path: str | Path, shares: Mapping[str, Mapping[str, np.ndarray]], chance: float
) -> Path:
    """Bars of the share of right answers [S]: `shares[memory][cue]`, percent, one group a cue."""
    cues = list(next(iter(shares.values())))
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        height = 0.9 + 0.19 * len(cues) * (len(shares) + 0.6)
        figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        ax = figure.subplots()
        rows = np.arange(len(cues)) * (len(shares) + 0.8)
        for number, (memory, of) in enumerate(shares.items()):
            seeds = [100 * np.asarray(of[cue], np.float64) for cue in cues]
            means = np.array([s.mean() for s in seeds])
            ends = np.array([np.quantile(s, [0.025, 0.975]) for s in seeds]).T
            ax.barh(
                rows + number,
                means,
                height=0.86,
                color=COLOURS[number],
                alpha=0.85,
                label=memory,
                xerr=np.abs(ends - means),
                error_kw={"elinewidth": 0.8, "ecolor": DARK},
            )
            for row, mean, end in zip(rows + number, means, ends[1], strict=True):
                place = max(float(mean), float(end)) + 1
                ax.text(place, float(row), f"{mean:.0f}", va="center", fontsize=7, color=DARK)
        ax.axvline(90, color=DARK, linestyle="--", linewidth=1, label="needed")
        ax.axvline(100 * chance, color=GREY, linestyle=":", linewidth=1.2, label="chance")
        ax.set_yticks(rows + (len(shares) - 1) / 2, cues)
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0, 108)
        ax.invert_yaxis()
        ax.set_xlabel("right thing brought to mind, percent")
        figure.legend(loc="outside upper left", ncols=3)
        return save(figure, path)


def _points(ax, x: np.ndarray, seeds_SxT: np.ndarray, number: int, label: str) -> None:
    """Means of the seeds with whiskers, joined by a line."""
    if not len(seeds_SxT):
        return
    mean = seeds_SxT.mean(0)
    ends = np.quantile(seeds_SxT, [0.025, 0.975], axis=0)
    ax.errorbar(
        x,
        mean,
        yerr=np.abs(ends - mean),
        color=COLOURS[number],
        marker="o",
        markersize=4,
        linewidth=1.6,
        elinewidth=0.8,
        label=label,
    )
