"""Figures of looks that mislead, from plain arrays; each writes one PNG and returns its path."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from nsca_jax.reports.figures import BLUE, COLOURS, GREY, MARKERS, RED, STYLE, WIDTH_IN, save
from nsca_jax.robustness import detection


def attack_curve(
    path: str | Path, sizes: Sequence[float], percent: Mapping[str, Sequence[float]]
) -> Path:
    """Percentages against the attack's size in 1/255: `percent[what]` is as long as `sizes`."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.7), layout="constrained")
        ax = figure.subplots()
        for (name, values), colour, marker in zip(percent.items(), COLOURS, MARKERS, strict=False):
            ax.plot(sizes, values, marker=marker, markersize=4, color=colour, label=name)
        ax.set_xscale("log", base=2)
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
        ax.set_xlabel("size of the attack, 1/255")
        ax.set_ylabel("percent")
        ax.set_ylim(-3, 103)
        figure.legend(loc="outside upper left", ncols=2, borderaxespad=0.2)
        return save(figure, path)


def suspicions(path: str | Path, suspicion: Mapping[str, np.ndarray]) -> Path:
    """One line a kind of look, `suspicion[kind]` [n] in units of the limit: 5, 50 and 95 %.

    Right of 1 the guard refuses; the share that it refuses is written beside.
    """
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(WIDTH_IN, 0.7 + 0.24 * len(suspicion)), layout="constrained")
        ax = figure.subplots()
        for row, values in enumerate(suspicion.values()):
            low, middle, high = np.quantile(np.maximum(values, 1e-3), [0.05, 0.5, 0.95])
            share = np.mean(detection.uncertain(jnp.asarray(values)))
            colour = RED if share > 0.5 else BLUE
            ax.plot([low, high], [row, row], color=colour, linewidth=4, alpha=0.35)
            ax.plot(middle, row, "o", color=colour, markersize=4)
            ax.annotate(
                f"{100 * share:.0f} % refused",
                (1.01, row),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=7,
                annotation_clip=False,
            )
        ax.axvline(1.0, color=GREY, linewidth=1)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_yticks(range(len(suspicion)), list(suspicion))
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
        ax.set_xlabel("suspicion, in units of the limit")
        return save(figure, path)


def looks(path: str | Path, rgb: Mapping[str, np.ndarray]) -> Path:
    """One row a kind of look: `rgb[kind]` is [n, H, W, 3] uint8, all of the same n."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        columns = len(next(iter(rgb.values())))
        figure = Figure(figsize=(WIDTH_IN, WIDTH_IN / columns * len(rgb)), layout="constrained")
        axes = figure.subplots(len(rgb), columns, squeeze=False)
        for row, (name, images) in zip(axes, rgb.items(), strict=True):
            for ax, image in zip(row, images, strict=True):
                ax.imshow(image, interpolation="nearest")
                ax.set_xticks([])
                ax.set_yticks([])
                for side in ax.spines.values():
                    side.set_visible(False)
            row[0].set_ylabel(name)
        return save(figure, path)
