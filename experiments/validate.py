"""The gate: Phase 0's validations, each with controls that must fail, under one verdict.

Each validation is a run of its own in a folder of its own, some at once; what is finished is not
done again. The exit status is 1 where any criterion did not hold, and names it. Full training asks
for this verdict (experiments/_gate.py). Presets: laptop (20 seeds), quick (3 seeds, for CI).
"""

import subprocess
import time
from pathlib import Path
from typing import Any

from experiments import _children, _config, _launch
from nsca_jax.reports import html, results


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    if config.at_once < 1:
        raise _launch.BadInput("config.at_once must be 1 or more")
    if not config.validations:
        raise _launch.BadInput("config.validations must name one validation or more")
    if len(set(config.validations)) < len(config.validations):
        raise _launch.BadInput("config.validations names one validation twice")
    for name in config.validations:
        _config.load(f"configs/{name}.py:{config.preset}")


def main(config, run) -> dict:
    """Every validation, then the verdict, then the report."""
    finish(config, run)
    found = {name: read(run, name) for name in config.validations}
    result = run.result(**_children.merge(found))
    write_report(config, run, found, result)
    return result


def finish(config, run) -> None:
    """Runs what has no result yet, `config.at_once` at a time; raises BadInput or Interrupted."""
    waiting, running = list(config.validations), {}
    try:
        while waiting or running:
            while waiting and len(running) < config.at_once:
                name = waiting.pop(0)
                running[name] = start(run, name, config.preset)
                tell(config, run, waiting, running)
            time.sleep(_children.POLL_S)
            if run.stopping:
                raise run.interrupted()
            for name in [name for name, process in running.items() if process.poll() is not None]:
                run.say(f"{name}: {verdict(run, name, running.pop(name).returncode)}")
                tell(config, run, waiting, running)
    finally:
        _children.stop(running.values())


def tell(config, run, waiting, running) -> None:
    """How many are done, and which are at work."""
    done = len(config.validations) - len(waiting) - len(running)
    run.progress(done, len(config.validations), "validations", running=", ".join(running))


def start(run, name: str, preset: str) -> subprocess.Popen:
    """One validation as a process; what it prints goes to NAME.log in the run's folder."""
    return _children.start(command(name, preset, run.workdir / name), run.workdir / f"{name}.log")


def command(name: str, preset: str, folder: Path) -> list[str]:
    """How a user would run one validation."""
    return _children.command(name, f"configs/{name}.py:{preset}", folder)


def verdict(run, name: str, status: int) -> str:
    """In words; raises BadInput where the validation refused its input."""
    if status == 2:
        raise _launch.BadInput(f"{name}: {_children.last_lines(run.workdir / f'{name}.log')}")
    one = read(run, name)
    held = sum(item["passed"] for item in one["criteria"])
    return f"{held} of {len(one['criteria'])} criteria held, after {one['wall_s']:.0f} s"


def read(run, name: str) -> dict[str, Any]:
    """A validation's result; where it broke off, one whose only criterion did not hold.

    A validation that claims nothing has not held either.
    """
    path = run.workdir / name / "result.json"
    if path.exists() and (result := results.read(path))["criteria"]:
        return result
    claim = f"{name} ran to its end (see {name}.log; to try again, delete this run's result.json)"
    return run.result([results.criterion("finished", claim, [0], 1, ">=")], [0])


def write_report(config, run, found: dict[str, dict], result: dict) -> None:
    """One page over all of them; each has its own beside it."""
    sections = []
    for name, one in found.items():
        held = sum(item["passed"] for item in one["criteria"])
        failed = ", ".join(item["name"] for item in one["criteria"] if not item["passed"])
        text = f"{held} of {len(one['criteria'])} criteria held, {one['wall_s']:.0f} s."
        text += f" Not held: {failed}." if failed else ""
        figures = sorted((run.workdir / name / "figures").glob("*.png"))[:1]
        page = Path(name) / "report.html"
        links = [("its own report", page.as_posix())] if (run.workdir / page).exists() else []
        sections.append(
            html.Section(name, text, [(path, "Its first figure") for path in figures], links=links)
        )
    path = html.write_report(
        run.workdir / "report.html",
        title="The gate",
        summary=f"Phase 0's validations with the preset {config.preset}: the mechanisms that "
        "everything later stands on. Each criterion's own page explains it.",
        criteria=result["criteria"],
        sections=sections,
        config=config.to_dict(),
        versions=result["versions"],
    )
    run.say(f"report: {path}")


if __name__ == "__main__":
    _launch.launch("validate", main, check)
