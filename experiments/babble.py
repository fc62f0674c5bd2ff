"""A gripper babbles with twenty objects, learns what comes of it, and predicts ten never met.

Presets: laptop (3 seeds, minutes), evidence (5 seeds, every arm and control, under an hour),
paper (10,000 random + 90,000 competence-driven interactions), gpu (paper for many seeds).
"""

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _babble_report, _launch
from nsca_jax import objects, types
from nsca_jax.evaluation import babbling_claims, transfer
from nsca_jax.evaluation.babbling_claims import Stage
from nsca_jax.grounding import table as table_lib
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import babbling, experience, learner

ARMS = {  # arm -> (curiosity, the dynamics sees the action)
    "competence": ("gamma_progress", True),
    "random": ("uniform", True),
    "error": ("prediction_error", True),
    "no_action": ("gamma_progress", False),
}


def settings_of(config, arm: str, known: int) -> babbling.BabbleSettings:
    """The static settings of one arm."""
    curiosity, use_action = ARMS[arm]
    iterations = total_iterations(config)
    values = dict(config.learner)
    updates = values.pop("updates")
    return babbling.BabbleSettings(
        learner=learner.LearnerSettings(
            **values, use_action=use_action, total_updates=iterations * updates
        ),
        camera=camera_lib.Camera(width=config.image_size, height=config.image_size),
        objects=known,
        seeds=config.seeds,
        worlds=config.worlds,
        updates=updates,
        random_iterations=config.random_interactions // config.worlds,
        iterations=iterations,
        capacity=iterations * config.worlds,
        curiosity=curiosity,
        **dict(config.curiosity),
    )


def total_iterations(config) -> int:
    """Iterations of both phases."""
    return (config.random_interactions + config.competence_interactions) // config.worlds


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    for arm in config.arms:
        if arm not in ARMS:
            raise _launch.BadInput(f"config.arms: {arm!r} is not one of {', '.join(ARMS)}")
    for field in ("random_interactions", "competence_interactions"):
        value = config[field]
        if value < config.worlds or value % config.worlds:
            raise _launch.BadInput(
                f"config.{field}={value} must be a positive multiple of config.worlds="
                f"{config.worlds}, the interactions of one iteration"
            )


def make_world(config) -> Stage:
    """Load the object sets and roll out the held-out interactions."""
    set_a, set_b = objects.load(config.objects_a), objects.load(config.objects_b)
    radio = [objects.load(config.distractor_object)] if config.distractor else []
    everything = objects.concatenate([set_a, *radio, set_b])
    known = len(set_a.names) + int(config.distractor)
    body = experience.make_body(everything.properties, known - 1 if config.distractor else -1)
    camera = camera_lib.Camera(width=config.image_size, height=config.image_size)
    bins = config.curiosity.bins
    key = jax.random.key(config.seed + 1_000_003)
    regions_b = len(set_b.names) * len(types.SKILLS) * bins
    per_b = config.seeds * -(-config.evaluation_interactions // (regions_b * config.seeds))
    block = config.seeds * config.worlds
    held = [
        transfer.collect(body, camera, jax.random.fold_in(key, i), first, count, per, bins, block)
        for i, (first, count, per) in enumerate(
            [(0, len(set_a.names), per_b), (known, len(set_b.names), per_b)]
        )
    ]
    return Stage(
        body, everything.names, known, len(set_a.names), len(set_b.names), held[0], held[1]
    )


def judge(settings: babbling.BabbleSettings, world: Stage, state: babbling.TrainState) -> dict:
    """Scores on both held-out sets, without and with the agent's own memory of the objects."""
    out = {}
    memories_a = jax.vmap(lambda t: table_lib.memory_input(t, world.held_a.rows.object_id))
    memory_a = memories_a(state.table)
    crossed = jax.vmap(
        lambda t: transfer.crossed_memory(world.held_b.rows, world.first_b, world.count_b, t)
    )
    memory_b = crossed(state.table)
    for name, held, memory in (("a", world.held_a, memory_a), ("b", world.held_b, memory_b)):
        for known, given in (("", 0.0 * memory), ("_memory", memory)):
            out[name + known] = transfer.score(
                settings.learner, state.learner, held.rows, held.region, given
            )
    return out


def run_arm(config, run, arm: str, world: Stage, number: int) -> dict:
    """Train one arm to its end, or resume it, or read what a finished one left behind."""
    done = run.workdir / "arms" / f"{arm}.npz"
    if done.exists():
        with np.load(done) as stored:
            return dict(stored)
    settings = settings_of(config, arm, world.known)
    init, chunk = babbling.make_train(settings)
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(config.seed), i))(
        jnp.arange(config.seeds)
    )
    state = run.restore(init(keys), name=arm)
    state = init(keys) if state is None else state
    total = total_iterations(config)
    while (iteration := int(state.iteration)) < total:
        steps = min(config.chunk, total - iteration)
        state, metrics = chunk(world.body, state, steps)
        scores = judge(settings, world, state)
        interactions = int(state.iteration) * config.worlds
        figures = _log(run, arm, state, metrics, scores, interactions, settings)
        run.save(int(state.iteration), state, name=arm)
        run.progress(
            number * total + int(state.iteration), len(config.arms) * total, "it", **figures
        )
        if run.stopping:
            raise run.interrupted()
    record = babbling_claims.record(settings, world, state, judge(settings, world, state))
    done.parent.mkdir(exist_ok=True)
    run.write_arrays(done, record)
    if arm == "competence":
        run.save_weights("pretrained", state.learner)
    return record


def _log(run, arm, state, metrics, scores, interactions, settings) -> dict:
    """One line of metrics.jsonl; returns the few figures shown on the progress line."""
    skill = {
        f"skill_{part}_{m}": np.asarray(scores[part].skill[m]).tolist()
        for part in ("a", "b", "b_memory")
        for m in transfer.MODALITIES
    }
    overall = {f"skill_{part}": np.asarray(s.overall).tolist() for part, s in scores.items()}
    run.log(
        interactions,
        {
            "arm": arm,
            "loss": np.asarray(metrics["loss"][-1]).tolist(),
            "error": np.asarray(metrics["error"].mean(0)).tolist(),
            "bad_worlds": np.asarray(state.bad_worlds).tolist(),
            "broken_promises": np.asarray(state.broken_promises).tolist(),
            **overall,
            **skill,
        },
    )
    return {
        "arm": arm,
        "interactions": interactions * settings.seeds,
        "skill_A": float(np.mean(overall["skill_a"])),
        "skill_B": float(np.mean(overall["skill_b"])),
    }


def main(config, run) -> dict:
    """Every arm, then the claims, then the report."""
    check(config)
    run.say("rolling out the held-out interactions of both sets")
    world = make_world(config)
    records = {
        arm: run_arm(config, run, arm, world, number) for number, arm in enumerate(config.arms)
    }
    result = babbling_claims.claims(config.to_dict(), world, records)
    _babble_report.write(config, run, world, records, result)
    return result


if __name__ == "__main__":
    _launch.launch("babble", main)
