"""Does an agent that babbles with toys, then with tools, still foresee what kitchen things do?

An outcome model learns from one set of objects after another, with episodic memory, semantic
memory and EWC, with each of them off, and without any. Presets: laptop (20 seeds), quick (3 seeds),
paper (10,000 interactions a set).
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _interactions, _launch, _memory_report, _parts, _ranges
from nsca_jax import objects, types
from nsca_jax.evaluation import memory as judge
from nsca_jax.evaluation import transfer
from nsca_jax.memory import episodic, semantic
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import consolidation, experience, faults
from nsca_jax.training import learner as learning

BINS = 2
BLOCK = 288  # worlds at once
TOO_STIFF = 100.0  # times the stiffness of EWC: the control that must hinder learning
CAMERA = camera_lib.Camera()


class Pools(NamedTuple):
    """Of each set, interactions to learn from and to judge by; `object_id` counts on over sets."""

    train: list[types.Interaction]  # [n]
    test: list[types.Interaction]  # [m]
    things: int  # of all sets


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    block, rows = consolidation.Settings().block, consolidation.Settings().fisher_rows
    if config.interactions < rows or config.interactions % block:
        needs = f"a multiple of {block}, at least {rows}"
        _ranges.refuse("interactions", config.interactions, needs)
    if len(config.objects) < 2:
        _ranges.refuse("objects", config.objects, "two files or more, met one after another")
    sets = [objects.load(path) for path in config.objects]
    objects.concatenate(sets)  # no thing may be in two
    for path, held in zip(config.objects, sets, strict=True):
        there = config.pool * _regions(len(held.names))
        if there < config.interactions:
            raise _launch.BadInput(
                f"config.pool={config.pool} gives {there} interactions with {path}, "
                f"and config.interactions asks for {config.interactions}"
            )


def settings_of(config) -> consolidation.Settings:
    """Sizes and paces."""
    blocks = config.interactions // consolidation.Settings().block
    sizes = config.learner.to_dict()
    updates = sizes.pop("updates")
    memory = config.memory
    return consolidation.Settings(
        learner=learning.LearnerSettings(total_updates=blocks * updates, **sizes),
        rules=semantic.Rules(memory.radius, memory.merge, memory.least, memory.patience),
        capacity=memory.episodes,
        places=memory.prototypes,
        updates=updates,
        replayed=memory.replayed,
    )


def arms(config) -> dict[str, consolidation.Arm]:
    """Memory whole, with each part off, with none, and with far too stiff a model."""
    stiff, surprise = config.memory.stiffness, config.memory.surprise

    def arm(replay=True, semantic=True, stiffness=stiff, surprise=surprise):
        flags = jnp.asarray(replay), jnp.asarray(semantic)
        return consolidation.Arm(*flags, jnp.float32(stiffness), jnp.float32(surprise))

    return {
        "memory": arm(),
        "plain": arm(replay=False, semantic=False, stiffness=0.0),
        "no_replay": arm(replay=False),
        "no_ewc": arm(stiffness=0.0),
        "no_prototypes": arm(semantic=False),
        "even_eviction": arm(surprise=0.0),
        "prototypes_alone": arm(replay=False, stiffness=0.0),
        "too_stiff": arm(stiffness=stiff * TOO_STIFF),
    }


def collect(config, number: int) -> dict[str, np.ndarray]:
    """Interactions with set `number` by random babbling, balanced over skills: arrays by name."""
    held = objects.load(config.objects[number])
    rows = transfer.collect(
        experience.make_body(held.properties),
        CAMERA,
        jax.random.fold_in(jax.random.key(config.seed), number),
        0,
        len(held.names),
        config.pool + config.held_out,
        BINS,
        BLOCK,
        experience.SensorNoise(**config.sensor_noise.to_dict()),
    ).rows
    rows = experience.without_image(rows)
    return _interactions.by_name(rows)


def pools_of(config, stored: list[dict[str, np.ndarray]]) -> Pools:
    """The stored interactions of every set, parted in those to learn from and to judge by."""
    train, test, first = [], [], 0
    for path, arrays in zip(config.objects, stored, strict=True):
        count = len(objects.load(path).names)
        rows = _interactions.from_names(arrays)
        rows = rows.replace(object_id=rows.object_id + first)
        edge = config.pool * _regions(count)
        train.append(jax.tree.map(lambda x, edge=edge: x[:edge], rows))
        test.append(jax.tree.map(lambda x, edge=edge: x[edge:], rows))
        first += count
    return Pools(train, test, first)


def draw(config, pools: Pools, number: int) -> types.Interaction:
    """[S, N] interactions of set `number`, in the order in which each seed meets them."""
    rows = pools.train[number]
    total = rows.skill.shape[0]

    def one(key):
        order = jax.random.permutation(jax.random.fold_in(key, 100 + number), total)
        return order[: config.interactions]

    index = jax.vmap(one)(_keys(config))
    return jax.tree.map(lambda x: x[index], rows)


@functools.cache
def programs(settings: consolidation.Settings):
    """(init, babble), compiled for all seeds at once; every arm shares them."""
    return consolidation.make_learner(settings)


def live(config, run, pools: Pools, name: str) -> dict[str, np.ndarray]:
    """One arm through all sets: skill [S, T, T, 1 + modalities], and what its memories know."""
    settings, arm = settings_of(config), arms(config)[name]
    init, babble = programs(settings)
    sets = range(len(config.objects))
    agents = init(_keys(config), draw(config, pools, 0))
    matrix = []
    for number in sets:
        agents = babble(agents, draw(config, pools, number), arm)
        run.tell_faults(name, faults.found(agents.learner.optimiser))
        after = [np.asarray(judge.skill(settings, agents, pools.test[j], arm)) for j in sets]
        matrix.append(np.stack(after, 1))
        if run.stopping:
            raise run.interrupted()
    found = faults.found(agents.learner.optimiser)
    out = {"faults": found, "skill": faults.blank(found, np.stack(matrix, 1).astype(float))}
    if name == "memory":
        out |= recall(config, settings, agents, pools)
        kept = {"params": agents.learner.params, "statistics": agents.learner.statistics}
        run.save_weights("memory", kept | {"prototypes": agents.prototypes})
    return out


def recall(config, settings, agents: consolidation.Agent, pools: Pools) -> dict[str, np.ndarray]:
    """Which things come to mind: share right [S, cues, sets], of episodes and of prototypes."""
    fades = episodic.Recency(config.memory.recency, config.memory.half_life)
    steady = fades._replace(share=0.0)
    mixed = judge.shuffled(agents, jax.random.key(config.seed))
    answers: dict[str, Any] = {
        "episodes": lambda rows, cue: judge.recalled(agents, rows, cue, fades),
        "episodes, no recency": lambda rows, cue: judge.recalled(agents, rows, cue, steady),
        "episodes, shuffled": lambda rows, cue: judge.recalled(mixed, rows, cue, fades),
        "prototypes": lambda rows, cue: judge.recognised(settings, agents, rows, cue, pools.things),
        "prototypes, shuffled": lambda rows, cue: judge.recognised(
            settings, mixed, rows, cue, pools.things
        ),
    }

    def right(answer, rows, cue):
        return np.mean(np.asarray(answer(rows, jnp.asarray(cue)) == rows.object_id), -1)

    out = {
        name: np.stack(
            [[right(answer, rows, cue) for rows in pools.test] for cue in judge.CUES.values()]
        ).transpose(2, 0, 1)
        for name, answer in answers.items()
    }
    thing = np.asarray(agents.episodes.content.object_id)
    counts = [np.sum(thing == i, -1) for i in range(pools.things)]
    return out | {
        "held": np.stack(counts, -1),
        "known": np.asarray(agents.prototypes.known.sum(-1)),
    }


def main(config, run) -> dict:
    """Interactions, every arm, then the claims, then the report."""
    names = [_name(path) for path in config.objects]
    parts = {f"set-{name}": functools.partial(collect, config, i) for i, name in enumerate(names)}
    pools = pools_of(config, list(_parts.every(run, parts).values()))
    lives = {name: functools.partial(live, config, run, pools, name) for name in arms(config)}
    records = _parts.every(run, lives)
    facts = _memory_report.Facts(names, pools.things, config.memory.episodes, records)
    seeds = list(range(config.seed, config.seed + config.seeds))
    result = run.result(seeds=seeds, **_memory_report.claims(facts))
    _memory_report.write(config.to_dict(), run, facts, result)
    return result


def _regions(things: int) -> int:
    return things * len(types.SKILLS) * BINS


def _name(path: str) -> str:
    """configs/objects_kitchen.yaml -> kitchen."""
    return path.rpartition("/")[2].removesuffix(".yaml").removeprefix("objects_")


def _keys(config) -> jax.Array:
    return jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))


if __name__ == "__main__":
    _launch.launch("memory", main, check)
