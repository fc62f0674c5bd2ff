"""Figures of curiosity before a TV, from plain arrays; each writes one PNG and returns its path."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.reports.figures import COLOURS, GREY, STYLE, WIDTH_IN, save


def signal_table(
    path: str | Path, values: Mapping[str, Mapping[str, float]], threshold: float, title: str
) -> Path:
    """Signals (rows) by worlds (columns): green below the threshold, red above, on a log scale.

    `values[signal][world]`; the first signal has every world, a dash stands where another lacks it.
    """
    worlds = list(next(iter(values.values())))
    table = np.array([[row.get(world, np.nan) for world in worlds] for row in values.values()])
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH_IN, 0.9 + 0.3 * len(values)), layout="constrained")
        ax = figure.subplots()
        shade = np.clip(np.log2(np.maximum(table, 1e-6) / threshold) / 3, -1, 1)
        ax.imshow(shade, vmin=-1.4, vmax=1.4, cmap="RdYlGn_r", aspect="auto")
        for i, j in np.ndindex(*table.shape):
            note = f"{table[i, j]:.2g}" if np.isfinite(table[i, j]) else "–"
            ax.text(j, i, note, ha="center", va="center", fontsize=7.5)
        ax.set_xticks(range(len(worlds)), worlds, fontsize=7.5, rotation=20)
        ax.set_yticks(range(len(values)), list(values), fontsize=7.5)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_title(title)
        return save(figure, path)


def lives(
    path: str | Path,
    panels: Mapping[str, Mapping[str, np.ndarray]],
    levels: Mapping[str, float],
    unit: str,
) -> Path:
    """A panel a world, a line a signal: `panels[world][signal]` is [S, E], mean and 95 % of seeds.

    The dashed line is `levels[world]`.
    """
    with matplotlib.rc_context(STYLE):
        lines = -(-len(panels) // 2)
        figure = Figure(figsize=(WIDTH_IN, 0.5 + 1.6 * lines), layout="constrained")
        axes = figure.subplots(lines, 2, squeeze=False, sharex=True, sharey=True).ravel()
        for ax, (world, signals) in zip(axes, panels.items(), strict=False):
            for (name, share), colour in zip(signals.items(), COLOURS, strict=False):
                episode = np.arange(1, share.shape[1] + 1)
                low, high = np.quantile(share, [0.025, 0.975], axis=0)
                ax.fill_between(episode, low, high, color=colour, alpha=0.12, linewidth=0)
                ax.plot(episode, share.mean(0), color=colour, linewidth=1.4, label=name)
            ax.axhline(levels[world], color=GREY, linewidth=0.8, linestyle="--")
            ax.set_title(world)
        for ax in axes[len(panels) :]:
            ax.remove()
        figure.supxlabel("episode", fontsize=9)
        figure.supylabel(unit, fontsize=9)
        handles = axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=4, fontsize=8)
        return save(figure, path)


def whereabouts(path: str | Path, rooms: Mapping[str, np.ndarray], names: list[str]) -> Path:
    """Where each signal spends the second half: `rooms[signal]` is [rooms], shares adding to 1."""
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        figure = Figure(figsize=(WIDTH_IN, 0.8 + 0.26 * len(rooms)), layout="constrained")
        ax = figure.subplots()
        left = np.zeros(len(rooms))
        for number, name in enumerate(names):
            width = np.array([share[number] for share in rooms.values()])
            colour = COLOURS[number % len(COLOURS)]
            ax.barh(range(len(rooms)), width, left=left, color=colour, alpha=0.85, label=name)
            left += width
        ax.set_yticks(range(len(rooms)), list(rooms), fontsize=8)
        ax.invert_yaxis()
        ax.set_xlim(0, 1)
        ax.set_xlabel("share of the second half's steps")
        figure.legend(loc="outside upper center", ncols=len(names), fontsize=8)
        return save(figure, path)
