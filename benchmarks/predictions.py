"""What was expected of a change, written down before it was measured, beside what came of it."""

from collections.abc import Iterable, Mapping
from typing import Any

# (figure or ratio, what it is, predicted, why)
PREDICTIONS = (
    (
        "physics_to_c_per_core_128_worlds",
        "physics, of the C engine's rate per core, all cores at work",
        0.5,
        "half of a step was the solver's factorisation and its two substitutions; Gauss-Jordan "
        "needs a third of their kernels",
    ),
    (
        "floor_kernels",
        "seconds a step and world that starting kernels takes",
        1e-5,
        "600 kernels a step, a microsecond each, over 64 worlds",
    ),
    (
        "floor_operations",
        "seconds a step and world that arithmetic takes",
        2.5e-6,
        "77,000 operations at 30 GFLOP/s",
    ),
    (
        "loop_1x64",
        "interactions a second of the laptop preset's learner, one seed of 64 worlds",
        138.0,
        "physics was 0.6 of an iteration and takes half; learning stays as it is",
    ),
    (
        "prototype_1x64",
        "interactions a second with a learner of 236,000 parameters",
        142.0,
        "physics 0.33 s, and 25 updates of a third of the arithmetic 0.12 s",
    ),
    (
        "seed_cost_16x16",
        "cost of a seed among 16 that two cores share, of one seed alone",
        0.6,
        "a seed alone keeps more than one core at work, but not two",
    ),
    (
        "devices_to_1_4x64",
        "four seeds on two forced host devices, against one",
        1.2,
        "a program for each core waits at no kernel for the other core",
    ),
    (
        "loop_to_c_host",
        "the compiled loop, of a host that drives the C engine on all cores",
        0.65,
        "physics is what the two differ in",
    ),
    (
        "step_to_torch",
        "gradient steps a second of the world model, of PyTorch's on all cores",
        1.2,
        "both are bound by the same products; what lies between them is fused on both sides, and "
        "PyTorch pays for every call from Python",
    ),
)


def compare(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every prediction whose figure was measured, with it."""
    medians = {item["name"]: item["median"] for item in found}
    return [
        {"name": name, "claim": claim, "predicted": value, "why": why, "measured": medians[name]}
        for name, claim, value, why in PREDICTIONS
        if name in medians
    ]
