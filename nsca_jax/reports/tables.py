"""Tables of measured figures, written into documents between markers, never typed by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- {name}: begin, written by `make docs` -->", "<!-- {name}: end -->"


def criteria_table(result: Mapping[str, Any]) -> str:
    """A Markdown table of a result's criteria: what, measured, needed, held or not, control."""
    lines = [
        "| criterion | measured | needed | held | control |",
        "| --- | --- | --- | --- | --- |",
    ]
    for c in result["criteria"]:
        sign = {">=": "≥", "<=": "≤"}[c["direction"]]
        spread = "" if c["se"] is None else f"{c['mean']:.3g} ± {c['se']:.2g}"
        interval = "" if c["ci95"] is None else f" ({c['ci95'][0]:.3g} … {c['ci95'][1]:.3g})"
        control = c.get("control")
        rival = f"{control['name']} {control['value']:.3g}" if control else ""
        measured = (spread + interval) or f"{c['value']:.3g}"
        held = "yes" if c["passed"] else "**no**"
        name = f"{c['claim']} (`{c['name']}`)"
        lines.append(f"| {name} | {measured} | {sign} {c['threshold']:g} | {held} | {rival} |")
    seeds, minutes = len(result["seeds"]), result["wall_s"] / 60
    passed = sum(c["passed"] for c in result["criteria"])
    note = (
        f"{passed} of {len(result['criteria'])} held; mean ± SE (95 % interval) over n = {seeds} "
        f"seeds, {result['n_failed_seeds']} failed; {minutes:.0f} minutes on {result['device']}."
    )
    return "\n".join([*lines, "", note])


def speed_table(report: Mapping[str, Any]) -> str:
    """A Markdown table of a benchmark's targets: what, measured, needed, reached or not."""
    lines = ["| figure | measured | needed | reached |", "| --- | --- | --- | --- |"]
    for t in report["targets"]:
        sign = {">=": "≥", "<=": "≤"}[t["direction"]]
        reached = "yes" if t["reached"] else "**no**"
        value = f"{t['value']:,.0f}" if t["value"] >= 100 else f"{t['value']:.3g}"
        lines.append(f"| {t['claim']} | {value} | {sign} {t['threshold']:,g} | {reached} |")
    return "\n".join([*lines, "", f"Measured on {report['device']}."])


def replace_block(path: Path, name: str, text: str) -> None:
    """Puts `text` between the markers of block `name` in a document.

    Raises:
        ValueError: the document lacks the markers.
    """
    begin, end = BEGIN.format(name=name), END.format(name=name)
    document = path.read_text(encoding="utf-8")
    if document.count(begin) != 1 or document.count(end) != 1:
        raise ValueError(f"{path}: needs one pair of markers {begin!r} … {end!r}")
    before, rest = document.split(begin)
    after = rest.split(end)[1]
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
