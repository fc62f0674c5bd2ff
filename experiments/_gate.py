"""What Phase 0 found, for later phases: `gate=strict` stops them, `gate=report` marks them."""

from pathlib import Path

from experiments._config import BadInput
from nsca_jax.reports import results

MODES = ("strict", "report")


def ask(mode: str, folder: Path) -> str:
    """The mark for later results: "gate passed", or "gate failed: NAMES".

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
    result = results.read(path)
    if result["passed"]:
        return "gate passed"
    failed = [item["name"] for item in result["criteria"] if not item["passed"]]
    names = ", ".join(failed) or f"{result['n_failed_seeds']} seeds broke off"
    if mode == "strict":
        raise BadInput(f"the gate failed ({names}): --config.gate=report goes on regardless.")
    return f"gate failed: {names}"
