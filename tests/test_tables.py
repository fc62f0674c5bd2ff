"""Tables in documents: what a reader sees is what was measured."""

import pytest

from nsca_jax.reports import tables


def test_speed_table_says_what_was_missed():
    report = {
        "device": "cpu: two cores",
        "targets": [
            _target("steps/s", 2345.6, ">=", 3000.0, reached=False),
            _target("s to compile", 41.26, "<=", 60, reached=True),
        ],
    }
    lines = tables.speed_table(report).splitlines()
    assert lines[2] == "| steps/s | 2,346 | ≥ 3,000 | **no** |"
    assert lines[3] == "| s to compile | 41.3 | ≤ 60 | yes |"
    assert lines[-1] == "Measured on cpu: two cores."


def test_a_block_is_replaced_and_nothing_else(tmp_path):
    begin, end = (mark.format(name="speed") for mark in (tables.BEGIN, tables.END))
    path = tmp_path / "page.md"
    path.write_text(f"before\n{begin}\nold\n{end}\nafter\n", encoding="utf-8")
    tables.replace_block(path, "speed", "new")
    tables.replace_block(path, "speed", "newer")
    expected = f"before\n{begin}\nnewer\n{end}\nafter\n"
    assert path.read_text(encoding="utf-8") == expected


def test_a_page_without_the_block_is_refused(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("nothing here\n", encoding="utf-8")
    with pytest.raises(ValueError, match="one pair of markers"):
        tables.replace_block(path, "speed", "new")


def _target(claim, value, direction, threshold, reached):
    return {
        "claim": claim,
        "value": value,
        "direction": direction,
        "threshold": threshold,
        "reached": reached,
    }
