"""The ablation's world: an agent that babbles through Set A in stages, one mechanism off."""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _interactions, _launch, _ranges
from experiments._ablate_facts import End, Words
from nsca_jax import objects
from nsca_jax.evaluation import ablation, transfer
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import babbling, experience, faults, learner, parallel

TASKS = ablation.TASKS
CONDITIONS = ablation.CONDITIONS
BLOCK = 320  # worlds at once while recording
CAMERA = camera_lib.Camera()
SHAM_OFFSET = 500_000  # between a seed's number and that of its sham


class Given(NamedTuple):
    """What every job is given: held-out interactions and, where they are recorded, all others."""

    bench: ablation.Bench
    forced: experience.Recording | None
    astray: experience.Recording | None


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    set_a = objects.load(config.objects_a)
    objects.concatenate([set_a, objects.load(config.objects_b)])
    if len(set_a.names) % config.stages:
        needs = f"a divisor of the {len(set_a.names)} objects of {config.objects_a}"
        _ranges.refuse("stages", config.stages, needs)
    points = config.interactions / (config.worlds * config.chunk)
    if points < config.stages or points % config.stages:
        factor = config.worlds * config.chunk * config.stages
        needs = f"a multiple of {factor}: config.worlds x config.chunk x config.stages"
        _ranges.refuse("interactions", config.interactions, needs)
    stage = config.interactions // config.stages
    if stage < babbling.FISHER_ROWS:
        raise _launch.BadInput(
            f"a stage has {stage} interactions and needs {babbling.FISHER_ROWS} or more: give "
            "fewer config.stages or more config.interactions"
        )
    if not 0 < config.random_interactions <= stage or config.random_interactions % config.worlds:
        needs = f"a multiple of config.worlds={config.worlds}, at most the {stage} of a stage"
        _ranges.refuse("random_interactions", config.random_interactions, needs)


def words(config) -> Words:
    """How the report tells of it."""
    live = "each carried out as it is chosen"
    if config.recorded:
        live = (
            f"drawn from {config.recorded} recorded of each object, skill and half of its main "
            "parameter, the same for all seeds and conditions"
        )
    return Words(
        unit="interactions",
        score="skill, 1 - MSE / variance on held-out interactions with Set A, where worse than "
        "the mean counts as 0",
        stream=f"Interactions are {live}. Objects of Set A come in {config.stages} stages, in an "
        "order of each seed's own.",
        level="knows the task alone",
        ends=(
            End("skill at the end, Set A", "skill", "Set A at end"),
            End("skill at the end, Set B at first sight", "novel", "Set B at end"),
            End("skill at the end, first stage's objects", "first", "First stage at end"),
            End("share of interactions with contact", "contact", "Contact"),
        ),
        off=CONDITIONS,
    )


def stages(config) -> int:
    """Parts of a life, which lines part in a figure."""
    return config.stages


def settings_of(config, seeds: int, condition: str) -> babbling.BabbleSettings:
    """The static settings of `seeds` seeds under one condition."""
    values = config.learner.to_dict()
    updates = values.pop("updates")
    iterations = config.interactions // config.worlds
    full = babbling.BabbleSettings(
        learner=learner.LearnerSettings(total_updates=iterations * updates, **values),
        camera=CAMERA,
        noise=experience.SensorNoise(**config.sensor_noise.to_dict()),
        objects=len(objects.load(config.objects_a).names),
        seeds=seeds,
        worlds=config.worlds,
        updates=updates,
        random_iterations=config.random_interactions // config.worlds,
        iterations=iterations,
        capacity=config.interactions,
        stages=config.stages,
        stiffness=config.stiffness,
        recent=config.recent,
        **config.curiosity.to_dict(),
    )
    return ablation.switch(full, condition)


def prepare(config) -> dict[str, Callable[[], dict[str, np.ndarray]]]:
    """Interactions that all jobs share, each set a part of the run."""
    wanted = {"held_a": (False, config.held_out, True), "held_b": (True, config.held_out, True)}
    if config.recorded:
        wanted["forced"] = (False, config.recorded, True)
        if "without_forced_interaction" in config.conditions:
            wanted["astray"] = (False, config.recorded, False)
    return {
        name: functools.partial(collect, config, number, *how)
        for number, (name, how) in enumerate(wanted.items())
    }


