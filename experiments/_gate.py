"""What Phase 0 found, for later phases: `gate=strict` stops them, `gate=report` marks them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments import _run
from experiments._config import BadInput

MODES = ("strict", "report")
PASSED = "gate passed"
NEEDED = {"noisy_tv", "forgetting", "balloon", "slot_discovery"}  # the plan's four


def ask(mode: str, folder: Path) -> str:
    """The mark for later results: PASSED, or "gate failed: NAMES".

    Args:
        mode: "strict" refuses to go on past a gate that failed; "report" goes on and marks.
        folder: the workdir of `experiments.validate`.

    Raises:
        BadInput: another mode, no verdict yet, or a failed gate in strict mode.
    """
    if mode not in MODES:
        raise BadInput(f"config.gate={mode}: it must be one of {', '.join(MODES)}.")
    path = folder / "result.json"
    if not path.exists():
        raise BadInput(
            f"{path} does not exist: run python -m experiments.validate --workdir={folder} first."
        )
    failed = failures(_run.read_result(path))
    if not failed:
        return PASSED
    names = ", ".join(failed)
    if mode == "strict":
        raise BadInput(f"the gate failed ({names}): --config.gate=report goes on regardless.")
    return f"gate failed: {names}"


def failures(result: Mapping[str, Any]) -> list[str]:
    """What keeps a result of `experiments.validate` from opening the gate, by name."""
    failed = [item["name"] for item in result["criteria"] if not item["passed"]]
    run = {item["name"].partition(".")[0] for item in result["criteria"]}
    failed += [f"{name} was not run" for name in sorted(NEEDED - run)]
    if result["n_failed_seeds"]:
        failed.append(f"{result['n_failed_seeds']} seeds broke off")
    return failed
