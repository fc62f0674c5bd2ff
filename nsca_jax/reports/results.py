"""`result.json`: what a run claims, how the claims fared, and on which machine and versions.

A failed seed is written as null in `per_seed` and counted in `n_failed_seeds`; a result with a
failed seed has not passed, whatever its criteria say.
"""

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jsonschema
import jsonschema.exceptions
from numpy.typing import ArrayLike

from nsca_jax.evaluation import stats
from nsca_jax.evaluation.monitors import Reading
from nsca_jax.reports.plain import plain

SCHEMA = Path(__file__).parent / "result.schema.json"
PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "mujoco",
    "mujoco-mjx",
    "numpy",
    "scipy",
)


def criterion(
    name: str,
    claim: str,
    per_seed: ArrayLike | Sequence[float | None],
    threshold: float,
    direction: str,
    control: tuple[str, float] | None = None,
    by_interval: bool = False,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """One criterion of a result.

    `value`, held against `threshold` (`direction` is ">=" or "<="), is the mean over the seeds
    that finished; with `by_interval` it is the end of an interval (of `confidence`, which a family
    of comparisons widens) that is nearer to failing, so that every plausible mean must pass. The
    interval is Student's t over seeds; with one seed `se` and `ci95` are None, and `by_interval`
    has not passed. `control` names a rival that must
    fail and its value: where it reaches the threshold too, the criterion has not passed.
    Raises ValueError for another direction or a value that is not finite.
    """
    if direction not in (">=", "<="):
        raise ValueError(f"criterion {name}: direction {direction!r} is neither '>=' nor '<='")
    values = plain(per_seed, f"{name}.per_seed")
    finished = [value for value in values if value is not None]
    mean = se = low = high = None
    if finished:
        mean, se, low, high = stats.mean_interval(finished)
    value = mean
    if finished and by_interval:
        wide = stats.mean_interval(finished, confidence)
        value = wide.low if direction == ">=" else wide.high
    out = {
        "name": name,
        "claim": claim,
        "value": value,
        "threshold": threshold,
        "direction": direction,
        "passed": _reaches(value, threshold, direction),
        "per_seed": values,
        "mean": mean,
        "se": se,
        "ci95": None if low is None else [low, high],
    }
    if control is not None:
        rival, figure = control
        fared = _reaches(figure, threshold, direction)
        out["control"] = {"name": rival, "value": figure, "passed": fared}
        out["passed"] = out["passed"] and not fared
    return plain(out, name)


def effect_size(treated: ArrayLike, control: ArrayLike) -> float | None:
    """Cohen's d of values paired by seed [S]: mean over standard deviation of the differences.

    None where it has no size: fewer than two pairs, or differences that do not vary.
    """
    difference = stats.differences(treated, control)
    if len(difference) < 2 or max(difference) == min(difference):
        return None
    return stats.paired_cohens_d(treated, control)


def with_failed(criteria: Sequence[Mapping[str, Any]], failed: Sequence[int]) -> list[dict]:
    """Criteria that were reckoned without the `failed` seeds, with null in their places."""

    def whole(per_seed: Sequence[float | None]) -> list[float | None]:
        out = list(per_seed)
        for seed in sorted(failed):
            out.insert(seed, None)
        return out

    return [{**item, "per_seed": whole(item["per_seed"])} for item in criteria]


def build(
    experiment: str,
    criteria: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    *,
    config_hash: str,
    wall_s: float,
    compile_s: float = 0.0,
    n_failed_seeds: int = 0,
    baselines: Mapping[str, Any] | None = None,
    effect_sizes: Mapping[str, Any] | None = None,
    gate: str = "",
    monitors: Sequence[Reading] = (),
) -> dict[str, Any]:
    """A whole, validated result; `criteria` come from `criterion`, `seeds` are their numbers.

    `gate` is what a phase that stands on the validations was told of them: "gate passed", or
    "gate failed: " and the names. A result that does not stand on them has none. `monitors` are
    readings of `evaluation.monitors`; an alarm fails nothing.
    Raises ValueError where something in it is not finite or not as the schema says.
    """
    result = plain(
        {
            "experiment": experiment,
            "passed": all(item["passed"] for item in criteria) and n_failed_seeds == 0,
            "criteria": list(criteria),
            "seeds": seeds,
            "n_failed_seeds": n_failed_seeds,
            "baselines": baselines or {},
            "effect_sizes": effect_sizes or {},
            "wall_s": wall_s,
            "compile_s": compile_s,
            "device": device(),
            "versions": versions(),
            "config_hash": config_hash,
            **({"gate": gate} if gate else {}),
            **({"monitors": [reading._asdict() for reading in monitors]} if monitors else {}),
        }
    )
    validate(result)
    return result


def validate(result: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the place, where `result` is not what a result must be."""
    result = plain(result)
    error = jsonschema.exceptions.best_match(_validator().iter_errors(result))
    if error is not None:
        raise ValueError(f"result{error.json_path[1:]}: {error.message}")


def write(path: str | Path, result: Mapping[str, Any]) -> None:
    """Validates, then writes beside and renames: a reader sees the whole result or none."""
    validate(result)
    path = Path(path)
    beside = path.with_name(f".{path.name}.writing")
    beside.write_text(json.dumps(plain(result), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def read(path: str | Path) -> dict[str, Any]:
    """A validated result; raises ValueError where the file holds none."""
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
        validate(result)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return result


def config_hash(config: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change with any field's value, and not with their order."""
    text = json.dumps(plain(config), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Python's version and those of the packages that a result depends on."""
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in PACKAGES},
    }


def device() -> str:
    """Such as `gpu: NVIDIA H100 x1` or `cpu: x86_64, 2 cores`."""
    devices = jax.devices()
    first = devices[0]
    if first.platform == "cpu":
        return f"cpu: {platform.machine()}, {os.cpu_count()} cores"
    return f"{first.platform}: {first.device_kind} x{len(devices)}"


def _reaches(value: float | None, threshold: float, direction: str) -> bool:
    if value is None:
        return False
    return bool(value >= threshold if direction == ">=" else value <= threshold)


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
