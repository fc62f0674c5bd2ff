"""The gate: validations as processes, one verdict, and what later phases make of it."""

import json
import os
import sys

import pytest

import experiments
from experiments import _children, _gate, _launch, _suite, validate
from experiments._run import Interrupted, Run
from nsca_jax.reports import results

FAKE = """
import json, pathlib, sys
from nsca_jax.evaluation import monitors
from nsca_jax.reports import results
folder, value = pathlib.Path(sys.argv[1]), float(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
made = results.criterion("works", "it works", [value], 1.0, ">=")
trusted = monitors.prior_holds_on([0.9], 1.0 / value, 1.0, 0.3, "a larger config.price")
out = results.build(
    "fake", [made], [0], config_hash="0" * 16, wall_s=1.0, effect_sizes={"d": 2.0},
    monitors=[trusted],
)
results.write(folder / "result.json", out)
"""
VALUES = {"good": 2.0, "bad": 0.5, **dict.fromkeys(_gate.NEEDED, 2.0)}


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """`gate(names)` opens a run of fake validations: good, bad, and those of `scripts`."""

    def command(name, preset, folder):
        scripts = {
            "broken": "raise SystemExit(1)",
            "refused": "print('config.seeds must be 1 or more'); raise SystemExit(2)",
            "endless": "import time; time.sleep(600)",
            "silent": "raise SystemExit(0)",
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
    assert result["n_failed_seeds"] == 0
    assert "bad: 0 of 1 criteria held" in capsys.readouterr().err
    page = (run.workdir / "report.html").read_text()
    assert "Not held: works" in page
    assert "1 of 3 passed" in page


def test_the_alarm_of_one_is_told_by_the_gate(gate, capsys):
    config, run = gate("good", "bad", "broken")
    result = validate.main(config, run)
    alarms = {item["name"]: item["alarm"] for item in result["monitors"]}
    assert alarms == {"good.prior_holds_on": False, "bad.prior_holds_on": True}
    _launch._conclude(run, result)
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("alarm")]
    assert len(told) == 1
    assert told[0].startswith("alarm   bad.prior_holds_on: trust in a prior")
    assert told[0].endswith("(limit 0.7); helps: a larger config.price")
    page = (run.workdir / "report.html").read_text()
    assert page.count(">alarm<") == page.count(">quiet<") == 1


def test_the_page_points_to_the_validations_own(gate):
    config, run = gate("good", "bad")
    own = run.workdir / "good" / "report.html"
    own.parent.mkdir(parents=True)
    own.write_text("<html></html>")
    validate.main(config, run)
    page = (run.workdir / "report.html").read_text()
    assert 'href="good/report.html"' in page
    assert "bad/report.html" not in page


def test_what_is_finished_is_read_and_what_claims_nothing_has_not_held(gate):
    config, run = gate("silent")
    first = validate.main(config, run)
    assert [(item["name"], item["passed"]) for item in first["criteria"]] == [
        ("silent.finished", False)
    ]
    made = results.criterion("kept", "from before", [1.0], 1.0, ">=")
    kept = results.build("silent", [made], [0], config_hash="0" * 16, wall_s=1.0)
    (run.workdir / "silent").mkdir()
    results.write(run.workdir / "silent" / "result.json", kept)
    assert validate.main(config, run)["criteria"][0]["name"] == "silent.kept"
    results.write(
        run.workdir / "silent" / "result.json",
        results.build("silent", [], [0], config_hash="0" * 16, wall_s=1.0),
    )
    assert not validate.main(config, run)["passed"]


def test_what_is_refused_is_told_in_its_words(gate):
    config, run = gate("refused")
    with pytest.raises(_launch.BadInput, match=r"refused: config\.seeds must be 1 or more"):
        validate.main(config, run)


@pytest.mark.parametrize("cause", ["a stop", "another that is refused"])
def test_no_validation_outlives_the_gate(gate, monkeypatch, cause):
    config, run = gate("endless", *(["refused"] if cause != "a stop" else []))
    started, start = [], _suite.start
    monkeypatch.setattr(_suite, "start", lambda *a: started.append(start(*a)) or started[-1])
    run.signal = 15 if cause == "a stop" else 0
    with pytest.raises(Interrupted if cause == "a stop" else _launch.BadInput):
        validate.main(config, run)
    assert started[0].returncode == -15


def test_a_ctrl_c_reaches_a_validation_once(gate):
    """From the terminal it goes to a whole process group; a second signal ends a run unsaved."""
    _, run = gate("endless")
    process = _suite.start(run, "endless", validate.command("endless", "quick", run.workdir))
    assert os.getpgid(process.pid) not in (os.getpgid(0), 0)
    _children.stop([process])
    assert process.returncode == -15


@pytest.mark.parametrize("name", ["NPROC", "JAX_NUM_CPU_DEVICES"])
@pytest.mark.parametrize(("at_once", "own", "told"), [(1, "", ""), (2, "", "4"), (2, "3", "3")])
def test_processes_at_once_share_the_cores(tmp_path, monkeypatch, name, at_once, own, told):
    monkeypatch.setattr(experiments, "CORES", 8)
    monkeypatch.delenv(name, raising=False)
    if own:
        monkeypatch.setenv(name, own)
    ask = [sys.executable, "-c", f"import os; print(os.environ.get('{name}', ''))"]
    assert _children.start(ask, tmp_path / "log", at_once=at_once).wait() == 0
    assert (tmp_path / "log").read_text().strip() == told


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("at_once", 0, "at_once"),
        ("validations", (), "one or more of"),
        ("validations", ("balloon", "balloon"), "each once"),
        ("preset", "huge", "huge"),
    ],
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
    config, run = gate("bad", *_gate.NEEDED)
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
    config, run = gate(*_gate.NEEDED)
    run.finish(validate.main(config, run))
    assert _gate.ask("strict", run.workdir) == "gate passed"


def test_a_gate_without_one_of_the_plans_four_has_not_held(gate):
    config, run = gate(*(_gate.NEEDED - {"forgetting"}))
    run.finish(validate.main(config, run))
    with pytest.raises(_launch.BadInput, match="forgetting was not run"):
        _gate.ask("strict", run.workdir)
