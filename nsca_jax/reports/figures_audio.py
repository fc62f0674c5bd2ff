"""Figures of hearing, from plain arrays; each writes one PNG.

S seeds, T training steps or control steps, F sound bands.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from nsca_jax.reports.figures import BLUE, ORANGE, STYLE, WIDTH_IN, save

COLOURS = (BLUE, ORANGE)


def read_outs(
    path: str | Path, scores: Mapping[str, np.ndarray], columns: Sequence[str], label: str
) -> Path:
    """One bar a thing read and column: {name: [S, columns]}; dots are seeds."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 0.9 + 0.42 * len(scores)), layout="constrained")
        ax = figure.subplots()
        height = 0.8 / len(columns)
        for row, values in enumerate(scores.values()):
            for c in range(len(columns)):
                at = row + (c - (len(columns) - 1) / 2) * height
                colour = COLOURS[c % 2]
                ax.barh(at, values[:, c].mean(), 0.9 * height, color=colour, alpha=0.45, lw=0)
                ax.scatter(values[:, c], np.full(len(values), at), s=5, color=colour, lw=0)
        for c, name in enumerate(columns):
            ax.barh(0, 0, color=COLOURS[c % 2], alpha=0.45, label=name)
        worst = min(float(x.mean(0).min()) for x in scores.values())
        ax.set_xlim(min(-0.05, max(worst - 0.1, -1.0)), 1.03)
        ax.set_yticks(range(len(scores)), list(scores))
        ax.invert_yaxis()
        ax.set_xlabel(label)
        figure.legend(*ax.get_legend_handles_labels(), ncols=2, loc="outside upper right")
        return save(figure, path)


def courses(path: str | Path, losses_SxT: np.ndarray) -> Path:
    """Loss of each seed, and their mean; smoothed over a hundredth of the course."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 2.4), layout="constrained")
        ax = figure.subplots()
        width = max(1, losses_SxT.shape[1] // 100)
        kept = losses_SxT.shape[1] // width * width
        smooth = losses_SxT[:, :kept].reshape(len(losses_SxT), -1, width).mean(-1)
        steps = width * np.arange(1, smooth.shape[1] + 1)
        ax.plot(steps, smooth.T, color=BLUE, alpha=0.25, linewidth=0.7)
        ax.plot(steps, smooth.mean(0), color=BLUE, linewidth=1.8)
        ax.set_xlabel("training steps")
        ax.set_ylabel("loss")
        return save(figure, path)


def spectra(path: str | Path, sound_NxTxF: np.ndarray, names: Sequence[str]) -> Path:
    """Log band energies over time, one panel a thing."""
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        columns = 5
        lines = -(-len(names) // columns)
        figure = Figure(figsize=(WIDTH_IN, 0.3 + 1.4 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        image = None
        for ax, sound, name in zip(axes, sound_NxTxF, names, strict=False):
            image = ax.imshow(
                sound.T, origin="lower", aspect="auto", cmap="magma", vmin=0, vmax=sound_NxTxF.max()
            )
            ax.set_title(name, fontsize=6.5)
        for ax in axes[len(names) :]:
            ax.remove()
        figure.supxlabel("control step", fontsize=8)
        figure.supylabel("band", fontsize=8)
        if image is not None:
            figure.colorbar(image, ax=list(axes[: len(names)]), label="log(1 + energy)", aspect=30)
        return save(figure, path)
