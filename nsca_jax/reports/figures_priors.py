"""Figures of innate priors and the trust in them; each writes one PNG and returns its path.

S seeds, T steps. A seed with a value that is not finite is left out and counted in its label.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from nsca_jax.reports.figures import COLOURS, GREY, MARKERS, STYLE, WIDTH_IN, save

DARK = "#1f2430"


def trust_curves(
    path: str | Path, weight: Mapping[str, np.ndarray], floor: float, change: int | None = None
) -> Path:
    """Trust against steps: `weight[course]` is [S, T]; its floor, and where the world changed.

    Thin lines are seeds, the thick one their mean.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.0), layout="constrained")
        ax = figure.subplots()
        for colour, (name, weight_SxT) in zip(COLOURS, weight.items(), strict=False):
            fine, label = _finished(name, weight_SxT)
            ax.plot(fine.T, color=colour, linewidth=0.5, alpha=0.25)
            ax.plot(fine.mean(0), color=colour, linewidth=2, label=label)
        ax.axhline(floor, color=DARK, linestyle="--", linewidth=1)
        ax.text(5, floor - 0.012, f"floor {floor:g}", fontsize=7.5, va="top", color=DARK)
        if change is not None:
            ax.axvline(change, color=GREY, linewidth=0.8, linestyle=":")
        ax.set_ylim(floor - 0.08, 1.02)
        ax.set_xlim(left=0)
        ax.set_xlabel("steps")
        ax.set_ylabel("trust in the prior, w")
        figure.legend(loc="outside upper left", ncols=2, borderaxespad=0.2)
        return save(figure, path)


def rate_maps(path: str | Path, ends: Mapping[str, np.ndarray], factors: Sequence[float]) -> Path:
    """Final trust at each pair of learning rates: `ends[form]` is [S, G, G], network by trust."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH_IN, 0.9 * WIDTH_IN / len(ends)), layout="constrained")
        axes = figure.subplots(1, len(ends), squeeze=False)[0]
        labels = [f"{factor:.2g}" for factor in factors]
        for ax, (form, ends_SxGxG) in zip(axes, ends.items(), strict=True):
            mean = np.nanmean(ends_SxGxG, 0)
            ax.imshow(mean, vmin=0.3, vmax=0.9, cmap="viridis")
            for (i, j), value in np.ndenumerate(mean):
                colour = "white" if value < 0.65 else "black"
                ax.text(j, i, f"{value:.3f}", ha="center", va="center", fontsize=7, color=colour)
            ax.set_title(form)
            ax.set_xticks(range(len(labels)), labels)
            ax.set_yticks(range(len(labels)), labels)
            ax.set_xlabel("learning rate of the trust, relative")
            ax.set_ylabel("of the network")
        return save(figure, path)


def trust_histogram(path: str | Path, weight: Mapping[str, np.ndarray], floor: float) -> Path:
    """How far the prior is trusted in each kind of situation: `weight[kind]` is [N]."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.4), layout="constrained")
        ax = figure.subplots()
        bins = np.linspace(floor, 1.0, 71).tolist()
        for colour, (kind, values) in zip(COLOURS, weight.items(), strict=False):
            shares = np.full(len(values), 100.0 / len(values))
            ax.hist(values, bins, weights=shares, color=colour, alpha=0.75, label=kind)
        ax.set_xlim(floor - 0.01, 1.01)
        ax.set_xlabel("trust in the prior, w(x)")
        ax.set_ylabel("% of the kind")
        figure.legend(loc="outside upper left", ncols=len(weight), borderaxespad=0.2)
        return save(figure, path)


def sample_curves(
    path: str | Path,
    sizes: Sequence[int],
    panels: Mapping[str, Mapping[str, np.ndarray]],
    unit: str,
) -> Path:
    """Score against the number of examples: `panels[title][arm]` is [S, sizes].

    Lines are means, whiskers hold 95 % of the seeds.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.0), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for ax, (title, arms) in zip(axes, panels.items(), strict=True):
            for k, (arm, score_SxN) in enumerate(arms.items()):
                fine, label = _finished(arm, score_SxN)
                low, high = np.quantile(fine, [0.025, 0.975], axis=0)
                mean = fine.mean(0)
                ax.errorbar(
                    np.asarray(sizes) * 1.04 ** (k - 1),
                    mean,
                    np.abs([mean - low, high - mean]),
                    color=COLOURS[k],
                    marker=MARKERS[k],
                    markersize=4,
                    elinewidth=0.8,
                    label=label,
                )
            ax.set_xscale("log")
            ax.set_xticks(sizes)
            ax.xaxis.set_major_formatter(ScalarFormatter())
            ax.minorticks_off()
            ax.set_title(title)
            ax.set_xlabel("examples")
        axes[0].set_ylabel(unit)
        handles, labels = axes[0].get_legend_handles_labels()
        columns = 2 if sum(map(len, labels)) > 60 else len(labels)
        figure.legend(handles, labels, loc="outside upper left", ncols=columns, borderaxespad=0.2)
        return save(figure, path)


def _finished(name: str, values: np.ndarray) -> tuple[np.ndarray, str]:
    values = np.asarray(values, np.float64)
    fine = np.isfinite(values).all(1)
    failed = int((~fine).sum())
    return values[fine], f"{name} ({failed} failed)" if failed else name
