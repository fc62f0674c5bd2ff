"""The ablation's other world: an apprentice that is shown Meta-World's reach, push and pick-place.

One agent learns them as a stream of stages, in an order of each seed's own, from demonstrations
that it asks for. Meta-World is C behind Python: environments of all seeds step together in worker
processes, and one compiled program learns and acts for all seeds.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools
import importlib.util
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _launch, _ranges
from experiments._ablate_facts import End, Words
from nsca_jax.evaluation import ablation, apprenticeship
from nsca_jax.training import apprentice, faults, imitation

TASKS = apprenticeship.TASKS
CONDITIONS = apprenticeship.CONDITIONS
SHAM_OFFSET = 500_000  # between the number of a seed's draws and that of its sham's
GOALS = 50  # of a task; evaluation.metaworld cannot be imported where Meta-World is not there
TRIES = 10  # of the expert at one goal
TOUCH_M = 0.06  # the hand is at the thing
FIELDS = apprentice.Library._fields


class Given(NamedTuple):
    """What every job is given, by seed: its library, the goals that judge, how the expert does."""

    libraries: dict[int, dict[str, np.ndarray]]
    held: dict[int, list[list[Any]]]  # by task of the config
    expert: np.ndarray  # [tasks] success, all seeds


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    if importlib.util.find_spec("metaworld") is None:
        raise _launch.BadInput(
            f"config.tasks={','.join(config.tasks)}: Meta-World is not installed: `make metaworld` "
            "installs it."
        )
    of, steps = config.metaworld, apprentice.LEAST_STEPS
    if of.watched % steps or of.watched < apprentice.JUDGED_ROWS:
        needs = f"a multiple of {steps}, at least {apprentice.JUDGED_ROWS}"
        _ranges.refuse("metaworld.watched", of.watched, needs)
    if of.watched * of.chunks < apprentice.FISHER_ROWS:
        raise _launch.BadInput(
            f"config.metaworld: a stage of {of.chunks} x {of.watched} steps needs "
            f"{apprentice.FISHER_ROWS} or more"
        )
    if of.longest < 3 * steps:
        _ranges.refuse("metaworld.longest", of.longest, f"{3 * steps} or more")
    needed = of.regions * of.shown + of.judged * of.chunks
    if needed > GOALS:
        raise _launch.BadInput(
            f"config.metaworld: regions x shown + judged x chunks is {needed}, and a task has "
            f"{GOALS} goals"
        )


def words(config) -> Words:
    """How the report tells of it."""
    of = config.metaworld
    return Words(
        unit="steps watched",
        score="goals reached of those never shown, by the official success flag",
        stream=f"Demonstrations are asked for and watched, {of.watched} steps from one point to "
        f"the next; the tasks come one after another, {of.chunks} points each, in an order of each "
        "seed's own; the goal is shown, and which task it is. At each point "
        f"{of.judged} goals of a task judge, and one of a task that is yet to come; they are "
        f"{of.judged * of.chunks} a task, in turn, and none is ever demonstrated. An episode is "
        "done at success, or after 500 steps. There is no condition without slots, for this agent "
        "has none.",
        level="the expert",
        ends=(
            End("success at the end", "skill", "Success at end"),
            End("success at the end, first stage's task", "first", "First task at end"),
            End("share of the way to the goal at the end", "way", "Way at end"),
            End("demonstrations asked for", "asked", "Shown"),
        ),
        off=CONDITIONS,
    )


def stages(config) -> int:
    """Parts of a life, which lines part in a figure."""
    return len(config.tasks)


def settings_of(config, condition: str) -> apprentice.Settings:
    """The static settings of one condition."""
    of = config.metaworld
    full = apprentice.Settings(
        learner=imitation.Settings(**of.agent.to_dict()),
        tasks=len(config.tasks),
        **{k: of[k] for k in ("regions", "chunks", "watched", "updates", "stiffness", "forced")},
        **of.curiosity.to_dict(),
    )
    return apprenticeship.switch(full, condition)


def prepare(config) -> dict[str, Callable[[], dict[str, np.ndarray]]]:
    """What all jobs share of each seed, a part of the run each."""
    numbers = range(config.seed, config.seed + config.seeds)
    return {f"shown_{number}": functools.partial(show, config, number) for number in numbers}


def show(config, number: int) -> dict[str, np.ndarray]:
    """A seed's demonstrations of each task, and how the expert does on the goals that judge.

    The goals are the official `metaworld.ML1(task, seed)`; the seed draws those that judge.
    `TASK/FIELD` has the fields of apprentice.Library without K, held [H, D] and expert [H].
    """
    from nsca_jax.evaluation import metaworld as benchmark

    rng = np.random.default_rng(number)
    goals, of, out = benchmark.goals_of(config.tasks, number), config.metaworld, {}
    for task in config.tasks:
        world = benchmark.World(task, observed=benchmark.SHOWN)
        order = rng.permutation(benchmark.GOALS)
        held, rest = np.split(order, [of.judged * of.chunks])
        shown = demonstrations(config, world, [goals[task][i] for i in rest], rng)
        reached = [benchmark.demonstrate(world, goals[task][i], 0.0, rng) for i in held]
        told = {
            **arranged(config, task, shown),
            "held": np.stack([benchmark.drawn(goals[task][i]) for i in held]),
            "expert": np.array([one is not None for one in reached], float),
        }
        out |= {f"{task}/{name}": array for name, array in told.items()}
    return out


def demonstrations(config, world, goals, rng) -> list:
    """As many episodes as are to be recorded, of the first goals that the expert reaches in time.

    It tries TRIES times, under other noise each. Raises BadInput where too many are beyond it.
    """
    from nsca_jax.evaluation import metaworld as benchmark

    of, episodes = config.metaworld, []
    wanted = of.regions * of.shown
    for goal in goals:
        for _ in range(TRIES):
            episode = benchmark.demonstrate(world, goal, of.noise, rng, of.longest)
            if episode is not None and len(episode.done) >= 2 * apprentice.LEAST_STEPS:
                episodes.append(episode)
                break
        if len(episodes) == wanted:
            return episodes
    raise _launch.BadInput(
        f"config.metaworld: within {of.longest} steps and with noise {of.noise:g}, the expert "
        f"reaches {len(episodes)} of {len(goals)} goals, and {wanted} are to be shown"
    )


def arranged(config, task: str, episodes: list) -> dict[str, np.ndarray]:
    """The fields of apprentice.Library, [R, N, ...]: regions by how far the goal is at first."""
    of = config.metaworld
    far = np.argsort([apprenticeship.gap_m(task, episode.seen[0]) for episode in episodes])
    episodes = [episodes[i] for i in far]

    def filled(arrays: list[np.ndarray], rows: int) -> np.ndarray:
        out = np.zeros((len(arrays), rows, arrays[0].shape[1]), np.float32)
        for one, array in zip(out, arrays, strict=True):
            one[: len(array)] = array
        return out

    length = np.array([len(episode.done) for episode in episodes], np.int32)
    touch = np.array([touched(task, episode.seen) for episode in episodes], np.int32)
    fields = {
        "seen": filled([episode.seen for episode in episodes], of.longest + 1),
        "done": filled([episode.done for episode in episodes], of.longest),
        "meant": filled([episode.meant for episode in episodes], of.longest),
        "length": length,
        "touch": np.minimum(touch, length - apprentice.LEAST_STEPS),
    }
    return {k: v.reshape(of.regions, of.shown, *v.shape[1:]) for k, v in fields.items()}


def touched(task: str, seen: np.ndarray) -> int:
    """The first step at which the hand is at the thing; 0 in reach, where it need not be."""
    near = np.linalg.norm(seen[:, 0:3] - seen[:, 4:7], axis=-1) < TOUCH_M
    return 0 if task.startswith("reach") else int(np.argmax(near))


def given(config, arrays: dict[str, dict[str, np.ndarray]]) -> Given:
    """The parts of `prepare`, read back."""
    from nsca_jax.evaluation import metaworld as benchmark

    libraries, held, expert = {}, {}, []
    for name, parts in arrays.items():
        number = int(name.removeprefix("shown_"))
        libraries[number] = {
            field: np.stack([parts[f"{task}/{field}"] for task in config.tasks]) for field in FIELDS
        }
        held[number] = [[benchmark.goal_at(t, p) for p in parts[f"{t}/held"]] for t in config.tasks]
        expert.append([parts[f"{task}/expert"].mean() for task in config.tasks])
    return Given(libraries, held, np.mean(expert, 0))


def orders(config, numbers: list[int]) -> np.ndarray:
    """[S, K] in which order each seed meets the tasks: every order equally often."""
    all_orders = list(itertools.permutations(range(len(config.tasks))))
    return np.array([all_orders[number % len(all_orders)] for number in numbers], np.int32)


def live(config, has: Given, condition: str, numbers: list[int], tell=lambda done: None):
    """The whole life of the seeds `numbers` under one condition: arrays that lead with seeds.

    skill, way [S, P, tasks], first, asked, loss [S, P]: success, share of the way to the goal,
    success in the first stage's task, demonstrations asked for so far, mean loss.
    """
    from nsca_jax.evaluation import metaworld as benchmark

    settings = settings_of(config, condition)
    init, chunk, settle, act = apprentice.make(settings)
    library = apprentice.Library(
        *(jnp.asarray(np.stack([has.libraries[n][field] for n in numbers])) for field in FIELDS)
    )
    met = orders(config, numbers)
    offset = SHAM_OFFSET if condition == ablation.SHAM else 0
    keys = jax.vmap(jax.random.key)(offset + jnp.asarray(numbers))
    state, points = init(keys, jnp.asarray(met), library), []
    names = [task for _ in numbers for task in config.tasks]
    with benchmark.Stage(names, config.metaworld.processes, benchmark.SHOWN) as stage:
        for point in range(settings.points):
            state, loss = chunk(library, state)
            last = (point + 1) % settings.chunks == 0
            if settings.stiffness and last and point + 1 < settings.points:
                state = settle(library, state)
            goals = judged_goals(config, has, numbers, point)
            told = judge(stage, goals, functools.partial(act, state))
            skill, way = (x.reshape(met.shape) for x in told)
            first = np.take_along_axis(skill, met[:, :1], 1)[:, 0]
            asked = np.asarray(state.asked.sum((1, 2)))
            points.append({"skill": skill, "way": way, "first": first, "asked": asked})
            points[-1]["loss"] = np.asarray(loss)
            tell((point + 1) / settings.points)
    curves = {name: np.stack([p[name] for p in points], 1) for name in points[0]}
    return {name: faults.blank(state.optimiser, x) for name, x in curves.items()}


def judged_goals(config, has: Given, numbers: list[int], point: int) -> list[list[Any]]:
    """The goals that judge at a point, of each seed's tasks in turn: [S * K] lists.

    They take turns, `judged` at a time; of a task that is not shown yet one judges.
    """
    of = config.metaworld
    turn = point % of.chunks * of.judged
    out = []
    for number, order in zip(numbers, orders(config, numbers), strict=True):
        for task, goals in enumerate(has.held[number]):
            many = of.judged if task in order[: 1 + point // of.chunks] else 1
            out.append(goals[turn : turn + many])
    return out


def judge(stage, goals: list[list[Any]], act) -> tuple[np.ndarray, np.ndarray]:
    """Success, and share of the way to the goal, of each environment of the stage: [E].

    `act(seen [S, K, O], first [S, K, O])` gives all actions at once; E is S * K.
    """
    from nsca_jax.evaluation import metaworld as benchmark

    tasks = len(dict.fromkeys(stage.names))
    first = np.zeros((len(goals), benchmark.SHOWN), np.float32)
    now, at = np.zeros_like(first), np.full(len(goals), -1)
    shape = (len(goals), max(map(len, goals)), benchmark.SHOWN)
    began, ended = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def answer(seen: np.ndarray, time: np.ndarray) -> np.ndarray:
        new = time == 0
        first[new], now[:] = seen[new], seen
        at[new] += 1
        rows = np.arange(len(goals))
        began[rows, at], ended[rows, at] = first, now
        both = (x.reshape(-1, tasks, benchmark.SHOWN) for x in (seen, first))
        return np.asarray(act(*both)).reshape(len(goals), -1)

    success, _ = benchmark.judge(stage, goals, answer, observed=benchmark.SHOWN)
    gaps = [
        np.stack([apprenticeship.gap_m(t, x[i]) for i, t in enumerate(stage.names)])
        for x in (began, ended)
    ]
    unjudged = np.isnan(success)
    gone = np.clip(1.0 - gaps[1] / np.where(unjudged, 1.0, gaps[0]), 0.0, 1.0)
    way = np.where(success > 0, 1.0, np.where(unjudged, np.nan, gone))
    return np.nanmean(success, 1), np.nanmean(way, 1)


def interactions(config) -> np.ndarray:
    """Where the points of a curve stand: [P] steps watched by a seed."""
    points = len(config.tasks) * config.metaworld.chunks
    return np.arange(1, points + 1) * config.metaworld.watched


def updates(config) -> np.ndarray:
    """The same in gradient steps: [P]."""
    return interactions(config) // config.metaworld.watched * config.metaworld.updates


def blank(config) -> dict[str, np.ndarray]:
    """What `live` gives of one seed, where there is nothing: NaN all over."""
    points, tasks = len(interactions(config)), len(config.tasks)
    shapes = dict.fromkeys(("skill", "way"), (points, tasks))
    shapes |= dict.fromkeys(("first", "asked", "loss"), (points,))
    return {name: np.full(shape, np.nan) for name, shape in shapes.items()}


def baseline(has: Given, tasks: int) -> dict[str, np.ndarray]:
    """Success [tasks] of the scripted expert, on the goals that judge."""
    assert len(has.expert) == tasks
    return {"the expert": has.expert}
