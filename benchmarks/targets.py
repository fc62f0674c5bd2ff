"""What the figures are held against, on a laptop of two cores without a GPU."""

from collections.abc import Iterable, Mapping
from typing import Any

GIB = 2**30
# (figure or ratio, claim, its scale, direction, threshold)
TARGETS = (
    (
        "prototype_1x64",
        "control steps/s, senses and learning included: 64 worlds, an update of 236,000 parameters "
        "a control step",
        25.0,
        ">=",
        3000.0,
    ),
    (
        "physics_to_c_per_core_128_worlds",
        "physics, of the C engine's rate per core, all cores at work",
        1,
        ">=",
        0.45,
    ),
    ("paper_minutes", "minutes of the paper preset's 101,000 interactions, one seed", 1, "<=", 20),
    ("seed_cost_16x16", "cost of a seed among 16, of one seed alone", 1, "<=", 0.6),
    ("compile_cold", "seconds to compile the loop", 1, "<=", 60),
    ("compile_cached", "seconds to load the compiled loop", 1, "<=", 10),
    ("memory_4x64", "GB at 4 seeds of 64 worlds", GIB / 1e9, "<=", 4.0),
)


def judge(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every target whose figure was measured: value, threshold, reached or not."""
    medians = {item["name"]: item["median"] for item in found}
    return [
        {
            "name": name,
            "claim": claim,
            "value": medians[name] * scale,
            "direction": direction,
            "threshold": threshold,
            "reached": bool(
                medians[name] * scale >= threshold
                if direction == ">="
                else medians[name] * scale <= threshold
            ),
        }
        for name, claim, scale, direction, threshold in TARGETS
        if name in medians
    ]
