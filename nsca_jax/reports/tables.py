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


def baselines_table(result: Mapping[str, Any]) -> str:
    """Markdown tables of a result's baselines, which are no criteria.

    {row: {column: [mean, SE]}} makes one, {row: {column: {name: [mean, SE]}}} one of each name.
    """
    grids: dict[str, dict[str, dict[str, list[float | None]]]] = {}
    for row, cells in result["baselines"].items():
        for column, cell in cells.items():
            for name, figure in (cell if isinstance(cell, Mapping) else {"": cell}).items():
                grids.setdefault(name, {}).setdefault(row, {})[column] = figure
    tables = [_grid(name, rows) for name, rows in grids.items()]
    return "\n\n".join([*tables, "Mean ± SE over the same seeds."])


def speed_table(report: Mapping[str, Any]) -> str:
    """A Markdown table of a benchmark's targets: what, measured, needed, reached or not."""
    lines = ["| figure | measured | needed | reached |", "| --- | --- | --- | --- |"]
    for t in report["targets"]:
        sign = {">=": "≥", "<=": "≤"}[t["direction"]]
        reached = "yes" if t["reached"] else "**no**"
        value = f"{t['value']:,.0f}" if t["value"] >= 100 else f"{t['value']:.3g}"
        lines.append(f"| {t['claim']} | {value} | {sign} {t['threshold']:,g} | {reached} |")
    return "\n".join([*lines, "", f"Measured on {report['device']}."])


def floor_table(report: Mapping[str, Any]) -> str:
    """A Markdown table of benchmarks/floor.py: what a physics step takes, and its floors."""
    middle = {item["name"]: item["median"] for item in report["figures"]}
    lines = [
        "| of a step and world | taken | a core does a second | least time, µs |",
        "| --- | --- | --- | --- |",
    ]
    for name in ("operations", "bytes", "kernels"):
        taken, speed = middle[f"step_{name}"], middle[f"machine_{name}"]
        floor = 1e6 * middle[f"floor_{name}"]
        lines.append(f"| {name} | {taken:,.0f} | {speed:.2g} | {floor:.2f} |")
    for name, what in (("mjx", "measured, MJX"), ("c", "measured, the C engine")):
        rate = middle[f"{name}_all_cores_128_worlds_per_core"]
        lines.append(f"| **{what}**, 128 worlds on all cores | | | {1e6 / rate:.2f} |")
    return "\n".join([*lines, "", f"Measured on {report['device']}."])


def predictions_table(report: Mapping[str, Any]) -> str:
    """A Markdown table of benchmarks/predictions.py: expected, why, measured."""
    lines = ["| figure | expected | because | measured |", "| --- | --- | --- | --- |"]
    for p in report["predictions"]:
        lines.append(f"| {p['claim']} | {p['predicted']:.3g} | {p['why']} | {p['measured']:.3g} |")
    return "\n".join(lines)


def figures_table(report: Mapping[str, Any]) -> str:
    """A Markdown table of every figure and ratio of a benchmark: median, lowest, highest."""
    lines = ["| figure | median | lowest to highest | unit |", "| --- | --- | --- | --- |"]
    for x in [*report["figures"], *({"unit": "ratio", **r} for r in report["ratios"])]:
        spread = f"{x['low']:.4g} to {x['high']:.4g}"
        lines.append(f"| `{x['name']}` | {x['median']:.4g} | {spread} | {x['unit']} |")
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return "\n".join([*lines, "", f"Measured on {report['device']}; {versions}."])


def scale_table(report: Mapping[str, Any]) -> str:
    """A Markdown table of benchmarks/scale.py: rate with its spread, and memory, case by case.

    What a world takes is told against the first case of the worlds, or of the seeds.
    """
    lines = [
        "| varied | seeds | worlds a seed | objects | pixels a side | interactions/s, median | "
        "lowest to highest | peak, MiB | a further world, MiB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    first: dict[str, Mapping[str, Any]] = {}
    for row in report["rows"]:
        start = first.setdefault(row["varied"], row)
        more = row["seeds"] * row["worlds"] - start["seeds"] * start["worlds"]
        each = f"{(row['peak_MiB'] - start['peak_MiB']) / more:.2g}" if more else ""
        sizes = " | ".join(str(row[name]) for name in ("seeds", "worlds", "things", "pixels"))
        spread = f"{row['low']:.4g} to {row['high']:.4g}"
        rate = f"{row['interactions_per_s']:.4g}"
        varied = {"things": "objects"}.get(row["varied"], row["varied"])
        lines.append(
            f"| {varied} | {sizes} | {rate} | {spread} | {row['peak_MiB']:,.0f} | {each} |"
        )
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


def _grid(name: str, rows: Mapping[str, Mapping[str, list[float | None]]]) -> str:
    """A Markdown table, columns as they are first named; what was not measured is empty."""
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    lines = [[name, *columns], ["---"] * (1 + len(columns))]
    for row, cells in rows.items():
        lines.append([row, *(_figure(cells.get(column, [None, None])) for column in columns)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("_", " ")


def _figure(figure: list[float | None]) -> str:
    mean, error = figure
    told = "" if mean is None else f"{mean:.3g}"
    return told if error is None else f"{told} ± {error:.2g}"
