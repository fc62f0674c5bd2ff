"""Figures of what comes next and of pushes chosen by imagination; each writes one PNG.

S seeds, A horizons, W tasks.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from nsca_jax.reports.figures import (
    BLUE,
    COLOURS,
    GREY,
    MARKERS,
    ORANGE,
    STYLE,
    WIDTH_IN,
    save,
)

DARK = "#1f2430"


def horizon_curves(
    path: str | Path,
    ahead: Sequence[int],
    learnt: Mapping[str, np.ndarray],
    rivals: Mapping[str, np.ndarray],
    skills: Mapping[str, Mapping[str, np.ndarray]],
) -> Path:
    """Error in cm against control steps ahead: all windows, then one panel a skill.

    `learnt[arm]` and `skills[skill][arm]` are [S, A] m, `rivals[name]` [A] m. Whiskers hold 95 %
    of the seeds.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 5.6), layout="constrained")
        grid = figure.add_gridspec(3, 2, height_ratios=[1.5, 1, 1])
        top = figure.add_subplot(grid[0, :])
        for marker, (name, error_A) in zip(MARKERS, rivals.items(), strict=False):
            top.plot(ahead, 100 * error_A, marker, ls=":", color=GREY, markersize=4, label=name)
        _curves(top, ahead, learnt)
        top.set_title("all interactions")
        for number, (skill, arms) in enumerate(skills.items()):
            ax = figure.add_subplot(grid[1 + number // 2, number % 2])
            _curves(ax, ahead, arms)
            ax.set_title(skill)
        figure.supxlabel("control steps ahead (40 ms each)", fontsize=9, color="#3b4252")
        figure.supylabel("error of the place, cm", fontsize=9, color="#3b4252")
        handles, labels = top.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, borderaxespad=0.2)
        return save(figure, path)


def calibration(
    path: str | Path, ahead: Sequence[int], coverage: Mapping[str, np.ndarray], rank: np.ndarray
) -> Path:
    """Left: share inside the 90 % band, `coverage[name]` [S, A]; right: rank correlation [S, A]."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.axhspan(85, 95, color=BLUE, alpha=0.12, lw=0)
        for (name, values), colour in zip(coverage.items(), COLOURS, strict=False):
            _whiskers(left, ahead, 100 * values, colour, name)
        left.set_title("inside the 90 % band, %")
        left.legend(loc="lower left", fontsize=8)
        right.axhline(0.5, color=ORANGE, linewidth=1, linestyle="--")
        _whiskers(right, ahead, rank, BLUE, "")
        right.set_ylim(0, 1)
        right.set_title("Spearman, spread and error")
        figure.supxlabel("control steps ahead", fontsize=9, color="#3b4252")
        return save(figure, path)


def push_bars(path: str | Path, distance: Mapping[str, np.ndarray]) -> Path:
    """Final distance from the target, cm: bars are means, dots seeds; `distance[name]` [S], [1]."""
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(WIDTH_IN, 0.8 + 0.3 * len(distance)), layout="constrained")
        ax = figure.subplots()
        ax.margins(x=0.12)
        for row, metres in enumerate(distance.values()):
            values = 100 * np.atleast_1d(metres)
            colour = BLUE if row == 0 else GREY
            ax.barh(row, values.mean(), height=0.72, color=colour, alpha=0.85)
            if len(values) > 1:
                ax.plot(values, np.full(len(values), row), ".", color=DARK, markersize=3)
            ax.text(values.max() + 0.15, row, f"{values.mean():.1f}", va="center", fontsize=8)
        ax.set_yticks(range(len(distance)), list(distance))
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
        ax.set_xlabel("distance from the target after the push, cm")
        return save(figure, path)


def push_map(
    path: str | Path,
    start_m: np.ndarray,
    target_m: np.ndarray,
    imagined_m: np.ndarray,
    end_m: np.ndarray,
    captions: Sequence[str],
) -> Path:
    """A panel an object, from above: where it lay, its targets, where it came; [N, k, 2] each."""
    with matplotlib.rc_context(STYLE):
        columns = min(5, len(captions))
        lines = -(-len(captions) // columns)
        figure = Figure(figsize=(WIDTH_IN, 0.4 + 1.25 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for n, (ax, caption) in enumerate(zip(axes, captions, strict=False)):
            for start, end in zip(start_m[n], end_m[n], strict=True):
                ax.plot(*(100 * np.stack([start, end]).T), color=BLUE, lw=0.8, alpha=0.6)
            for points, marker, colour, label in (
                (target_m[n], "+", ORANGE, "target"),
                (imagined_m[n], "x", GREY, "imagined"),
                (end_m[n], ".", BLUE, "where it came"),
            ):
                ax.plot(*(100 * points.T), marker, color=colour, markersize=5, label=label)
            ax.set_title(caption, fontsize=7.5, fontweight="normal")
            ax.set_aspect("equal")
            ax.tick_params(labelsize=6.5)
        for ax in axes[len(captions) :]:
            ax.remove()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=8)
        figure.supxlabel("x, cm", fontsize=8.5, color="#3b4252")
        figure.supylabel("y, cm", fontsize=8.5, color="#3b4252")
        return save(figure, path)


def _curves(ax: Axes, ahead: Sequence[int], arms: Mapping[str, np.ndarray]) -> None:
    for (name, error_SxA), colour in zip(arms.items(), COLOURS, strict=False):
        _whiskers(ax, ahead, 100 * error_SxA, colour, name)
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _whiskers(ax: Axes, ahead: Sequence[int], values_SxA, colour: str, label: str) -> None:
    values = np.asarray(values_SxA, np.float64)
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    mean = values.mean(0)
    span = np.abs(np.stack([mean - np.minimum(low, mean), np.maximum(high, mean) - mean]))
    ax.errorbar(
        ahead, mean, span, color=colour, marker="o", markersize=4, capsize=2, lw=1.6, label=label
    )
    ax.set_xscale("log")
    ax.set_xticks(list(ahead), [str(h) for h in ahead])
    ax.minorticks_off()
