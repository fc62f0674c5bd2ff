"""Figures of few-shot imitation; each writes one PNG. S seeds, N numbers of demonstrations."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.evaluation import stats
from nsca_jax.reports.figures import COLOURS, GREY, MARKERS, STYLE, WIDTH_IN, save


def by_shots(
    path: str | Path,
    shots: Sequence[int],
    lines: Mapping[str, np.ndarray],
    points: Mapping[str, np.ndarray],
    at: int,
    needed: float,
) -> Path:
    """Success in % against demonstrations: `lines[arm]` [S, N], and `points[arm]` [S] at `at`.

    Whiskers are 95 % intervals over seeds; dashed is what is needed at `at`.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.2), layout="constrained")
        ax = figure.subplots()
        for colour, marker, (name, values) in zip(COLOURS, MARKERS, lines.items(), strict=False):
            means, halves = zip(*(_interval(column) for column in values.T), strict=True)
            ax.errorbar(
                shots, means, halves, color=colour, marker=marker, capsize=3, lw=1.8, label=name
            )
        for marker, (name, values) in zip("xv*+d", points.items(), strict=False):
            mean, half = _interval(values)
            ax.errorbar(
                [at], [mean], [half], color=GREY, marker=marker, capsize=3, ls="", label=name
            )
        ax.plot([at], [100 * needed], marker="_", color="black", markersize=16, ls="")
        ax.annotate("needed", (at, 100 * needed), (8, -3), textcoords="offset points", fontsize=7)
        ax.set_xscale("log")
        ax.set_xticks(shots, [str(n) for n in shots])
        ax.minorticks_off()
        ax.set_ylim(-3, 103)
        ax.set_xlabel("demonstrations of the task")
        ax.set_ylabel("goals reached, %")
        figure.legend(loc="outside right upper", fontsize=7.5)
        return save(figure, path)


def by_task(path: str | Path, success: Mapping[str, Mapping[str, np.ndarray]]) -> Path:
    """Success in % of each arm on each task: `success[task][arm]` [S]; whiskers as above."""
    arms = list(next(iter(success.values())))
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(WIDTH_IN, 1.35 + 0.16 * len(arms) * 3), layout="constrained")
        axes = np.ravel(figure.subplots(-(-len(success) // 3), 3, sharey=True, sharex=True))
        for ax, (task, values) in zip(axes, success.items(), strict=False):
            for row, (colour, arm) in enumerate(zip(_cycle(len(arms)), arms, strict=True)):
                mean, half = _interval(values[arm])
                ax.barh(row, mean, xerr=half, color=colour, height=0.8, error_kw={"lw": 0.8})
            ax.set_title(task)
            ax.set_yticks(range(len(arms)), arms, fontsize=7.5)
            ax.set_xlim(0, 102)
        axes[0].invert_yaxis()
        for ax in axes[len(success) :]:
            ax.set_visible(False)
        figure.supxlabel("goals reached, %", fontsize=9, color="#3b4252")
        return save(figure, path)


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half the 95 % interval, in %; 0 for one seed."""
    found = stats.mean_interval(100 * np.asarray(values))
    return found.mean, 0.0 if found.high is None else found.high - found.mean


def _cycle(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]
