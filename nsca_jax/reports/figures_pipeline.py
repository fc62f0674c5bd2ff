"""The figure of a run of many phases, from their results; it writes one PNG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from nsca_jax.reports.figures import GREEN, GREY, ORANGE, STYLE, WIDTH_IN, save


def phases(path: str | Path, found: Mapping[str, Mapping[str, Any]]) -> Path:
    """A row a phase: criteria held and not held, as shares, and minutes; `found` by its name."""
    names = list(found)
    held = [sum(item["passed"] for item in one["criteria"]) for one in found.values()]
    total = [len(one["criteria"]) for one in found.values()]
    minutes = [one["wall_s"] / 60 for one in found.values()]
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH_IN, 0.9 + 0.32 * len(names)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for row, (kept, of) in enumerate(zip(held, total, strict=True)):
            share = kept / max(of, 1)
            left.barh(row, share, color=GREEN, label=_once(row, "held"))
            left.barh(row, 1 - share, left=share, color=ORANGE, label=_once(row, "not held"))
            left.text(0.5, row, f"{kept} of {of}", ha="center", va="center", color="white")
        bars = right.barh(range(len(names)), minutes, color=GREY)
        right.bar_label(bars, [f"{m:.1f}" for m in minutes], padding=3, fontsize=8)
        right.margins(x=0.2)
        left.set_yticks(range(len(names)), names)
        left.invert_yaxis()
        left.set_xticks([])
        left.set_title("criteria")
        right.set_title("minutes")
        left.legend(
            *left.get_legend_handles_labels(),
            ncols=2,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.02),
            fontsize=8,
        )
        return save(figure, path)


def _once(row: int, text: str) -> str | None:
    return text if row == 0 else None
