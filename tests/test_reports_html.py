"""The report is one file: everything is inside it, nothing is fetched, and it says what failed."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from nsca_jax.reports import html, media

PASSED = {
    "name": "outcome prediction",
    "claim": "skill on Set A",
    "value": 0.712,
    "threshold": 0.6,
    "direction": ">=",
    "passed": True,
    "per_seed": [0.70, 0.72, None],
    "mean": 0.71,
    "se": 0.0061,
    "ci95": [0.69, 0.73],
    "control": {"name": "set mean", "value": 0.004, "passed": True},
}
FAILED = {
    "name": "distractor <share>",
    "claim": "last third & first third",
    "value": 0.4,
    "threshold": 0.2,
    "direction": "<=",
    "passed": False,
    "per_seed": [0.4],
    "mean": 0.4,
    "se": None,
    "ci95": None,
}


class _Reader(HTMLParser):
    """Collects text, sources and open elements."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self):
        super().__init__()
        self.words: list[str] = []
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.sources += [v for k, v in attrs if k in ("src", "href") and v]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def page(tmp_path):
    frames = np.full((1, 2, 8, 8, 3), 90, np.uint8)
    strip = media.filmstrip(tmp_path / "s.png", frames, ["egg"], ["0 s", "1 s"])
    film = media.animation(tmp_path / "f.gif", frames, ["egg"], [0, 1])
    sound = media.write_wav(tmp_path / "t.wav", np.sin(np.arange(100.0)), 16000)
    sections = [
        html.Section("Seen", "One.\n\nTwo.", [(strip, "A strip")]),
        html.Section("Heard", media=[(film, "A film"), (sound, "A tone")]),
    ]
    path = html.write_report(
        tmp_path / "new" / "report.html",
        "Babbling",
        "What was learned.",
        [PASSED, FAILED],
        sections,
        {"sim": {"worlds": 64}, "seeds": 3},
        {"jax": "0.9.2"},
    )
    return path.read_text(encoding="utf-8")


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []  # every element is closed, in order
    return reader


def test_nothing_is_fetched_and_no_script_runs(page):
    reader = _read(page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]+", "", page))
    assert not reader.tags & {"script", "link", "iframe"}
    assert len(reader.sources) == 3
    assert all(source.startswith("data:") for source in reader.sources)


def test_media_inside_decode(page):
    kinds = {}
    for source in _read(page).sources:
        kind, data = source.removeprefix("data:").split(";base64,")
        kinds[kind] = base64.b64decode(data)
    assert Image.open(io.BytesIO(kinds["image/png"])).format == "PNG"
    assert Image.open(io.BytesIO(kinds["image/gif"])).format == "GIF"
    assert kinds["audio/wav"][:4] == b"RIFF"


def test_criteria_say_what_passed_what_failed_and_by_how_much(page):
    text = " ".join(" ".join(_read(page).words).split())
    assert "1 of 2 passed" in text
    for words in ("outcome prediction", "distractor <share>", "last third & first third"):
        assert words in text
    for words in ("0.712 , needs ≥ 0.6", "0.71 ± 0.0061", "0.69 … 0.73", "set mean: 0.004"):
        assert words in text
    assert "0.4 , needs ≤ 0.2" in text
    assert "None" not in text
    assert "nan" not in text


def test_strip_places_numbers_on_one_scale():
    strip = html._strip(PASSED)
    dots = [float(x) for x in re.findall(r'circle cx="([\d.]+)"', strip)]
    mark = float(re.findall(r'class="mark" x="([\d.]+)"', strip)[0])
    assert len(dots) == 2
    assert 0 < mark < dots[0] < dots[1] < 120
    assert html._strip(FAILED | {"per_seed": []}) == ""


def test_config_and_versions_are_shown_flat(page):
    text = " ".join(_read(page).words)
    for words in ("sim.worlds", "64", "jax", "0.9.2"):
        assert words in text


def test_only_known_media_are_taken(tmp_path):
    other = tmp_path / "x.svg"
    other.write_text("<svg/>")
    with pytest.raises(ValueError, match=r"x\.svg: a report holds"):
        html.write_report(
            tmp_path / "r.html", "t", "s", [], [html.Section("a", figures=[(other, "")])], {}, {}
        )
