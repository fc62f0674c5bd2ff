"""Does what was learnt of Set A hold for objects never met: Set B, and a set of anyone's?

Twenty agents babble as in the main job. Each is judged on held-out interactions of Set A, of Set B
and of the set in --config.objects, at first sight and with its own table of what it has done with
them. Control: with the looks dealt anew among the interactions, first sight must fail.
Presets: laptop (20 seeds), quick (2 seeds, for CI).
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import config_dict

from experiments import _babble_claims, _launch, _transfer_report, babble
from nsca_jax import checkpoint, objects
from nsca_jax.evaluation import babbling_claims as claims_lib
from nsca_jax.evaluation.babbling_claims import Stage
from nsca_jax.reports import results
from nsca_jax.training import babbling

ARM = "competence"
SETS = {"set_b": "Set B", "own_set": "the set in config.objects"}


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    babble.check(config)
    known = babble.load_sets(config)[-1].names
    if met := sorted({*known} & {*objects.load(config.objects).names}):
        raise _launch.BadInput(
            f"config.objects: {config.objects} holds {', '.join(met)}, which Set A or Set B has "
            "too: objects never met need names of their own"
        )


def main(config, run) -> dict:
    """Babbles, judges on every set, then the claims, then the report."""
    run.say("compiling, and rolling out the held-out interactions")
    stage = babble.make_stage(config, babble.unfinished(config, run))
    stages, records = {"set_b": stage}, {"set_b": babble.run_arm(config, run, ARM, stage, 0)}
    settings = babble.settings_of(config, ARM, stage.known)
    agents = grown(config, run, settings)
    own = config_dict.ConfigDict({**config.to_dict(), "objects_b": config.objects})
    stages["own_set"] = stage = babble.make_stage(own)
    scores = babble.judge(settings, stage, agents)
    records["own_set"] = claims_lib.record(settings, stage, agents, scores)
    blind = {name: blindfolded(settings, stage, agents) for name, stage in stages.items()}
    failed = _babble_claims.drop_failed(records)
    criteria = []
    for name, record in records.items():
        rival = float(np.mean(np.delete(blind[name], failed) / record["overall_a"]))
        criteria += _babble_claims.transfer(record, name, SETS[name], ("looks dealt anew", rival))
    result = run.result(
        results.with_failed(criteria, failed),
        list(range(config.seeds)),
        n_failed_seeds=len(failed),
        baselines={
            f"{name}, {what}": figure
            for name, stage in stages.items()
            for what, figure in claims_lib.baselines(stage).items()
            if what.endswith(("_b", "_b_m"))
        },
    )
    _transfer_report.write(config.to_dict(), run, stages, records, result)
    return result


def grown(config, run, settings: babbling.BabbleSettings) -> babbling.TrainState:
    """The agents as babbling left them."""
    init, _ = babbling.make_train(settings)
    keys = jax.vmap(jax.random.key)(jnp.arange(config.seeds))
    folder = run.workdir / "checkpoints" / ARM
    return checkpoint.restore(folder, jax.eval_shape(init, keys))[0]


def blindfolded(settings: babbling.BabbleSettings, stage: Stage, agents) -> np.ndarray:
    """Skill [S] at first sight where what is seen at the spawn is another interaction's."""
    rows = stage.held_b.rows
    dealt = jax.random.permutation(jax.random.key(0), len(rows.object_id))
    spawn = rows.spawn.replace(
        image=rows.spawn.image[dealt],
        visual_code=rows.spawn.visual_code[dealt],
        shape_code=rows.spawn.shape_code[dealt],
    )
    held = stage.held_b.replace(rows=rows.replace(spawn=spawn))
    scores = babble.judge(settings, dataclasses.replace(stage, held_b=held), agents)
    return np.asarray(scores["b"].overall)


if __name__ == "__main__":
    _launch.launch("transfer", main, check)
