"""The shipped world model, judged at once: no training, fresh interactions.

Loads the weights that a babbling run left behind and predicts held-out interactions of Set A and
of a set that the agent has never met: Set B, or anyone's (--config.objects_b=FILE).
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import jax
import jax.numpy as jnp
from ml_collections import config_dict

from experiments import _config, _launch, _ranges, babble
from nsca_jax import checkpoint, loading, objects
from nsca_jax.evaluation import babbling_claims as claims_lib
from nsca_jax.evaluation import transfer
from nsca_jax.models import dynamics
from nsca_jax.reports import html, results


def read_header(path: str) -> dict:
    """The config of the run that made the weights; BadInput where there are none."""
    try:
        header = checkpoint.read_weights_header(path)
    except FileNotFoundError as error:
        raise _launch.BadInput(f"config.weights: there is no file {path}") from error
    except checkpoint.CheckpointError as error:
        raise _launch.BadInput(f"config.weights: {error}") from error
    if header.get("experiment") != "babble":
        raise _launch.BadInput(f"config.weights: {path} was not made by experiments.babble")
    if not isinstance(header.get("config"), dict):
        raise _launch.BadInput(f"config.weights: {path} does not say how it was made")
    return header["config"]


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    trained = read_header(config.weights)
    objects.concatenate([objects.load(config.objects_a), objects.load(config.objects_b)])
    wanted = _config.load("configs/babble.py")
    if lacking := [name for name in wanted if name not in trained and name != "loggers"]:
        raise _launch.BadInput(
            f"config.weights: {config.weights} was made by another version: its config lacks "
            f"{', '.join(lacking)}."
        )
    try:
        loading.load(config.weights)
    except checkpoint.CheckpointError as error:
        raise _launch.BadInput(f"config.weights: {error}.") from error


def main(config, run) -> dict:
    """Score, result and page."""
    trained = config_dict.ConfigDict(read_header(config.weights))
    trained.objects_a, trained.objects_b = config.objects_a, config.objects_b
    trained.seeds, trained.seed = 1, config.seed
    trained.evaluation_interactions = config.evaluation_interactions
    run.say("rolling out held-out interactions of both sets")
    stage = babble.make_stage(trained)
    settings = babble.settings_of(trained, "competence", stage.known)
    model = babble.load_learner(settings, config.weights)
    scores, table = {}, {}
    one = jax.tree.map(lambda leaf: leaf[None], model)
    for name, held in (("Set A", stage.held_a), ("never met", stage.held_b)):
        nothing = jnp.zeros((1, held.rows.object_id.shape[0], dynamics.MEMORY))
        score = transfer.score(settings.learner, one, held.rows, held.region, nothing)
        scores[name] = score
        table[name] = {m: float(score.skill[m][0]) for m in transfer.MODALITIES}
        shown = "  ".join(f"{m} {v:.3f}" for m, v in table[name].items())
        run.say(f"skill, {name:9s} overall {float(score.overall[0]):.3f}  {shown}")
    base = claims_lib.baselines(stage)
    a, b = (float(scores[name].overall[0]) for name in scores)
    position = float(scores["never met"].position_error_m[0]) / base["ballistic_b_m"]
    criteria = [
        results.criterion(
            "skill_set_a",
            "Predicts held-out interactions with Set A",
            [a],
            trained.skill_threshold,
            ">=",
            control=("persistence", base["persistence_a"]["overall"]),
        ),
        results.criterion(
            "transfer", "Skill on objects never met over skill on Set A", [b / a], 0.9, ">="
        ),
        results.criterion(
            "open_loop_position",
            "End position on objects never met, error over that of the ballistic predictor",
            [position],
            0.5,
            "<=",
        ),
    ]
    result = run.result(criteria, [trained.seed], baselines={**base, "skill": table})
    path = html.write_report(
        run.workdir / "report.html",
        title="The pretrained world model",
        summary=f"{config.weights} on interactions that it was not trained on, at first sight.",
        criteria=result["criteria"],
        sections=[],
        config=config.to_dict(),
        versions=result["versions"],
    )
    run.say(f"report: {path}")
    return result


if __name__ == "__main__":
    _launch.launch("pretrained", main, check)