def collect(config, number: int, novel: bool, per_region: int, forced: bool):
    """`per_region` interactions of each region of Set A, or B, balanced: arrays by name."""
    sets = [objects.load(path) for path in (config.objects_a, config.objects_b)]
    first, count = (len(sets[0].names), len(sets[1].names)) if novel else (0, len(sets[0].names))
    rows = transfer.collect(
        experience.make_body(objects.concatenate(sets).properties),
        CAMERA,
        jax.random.fold_in(jax.random.key(config.seed + 1_000_003), number),
        first,
        count,
        per_region,
        config.curiosity.bins,
        BLOCK,
        experience.SensorNoise(**config.sensor_noise.to_dict()),
        forced,
    ).rows
    return _interactions.by_name(experience.without_image(rows))


def given(config, arrays: dict[str, dict[str, np.ndarray]]) -> Given:
    """The parts of `prepare`, read back."""
    held = [_interactions.from_names(arrays[name]) for name in ("held_a", "held_b")]
    bench = ablation.Bench(*(ablation.judged(rows, config.tasks) for rows in held))

    def recording(name: str) -> experience.Recording | None:
        if name not in arrays:
            return None
        rows = _interactions.from_names(arrays[name])
        regions = rows.skill.shape[0] // config.recorded
        by_region = jax.tree.map(
            lambda x: jnp.swapaxes(x.reshape(config.recorded, regions, *x.shape[1:]), 0, 1), rows
        )
        return experience.Recording(by_region)

    return Given(bench, recording("forced"), recording("astray"))


def live(config, has: Given, condition: str, numbers: list[int], tell=lambda done: None):
    """The whole life of the seeds `numbers` under one condition: arrays that lead with seeds.

    skill, novel [S, P, tasks], first, weight [S, P] at P points of the stream (ablation.judge);
    loss [S, P]; contact [S], the share of interactions in which hand or table met the object.
    """
    settings = settings_of(config, len(numbers), condition)
    spread = parallel.Spread(parallel.devices_for(settings.seeds))
    init, chunk = babbling.make_train(settings, spread)
    settle = babbling.make_settle(settings)
    body = has.forced if settings.forced else has.astray
    if body is None:
        body = experience.make_body(objects.load(config.objects_a).properties)
    first = SHAM_OFFSET if condition == ablation.SHAM else 0
    keys = jax.vmap(jax.random.key)(first + jnp.asarray(numbers))
    state, points = babbling.place(settings, jax.jit(init)(keys), spread), []
    length = settings.iterations // settings.stages
    for done in range(config.chunk, settings.iterations + 1, config.chunk):
        state, metrics = chunk(body, state, config.chunk)
        lived = parallel.gather(state.replace(buffer=None), spread)
        figures = ablation.judge(settings, lived, has.bench, len(config.tasks))
        points.append(jax.device_get(figures | {"loss": metrics["loss"].mean(0)}))
        if settings.stiffness and done % length == 0:
            settled = settle(parallel.gather(state, spread))
            state = babbling.place(settings, settled, spread)
        tell(done / settings.iterations)
    curves = {name: np.stack([p[name] for p in points], 1) for name in points[0]}
    acted = settings.iterations * settings.worlds
    lived = curves | {"contact": 1.0 - np.asarray(state.broken_promises) / acted}
    found = faults.found(state.learner.optimiser)
    return {name: faults.blank(found, np.array(x, float)) for name, x in lived.items()}


def interactions(config) -> np.ndarray:
    """Where the points of a curve stand: [P] interactions per seed."""
    step = config.worlds * config.chunk
    return np.arange(step, config.interactions + 1, step)


def updates(config) -> np.ndarray:
    """The same in gradient steps: [P]."""
    return interactions(config) // config.worlds * config.learner.updates


def blank(config) -> dict[str, np.ndarray]:
    """What `live` gives of one seed, where there is nothing: NaN all over."""
    points, tasks = len(interactions(config)), len(config.tasks)
    shapes = {"skill": (points, tasks), "novel": (points, tasks), "contact": ()}
    shapes |= dict.fromkeys(("first", "weight", "loss"), (points,))
    return {name: np.full(shape, np.nan) for name, shape in shapes.items()}


def baseline(has: Given, tasks: int) -> dict[str, np.ndarray]:
    """Skill [tasks] of whoever knows each task's mean outcome and no more."""
    return {
        "knows the task alone": np.asarray(ablation.by_task_mean(has.bench.known, tasks)),
    }
