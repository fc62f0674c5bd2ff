"""What a whole plan would take at the pace of what a run measured; a projection, and called one.

A phase's device-seconds are the seconds that it worked, on the one device that it had. They are
scaled by its `work` (`_phases.Phase`): what compiles or is filmed besides is scaled with it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments import _config, _phases
from experiments._phases import Phase, Status
from experiments._progress import duration


class Cost(NamedTuple):
    """Of the plan `config.plan`."""

    plan: str  # its preset
    device_s: dict[str, float]  # measured, of each finished phase of this run
    projected_s: dict[str, float]  # of these phases in the plan
    lacking: tuple[str, ...]  # phases that were not measured
    dollars_per_hour: float

    @property
    def dollars(self) -> float:
        """Of all that is projected."""
        return sum(self.projected_s.values()) / 3600 * self.dollars_per_hour


def project(config, statuses: Mapping[Phase, Status], workdir: Path) -> Cost:
    """The plan's cost by the phases that are finished; raises BadInput where it is no plan."""
    plan, done = _config.load(config.plan), {}
    for phase, status in statuses.items():
        if status.result is not None:
            here, there = (_phases.wanted(c, phase, workdir) for c in (config, plan))
            share = work(phase, there) / work(phase, here)
            done[phase.name] = (status.result["wall_s"], share * status.result["wall_s"])
    return Cost(
        config.plan.rpartition(":")[2],
        {name: measured for name, (measured, _) in done.items()},
        {name: projected for name, (_, projected) in done.items()},
        tuple(phase.name for phase in statuses if phase.name not in done),
        config.dollars_per_hour,
    )


def work(phase: Phase, resolved: Mapping[str, Any]) -> float:
    """The product of the phase's fields; `a + b` is a sum, and a list counts as its length."""
    total = 1.0
    for term in phase.work:
        values = [resolved[name] for name in term.split(" + ")]
        total *= sum(v if isinstance(v, int | float) else len(v) for v in values)
    return total


def told(cost: Cost) -> str:
    """In one paragraph; empty where nothing was measured."""
    if not cost.device_s:
        return ""
    text = (
        f"measured: {duration(sum(cost.device_s.values()))} of this device in {len(cost.device_s)} "
        f"phase(s); projected for the plan's preset {cost.plan}, by each phase's work: "
        f"{duration(sum(cost.projected_s.values()))}, ${cost.dollars:.2f} at "
        f"${cost.dollars_per_hour:.2f} an hour"
    )
    return text + (f"; not measured, not in it: {', '.join(cost.lacking)}" if cost.lacking else "")
