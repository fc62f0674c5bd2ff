"""The plan's Phase 7: Meta-World, Physion-like scenes, Procgen, and objects never met.

Each benchmark is a run of its own in a folder of its own; what is finished is not done again. One
page holds every claim with its interval, baselines, control, cost and the command that regenerates
it. The ablation is a command of its own, experiments.ablate. Presets: laptop, quick (for CI),
paper (the plan's numbers).
"""

import importlib
import shlex
from pathlib import Path

from ml_collections import config_dict

from experiments import _children, _config, _launch, _ranges, _suite
from nsca_jax.reports import html


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    known = [name for name in config if isinstance(config[name], config_dict.ConfigDict)]
    _ranges.some_of(config, "benchmarks", sorted(known))
    for name in config.benchmarks:
        try:
            one = _config.load(source(config, name))
            _config.override_all(one, fields(config, name))
            importlib.import_module(f"experiments.{name}").check(one)
        except (_launch.BadInput, ValueError) as error:
            raise _launch.BadInput(f"config.{name}: {error}") from error


def main(config, run) -> dict:
    """Every benchmark, then the verdict, then the page."""
    commands = {name: command(config, name, run.workdir / name) for name in config.benchmarks}
    found = _suite.carry_out(run, commands, config.at_once, "benchmarks")
    result = run.result(**_children.merge(found))
    write_report(config, run, found, result)
    return result


def source(config, name: str) -> str:
    """A benchmark's own config, as a user would name it."""
    return f"configs/{name}.py:{config[name].preset}"


def fields(config, name: str) -> tuple[str, ...]:
    """NAME=VALUE of what is set in a benchmark's own config."""
    objects = (f"objects={config.objects}",) if name == "transfer" else ()
    return (*objects, *config[name].fields)


def command(config, name: str, folder: Path) -> list[str]:
    """How a user would run one benchmark."""
    return _children.command(name, source(config, name), folder, fields(config, name))


def write_report(config, run, found: dict[str, dict], result: dict) -> None:
    """One page over all of them; each has its own beside it."""
    sections = [
        _suite.section(run, name, one, cost(config, name, one)) for name, one in found.items()
    ]
    path = html.write_report(
        run.workdir / "report.html",
        title="Evaluation",
        summary="What was learnt, before benchmarks that others use too. A criterion holds where "
        "the measured value, or its whole 95 % interval, is on the right side of the threshold "
        "and its control is not.",
        criteria=result["criteria"],
        sections=sections,
        config=config.to_dict(),
        versions=result["versions"],
        monitors=result.get("monitors", ()),
    )
    run.say(f"report: {path}")


def cost(config, name: str, one: dict) -> str:
    """Seeds, device-seconds, and the command that measures it again."""
    words = command(config, name, Path("runs") / name)
    seeds, failed = len(one["seeds"]), one["n_failed_seeds"]
    return (
        f"n = {seeds} seeds, {failed} failed; {one['wall_s']:.0f} s on {one['device']}, of which "
        f"{one['compile_s']:.0f} s to compile.\n\nAgain: {shlex.join(['python', *words[1:]])}"
    )


if __name__ == "__main__":
    _launch.launch("evaluate", main, check)
