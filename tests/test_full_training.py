"""The pipeline: fake phases as processes, what is skipped, what goes on, what stops."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nsca_jax
from experiments import _config, _full_training_report, _gate, _launch, _phases, _run, full_training
from nsca_jax.evaluation import monitors
from nsca_jax.reports import results

ROOT = Path(__file__).parents[1]
FAKE = """
import json, pathlib, sys, time
folder, how = pathlib.Path(sys.argv[1]), sys.argv[2]
config, result = json.loads(sys.argv[3]), json.loads(sys.argv[4])
(folder / "config.json").write_text(json.dumps(config))
with (folder / "calls").open("a") as file:
    file.write("x")
print("at work", flush=True)
if how == "broken":
    sys.exit("a line before\\nand the reason")
if how == "refused":
    sys.exit(print("config.seeds must be 1 or more") or 2)
if how == "endless":
    time.sleep(600)
(folder / "weights.npz").write_text(str(config["level"]))
given = json.loads((folder / "given.json").read_text())
given.pop("inputs")
(folder / "result.json").write_text(json.dumps({**result, **given}))
sys.exit(0 if result["passed"] else 1)
"""
CONFIG = """
from ml_collections import config_dict
PRESETS = ("tiny",)
def get_config(preset="tiny"):
    return config_dict.ConfigDict(dict(level=1, seen=""))
"""
PLAN = """
from ml_collections import config_dict
def get_config():
    same = dict(preset="tiny", fields=())
    return config_dict.ConfigDict(
        dict(validate=same, babble=dict(preset="tiny", fields=("level=1800",)), vision=same)
    )
