"""Figures of eyes that learn, from plain arrays; each writes one PNG. S seeds, N label counts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.evaluation import stats
from nsca_jax.reports.figures import COLOURS, MARKERS, STYLE, WIDTH_IN, save

Panels = Mapping[str, Mapping[str, np.ndarray]]


def label_curves(path: str | Path, labelled: Sequence[int], panels: Panels) -> Path:
    """Share told [S, N] against labelled frames [N]: `panels[read-out][features]`."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.9), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True)
        for ax, (title, lines) in zip(axes, panels.items(), strict=True):
            for k, (name, told_SxN) in enumerate(lines.items()):
                mean, low, high = _intervals(told_SxN)
                ax.errorbar(
                    np.asarray(labelled) * 1.04 ** (k - 2),
                    mean,
                    yerr=[mean - low, high - mean],
                    color=COLOURS[k],
                    marker=MARKERS[k],
                    markersize=4,
                    linewidth=1.4,
                    capsize=2,
                    label=name,
                )
            ax.set_xscale("log")
            ax.set_xticks(labelled, [str(n) for n in labelled])
            ax.minorticks_off()
            ax.set_title(title)
        axes[0].set_ylabel("share told")
        axes[0].set_ylim(bottom=0)
        figure.supxlabel("labelled frames", fontsize=9, color="#3b4252")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3, fontsize=8)
        return save(figure, path)


def bars(path: str | Path, panels: Panels, unit: str) -> Path:
    """Means with 95 % intervals of `panels[title][name]` [S]."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.6), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for ax, (title, rows) in zip(axes, panels.items(), strict=True):
            mean, low, high = _intervals(np.stack(list(rows.values()), 1))
            place = np.arange(len(rows))
            ax.barh(
                place,
                mean,
                xerr=[mean - low, high - mean],
                color=COLOURS[: len(rows)],
                capsize=2,
                height=0.7,
            )
            ax.set_yticks(place, list(rows))
            ax.set_title(title)
            ax.grid(axis="y", visible=False)
        axes[0].invert_yaxis()
        figure.supxlabel(unit, fontsize=9, color="#3b4252")
        return save(figure, path)


def losses(path: str | Path, panels: Panels) -> Path:
    """`panels[loss][eye]` [S, steps]; thin lines are seeds, the thick one their mean."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.5), layout="constrained")
        axes = figure.subplots(1, len(panels))
        for ax, (title, eyes) in zip(axes, panels.items(), strict=True):
            for colour, (name, loss_SxT) in zip(COLOURS, eyes.items(), strict=False):
                ax.plot(loss_SxT.T, color=colour, alpha=0.12, linewidth=0.5)
                ax.plot(np.nanmean(loss_SxT, 0), color=colour, linewidth=1.6, label=name)
            ax.set_title(title)
            ax.set_ylim(bottom=0)
        figure.supxlabel("steps", fontsize=9, color="#3b4252")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3, fontsize=8)
        return save(figure, path)


def maps(path: str | Path, pictures: Mapping[str, np.ndarray]) -> Path:
    """Pictures [H, W, 3] in colour and maps [H, W], each in its own range."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        lines = -(-len(pictures) // 4)
        figure = Figure(figsize=(WIDTH_IN, 1.6 * lines), layout="constrained")
        for ax, (title, picture) in zip(
            figure.subplots(lines, 4).ravel(), pictures.items(), strict=True
        ):
            ax.imshow(picture, cmap="magma", interpolation="nearest")
            ax.set_title(title, fontsize=8, fontweight="normal")
            ax.set_axis_off()
        return save(figure, path)


def _intervals(values_SxN: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and the ends of their 95 % intervals over the seeds that finished, [N] each."""
    rows = []
    for column in np.asarray(values_SxN, np.float64).T:
        mean, _, low, high = stats.mean_interval(column[np.isfinite(column)])
        rows.append((mean, mean if low is None else low, mean if high is None else high))
    mean, low, high = np.array(rows).T
    return mean, low, high
