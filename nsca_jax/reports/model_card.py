"""The card of a trained model: what it is, what made it, what was measured, what it cannot do.

After Mitchell et al. (2019), "Model cards for model reporting". Every figure in it comes from the
results of the phases; none is written here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nsca_jax.reports import results, tables

NAME = "MODEL_CARD.md"
WHAT = """A world model of a simulated gripper that drops, strikes, pushes and lifts everyday
things. It was trained without labels, on what the simulated senses (a 32 x 32 RGB-D eye, impact
sounds, the forces on two fingers, joints) told of interactions. It predicts what comes of an act
and says how sure it is. The objects' true properties scored it and trained nothing."""
LIMITS = (
    "One solid thing at a time on a plain table, in simulation: it has seen no real camera, "
    "microphone or hand.",
    "A material's look goes with its physics in the sets of objects; where looks mislead, so do "
    "predictions.",
    "Results hold for the sets of objects, the ranges of actions and the seeds named in them.",
    "Made for research into learning; nothing that acts on people or property should rest on it.",
)


def write(
    folder: Path,
    found: Mapping[str, Mapping[str, Any]],
    weights: Mapping[str, str],
    data: Mapping[str, Mapping[str, Any]],
    identity: Mapping[str, str],
) -> Path:
    """Writes `folder/MODEL_CARD.md`, beside the weights, and returns its path.

    Args:
        found: results by the name of the phase that they judge.
        weights: file names in `folder`, and what made them.
        data: what each phase learnt from, or was judged by: fields of its config.
        identity: what tells this run from others, by name: config hash, gate and the like.
    """
    path = folder / NAME
    path.write_text(text(found, weights, data, identity), encoding="utf-8")
    return path


def text(
    found: Mapping[str, Mapping[str, Any]],
    weights: Mapping[str, str],
    data: Mapping[str, Mapping[str, Any]],
    identity: Mapping[str, str],
) -> str:
    """The card, in Markdown."""
    parts = [
        "# Model card",
        WHAT,
        _weights(weights),
        _data(data),
        _shortfalls(found),
        *(f"## Measured: {name}\n\n{_measured(one)}" for name, one in found.items()),
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in LIMITS),
        _identity(found, identity),
    ]
    return "\n\n".join(parts) + "\n"


def _weights(weights: Mapping[str, str]) -> str:
    lines = [f"- `{file}`: {what}" for file, what in weights.items()]
    code = [f'    model, params = nsca_jax.load("{file}")' for file in list(weights)[:1]]
    use = ["", "    import nsca_jax", *code] if code else ["No phase left weights."]
    return "\n".join(["## Weights, and how to use them", "", *lines, *use])


def _data(data: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"- {name}: " + ", ".join(f"{field} {value}" for field, value in fields.items())
        for name, fields in data.items()
        if fields
    ]
    return "\n".join(["## Learnt from, and judged by", "", *lines])


def _shortfalls(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What did not hold comes before what did."""
    failed = [
        f"- {name}: {item['claim']} (`{item['name']}`): {_value(item)}, needed "
        f"{item['direction']} {item['threshold']:g}"
        for name, one in found.items()
        for item in one["criteria"]
        if not item["passed"]
    ]
    return "\n".join(["## What did not hold", "", *(failed or ["Every criterion held."])])


def _value(item: Mapping[str, Any]) -> str:
    if item["value"] is None:
        return "no value"
    rival = item.get("control", {"passed": False})
    told = f", which its control {rival['name']} reached too" if rival["passed"] else ""
    return f"{item['value']:.3g}{told}"


def _measured(result: Mapping[str, Any]) -> str:
    mark = f"\n\n{result['gate'].capitalize()}." if "gate" in result else ""
    return tables.criteria_table(result) + mark


def _identity(found: Mapping[str, Mapping[str, Any]], identity: Mapping[str, str]) -> str:
    rows = [f"- {name}: {value}" for name, value in identity.items()]
    rows += [f"- config of {name}: {one['config_hash']}" for name, one in found.items()]
    packages = ", ".join(f"{name} {version}" for name, version in results.versions().items())
    return "\n".join(["## Identity", "", *rows, f"- versions: {packages}"])