"""
TABLE = (
    _phases.Phase(0, "validate", "fake", "the gate"),
    _phases.Phase(
        1, "babble", "fake", "babbles", leaves={"weights.npz": "world_model.npz"}, work=("level",)
    ),
    _phases.Phase(2, "vision", "fake", "sees", takes={"seen": "babble/weights.npz"}),
)


def fake_result(phase, config, how):
    """A result whose criteria all have the value `how`; the gate's has one of each validation."""
    names = [f"{n}.works" for n in sorted(_gate.NEEDED)] if phase.name == "validate" else ["works"]
    values = [float(how) if how[0].isdigit() else 0.0] * 3
    made = [results.criterion(name, "it works", values, 1.0, ">=") for name in names]
    told = {"config_hash": results.config_hash(config), "wall_s": 2.0, "effect_sizes": {"d": 1.0}}
    alarm = monitors.Reading("stuck", "new regions", values[0], 1.0, values[0] < 1.0, "a bound")
    return results.build(phase.name, made, [0, 1, 2], monitors=[alarm], **told)


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """`pipeline(how, **fields)` runs it over three fake phases; `how` names their values."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "fake.py").write_text(CONFIG)
    (tmp_path / "configs" / "plan.py").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(_phases, "PHASES", TABLE)
    monkeypatch.setattr(full_training._children, "POLL_S", 0.05)

    def run_it(how=("2", "2", "2"), stop=0, **fields):
        told = {"gate": "strict", "start_phase": 0, "loggers": ()}
        told["projected_s"] = {phase.name: 60 for phase in TABLE}
        told |= {"plan": "configs/plan.py", "dollars_per_hour": 9.0}
        told |= {phase.name: {"preset": "tiny", "fields": ()} for phase in TABLE}
        config = _config.config_dict.ConfigDict(told)
        config.update_from_flattened_dict({n.replace("__", "."): v for n, v in fields.items()})

        def command(config, phase, workdir):
            wanted, value = _phases.wanted(config, phase, workdir), how[TABLE.index(phase)]
            told = [json.dumps(told) for told in (wanted, fake_result(phase, wanted, value))]
            return [sys.executable, "-c", FAKE, str(workdir / phase.name), value, *told]

        monkeypatch.setattr(_phases, "command", command)
        full_training.check(config)
        run = _run.Run("full_training", Path("runs"), config.to_dict(), full_training.STEERING)
        run.signal = stop
        try:
            result = full_training.main(config, run)
            run.finish(result)
            return result
        finally:
            run._lock.close()

    return run_it


def calls(name):
    path = Path("runs") / name / "calls"
    return len(path.read_text()) if path.exists() else 0


def read(name):
    return results.read(Path("runs") / name / "result.json")


def test_every_phase_once_then_one_verdict_a_page_a_card_and_the_model(pipeline, capsys):
    result = pipeline()
    assert result["passed"]
    names = [item["name"] for item in result["criteria"]]
    assert names[-3:] == ["babble.works", "vision.works", "phases_finished"]
    assert result["gate"] == "gate passed"
    assert result["baselines"]["wall_s"] == {"validate": 2.0, "babble": 2.0, "vision": 2.0}
    assert result["wall_s"] == 6.0
    assert result["effect_sizes"]["vision.d"] == 1.0
    tables = capsys.readouterr().err
    assert "to do" in tables
    assert "1 min 00 s projected" in tables
    assert "2 s measured" in tables
    projected = {"validate": 2.0, "babble": 3600.0, "vision": 2.0}
    assert result["baselines"]["projected_s of configs/plan.py"] == projected
    assert "1 h 00 min, $9.01 at $9.00 an hour" in tables
    card = Path("runs/model/MODEL_CARD.md").read_text()
    assert "babble.works" not in card
    assert "`works`" in card
    assert result["config_hash"] in card
    page = Path("runs/report.html").read_text()
    assert 'href="model/MODEL_CARD.md"' in page
    assert Path("runs/model/world_model.npz").exists()
    pipeline()
    assert [calls(phase.name) for phase in TABLE] == [1, 1, 1]


def test_a_failed_criterion_stops_nothing_but_the_gate(pipeline, capsys):
    result = pipeline(("2", "0.5", "2"))
    fared = {item["name"]: item["passed"] for item in result["criteria"]}
    assert not result["passed"]
    assert not fared["babble.works"]
    assert fared["vision.works"]
    assert fared["phases_finished"]
    assert "phase 1 (babble): 0 of 1 criteria held, 2 s; not held: works" in capsys.readouterr().err
    assert [m["name"] for m in result["monitors"] if m["alarm"]] == ["babble.stuck"]
    assert Path("runs/report.html").read_text().count(">alarm<") == 1


def test_a_failed_gate_stops_when_strict_and_marks_everything_when_not(pipeline, capsys):
    stopped = pipeline(("0.5", "2", "2"))
    assert not stopped["passed"]
    assert stopped["criteria"][-1]["per_seed"] == [1]
    assert "--config.gate=report goes on regardless" in capsys.readouterr().err
    assert calls("babble") == 0
    result = pipeline(("0.5", "2", "2"), gate="report")
    assert calls("validate") == 1
    assert result["criteria"][-1]["passed"]
    for name in ("babble", "vision"):
        assert read(name)["gate"].startswith("gate failed: balloon.works")
    assert result["gate"] == read("vision")["gate"]
    assert "Gate failed" in Path("runs/model/MODEL_CARD.md").read_text()


def test_a_later_verdict_of_the_gate_is_written_into_results_that_stand(pipeline):
    pipeline(("0.5", "2", "2"), gate="report")
    for name in ("result.json", "config.json"):
        (Path("runs/validate") / name).unlink()
    pipeline(("2", "2", "2"))
    assert calls("babble") == 1
    assert read("babble")["gate"] == "gate passed"


def test_a_broken_phase_stops_with_its_last_lines_and_is_tried_again(pipeline, capsys):
    result = pipeline(("2", "broken", "2"))
    told = capsys.readouterr().err
    assert "phase 1 (babble) broke off with exit status 1" in told
    assert "and the reason" in told
    assert not result["passed"]
    assert calls("vision") == 0
    assert pipeline()["passed"]
    assert [calls(phase.name) for phase in TABLE] == [1, 2, 1]


def test_a_gate_that_breaks_off_is_no_gate_that_held(pipeline):
    result = pipeline(("broken", "2", "2"), gate="report")
    assert [item["name"] for item in result["criteria"]] == ["phases_finished"]
    assert "the gate was not reached" in Path("runs/report.html").read_text()
    assert calls("babble") == 0


def test_what_a_phase_refuses_is_told_in_its_words(pipeline):
    with pytest.raises(_launch.BadInput, match=r"phase 1 \(babble\): config\.seeds must be"):
        pipeline(("2", "refused", "2"))


def test_other_weights_make_what_stood_on_them_stale(pipeline, capsys):
    pipeline()
    Path("runs/config.json").unlink()  # as if the folder had been asked for this from the start
    pipeline(babble__fields=("level=3",))
    told = capsys.readouterr().err
    assert "phase 1 (babble) is stale (level is 1 there and 3 here)" in told
    assert "phase 2 (vision) is stale (it was given another seen)" in told
    assert [calls(phase.name) for phase in TABLE] == [1, 1, 1]
    assert Path("runs/vision.stale-1/result.json").exists()
    assert Path("runs/model/world_model.npz").read_text() == "3"


def test_the_start_phase_needs_results_of_those_before(pipeline):
    with pytest.raises(_launch.BadInput, match=r"phase 0 \(validate\) has no result"):
        pipeline(start_phase=1)
    pipeline(("2", "broken", "2"))
    with pytest.raises(_launch.BadInput, match=r"phase 1 \(babble\) has no result .* begun"):
        pipeline(start_phase=2)
    assert pipeline(start_phase=1)["passed"]


def test_a_stop_ends_the_phase_too(pipeline, monkeypatch):
    started, start = [], full_training._children.start
    monkeypatch.setattr(
        full_training._children, "start", lambda *a: started.append(start(*a)) or started[-1]
    )
    with pytest.raises(_run.Interrupted, match=r"phase 0 \(validate\) has saved"):
        pipeline(("endless", "2", "2"), stop=15)
    assert started[0].returncode == -signal.SIGTERM


def test_a_phase_left_at_work_is_waited_for(pipeline, capsys):
    Path("runs/validate").mkdir(parents=True)
    holds = "import fcntl, time; f = open('runs/validate/.lock', 'w'); "
    holds += "fcntl.flock(f, 2); print('held', flush=True); time.sleep(2)"
    holder = subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    holder.stdout.readline()
    began = time.monotonic()
    assert pipeline()["passed"]
    assert time.monotonic() - began > 1.5
    assert "phase 0 (validate) is at work already" in capsys.readouterr().err
    holder.wait()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("gate", "lenient", "strict, report"), ("start_phase", 9, "from 0 to 2")],
)
def test_bad_input_is_refused(pipeline, field, value, said):
    with pytest.raises(_launch.BadInput, match=said):
        pipeline(**{field: value})


@pytest.mark.parametrize("preset", ["laptop", "quick", "paper"])
def test_the_table_of_phases_and_the_config_agree(preset, tmp_path):
    config = _config.load(f"configs/full_training.py:{preset}")
    names = [phase.name for phase in _phases.PHASES]
    groups = dict.fromkeys(
        field.partition(".")[0] for field in _config.fields(config) if field.endswith(".preset")
    )
    assert sorted(groups) == sorted(names)
    statuses = {phase: _phases.look(config, phase, tmp_path) for phase in _phases.PHASES}
    assert all(status.state == "to do" for status in statuses.values())
    total = sum(_full_training_report.seconds(config, p, s) for p, s in statuses.items())
    assert preset != "laptop" or total < 3600
    numbers = [phase.number for phase in _phases.PHASES]
    assert numbers == sorted(numbers)
    for phase in _phases.PHASES:  # whatever a phase takes, an earlier one leaves
        earlier = [p.name for p in _phases.PHASES[: _phases.PHASES.index(phase)]]
        assert all(os.path.dirname(file) in earlier for file in phase.takes.values())


@pytest.mark.slow
@pytest.mark.guard
def test_the_gate_babbling_and_the_evaluation_for_real(tmp_path, monkeypatch):
    names = ("validate", "babble", "evaluation_b")
    table = tuple(phase for phase in _phases.PHASES if phase.name in names)
    monkeypatch.setattr(_phases, "PHASES", table)
    config = _config.load("configs/full_training.py:quick")
    _config.override(config, "gate", "report")
    _config.override(config, "validate.fields", "validations=balloon")  # one of the plan's four
    small = "seeds=2,worlds=16,chunk=2,learner.updates=4,evaluation_interactions=80"
    small += ",random_interactions=64,competence_interactions=64"
    _config.override(config, "babble.fields", small)
    run = _run.Run("full_training", tmp_path, config.to_dict(), full_training.STEERING)
    result = full_training.main(config, run)
    assert result["criteria"][-1]["passed"]
    for name in names[1:]:
        mark = results.read(tmp_path / name / "result.json")["gate"]
        assert mark.startswith("gate failed: forgetting was not run")
    page = (tmp_path / "report.html").read_text()
    assert all(f'href="{name}/report.html"' in page for name in names)
    model, _ = nsca_jax.load(tmp_path / "model" / "world_model.npz")
    assert model.settings.members == 3
    logs = {name: (tmp_path / f"{name}.log").read_bytes() for name in names}
    assert full_training.main(config, run)["criteria"] == result["criteria"]
    assert logs == {name: (tmp_path / f"{name}.log").read_bytes() for name in names}
