"""Figures of a run, from plain arrays. Every function writes one PNG and returns its path.

S seeds, T points in time, N objects or interactions. A seed with a non-finite value is left out of
its panel and counted there: it is never averaged away in silence. Drawn 5.6 inches wide,
so that the text stays readable on a phone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import EngFormatter, LogFormatterSciNotation, MaxNLocator
from scipy.stats import spearmanr

WIDTH_IN = 5.6
DPI = 180
BLUE, ORANGE, GREEN, PURPLE, RED, GREY = (
    "#2563eb",
    "#ea7a0c",
    "#0f9d76",
    "#8b5cf6",
    "#dc2f4b",
    "#7b8494",
)
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
MARKERS = ("o", "D", "^", "s", "v", "P")
BAND_90_SIGMA = 2.146  # sqrt of the 90 % quantile of chi-squared with two degrees of freedom
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa3b2",
    "axes.labelcolor": "#3b4252",
    "xtick.color": "#5b6475",
    "ytick.color": "#5b6475",
    "axes.grid": True,
    "grid.color": "#e6e9ef",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def learning_curves(
    path: str | Path,
    interactions: np.ndarray,
    skill: Mapping[str, Mapping[str, np.ndarray]],
) -> Path:
    """Skill against interactions: `skill[modality][set]` is [S, T], `interactions` [T].

    Thin lines are seeds, the thick one their mean. Skill is 1 - MSE / variance: 0 is the mean's.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _grid(len(skill), columns=2, panel_height=1.75, share=True)
        for ax, (modality, sets) in zip(axes, skill.items(), strict=True):
            for colour, (name, skill_SxT) in zip(COLOURS, sets.items(), strict=False):
                _seed_lines(ax, interactions, skill_SxT, name, colour)
            ax.axhline(0, color=GREY, linewidth=0.8)
            ax.set_title(modality)
            ax.set_ylim(max(-0.5, _lowest(skill) - 0.05), 1.03)
        _time_axis(figure, axes, "skill")
        _legend_above(figure, axes[0])
        return save(figure, path)


def region_heat_map(
    path: str | Path,
    interactions: np.ndarray,
    share: np.ndarray,
    objects: Sequence[str],
    skills: Sequence[str],
) -> Path:
    """Where the agent spends its time: `share` [objects, skills, T] of the interactions at a time.

    A row is an object and a skill, a column a stretch of time that ends at `interactions` [T].
    """
    share = np.asarray(share, np.float64)
    n, k, moments = share.shape
    _expect("share", share.shape, (len(objects), len(skills), len(interactions)))
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH_IN, 1.1 + 0.27 * n), layout="constrained")
        ax = figure.subplots()
        end = float(np.asarray(interactions)[-1])
        image = ax.imshow(
            100 * share.reshape(n * k, moments),
            aspect="auto",
            interpolation="nearest",
            cmap="magma",
            vmin=0,
            extent=(0, end, n * k, 0),
        )
        ax.hlines(k * np.arange(1, n), 0, end, color="white", linewidth=0.8)
        ax.set_yticks(k * (np.arange(n) + 0.5), objects)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.set_xlabel("interactions")
        ax.set_title(f"rows of an object: {', '.join(skills)}", fontweight="normal")
        figure.colorbar(image, ax=ax, label="% of the interactions", pad=0.02, aspect=40)
        return save(figure, path)


