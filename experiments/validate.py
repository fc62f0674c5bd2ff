"""The gate: Phase 0's validations, each with controls that must fail, under one verdict.

Each validation is a run of its own in a folder of its own, some at once; what is finished is not
done again. The exit status is 1 where any criterion did not hold, and names it. Full training asks
for this verdict (experiments/_gate.py). Presets: laptop (20 seeds), quick (3 seeds, for CI).
"""

from pathlib import Path
from typing import Any

from experiments import _children, _config, _launch, _ranges, _suite
from nsca_jax.reports import html


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    usual: Any = _config.load("configs/validate.py")
    _ranges.some_of(config, "validations", usual.validations)
    for name in config.validations:
        _config.load(f"configs/{name}.py:{config.preset}")


def main(config, run) -> dict:
    """Every validation, then the verdict, then the report."""
    commands = {
        name: command(name, config.preset, run.workdir / name) for name in config.validations
    }
    flags = config.xla_flags.to_dict()
    found = _suite.carry_out(run, commands, config.at_once, "validations", flags)
    result = run.result(**_children.merge(found))
    write_report(config, run, found, result)
    return result


def command(name: str, preset: str, folder: Path) -> list[str]:
    """How a user would run one validation."""
    return _children.command(name, f"configs/{name}.py:{preset}", folder)


def write_report(config, run, found: dict[str, dict], result: dict) -> None:
    """One page over all of them; each has its own beside it."""
    path = html.write_report(
        run.workdir / "report.html",
        title="The gate",
        summary=f"Phase 0's validations with the preset {config.preset}: the mechanisms that "
        "everything later stands on. Each criterion's own page explains it.",
        criteria=result["criteria"],
        sections=[_suite.section(run, name, one) for name, one in found.items()],
        config=config.to_dict(),
        versions=result["versions"],
        monitors=result.get("monitors", ()),
    )
    run.say(f"report: {path}")


if __name__ == "__main__":
    _launch.launch("validate", main, check)
