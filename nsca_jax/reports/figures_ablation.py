"""Figures of an ablation, from plain arrays; each writes one PNG and returns its path.

S seeds, P points of a learning curve. A seed with a NaN is left out and counted in its label.
Bands and whiskers are 95 % intervals of the mean over seeds.
"""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.evaluation import stats
from nsca_jax.reports.figures import BLUE, GREY, ORANGE, STYLE, WIDTH_IN, save

FLOOR = 0.3  # of the trust in a prior


def efficiency(
    path: str | Path,
    interactions: np.ndarray,
    panels: Mapping[str, Mapping[str, np.ndarray]],
    levels: Mapping[str, float],
    level: str,
    unit: str,
) -> Path:
    """Score against interactions [P]: `panels[task][agent]` is [S, P].

    `levels[task]` is the score of the baseline named `level`; `unit` is what is counted.
    """
    with matplotlib.rc_context(STYLE):
        rows = -(-len(panels) // 2)
        figure = Figure(figsize=(WIDTH_IN, 0.5 + 2.0 * rows), layout="constrained")
        axes = np.ravel(figure.subplots(rows, 2, sharex=True, sharey=True))
        for ax, (task, agents) in zip(axes, panels.items(), strict=False):
            for colour, (agent, curves) in zip((BLUE, ORANGE), agents.items(), strict=True):
                _band(ax, interactions, curves, agent, colour)
            ax.axhline(levels[task], color=GREY, linestyle=":", linewidth=1.2, label=level)
            ax.set_title(task)
            ax.set_xscale("log")
            ax.set_xticks(interactions[_powers(len(interactions))])
            ax.xaxis.set_major_formatter("{x:,.0f}")
            ax.minorticks_off()
        for ax in axes[len(panels) :]:
            ax.remove()
        figure.supxlabel(f"{unit}, N", fontsize=9)
        figure.supylabel("score", fontsize=9)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
        return save(figure, path)


def trust(path: str | Path, steps: np.ndarray, weight_SxP: np.ndarray, start: float) -> Path:
    """The prior's weight against gradient steps [P], with the floor that it cannot pass."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.4), layout="constrained")
        ax = figure.subplots()
        steps = np.concatenate([[0], steps])
        weight = np.concatenate([np.full((len(weight_SxP), 1), start), weight_SxP], 1)
        for seed in weight:
            ax.plot(steps, seed, color=BLUE, linewidth=0.6, alpha=0.3)
        _band(ax, steps, weight, "trust in the prior", BLUE)
        ax.axhspan(0, FLOOR, color=GREY, alpha=0.15)
        ax.axhline(FLOOR, color=GREY, linestyle="--", linewidth=1, label=f"floor {FLOOR:g}")
        ax.set_ylim(0, 1.02)
        ax.set_xlabel("gradient steps")
        ax.set_ylabel("weight")
        ax.legend(loc="lower right")
        return save(figure, path)


def curves(
    path: str | Path,
    interactions: np.ndarray,
    scores: Mapping[str, np.ndarray],
    full: np.ndarray,
    stages: int,
    unit: str,
) -> Path:
    """A panel a condition: its score [S, P] against the full agent's; lines part the stages."""
    with matplotlib.rc_context(STYLE):
        rows = -(-len(scores) // 2)
        figure = Figure(figsize=(WIDTH_IN, 0.6 + 1.7 * rows), layout="constrained")
        axes = np.ravel(figure.subplots(rows, 2, sharex=True, sharey=True))
        for ax, (condition, curves) in zip(axes, scores.items(), strict=False):
            _band(ax, interactions, full, "full agent", BLUE)
            _band(ax, interactions, curves, "as titled", ORANGE)
            for stage in range(1, stages):
                ax.axvline(interactions[-1] * stage / stages, color=GREY, linewidth=0.6, alpha=0.6)
            failed = int((~np.isfinite(curves).all(1)).sum())
            ax.set_title(condition + (f" ({failed} failed)" if failed else ""), fontsize=8.5)
        for ax in axes[len(scores) :]:
            ax.remove()
        figure.supxlabel(unit, fontsize=9)
        figure.supylabel("score", fontsize=9)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
        return save(figure, path)


def forest(path: str | Path, differences: Mapping[str, np.ndarray]) -> Path:
    """What each condition loses against the full agent: seeds [n], mean and interval, a row each.

    A condition of which fewer than two seeds finished has its dots alone.
    """
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(WIDTH_IN, 0.8 + 0.36 * len(differences)), layout="constrained")
        ax = figure.subplots()
        for row, seeds in enumerate(differences.values()):
            ax.plot(seeds, np.full(len(seeds), row), "o", color=GREY, markersize=2.5, alpha=0.5)
            if len(seeds) > 1:
                of = stats.mean_interval(seeds)
                ax.plot([of.low, of.high], [row, row], color=BLUE, linewidth=2.2)  # pyright: ignore
                ax.plot(of.mean, row, "o", color=BLUE, markersize=5)
        ax.axvline(0, color=GREY, linewidth=1)
        ax.set_yticks(range(len(differences)), list(differences))
        ax.invert_yaxis()
        ax.set_xlabel("area under the full agent's curve minus the condition's")
        return save(figure, path)


def _band(ax, x: np.ndarray, y_SxP: np.ndarray, label: str, colour: str) -> None:
    fine = y_SxP[np.isfinite(y_SxP).all(1)]
    if len(fine) < len(y_SxP):
        label = f"{label} ({len(fine)} of {len(y_SxP)} seeds)"
    if not len(fine):
        return
    ax.plot(x, fine.mean(0), color=colour, linewidth=1.8, label=label)
    if len(fine) > 1:
        of = [stats.mean_interval(column) for column in fine.T]
        ax.fill_between(x, [i.low for i in of], [i.high for i in of], color=colour, alpha=0.2)


def _powers(points: int) -> list[int]:
    """Indices 0, 1, 3, 7 ... of points that lie a doubling apart."""
    return [2**k - 1 for k in range(points.bit_length()) if 2**k <= points]
