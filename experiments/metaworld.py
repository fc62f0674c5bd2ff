"""Meta-World ML10, few-shot: what does a pretrained agent make of a handful of demonstrations?

A trunk is pretrained on the ten training tasks. Each of the five test tasks is then learnt from a
few successful demonstrations of the scripted expert, and judged on goals not demonstrated, goal
hidden, by the official success flag. Rivals learn from the same demonstrations; the expert, who
sees the goal, is the ceiling. Needs `make metaworld`. Presets: laptop (20 seeds), quick, paper.
"""

import functools
import importlib.util
import sys
from typing import Any

import numpy as np

from experiments import _launch, _parts, _ranges

if importlib.util.find_spec("metaworld") is None:
    print("Meta-World is not installed: `make metaworld` installs it.", file=sys.stderr)
    sys.exit(2)

import jax
import jax.numpy as jnp
from flax import traverse_util

from experiments import _metaworld_arms as arms
from experiments import _metaworld_report
from nsca_jax.evaluation import metaworld as benchmark
from nsca_jax.training import faults, imitation

TRIES = 10  # of the expert at one goal
BLIND = 2  # goals a task that random actions are judged on: they reach none, at full length


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    shots = tuple(config.shots)
    if list(shots) != sorted(set(shots)):
        _ranges.refuse("shots", shots, "whole numbers from 1 on, each larger")
    _ranges.one_of(config, "main", shots)
    _ranges.one_of(config, "cloning.eye", ("relations", "readings"))
    if shots[-1] >= benchmark.GOALS or config.main + config.judged > benchmark.GOALS:
        raise _launch.BadInput(
            f"config.shots must stay below {benchmark.GOALS}, the goals of a task, and config.main "
            f"with config.judged must be {benchmark.GOALS} at most"
        )
    if config.shown_training > benchmark.GOALS:
        _ranges.refuse("shown_training", config.shown_training, f"{benchmark.GOALS} at most")
    if config.noise > 1:
        _ranges.refuse("noise", config.noise, "from 0 to 1")


def main(config, run) -> dict:
    """Demonstrations, trunks, every arm adapted and judged, the report."""
    seeds = range(config.seed, config.seed + config.seeds)
    training = _parts.once(run, "training", lambda: show_training(config, run))
    names = [name for _ in seeds for name in benchmark.TEST]
    with benchmark.Stage(names, config.processes) as stage:
        goals = {seed: benchmark.tasks(seed) for seed in seeds}
        parts = {f"shown_{s}": functools.partial(show, config, goals[s], s) for s in seeds}
        episodes = list(_parts.every(run, parts).values())
        shown = stack(episodes)
        numbers = {
            seed: {name: one[f"{name}/goal"] for name in benchmark.TEST}
            for seed, one in zip(seeds, episodes, strict=True)
        }
        trunks = {
            name: _parts.once(
                run, named("trunk", name), functools.partial(trunk, config, training, name)
            )
            for name in arms.TRUNKS
        }
        judged = _parts.every(
            run,
            {
                named(name, shots): functools.partial(
                    try_arm, config, run, stage, goals, trunks, shown, numbers, name, shots
                )
                for name, shots in wanted(config)
            },
        )
    found = dict(zip(wanted(config), judged.values(), strict=True))
    seen = _metaworld_report.Seen(found, shown, trunks)
    result = run.result(seeds=list(seeds), **_metaworld_report.claims(config, seen))
    _metaworld_report.write(config, run, seen, result)
    return result


def wanted(config) -> list[tuple[str, int]]:
    """Every (arm, demonstrations) that is judged."""
    followed = [(name, shots) for shots in config.shots for name in arms.FOLLOWED]
    rest = [name for name in (*arms.LEARNT, *arms.UNLEARNT) if name not in arms.FOLLOWED]
    return followed + [(name, config.main) for name in rest]


def named(*parts: Any) -> str:
    """A part's file name."""
    return " ".join(map(str, parts)).replace(" ", "_")


def show_training(config, run) -> dict[str, np.ndarray]:
    """The experts' demonstrations of the ten training tasks, as rows; `of` is the task."""
    rng = np.random.default_rng(config.goals_training)
    goals = benchmark.tasks(config.goals_training)
    rows = []
    for number, name in enumerate(benchmark.TRAIN):
        run.progress(number, len(benchmark.TRAIN), "training tasks shown", next=name)
        if run.stopping:
            raise run.interrupted()
        _, episodes = demonstrations(name, goals[name], config.shown_training, config.noise, rng)
        rows += [as_rows(episode, number) for episode in episodes]
    return {field: np.concatenate([row[field] for row in rows]) for field in rows[0]}


def show(config, goals: dict[str, list[Any]], seed: int) -> dict[str, np.ndarray]:
    """A seed's demonstrations of the test tasks: `TASK/field` rows, `of` the demonstration.

    `TASK/goal` are the numbers of the goals demonstrated.
    """
    rng = np.random.default_rng(seed)
    out = {}
    for name in benchmark.TEST:
        found = demonstrations(name, goals[name], config.shots[-1], config.noise, rng)
        rows = [as_rows(episode, number) for number, episode in enumerate(found[1])]
        out |= {f"{name}/{f}": np.concatenate([row[f] for row in rows]) for f in rows[0]}
        out[f"{name}/goal"] = np.array(found[0])
    return out


