"""Figures of the Physion experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.reports.figures import BLUE, GREY, ORANGE, STYLE, WIDTH_IN, save

SHADES = (BLUE, "#7fa8d9", "#b8bcc4", "#d9dbe0")


def filmstrips(path: str | Path, rows: Mapping[str, np.ndarray]) -> Path:
    """One row a film, frames [T, H, W, 3] uint8, its name before it."""
    with matplotlib.rc_context(STYLE):
        columns = max(len(frames) for frames in rows.values())
        side = (WIDTH_IN - 1.3) / columns
        figure = Figure(figsize=(WIDTH_IN, side * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), columns, squeeze=False)
        for line, (name, frames) in zip(axes, rows.items(), strict=True):
            for ax, frame in zip(line, frames, strict=True):
                ax.imshow(frame, interpolation="nearest")
            for ax in line:
                ax.set_xticks([])
                ax.set_yticks([])
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        return save(figure, path)


def accuracy(
    path: str | Path,
    names: Sequence[str],
    arms: Mapping[str, np.ndarray],
    single: Mapping[str, np.ndarray],
    needed: float,
) -> Path:
    """Bars by scenario and of their mean: `arms` [S, scenarios]; marks: `single` [scenarios].

    A scenario without trials, NaN, is left out.
    """
    first = next(iter(arms.values()))
    kept = np.flatnonzero(np.isfinite(first).all(0))
    labels = [*(names[int(number)] for number in kept), "mean"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.2), layout="constrained")
        ax = figure.subplots()
        width = 0.8 / len(arms)
        for i, (title, table) in enumerate(arms.items()):
            values = _with_mean(table[:, kept])
            x = np.arange(len(labels)) + (i - (len(arms) - 1) / 2) * width
            ax.bar(x, values.mean(0), width, color=SHADES[i % len(SHADES)], label=title)
            ax.scatter(np.repeat(x, len(values)), values.T.ravel(), s=3, color="#1f2430", lw=0)
        for (title, table), marker in zip(single.items(), "_x+", strict=False):
            values = _with_mean(table[None, kept])[0]
            ax.scatter(range(len(labels)), values, marker=marker, color=ORANGE, label=title)
        ax.axhline(0.5, color=GREY, linewidth=0.8)
        ax.axhline(needed, color=GREY, linewidth=0.8, linestyle="--")
        ax.set_xticks(range(len(labels)), labels)
        ax.set_ylim(0.3, 1.02)
        ax.set_ylabel("accuracy")
        figure.legend(loc="outside upper center", ncols=2)
        return save(figure, path)


def foreseen(
    path: str | Path,
    nearness: np.ndarray,
    label: np.ndarray,
    scenario: np.ndarray,
    names: Sequence[str],
) -> Path:
    """Dots: imagined nearness [N] of each test trial, by scenario and outcome."""
    rng = np.random.default_rng(0)
    present = np.unique(scenario)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.6), layout="constrained")
        ax = figure.subplots()
        for column, number in enumerate(present):
            for outcome, colour in ((0, GREY), (1, ORANGE)):
                values = nearness[(scenario == number) & (label == outcome)]
                x = column + (outcome - 0.5) * 0.4 + rng.uniform(-0.13, 0.13, len(values))
                ax.scatter(x, values, s=6, alpha=0.6, lw=0, color=colour)
        for outcome, colour in (("no contact", GREY), ("contact", ORANGE)):
            ax.scatter([], [], s=12, color=colour, label=outcome)
        ax.set_xticks(range(len(present)), [str(names[int(n)]) for n in present])
        ax.set_ylabel("imagined nearness")
        figure.legend(loc="outside upper center", ncols=2)
        return save(figure, path)


def _with_mean(table: np.ndarray) -> np.ndarray:
    return np.concatenate([table, table.mean(-1, keepdims=True)], -1)
