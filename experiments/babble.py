"""A gripper babbles with twenty objects, learns what comes of it, and predicts ten never met.

Presets: laptop (3 seeds, minutes), evidence (5 seeds, every arm and control, under an hour),
paper (10,000 random + 90,000 competence-driven interactions), gpu (paper for many seeds).

--config.backend=warp has MuJoCo Warp step the worlds: it is meant for NVIDIA GPUs, and slow on a
CPU. It agrees with the default, jax, in statistics, not to the bit; physics cannot be
differentiated; and on a GPU neither two runs nor a resumed and an unbroken one have the same bits.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import functools
from concurrent import futures
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _babble_claims, _babble_report, _launch, _parts, _ranges
from nsca_jax import checkpoint, objects, types
from nsca_jax.evaluation import babbling_claims as claims_lib
from nsca_jax.evaluation import monitors, transfer
from nsca_jax.evaluation.babbling_claims import Stage
from nsca_jax.grounding import table as table_lib
from nsca_jax.priors.physics import WEIGHT_FLOOR
from nsca_jax.reports import results
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sim import mjx_warp, scene
from nsca_jax.training import babbling, experience, faults, learner, parallel

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
        noise=experience.SensorNoise(**config.sensor_noise),
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
    _ranges.check(config)
    _ranges.one_of(config, "backend", scene.BACKENDS)
    if config.backend == "warp":
        mjx_warp.need()
    _ranges.some_of(config, "arms", ARMS)
    if "competence" not in config.arms:
        _ranges.refuse("arms", config.arms, "one that holds competence, the arm that is judged")
    for field in ("random_interactions", "competence_interactions"):
        if config[field] % config.worlds:
            needs = f"a multiple of config.worlds={config.worlds}, those of one iteration"
            _ranges.refuse(field, config[field], needs)
    if total_iterations(config) % config.chunk:
        needs = f"a divisor of the run's {total_iterations(config)} iterations"
        _ranges.refuse("chunk", config.chunk, needs)
    if config.curiosity.warmup > config.curiosity.window:
        needs = f"at most config.curiosity.window={config.curiosity.window}"
        _ranges.refuse("curiosity.warmup", config.curiosity.warmup, needs)
    load_sets(config)


def load_sets(config) -> tuple[objects.ObjectSet, objects.ObjectSet, objects.ObjectSet]:
    """Set A, Set B, and both with the distractor between them; raises ObjectError."""
    set_a, set_b = objects.load(config.objects_a), objects.load(config.objects_b)
    radio = [objects.load(config.distractor_object)] if config.distractor else []
    if radio and len(radio[0].names) != 1:
        needs = f"a file of one object, and holds {len(radio[0].names)}"
        _ranges.refuse("distractor_object", config.distractor_object, needs)
    return set_a, set_b, objects.concatenate([set_a, *radio, set_b])


def make_stage(config, arm: str | None = None) -> Stage:
    """Load the object sets and roll out the held-out interactions.

    Beside that `arm`'s program compiles, where one is named (MuJoCo Warp's are built one by one).
    """
    set_a, set_b, everything = load_sets(config)
    known = _known(config, set_a)
    radio = known - 1 if config.distractor else -1
    body = experience.make_body(everything.properties, radio, config.backend)
    camera = camera_lib.Camera(width=config.image_size, height=config.image_size)
    bins = config.curiosity.bins
    noise = experience.SensorNoise(**config.sensor_noise)
    key = jax.random.key(config.seed + 1_000_003)
    # Set B's table is each seed's own, from as many interactions as an evaluation has
    per_b = config.seeds * _per_region(config, len(set_b.names))
    per_a = 2 * _per_region(config, len(set_a.names))
    block = config.seeds * config.worlds
    ahead = [arm] if arm and config.backend == "jax" else []
    with futures.ThreadPoolExecutor(1) as beside:
        compiling = [beside.submit(compile_arm, config, each, known, body) for each in ahead]
        held = [
            transfer.collect(
                body, camera, jax.random.fold_in(key, i), first, count, per, bins, block, noise
            )
            for i, (first, count, per) in enumerate(
                [(0, len(set_a.names), per_a), (known, len(set_b.names), per_b)]
            )
        ]
        for program in compiling:
            program.result()
    return Stage(
        body, everything.names, known, len(set_a.names), len(set_b.names), held[0], held[1]
    )


def _known(config, set_a: objects.ObjectSet) -> int:
    """How many things the agent babbles with: Set A's, and the one that plays noise."""
    return len(set_a.names) + int(config.distractor)


