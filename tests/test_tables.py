"""Tables in documents: what a reader sees is what was measured."""

import pytest

from experiments import document
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


def test_the_floor_is_told_beside_what_was_measured():
    medians = {"operations": 50e3, "bytes": 150e3, "kernels": 20.0}
    figures = [_figure(f"step_{name}", value) for name, value in medians.items()]
    figures += [_figure(f"machine_{name}", 1e10) for name in medians]
    figures += [_figure(f"floor_{name}", value / 1e10) for name, value in medians.items()]
    figures += [_figure(f"{engine}_all_cores_128_worlds_per_core", 2e5) for engine in ("mjx", "c")]
    table = tables.floor_table({"device": "cpu: two cores", "figures": figures})
    assert "| operations | 50,000 | 1e+10 | 5.00 |" in table
    assert "| **measured, MJX**, 128 worlds on all cores | | | 5.00 |" in table


def test_predictions_stand_beside_what_came():
    one = {"claim": "rate", "predicted": 0.5, "why": "half the work", "measured": 0.4321}
    table = tables.predictions_table({"predictions": [one]})
    assert table.splitlines()[-1] == "| rate | 0.5 | half the work | 0.432 |"


def test_every_figure_has_its_spread():
    figures = [_figure("steps", 1234.5)]
    ratios = [{"name": "steps_to_c", "of": ["a", "b"], "median": 0.5, "low": 0.4, "high": 0.6}]
    report = {"device": "cpu", "versions": {"jax": "1"}, "figures": figures, "ratios": ratios}
    lines = tables.figures_table(report).splitlines()
    assert lines[2] == "| `steps` | 1234 | 1234 to 1234 | s |"
    assert lines[3] == "| `steps_to_c` | 0.5 | 0.4 to 0.6 | ratio |"
    assert lines[-1] == "Measured on cpu; jax 1."


def test_scale_tells_what_a_further_world_takes():
    usual = {"seeds": 1, "worlds": 16, "things": 30, "pixels": 32}
    usual |= {"interactions_per_s": 20.0, "low": 19.0, "high": 21.0}
    rows = [
        {"varied": "worlds", **usual, "peak_MiB": 1000.0},
        {"varied": "worlds", **usual, "worlds": 64, "peak_MiB": 1096.0},
        {"varied": "things", **usual, "things": 300, "peak_MiB": 1100.0},
    ]
    lines = tables.scale_table({"device": "cpu", "rows": rows}).splitlines()
    assert lines[2] == "| worlds | 1 | 16 | 30 | 32 | 20 | 19 to 21 | 1,000 |  |"
    assert lines[3] == "| worlds | 1 | 64 | 30 | 32 | 20 | 19 to 21 | 1,096 | 2 |"
    assert lines[4] == "| objects | 1 | 16 | 300 | 32 | 20 | 19 to 21 | 1,100 |  |"


def test_baselines_are_rows_and_columns():
    told = {"clean": {"refused": [4.1666, 0.476]}, "Set B": {"refused_by": [6.5, None]}}
    lines = tables.baselines_table({"baselines": told}).splitlines()
    assert lines[0] == "|  | refused | refused by |"
    assert lines[2:4] == ["| clean | 4.17 ± 0.48 |  |", "| Set B |  | 6.5 |"]


def test_baselines_of_three_keys_are_a_table_of_each_last_one():
    ewc = {"average": [82.48, 0.8], "forgetting": [16.8, 1.08]}
    told = {"five_tasks": {"ewc": ewc, "joint": {"average": [97.3, 0.16]}}}
    first, second, note = tables.baselines_table({"baselines": told}).split("\n\n")
    assert first.splitlines()[::2] == [
        "| average | ewc | joint |",
        "| five tasks | 82.5 ± 0.8 | 97.3 ± 0.16 |",
    ]
    assert second.splitlines()[::2] == ["| forgetting | ewc |", "| five tasks | 16.8 ± 1.1 |"]
    assert note == "Mean ± SE over the same seeds."


def test_baselines_are_shown_where_the_document_has_their_block(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "ROOT", tmp_path)
    path = tmp_path / "docs" / "validation.md"
    path.parent.mkdir()
    names = ("with", "with baselines", "without")
    path.write_text("\n".join(_block(name) for name in names), encoding="utf-8")
    for name in ("with", "without"):
        document.show(name, _result({"row": {"column": [1.5, 0.25]}}))
    assert path.read_text(encoding="utf-8").count("| row | 1.5 ± 0.25 |") == 1


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


def _block(name):
    return "\n".join(mark.format(name=name) for mark in (tables.BEGIN, tables.END))


def _result(baselines):
    told = {"criteria": [], "seeds": [0], "n_failed_seeds": 0, "wall_s": 60.0, "device": "cpu"}
    return {**told, "baselines": baselines}


def _target(claim, value, direction, threshold, reached):
    return {
        "claim": claim,
        "value": value,
        "direction": direction,
        "threshold": threshold,
        "reached": reached,
    }


def _figure(name, value):
    return {"name": name, "unit": "s", "median": value, "low": value, "high": value}
