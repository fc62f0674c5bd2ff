"""Several experiments under one verdict: each a process and a folder of its own, some at once.

What is finished is not done again; what broke off counts as one criterion that did not hold.
"""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import _children, _launch, _run
from nsca_jax.reports import html, results

Commands = Mapping[str, Sequence[str]]  # by the name of the part, which is its folder's too


def carry_out(
    run, commands: Commands, at_once: int, what: str, xla_flags: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Every part's result, after running those that have none yet, `at_once` at a time.

    `xla_flags` are of a part's process, besides those of this one. Raises BadInput where a part
    refuses its input, and Interrupted once all have saved.
    """
    waiting, running, flags = list(commands), {}, xla_flags or {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                running[name] = start(run, name, commands[name], flags.get(name, ""), at_once)
                _tell(run, len(commands), waiting, running, what)
            time.sleep(_children.POLL_S)
            if run.stopping:
                raise run.interrupted()
            for name in [name for name, process in running.items() if process.poll() is not None]:
                run.say(f"{name}: {_verdict(run, name, running.pop(name).returncode)}")
                _tell(run, len(commands), waiting, running, what)
    finally:
        _children.stop(running.values())
    return {name: read(run, name) for name in commands}


def start(
    run, name: str, command: Sequence[str], xla_flags: str = "", at_once: int = 1
) -> subprocess.Popen:
    """One part as a process; what it prints goes to NAME.log in the run's folder."""
    return _children.start([*command], run.workdir / f"{name}.log", xla_flags, at_once)


def read(run, name: str) -> dict[str, Any]:
    """A part's result; where it broke off, one whose only criterion did not hold.

    A part that claims nothing has not held either.
    """
    path = run.workdir / name / "result.json"
    if path.exists() and (result := _run.read_result(path))["criteria"]:
        return result
    claim = f"{name} ran to its end (see {name}.log; to try again, delete this run's result.json)"
    return run.result([results.criterion("finished", claim, [0], 1, ">=")], [0])


def section(run, name: str, result: Mapping[str, Any], note: str = "") -> html.Section:
    """What the page over all says of one part: its verdict, first figure, and its own report."""
    held = sum(item["passed"] for item in result["criteria"])
    failed = ", ".join(item["name"] for item in result["criteria"] if not item["passed"])
    text = f"{held} of {len(result['criteria'])} criteria held, {result['wall_s']:.0f} s."
    text += f" Not held: {failed}." if failed else ""
    text += f"\n\n{note}" if note else ""
    figures = sorted((run.workdir / name / "figures").glob("*.png"))[:1]
    page = Path(name) / "report.html"
    links = [("its own report", page.as_posix())] if (run.workdir / page).exists() else []
    return html.Section(name, text, [(path, "Its first figure") for path in figures], links=links)


def _verdict(run, name: str, status: int) -> str:
    """In words; raises BadInput where the part refused its input."""
    if status == 2:
        raise _launch.BadInput(f"{name}: {_children.last_lines(run.workdir / f'{name}.log')}")
    one = read(run, name)
    held = sum(item["passed"] for item in one["criteria"])
    return f"{held} of {len(one['criteria'])} criteria held, after {one['wall_s']:.0f} s"


def _tell(run, total: int, waiting: Sequence[str], running: Mapping, what: str) -> None:
    """How many are done, and which are at work."""
    done = total - len(waiting) - len(running)
    run.progress(done, total, what, running=", ".join(running))
