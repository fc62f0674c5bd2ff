"""The whole plan, from the gate to the evaluation, each phase a run of its own.

Phases are given the weights of those before them. What is finished under the same config and the
same weights is not done again; what is not goes on where it stopped. A failed criterion stops
nothing but the gate's, and that with --config.gate=strict; a phase that breaks off stops the rest.
Presets: laptop (under an hour on two cores), quick (for CI), paper (the plan's numbers).
"""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from experiments import (
    _children,
    _config,
    _cost,
    _full_training_report,
    _gate,
    _launch,
    _phases,
    _ranges,
    _run,
)
from experiments._phases import Phase, Status
from nsca_jax.reports import results

STEERING = ("gate", "start_phase", "projected_s", "plan", "dollars_per_hour")
SHOWN_LINES = 15  # of a phase that broke off
SHOWN_WIDTH = 70  # of what a phase says, on the line of progress


class Stopped(Exception):
    """The pipeline cannot go on: the gate failed, or a phase left no result."""


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    _ranges.one_of(config, "gate", _gate.MODES)
    last = max(phase.number for phase in _phases.PHASES)
    if config.start_phase > last:
        _ranges.refuse("start_phase", config.start_phase, f"from 0 to {last}")
    plan = _config.load(config.plan)
    for phase in _phases.PHASES:
        for one in (config, plan):
            _phases.wanted(one, phase, Path())


def main(config, run) -> dict:
    """What is left of every phase, then the verdict over all, the model and the page."""
    before = look(config, run)
    run.say(_full_training_report.table(config, before))
    refuse_gaps(config, before)
    gate, reached = "", []
    try:
        for phase in _phases.PHASES:
            go_through(config, run, phase, gate)
            reached.append(phase)
            if phase.name == "validate":
                gate = _gate.ask("report", run.workdir / phase.name)
                stop_at_gate(config, gate)
    except Stopped as stopped:
        run.say(f"stopped: {stopped}")
    after = look(config, run)
    run.say(_full_training_report.table(config, after))
    return conclude(config, run, {phase: after[phase] for phase in reached}, gate)


def look(config, run) -> dict[Phase, Status]:
    """How far every phase is."""
    return {phase: _phases.look(config, phase, run.workdir) for phase in _phases.PHASES}


def refuse_gaps(config, statuses: Mapping[Phase, Status]) -> None:
    """Raises BadInput where a phase before `start_phase` has no result to go on from."""
    for phase, status in statuses.items():
        if phase.number < config.start_phase and not status.finished:
            why = f" ({status.why})" if status.why else ""
            raise _launch.BadInput(
                f"--config.start_phase={config.start_phase}: {phase.title} has no result to go on "
                f"from, it is {status.state}{why}: start at {phase.number} or before"
            )


def stop_at_gate(config, gate: str) -> None:
    """Raises Stopped at a gate that failed, in strict mode."""
    if config.gate == "strict" and gate != _gate.PASSED:
        raise Stopped(f"the {gate}; --config.gate=report goes on regardless and marks what follows")


def go_through(config, run, phase: Phase, gate: str) -> None:
    """Leaves the phase finished; raises Stopped, BadInput or Interrupted."""
    wait_for_turn(run, phase)
    status = _phases.look(config, phase, run.workdir)
    if status.finished:
        _phases.mark(phase, run.workdir, gate)
        return
    if status.state == "stale":
        aside = _phases.set_aside(phase, run.workdir)
        run.say(f"{phase.title} is stale ({status.why}): moved to {aside}, done anew")
    if lacking := _phases.missing(phase, run.workdir):
        raise Stopped(f"{phase.title} needs {', '.join(lacking)}, which no phase left")
    _phases.give(phase, run.workdir, gate)
    code = carry_out(config, run, phase)
    judge_end(config, run, phase, code)


def wait_for_turn(run, phase: Phase) -> None:
    """Until no run works in the phase's folder: a killed pipeline leaves its phase at work."""
    if _run.busy(run.workdir / phase.name):
        run.say(f"{phase.title} is at work already: waiting for its end")
    while _run.busy(run.workdir / phase.name):
        time.sleep(_children.POLL_S)
        if run.stopping:
            raise _run.Interrupted(f"{phase.title} works on by itself")


def carry_out(config, run, phase: Phase) -> int:
    """Runs the phase to its end: its exit status. Raises Interrupted once it has saved."""
    statuses, started = look(config, run), time.monotonic()
    process = _children.start(
        _phases.command(config, phase, run.workdir), _phases.log(phase, run.workdir)
    )
    try:
        while process.poll() is None:
            time.sleep(_children.POLL_S)
            tell(config, run, statuses, phase, time.monotonic() - started)
            if run.stopping:
                raise _run.Interrupted(f"{phase.title} has saved what it had")
    finally:
        _children.stop([process])
    return process.returncode


def tell(config, run, statuses: Mapping[Phase, Status], phase: Phase, elapsed_s: float) -> None:
    """How far the whole is, by the clock: seconds measured of what is done, else projected."""
    seconds = {p: _full_training_report.seconds(config, p, s) for p, s in statuses.items()}
    done_s = elapsed_s + sum(seconds[p] for p, status in statuses.items() if status.finished)
    seconds[phase] = max(seconds[phase], elapsed_s + 1.0)
    said = _children.last_lines(_phases.log(phase, run.workdir))
    run.progress(
        done_s,
        sum(seconds.values()),
        "s",
        phase=f"{phase.number} {phase.name}",
        says=" ".join(said.split())[:SHOWN_WIDTH],
    )


def judge_end(config, run, phase: Phase, code: int) -> None:
    """Says how the phase fared; raises BadInput where it refused its input, Stopped if it broke."""
    log = _phases.log(phase, run.workdir)
    if code == 2:
        raise _launch.BadInput(f"{phase.title}: {_children.last_lines(log)}")
    status = _phases.look(config, phase, run.workdir)
    if code not in (0, 1) or not status.finished:
        end = f"signal {-code}" if code < 0 else f"exit status {code}"
        shown = _children.last_lines(log, SHOWN_LINES)
        raise Stopped(f"{phase.title} broke off with {end} (all of it: {log})\n{shown}")
    run.say(f"{phase.title}: {_full_training_report.fared(status)}")


def conclude(config, run, reached: Mapping[Phase, Status], gate: str) -> dict:
    """The result over all phases reached; gathers the model's weights, writes card and page."""
    found = {phase.name: status.result for phase, status in reached.items() if status.result}
    merged = _children.merge(found)
    merged["criteria"].append(
        results.criterion(
            "phases_finished",
            "Phases that ran to their end",
            [len(found)],
            len(_phases.PHASES),
            ">=",
        )
    )
    cost = _cost.project(config, look(config, run), run.workdir)
    run.say(_cost.told(cost))
    merged["baselines"] |= {f"projected_s of {cost.plan}": cost.projected_s}
    spent_s = sum(one["wall_s"] for one in found.values())
    result = run.result(**merged, gate=gate, wall_s=spent_s)
    gather(run, reached)
    _full_training_report.write(config, run, reached, found, result, cost)
    return result


def gather(run, reached: Mapping[Phase, Status]) -> None:
    """Copies what the phases learnt to one folder, `model/`."""
    folder = run.workdir / "model"
    folder.mkdir(exist_ok=True)
    for phase in reached:
        for file, name in phase.leaves.items():
            shutil.copyfile(run.workdir / phase.name / file, folder / name)


if __name__ == "__main__":
    _launch.launch("full_training", main, check, STEERING)