def grounding_scatter(
    path: str | Path,
    true: Mapping[str, np.ndarray],
    estimated: Mapping[str, np.ndarray],
    properties: Sequence[str],
    units: Sequence[str],
) -> Path:
    """True against estimated properties: `true[set]` and `estimated[set]` are [N, properties].

    Objects with a non-finite true or estimated value (unbreakable, never tried) are left out; the
    title gives the Spearman correlation ρ and, in brackets, the number of objects that remain.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _grid(len(properties), columns=2, panel_height=2.2)
        for i, (ax, name) in enumerate(zip(axes, properties, strict=True)):
            titles = []
            for colour, marker, key in zip(COLOURS, MARKERS, true, strict=False):
                x, y = np.asarray(true[key])[:, i], np.asarray(estimated[key])[:, i]
                known = np.isfinite(x) & np.isfinite(y)
                x, y = x[known], y[known]
                ax.scatter(x, y, s=22, marker=marker, color=colour, alpha=0.85, lw=0, label=key)
                titles.append(f"{key} {_spearman(x, y)} ({len(x)})")
            ax.set_title(f"{name}\n", pad=3)
            note = "ρ " + " · ".join(titles)
            ax.text(0, 1.03, note, transform=ax.transAxes, fontsize=8, color="#5b6475")
            ax.set_xlabel(f"true, {units[i]}")
            ax.set_ylabel("estimated")
            _log_where_wide(ax)
        _legend_above(figure, axes[0])
        return save(figure, path)


def trajectories(
    path: str | Path,
    true_m: np.ndarray,
    mean_m: np.ndarray,
    std_m: np.ndarray,
    ballistic_m: np.ndarray,
    captions: Sequence[str],
    plane: str = "xz",
) -> Path:
    """Predicted against true paths of N interactions at T moments; all arrays [N, T, 3] in metres.

    Ellipses hold the object with probability 0.9 by the prediction's own Gaussian (`std_m`).
    """
    for name, array in {"mean_m": mean_m, "std_m": std_m, "ballistic_m": ballistic_m}.items():
        _expect(name, np.shape(array), np.shape(true_m))
    across, up = ("xyz".index(axis) for axis in plane)
    with matplotlib.rc_context(STYLE):
        figure, axes = _grid(len(captions), columns=2, panel_height=2.1)
        for n, (ax, caption) in enumerate(zip(axes, captions, strict=True)):
            for label, path_NxTx3, colour, line in (
                ("ballistic", ballistic_m, GREY, "x:"),
                ("predicted, 90 %", mean_m, ORANGE, "D-"),
                ("true", true_m, BLUE, "o-"),
            ):
                x, y = 100 * path_NxTx3[n, :, across], 100 * path_NxTx3[n, :, up]
                ax.plot(x, y, line, color=colour, label=label, markersize=4, linewidth=1.4)
            for t in range(true_m.shape[1]):
                width, height = 200 * BAND_90_SIGMA * std_m[n, t, [across, up]]
                centre = (100 * mean_m[n, t, across], 100 * mean_m[n, t, up])
                ax.add_patch(Ellipse(centre, width, height, color=ORANGE, alpha=0.13, lw=0))
            ax.set_title(caption)
            ax.margins(0.12)
            ax.set_xlabel(f"{plane[0]}, cm")
            ax.set_ylabel(f"{plane[1]}, cm")
        _legend_above(figure, axes[0])
        return save(figure, path)


def distractor_share(
    path: str | Path,
    interactions: np.ndarray,
    share: Mapping[str, np.ndarray],
    uniform: float | None = None,
) -> Path:
    """Share of interactions given to the distractor: `share[arm]` [S, T] in [0, 1].

    `uniform` draws the share of an agent that chooses blindly.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.0), layout="constrained")
        ax = figure.subplots()
        for colour, (arm, share_SxT) in zip(COLOURS, share.items(), strict=False):
            _seed_lines(ax, interactions, 100 * np.asarray(share_SxT), arm, colour)
        if uniform is not None:
            ax.axhline(100 * uniform, color=GREY, linestyle="--", linewidth=1, label="blind choice")
        ax.set_ylim(bottom=0)
        _time_axis(figure, [ax], "% at the distractor")
        _legend_above(figure, ax)
        return save(figure, path)


def skill_bars(path: str | Path, skill: Mapping[str, Mapping[str, np.ndarray]]) -> Path:
    """Skill per modality of the model and its rivals: `skill[arm][modality]` is [S].

    Bars are means, dots seeds. Below -0.25 a bar is cut and its value written beside it.
    """
    modalities = list(next(iter(skill.values())))
    floor = -0.25
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        rows = len(modalities) * (len(skill) + 1)
        figure = Figure(figsize=(WIDTH_IN, 0.9 + 0.165 * rows), layout="constrained")
        ax = figure.subplots()
        for a, (colour, (arm, values)) in enumerate(zip(COLOURS, skill.items(), strict=False)):
            y = np.arange(len(modalities)) * (len(skill) + 1) + a
            seeds = [np.asarray(values[m], np.float64) for m in modalities]
            means = np.array(
                [s[np.isfinite(s)].mean() if np.isfinite(s).any() else 0 for s in seeds]
            )
            ax.barh(y, np.maximum(means, floor), height=0.86, color=colour, label=arm, alpha=0.85)
            for row, mean, values_S in zip(y, means, seeds, strict=True):
                shown = values_S[np.isfinite(values_S) & (values_S >= floor)]
                ax.plot(shown, np.full(len(shown), row), ".", color="#1f2430", markersize=3)
                _bar_note(ax, float(row), mean, floor, failed=int((~np.isfinite(values_S)).sum()))
        ax.set_yticks(
            np.arange(len(modalities)) * (len(skill) + 1) + (len(skill) - 1) / 2, modalities
        )
        ax.tick_params(axis="y", length=0)
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set_xlim(floor, 1.02)
        ax.invert_yaxis()
        ax.set_xlabel("skill: 1 - MSE / variance")
        _legend_above(figure, ax)
        return save(figure, path)


