"""The gate: validations as processes, one verdict, and what later phases make of it."""

import json
import sys

import pytest

from experiments import _gate, _launch, validate
from experiments._run import Interrupted, Run
from nsca_jax.reports import results

FAKE = """
import json, pathlib, sys
from nsca_jax.reports import results
folder, value = pathlib.Path(sys.argv[1]), float(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
made = results.criterion("works", "it works", [value], 1.0, ">=")
out = results.build("fake", [made], [0], config_hash="0" * 16, wall_s=1.0, effect_sizes={"d": 2.0})
results.write(folder / "result.json", out)
"""
VALUES = {"good": 2.0, "bad": 0.5}


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """`gate(names)` opens a run of fake validations: good, bad, broken, refused and endless."""

    def command(name, preset, folder):
        scripts = {
            "broken": "raise SystemExit(1)",
            "refused": "print('config.seeds must be 1 or more'); raise SystemExit(2)",
            "endless": "import time; time.sleep(600)",
        }
        if name in scripts:
            return [sys.executable, "-c", scripts[name]]
        return [sys.executable, "-c", FAKE, str(folder), str(VALUES[name])]

    monkeypatch.setattr(validate, "command", command)

    def opened(*names):
        config = _launch._config.load("configs/validate.py:quick").unlock()
        config.validations = names
        return config, Run("validate", tmp_path / "gate", config.to_dict())

    return opened


def test_one_verdict_over_all(gate, capsys):
    config, run = gate("good", "bad", "broken")
    result = validate.main(config, run)
    fared = {item["name"]: item["passed"] for item in result["criteria"]}
    assert fared == {"good.works": True, "bad.works": False, "broken.finished": False}
    assert not result["passed"]
    assert result["effect_sizes"]["good.d"] == 2.0
    assert "bad: 0 of 1 criteria held" in capsys.readouterr().err
    page = (run.workdir / "report.html").read_text()
    assert "Not held: works" in page
    assert "1 of 3 passed" in page


def test_what_is_refused_is_told_in_its_words(gate):
    config, run = gate("refused")
    with pytest.raises(_launch.BadInput, match=r"refused: config\.seeds must be 1 or more"):
        validate.main(config, run)


def test_a_stop_ends_the_validations_too(gate):
    config, run = gate("endless")
    run.signal = 15
    with pytest.raises(Interrupted):
        validate.main(config, run)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("at_once", 0, "at_once"), ("validations", (), "name one"), ("preset", "huge", "huge")],
)
def test_bad_input_is_refused(field, value, said):
    config = _launch._config.load("configs/validate.py").unlock()
    config.validations = ("balloon",)
    config[field] = value
    with pytest.raises(_launch.BadInput, match=said):
        validate.check(config)


def test_strict_stops_and_report_marks(gate, tmp_path):
    with pytest.raises(_launch.BadInput, match=r"experiments\.validate"):
        _gate.ask("strict", tmp_path / "gate")
    config, run = gate("good", "bad")
    run.finish(validate.main(config, run))
    with pytest.raises(_launch.BadInput, match=r"bad\.works"):
        _gate.ask("strict", run.workdir)
    mark = _gate.ask("report", run.workdir)
    assert mark == "gate failed: bad.works"
    later = results.build("later", [], [0], config_hash="0" * 16, wall_s=0.0, gate=mark)
    assert json.loads(json.dumps(later))["gate"] == mark
    with pytest.raises(_launch.BadInput, match="strict, report"):
        _gate.ask("lenient", run.workdir)


def test_a_gate_that_held_lets_pass(gate):
    config, run = gate("good")
    run.finish(validate.main(config, run))
    assert _gate.ask("strict", run.workdir) == "gate passed"