def _per_region(config, count: int) -> int:
    """Evaluation interactions a region, of `count` objects' regions, rounded up."""
    return -(-config.evaluation_interactions // (count * len(types.SKILLS) * config.curiosity.bins))


_own_memory = jax.jit(jax.vmap(table_lib.memory_input, (0, None)))


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def _crossed_memory(tables, rows, first: int, count: int, regions: int) -> jax.Array:
    crossed = functools.partial(transfer.crossed_memory, rows, first, count)
    return jax.vmap(lambda table: crossed(table, regions))(tables)


def judge(settings: babbling.BabbleSettings, stage: Stage, state: babbling.TrainState) -> dict:
    """Scores on both held-out sets, without and with the agent's own memory of the objects."""
    out = {}
    memory_a = _own_memory(state.table, stage.held_a.rows.object_id)
    regions_b = stage.count_b * len(types.SKILLS) * settings.bins
    set_b = stage.first_b, stage.count_b, regions_b
    memory_b = _crossed_memory(state.table, stage.held_b.rows, *set_b)
    for name, held, memory in (("a", stage.held_a, memory_a), ("b", stage.held_b, memory_b)):
        for known, given in (("", 0.0 * memory), ("_memory", memory)):
            out[name + known] = transfer.score(
                settings.learner, state.learner, held.rows, held.region, given
            )
    return out


@functools.cache
def make_train(settings: babbling.BabbleSettings, spread: parallel.Spread):
    """(init, chunk), both compiled; kept, so that what is compiled ahead is what runs."""
    init, chunk = babbling.make_train(settings, spread)
    return jax.jit(init), chunk


def spread_of(config, settings: babbling.BabbleSettings) -> parallel.Spread:
    """Seeds over the devices; the work of few seeds too, but for that of MuJoCo Warp."""
    parts = babbling.parts(settings) if config.backend == "jax" else 1
    return parallel.spread_for(settings.seeds, parts)


def need_disk(config, run) -> None:
    """Refuses to begin where the disk has no room for what the arms will save."""
    todo = [arm for arm in config.arms if not _done(run, arm).exists()]
    settings = settings_of(config, "competence", _known(config, objects.load(config.objects_a)))
    init, _ = make_train(settings, spread_of(config, settings))
    run.need_disk(jax.eval_shape(init, _keys(config)), len(todo))


def compile_arm(config, arm: str, known: int, body: experience.Body) -> None:
    """Compiles what `run_arm` will run."""
    settings = settings_of(config, arm, known)
    spread = spread_of(config, settings)
    init, chunk = make_train(settings, spread)
    keys = _keys(config)
    state = babbling.layout(settings, jax.eval_shape(init, keys), spread)
    chunk.lower(body, state, config.chunk).compile()
    init.lower(keys).compile()


def unfinished(config, run) -> str | None:
    """The first arm that is still to be trained, if any."""
    return next((arm for arm in config.arms if not _done(run, arm).exists()), None)


def run_arm(config, run, arm: str, stage: Stage, number: int) -> dict:
    """Train one arm to its end, or resume it, or read what a finished one left behind."""
    done = _done(run, arm)
    if done.exists():
        return _parts.load(done)
    settings = settings_of(config, arm, stage.known)
    spread = spread_of(config, settings)
    init, chunk = make_train(settings, spread)
    keys = _keys(config)
    state = run.restore(jax.eval_shape(init, keys), name=arm)
    state = init(keys) if state is None else state
    state = babbling.place(settings, state, spread)
    total = total_iterations(config)
    while (iteration := int(state.iteration)) < total:
        state, metrics = chunk(stage.body, state, min(config.chunk, total - iteration))
        iteration = int(state.iteration)
        run.tell_faults(arm, faults.found(state.learner.optimiser))
        lived = parallel.gather(state.replace(buffer=None), spread)
        figures = _log(run, arm, settings, stage, lived, metrics)
        run.save(iteration, state, name=arm)
        run.progress(number * total + iteration, len(config.arms) * total, "it", **figures)
        if run.stopping:
            raise run.interrupted()
    lived = parallel.gather(state.replace(buffer=None), spread)
    record = claims_lib.record(settings, stage, lived, judge(settings, stage, lived))
    run.save_weights(arm, first_seed(lived.learner), arm=arm)
    run.write_arrays(done, record)
    return record


def _done(run, arm: str) -> Path:
    return run.workdir / "arms" / f"{arm}.npz"


def _keys(config) -> jax.Array:
    """[S] one a seed."""
    one = functools.partial(jax.random.fold_in, jax.random.key(config.seed))
    return jax.vmap(one)(jnp.arange(config.seeds))


def first_seed(state: learner.LearnerState) -> dict:
    """What a prediction needs of the first seed."""
    return jax.tree.map(lambda leaf: leaf[0], _to_predict(state))


def _to_predict(state: learner.LearnerState) -> dict:
    """Parameters and running moments."""
    return {"params": state.params, "statistics": state.statistics}


def load_learner(settings: babbling.BabbleSettings, path) -> learner.LearnerState:
    """One seed's learner from saved weights, to predict with: it has no optimiser."""
    init = functools.partial(learner.init, settings.learner)
    shapes = jax.eval_shape(init, jax.random.key(0)).replace(optimiser=())
    tree, _ = checkpoint.load_weights(path, _to_predict(shapes))
    return shapes.replace(**tree)


def _log(run, arm, settings, stage, state, metrics) -> dict:
    """One line of metrics.jsonl; returns the few figures shown on the progress line."""
    scores = judge(settings, stage, state)
    skill = {
        f"skill_{part}_{m}": np.asarray(scores[part].skill[m]).tolist()
        for part in ("a", "b", "b_memory")
        for m in transfer.MODALITIES
    }
    overall = {f"skill_{part}": np.asarray(s.overall).tolist() for part, s in scores.items()}
    interactions = int(state.iteration) * settings.worlds
    bad = int(np.sum(state.bad_worlds))
    run.log(
        interactions,
        {
            "arm": arm,
            "loss": [float(x) if np.isfinite(x) else None for x in metrics["loss"][-1]],
            "faults": run.faults[arm],
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
        **({"bad_worlds": bad} if bad else {}),
    }


def watch(record: dict) -> list[monitors.Reading]:
    """Is anything new still found, and is gravity trusted where it does not hold?"""
    return [
        monitors.curiosity_stalled(
            record["visits"], "a smaller config.curiosity.bound or a larger floor"
        ),
        monitors.prior_holds_on(
            record["trust_a"],
            float(np.mean(record["prior_error_a"])),
            float(np.mean(record["blind_error_a"])),
            WEIGHT_FLOOR,
            "a larger config.learner.prior_price",
        ),
    ]


def main(config, run) -> dict:
    """Every arm, then the claims, then the report."""
    need_disk(config, run)
    run.say("compiling, and rolling out the held-out interactions of both sets")
    stage = make_stage(config, unfinished(config, run))
    records = {
        arm: run_arm(config, run, arm, stage, number) for number, arm in enumerate(config.arms)
    }
    failed = _babble_claims.drop_failed(records)
    criteria, baselines, effects = _babble_claims.decide(config, stage, records)
    result = run.result(
        results.with_failed(criteria, failed),
        list(range(config.seeds)),
        n_failed_seeds=len(failed),
        baselines=baselines,
        effect_sizes=effects,
        monitors=watch(records["competence"]),
    )
    settings = settings_of(config, "competence", stage.known)
    model = load_learner(settings, run.workdir / "competence.npz")
    path = _babble_report.write(config.to_dict(), run, stage, settings, model, records, result)
    run.say(f"report: {path}")
    return result


if __name__ == "__main__":
    _launch.launch("babble", main, check, shares_seeds=True)
