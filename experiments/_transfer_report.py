"""The page of the transfer experiment."""

from collections.abc import Mapping

from nsca_jax.evaluation import transfer
from nsca_jax.evaluation.babbling_claims import Stage
from nsca_jax.reports import figures, html

TITLES = {"set_b": "Set B", "own_set": "Own set"}


def write(
    config: dict, run, stages: Mapping[str, Stage], records: Mapping[str, dict], result: dict
) -> None:
    """Writes figures/ and report.html."""
    skill = {"Set A": _skill(records["set_b"], "a")}
    for name, record in records.items():
        skill[f"{TITLES[name]}, first sight"] = _skill(record, "b")
        skill[f"{TITLES[name]}, own table"] = _skill(record, "b_memory")
    picture = figures.skill_bars(run.workdir / "figures" / "skill.png", skill)
    own = stages["own_set"]
    path = html.write_report(
        run.workdir / "report.html",
        title="Objects never met",
        summary=f"{len(result['seeds'])} agents babbled with the {own.count_a} objects of Set A. "
        f"Here they foresee what comes of things done to {stages['set_b'].count_b} objects of Set "
        f"B and to the {own.count_b} of {config['objects']}, none of which they ever met.",
        criteria=result["criteria"],
        sections=[
            html.Section(
                "Skill by sense",
                "Skill is 1 - MSE / variance over held-out interactions: 0 is the set's mean, 1 is "
                "perfect. At first sight an agent has the spawn's senses alone; its own table adds "
                "what it measured in other interactions with the same object, weights untouched."
                f"\n\nThe own set: {', '.join(own.names[own.first_b :])}.",
                [(picture, "Mean over seeds, by sense.")],
            )
        ],
        config=config,
        versions=result["versions"],
    )
    run.say(f"report: {path}")


def _skill(record: dict, part: str) -> dict:
    return {m: record[f"skill_{part}_{m}"] for m in transfer.MODALITIES}