def demonstrations(
    name: str, goals: list[Any], wanted: int, noise: float, rng: np.random.Generator
) -> tuple[list[int], list[benchmark.Episode]]:
    """The first `wanted` goals that the expert reaches, by number, and how it does.

    It tries TRIES times, under other noise each; few goals are beyond it. Raises BadInput where
    too many are.
    """
    world = benchmark.World(name)
    numbers, episodes = [], []
    for number, goal in enumerate(goals):
        for _ in range(TRIES):
            episode = benchmark.demonstrate(world, goal, noise, rng)
            if episode is not None:
                numbers.append(number)
                episodes.append(episode)
                break
        if len(numbers) == wanted:
            return numbers, episodes
    raise _launch.BadInput(
        f"config.noise: with {noise:g}, the expert of {name} reaches {len(numbers)} of "
        f"{len(goals)} goals, and {wanted} are to be shown"
    )


def as_rows(episode: benchmark.Episode, of: int) -> dict[str, np.ndarray]:
    """The fields of imitation.Rows of one demonstration."""
    steps = len(episode.done)
    return {
        "seen": episode.seen[:-1],
        "first": np.repeat(episode.seen[:1], steps, 0),
        "then": episode.seen[1:],
        "done": episode.done,
        "meant": episode.meant,
        "of": np.full(steps, of, np.int32),
    }


def stack(shown: list[dict[str, np.ndarray]]) -> imitation.Rows:
    """Rows [S, T, L, ...]; shorter ones are filled up with rows of no demonstration."""
    most = max(len(one[f"{name}/of"]) for one in shown for name in benchmark.TEST)

    def fill(rows: np.ndarray, by: int) -> np.ndarray:
        out = np.full((most, *rows.shape[1:]), by, rows.dtype)
        out[: len(rows)] = rows
        return out

    return imitation.Rows(
        **{
            field: jnp.asarray(
                np.stack(
                    [
                        [
                            fill(one[f"{name}/{field}"], benchmark.GOALS if field == "of" else 0)
                            for name in benchmark.TEST
                        ]
                        for one in shown
                    ]
                )
            )
            for field in imitation.Rows._fields
        }
    )


def trunk(config, training: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The trunks of all seeds, flat, with their eye and errors."""
    trunks, view, errors, fault = arms.learn_trunks(config, training, name)
    tree = {"trunk": trunks, "eye": {"mean": view.mean, "spread": view.spread}}
    flat = traverse_util.flatten_dict(jax.device_get(tree), sep="/")
    kept = {str(name): np.asarray(leaf) for name, leaf in flat.items()}
    return {**kept, "errors": errors, "faults": faults.found(fault)}


def untold(part: dict[str, np.ndarray]) -> tuple[Any, imitation.Eye]:
    """(trunks, their eye) again of what `trunk` kept."""
    tree = traverse_util.unflatten_dict({k: v for k, v in part.items() if "/" in k}, sep="/")
    tree = jax.tree.map(jnp.asarray, tree)
    return tree["trunk"], imitation.Eye(**tree["eye"])


def judged_goals(config, seed: int, shown: np.ndarray, shots: int) -> np.ndarray:
    """At most `judged` numbers of goals that judge after `shots` demonstrations.

    Those behind the last one shown, of `shown` [N] in their order, so that none was shown.
    """
    unseen = np.arange(shown[max(shots, config.main) - 1] + 1, benchmark.GOALS)
    return np.random.default_rng(seed).permutation(unseen)[: config.judged]


def try_arm(config, run, stage, goals, trunks, shown, numbers, name: str, shots: int):
    """One arm after `shots` demonstrations: success and steps [S, T, G], and errors of learning."""
    lists = [
        [goals[seed][task][g] for g in judged_goals(config, seed, numbers[seed][task], shots)]
        for seed in goals
        for task in benchmark.TEST
    ]
    if name == "random":
        lists = [of[:BLIND] for of in lists]
    out = {}
    if name in arms.LEARNT:
        of = arms.arm(config, name)
        start = untold(trunks[of.trunk]) if of.trunk else None
        params, eye, errors, fault = arms.adapt(config, of, start, shown, shots)
        longest = longest_shown(shown, shots)
        act = arms.actor(config, of, params, eye, longest)
        out["errors"] = np.asarray(errors)[..., -100:, :].mean((2, 3))
        out["faults"] = faults.found(fault)
    elif name == "nearest neighbour":
        act = arms.neighbour(shown, shots)
    else:
        act = arms.blind(config.seed) if name == "random" else arms.expert(stage)
    success, steps = benchmark.judge(stage, lists, act)
    shape = (config.seeds, len(benchmark.TEST), -1)
    return {**out, "success": success.reshape(shape), "steps": steps.reshape(shape)}


def longest_shown(shown: imitation.Rows, shots: int) -> np.ndarray:
    """[E] steps of the longest of the first `shots` demonstrations."""
    of = np.asarray(shown.of).reshape(-1, shown.of.shape[-1])
    return np.max([(of == k).sum(1) for k in range(shots)], axis=0)


if __name__ == "__main__":
    _launch.launch("metaworld", main, check)
