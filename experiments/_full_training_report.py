"""The table of phases, the page over all of them, and the model's card."""

from collections.abc import Mapping
from pathlib import Path

from experiments import _cost, _phases
from experiments._phases import Phase, Status
from experiments._progress import duration
from nsca_jax.reports import figures_pipeline, html, model_card

COLUMNS = ("phase", "name", "state", "config", "held", "time")


def table(config, statuses: Mapping[Phase, Status]) -> str:
    """Every phase's state, as lines of text in columns."""
    rows = [COLUMNS, *(_row(config, phase, status) for phase, status in statuses.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def seconds(config, phase: Phase, status: Status) -> float:
    """Measured, or projected; 0 where not even that is known."""
    return status.result["wall_s"] if status.result else config.projected_s[phase.name]


def fared(status: Status) -> str:
    """A finished phase in words."""
    assert status.result is not None
    failed = [item["name"] for item in status.result["criteria"] if not item["passed"]]
    text = f"{_held(status)} criteria held, {duration(status.result['wall_s'])}"
    return text + (f"; not held: {', '.join(failed)}" if failed else "")


def write(
    config,
    run,
    reached: Mapping[Phase, Status],
    found: Mapping[str, dict],
    result: dict,
    cost: _cost.Cost,
) -> None:
    """The model's card beside its weights, then the page."""
    gate = result.get("gate", "the gate was not reached")
    ended = f"{len(reached)} of {len(_phases.PHASES)} phases ran to their end"
    card = model_card.write(
        run.workdir / "model",
        found,
        {name: phase.does for phase in reached for name in phase.leaves.values()},
        {phase.name: _phases.data(run.workdir / phase.name) for phase in reached},
        {"experiment": run.name, "config": run.config_hash, "gate": gate},
    )
    run.say(f"model: {card}")
    sections = [_section(run.workdir, phase, status) for phase, status in reached.items()]
    figure = figures_pipeline.phases(run.workdir / "figures" / "phases.png", found)
    overview = html.Section(
        "All phases",
        f"{ended}; {gate}.\n\nCost, {_cost.told(cost)}.",
        [(figure, "Criteria held and not held, and the time each phase took")],
        links=[("the model's card", card.relative_to(run.workdir).as_posix())],
    )
    held = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        title="Full training",
        summary=f"The plan from the gate to the evaluation: {held} of {len(result['criteria'])} "
        "criteria held. Each phase has a page of its own, which shows and explains its criteria.",
        criteria=result["criteria"][-1:],
        sections=[overview, *sections],
        config=config.to_dict(),
        versions=result["versions"],
        monitors=result.get("monitors", ()),
    )


def _row(config, phase: Phase, status: Status) -> tuple[str, ...]:
    took = seconds(config, phase, status)
    kind = "measured" if status.result else "projected"
    return (
        str(phase.number),
        phase.name,
        status.state,
        status.config_hash,
        _held(status),
        f"{duration(took)} {kind}" if took else "unknown",
    )


def _held(status: Status) -> str:
    if status.result is None:
        return "-"
    criteria = status.result["criteria"]
    return f"{sum(item['passed'] for item in criteria)} of {len(criteria)}"


def _section(workdir: Path, phase: Phase, status: Status) -> html.Section:
    page = Path(phase.name) / "report.html"
    links = [("its own report", page.as_posix())] if (workdir / page).exists() else []
    figures = sorted((workdir / phase.name / "figures").glob("*.png"))[:1]
    text = f"{phase.does[0].upper()}{phase.does[1:]}: {fared(status)}. Config {status.config_hash}."
    shown = [(path, "Its first figure") for path in figures]
    return html.Section(f"{phase.number} {phase.name}", text, shown, links=links)
