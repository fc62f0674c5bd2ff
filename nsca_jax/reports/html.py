"""One HTML file that holds a whole report: it opens offline, on a phone, in light and dark.

Pictures, animations and sounds are inside it as data; nothing is fetched and no script runs. A
section may point to the report of another run beside it.
"""

import base64
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STYLE = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
MEDIA_TYPES = {".png": "image/png", ".gif": "image/gif", ".wav": "audio/wav"}
Picture = tuple[str | Path, str]  # a file and its caption


@dataclass(frozen=True)
class Section:
    """A part of the report: text (blank lines part paragraphs), links, table, charts, media."""

    title: str
    text: str = ""
    figures: Sequence[Picture] = ()
    media: Sequence[Picture] = ()
    links: Sequence[tuple[str, str]] = ()  # words, and a file's address relative to the report
    table: Sequence[Sequence[str]] = ()  # rows of cells, the heads first


def write_report(
    path: str | Path,
    title: str,
    summary: str,
    criteria: Sequence[Mapping[str, Any]],
    sections: Sequence[Section],
    config: Mapping[str, Any],
    versions: Mapping[str, Any],
    monitors: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Writes the report and returns its path.

    `criteria` and `monitors` are those of a `result.json`. Raises `OSError` where a figure cannot
    be read and `ValueError` where it is neither PNG, GIF nor WAV.
    """
    body = [
        f"<header><h1>{_text(title)}</h1>{_paragraphs(summary)}</header>",
        _criteria(criteria),
        *(_section(section) for section in sections),
        _monitors(monitors),
        _details("Configuration", config),
        _details("Versions", versions),
    ]
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n"
        "<body>\n<main>\n" + "\n".join(body) + "\n</main>\n</body>\n</html>\n"
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _criteria(criteria: Sequence[Mapping[str, Any]]) -> str:
    if not criteria:
        return ""
    passed = sum(bool(c["passed"]) for c in criteria)
    verdict = "good" if passed == len(criteria) else "bad"
    rows = "\n".join(_criterion(c) for c in criteria)
    return (
        f'<section><h2>Criteria <span class="pill {verdict}">{passed} of {len(criteria)} passed'
        "</span></h2>\n<table>\n<thead><tr><th>Criterion</th><th>Result</th><th>Value</th>"
        "<th>Mean ± SE</th><th>95 % interval</th><th>Control</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n"
        '<p class="note">In the small strips: bar = 95 % interval, dots = seeds, upright line = '
        "threshold, shaded = the side that passes.</p></section>"
    )


def _monitors(monitors: Sequence[Mapping[str, Any]]) -> str:
    if not monitors:
        return ""
    rows = ""
    for m in monitors:
        kind, word = ("bad", "alarm") if m["alarm"] else ("good", "quiet")
        helps = f" Helps: {_text(m['remedy'])}." if m["alarm"] else ""
        rows += (
            f"<tr><td><b>{_text(m['name'])}</b><small>{_text(m['statistic'])}.{helps}</small></td>"
            f'<td data-label="State"><span class="pill {kind}">{word}</span></td>'
            f'<td data-label="Value">{_number(m["value"])}</td>'
            f'<td data-label="Limit">{_number(m["limit"])}</td></tr>'
        )
    return (
        "<section><h2>Monitors</h2>\n<table>\n<thead><tr><th>What could go wrong unseen</th>"
        f"<th>State</th><th>Value</th><th>Limit</th></tr></thead>\n<tbody>{rows}</tbody>\n"
        "</table></section>"
    )


def _criterion(c: Mapping[str, Any]) -> str:
    sign = {">=": "≥", "<=": "≤"}[c["direction"]]
    control = c.get("control")
    control_cell = "–"
    if control:
        verdict = ' class="bad"' if control["passed"] else ""
        said = "reaches it too" if control["passed"] else "fails, as it must"
        control_cell = (
            f"<span>{_text(control['name'])}: {_number(control['value'])} "
            f"<small{verdict}>{said}</small></span>"
        )
    error = "" if c["se"] is None else f" ± {_number(c['se'])}"
    interval = " … ".join(map(_number, c["ci95"])) if c["ci95"] else "–"
    cells = (
        ("Result", _pill(bool(c["passed"]))),
        (
            "Value",
            f"<span><b>{_number(c['value'])}</b>, needs {sign} {_number(c['threshold'])}</span>",
        ),
        ("Mean ± SE", f"<span>{_number(c['mean'])}{error}</span>"),
        ("95 % interval", f"<span>{interval}{_strip(c)}</span>"),
        ("Control", control_cell),
    )
    name = f"<td><b>{_text(c['name'])}</b><small>{_text(c['claim'])}</small></td>"
    return "<tr>" + name + "".join(f'<td data-label="{k}">{v}</td>' for k, v in cells) + "</tr>"


def _strip(c: Mapping[str, Any]) -> str:
    """A 120 x 14 drawing of seeds, interval and threshold on one line; empty without numbers."""
    seeds = _finite(c.get("per_seed") or ())
    interval = _finite(c["ci95"] or ())
    threshold = _finite([c["threshold"]])
    shown = seeds + interval + threshold
    if not threshold or len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    margin = 0.12 * ((high - low) or 1.0)
    low, high = low - margin, high + margin

    def at(value: float) -> float:
        return round(120 * (value - low) / (high - low), 1)

    mark = at(threshold[0])
    start, width = (mark, 120 - mark) if c["direction"] == ">=" else (0, mark)
    parts = [f'<rect class="side" x="{start}" width="{width:.1f}" height="14"/>']
    if len(interval) == 2:
        left, right = sorted(map(at, interval))
        parts.append(
            f'<rect class="bar" x="{left}" y="5" width="{max(right - left, 1):.1f}" height="4"/>'
        )
    parts += [f'<circle cx="{at(seed)}" cy="7" r="2"/>' for seed in seeds]
    parts.append(f'<rect class="mark" x="{mark - 0.75:.2f}" width="1.5" height="14"/>')
    return f'<svg viewBox="0 0 120 14" aria-hidden="true">{"".join(parts)}</svg>'


def _section(section: Section) -> str:
    blocks = [f"<section><h2>{_text(section.title)}</h2>{_paragraphs(section.text)}"]
    blocks += [f'<p><a href="{_text(to)}">{_text(words)}</a></p>' for words, to in section.links]
    if section.table:
        blocks.append(_table(*section.table))
    if section.figures:
        charts = "".join(_figure(file, caption, "chart") for file, caption in section.figures)
        blocks.append(f'<div class="charts">{charts}</div>')
    if section.media:
        films = "".join(_figure(file, caption, "film") for file, caption in section.media)
        blocks.append(f'<div class="films">{films}</div>')
    return "".join(blocks) + "</section>"


def _table(heads: Sequence[str], *rows: Sequence[str]) -> str:
    top = "".join(f"<th>{_text(head)}</th>" for head in heads)
    body = ""
    for row in rows:
        cells = zip(heads, row, strict=True)
        body += "<tr>" + "".join(f'<td data-label="{_text(h)}">{_text(c)}</td>' for h, c in cells)
        body += "</tr>"
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _figure(file: str | Path, caption: str, kind: str) -> str:
    suffix = Path(file).suffix.lower()
    if suffix not in MEDIA_TYPES:
        raise ValueError(f"{file}: a report holds {', '.join(MEDIA_TYPES)} files only")
    data = base64.b64encode(Path(file).read_bytes()).decode("ascii")
    source = f"data:{MEDIA_TYPES[suffix]};base64,{data}"
    if suffix == ".wav":
        inside, kind = f'<audio controls preload="metadata" src="{source}"></audio>', "sound"
    else:
        inside = f'<img alt="{_text(caption)}" src="{source}">'
    return f'<figure class="{kind}">{inside}<figcaption>{_text(caption)}</figcaption></figure>'


def _details(title: str, values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    rows = "".join(
        f"<div><dt>{_text(key)}</dt><dd>{_text(str(value))}</dd></div>"
        for key, value in _flat(values)
    )
    return f"<details><summary>{_text(title)}</summary><dl>{rows}</dl></details>"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _pill(passed: bool) -> str:
    kind, word = ("good", "passed") if passed else ("bad", "failed")
    return f'<span class="pill {kind}">{word}</span>'


def _number(value: Any) -> str:
    """Three significant digits; a dash where there is no finite number."""
    if value is None or not math.isfinite(value):
        return "–"
    if value and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.2e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _finite(values: Sequence[Any]) -> list[float]:
    return [float(v) for v in values if v is not None and math.isfinite(v)]


def _paragraphs(text: str) -> str:
    parts = (" ".join(p.split()) for p in text.split("\n\n"))
    return "".join(f"<p>{_text(p)}</p>" for p in parts if p)


def _text(text: str) -> str:
    return html.escape(text, quote=True)