def _bar_note(ax: Axes, row: float, mean: float, floor: float, failed: int) -> None:
    note = f"{mean:.2g}" if mean < floor else ""
    note += f" {failed} failed" if failed else ""
    if note:
        x = max(mean, 0) + 0.01
        ax.text(x, row, note.strip(), va="center", fontsize=7, color="#5b6475")


def _grid(
    panels: int, columns: int, panel_height: float, share: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure with room for the panels; the last, empty places are removed."""
    if not panels:
        raise ValueError("a figure needs at least one panel")
    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(WIDTH_IN, 0.35 + panel_height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=share).ravel())
    for ax in axes[panels:]:
        ax.remove()
    return figure, axes[:panels]


def _seed_lines(ax: Axes, x: np.ndarray, y_SxT: np.ndarray, label: str, colour: str) -> None:
    y_SxT = np.asarray(y_SxT, np.float64)
    _expect(label, y_SxT.shape, (len(y_SxT), len(x)))
    fine = np.asarray(np.isfinite(y_SxT).all(axis=1))
    failed = int((~fine).sum())
    if failed:
        note = f"{label}: {failed} of {len(fine)} seeds failed"
        ax.text(0.98, 0.12, note, transform=ax.transAxes, ha="right", fontsize=7.5, color=RED)
    for seed in y_SxT[fine]:
        ax.plot(x, seed, color=colour, linewidth=0.7, alpha=0.35)
    mean = y_SxT[fine].mean(axis=0) if fine.any() else np.full(len(x), np.nan)
    ax.plot(x, mean, color=colour, linewidth=2, label=label)


def _lowest(skill: Mapping[str, Mapping[str, np.ndarray]]) -> float:
    values = np.concatenate([np.ravel(v) for sets in skill.values() for v in sets.values()])
    finite = values[np.isfinite(values)]
    return min(0.0, float(finite.min())) if finite.size else 0.0


def _time_axis(figure: Figure, axes: Sequence[Axes], ylabel: str) -> None:
    for ax in axes:
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlim(left=0)
    figure.supxlabel("interactions", fontsize=9, color="#3b4252")
    figure.supylabel(ylabel, fontsize=9, color="#3b4252")


def _legend_above(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    wide = sum(len(label) + 7 for label in labels)  # a handle is as wide as seven letters
    columns = len(labels) if wide <= 70 else -(-len(labels) // 2)
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, borderaxespad=0.2)


def _spearman(x: np.ndarray, y: np.ndarray) -> str:
    """The rank correlation, or a dash where it does not exist (fewer than 3, or all equal)."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return "–"
    return f"{float(np.asarray(spearmanr(x, y))[0]):.2f}"


def _log_where_wide(ax: Axes) -> None:
    """Logarithmic axes where the points are positive and span more than a factor of eight."""
    points = np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])
    if not len(points):
        return
    for column, axis in enumerate("xy"):
        low, high = points[:, column].min(), points[:, column].max()
        if low > 0 and high > 8 * low:
            getattr(ax, f"set_{axis}scale")("log")
            getattr(ax, f"{axis}axis").set_minor_formatter(
                LogFormatterSciNotation(minor_thresholds=(0.5, 0.2))
            )


def _expect(name: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if tuple(got) != tuple(wanted):
        raise ValueError(f"{name} has shape {tuple(got)}, needs {tuple(wanted)}")


def save(figure: Figure, path: str | Path) -> Path:
    """Writes the figure as PNG, its folder too, and returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, format="png", facecolor="white")
    return path
