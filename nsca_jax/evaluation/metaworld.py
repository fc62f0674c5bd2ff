"""Meta-World ML10 (Yu et al. 2019; v3, metaworld 3.1.1): goals, experts and stepped environments.

Ten training and five test tasks, 50 goals each, as `metaworld.ML10(seed)` draws them. The goal is
hidden from every agent, and an observation has none, unless a world is asked to show it. The
benchmark is C physics behind Python; `Stage` steps many environments in worker processes, and
whoever acts answers all at once.
"""

# pyright: reportAttributeAccessIssue=false
# (mujoco's names live in its C extension; an environment's methods are replaced)

import multiprocessing
import pickle
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import metaworld
import mujoco
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS, ML10_V3
from metaworld.policies import ENV_POLICY_MAP
from metaworld.sawyer_xyz_env import SawyerMocapBase, SawyerXYZEnv
from metaworld.types import Task

TRAIN = tuple(ML10_V3["train"])
TEST = tuple(ML10_V3["test"])
HORIZON = 500  # steps of an episode
GOALS = 50  # of a task
OBSERVED = 36  # two frames of 18: hand [3] m, opening, two things' position [3] m and quaternion
SHOWN = 39  # the same with the goal's place [3] m
FRAME = 18
ACTION = 4  # three displacements of the hand, in centimetres, and the grip; each in [-1, 1]
WELD = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 5.0)


class Episode(NamedTuple):
    """A successful demonstration of T steps, from the start to the step that succeeded."""

    seen: np.ndarray  # [T + 1, OBSERVED or SHOWN] observations, the last after the last action
    done: np.ndarray  # [T, ACTION] what was done
    meant: np.ndarray  # [T, ACTION] what the expert would have done


class Outcome(NamedTuple):
    """How one episode went."""

    success: bool
    steps: int  # taken until success, or HORIZON


def _reset_mocap_welds(self) -> None:
    """As metaworld's own, which writes 11 numbers into a row that newer engines widened to 12."""
    for row in np.flatnonzero(self.model.eq_type == int(mujoco.mjtEq.mjEQ_WELD)):
        self.model.eq_data[row, : len(WELD)] = WELD


SawyerMocapBase.reset_mocap_welds = _reset_mocap_welds
warnings.filterwarnings("ignore", "Constant\\(s\\) may be too high", UserWarning)


def tasks(seed: int) -> dict[str, list[Any]]:
    """Task name -> its 50 goals, the official `metaworld.ML10(seed)`, for all fifteen tasks.

    The hand's way to its start is cut short while goals are drawn: it is slow, and no goal depends
    on it.
    """
    with _hasty_hand():
        ml10 = metaworld.ML10(seed=seed)
    return _by_name(ml10.train_tasks + ml10.test_tasks)


def goals_of(names: Sequence[str], seed: int) -> dict[str, list[Any]]:
    """The same for any tasks of Meta-World, ML10 or not: `metaworld.ML1(name, seed)`, training."""
    with _hasty_hand():
        found = [goal for name in names for goal in metaworld.ML1(name, seed=seed).train_tasks]
    return _by_name(found)


def drawn(goal: Any) -> np.ndarray:
    """[D] the places that were drawn for a goal: where things begin, and the goal itself."""
    return np.asarray(pickle.loads(goal.data)["rand_vec"])


def goal_at(name: str, places: np.ndarray) -> Any:
    """The goal of a task with the places `drawn` told."""
    given = {"rand_vec": places, "env_cls": ALL_V3_ENVIRONMENTS[name], "partially_observable": True}
    return Task(name, pickle.dumps(given))


@contextmanager
def _hasty_hand() -> Iterator[None]:
    usual = SawyerXYZEnv._reset_hand

    def one_step(self, steps: int = 1) -> None:
        usual(self, 1)

    SawyerXYZEnv._reset_hand = one_step
    try:
        yield
    finally:
        SawyerXYZEnv._reset_hand = usual


def _by_name(goals: Sequence[Any]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for goal in goals:
        out.setdefault(goal.env_name, []).append(goal)
    return out


class World:
    """One environment of a task, used for one episode after another.

    `rewards`: reckon the reward's grasp too, which takes half of a step's time. Nobody here asks
    for rewards, and in ML10 the success flag does not depend on the grasp; elsewhere it may.
    `observed`: OBSERVED, or SHOWN for an agent that is to see the goal.
    """

    def __init__(self, name: str, rewards: bool = False, observed: int = OBSERVED):
        self.env = ALL_V3_ENVIRONMENTS[name]()
        if not rewards and name in TRAIN + TEST:
            self.env.touching_object = lambda _: False
            self.env._gripper_caging_reward = lambda *_, **__: 0.0
        self.expert = ENV_POLICY_MAP[name]()
        self.observed = observed
        self.full = np.zeros(0)  # the last observation, goal included: experts need it

    def reset(self, goal: Any) -> np.ndarray:
        """[observed] the start of an episode towards `goal`."""
        given = pickle.loads(goal.data) | {"partially_observable": False}
        self.env.set_task(Task(goal.env_name, pickle.dumps(given)))
        self.full = self.env.reset()[0]
        return self.seen()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, bool]:
        """(observation [observed], the official success flag) after one step."""
        self.full, _, _, _, info = self.env.step(np.clip(action, -1.0, 1.0).astype(np.float32))
        return self.seen(), bool(info["success"])

    def seen(self) -> np.ndarray:
        """[observed] what an agent sees."""
        return self.full[: self.observed].astype(np.float32)

    def advice(self) -> np.ndarray:
        """[ACTION] what the scripted expert, who sees the goal, does now."""
        return np.clip(self.expert.get_action(self.full.copy()), -1.0, 1.0)


def demonstrate(
    world: World, goal: Any, noise: float, rng: np.random.Generator, horizon: int = HORIZON
) -> Episode | None:
    """The expert's way to `goal`, Gaussian noise added to what it does; None where it fails.

    `meant` holds the expert's actions without noise (DART, Laskey et al. 2017).
    """
    seen, done, meant = [world.reset(goal)], [], []
    for _ in range(horizon):
        meant.append(world.advice())
        done.append(np.clip(meant[-1] + noise * rng.standard_normal(ACTION), -1.0, 1.0))
        now, success = world.step(done[-1])
        seen.append(now)
        if success:
            return Episode(*(np.asarray(x, np.float32) for x in (seen, done, meant)))
    return None


class Stage:
    """A row of environments, one a name of `names`, in `processes` worker processes.

    Use as a context: workers end with it. They see no accelerator and learn nothing.
    """

    def __init__(self, names: Sequence[str], processes: int, observed: int = OBSERVED):
        self.names = tuple(names)
        self._of = np.arange(len(names)) % processes  # worker of each environment
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._workers = []
        for number in range(processes):
            ours, theirs = context.Pipe()
            mine = [name for name, of in zip(names, self._of, strict=True) if of == number]
            worker = context.Process(target=_work, args=(theirs, mine, observed), daemon=True)
            worker.start()
            theirs.close()
            self._pipes.append(ours)
            self._workers.append(worker)

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_) -> None:
        for pipe in self._pipes:
            pipe.close()
        for worker in self._workers:
            worker.join()

    def __call__(self, order: str, arguments: dict[int, Any]) -> dict[int, Any]:
        """Environment -> what its method `order` gives for the argument given, all at once."""
        for number, pipe in enumerate(self._pipes):
            own = np.flatnonzero(self._of == number).tolist()
            pipe.send((order, [(k, arguments[i]) for k, i in enumerate(own) if i in arguments]))
        out = {}
        for number, pipe in enumerate(self._pipes):
            own = np.flatnonzero(self._of == number).tolist()
            out |= {own[k]: answer for k, answer in pipe.recv()}
        return out


def _work(pipe: Connection, names: Sequence[str], observed: int) -> None:
    """A worker: obeys until the pipe is closed; signals are its parent's business."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    worlds = [World(name, observed=observed) for name in names]
    orders = {
        "reset": World.reset,
        "step": World.step,
        "advice": lambda world, _: world.advice(),
        "demonstrate": lambda world, given: demonstrate(world, *given),
    }
    try:
        while True:
            order, given = pipe.recv()
            pipe.send([(k, orders[order](worlds[k], argument)) for k, argument in given])
    except (EOFError, BrokenPipeError):
        return


Act = Callable[[np.ndarray, np.ndarray], np.ndarray]


def judge(
    stage: Stage,
    goals: Sequence[Sequence[Any]],
    act: Act,
    horizon: int = HORIZON,
    observed: int = OBSERVED,
) -> tuple[np.ndarray, np.ndarray]:
    """Success [E, G] (1 or 0) and steps [E, G] of each environment's `goals`, one after another.

    G is the length of the longest list; behind the end of a shorter one stands NaN.
    `act(seen [E, observed], time [E])` gives actions [E, ACTION] for all environments at once;
    `time` is the step of each one's episode: 0 tells that a new one has begun. An episode ends at
    success, which counts however long it lasts, or after `horizon` steps. An environment that is
    through with its goals still shows its last observation, and its action is dropped.
    """
    count, many = len(goals), np.array([len(of) for of in goals])
    success, steps = np.full((2, count, many.max()), np.nan)
    seen = np.zeros((count, observed), np.float32)
    time, at = np.zeros(count, int), np.zeros(count, int)
    over = np.flatnonzero(many > 0).tolist()
    while True:
        begun = {i: goals[i][int(at[i])] for i in over if at[i] < many[i]}
        for i, now in stage("reset", begun).items() if begun else ():
            seen[i], time[i] = now, 0
        live = np.flatnonzero(at < many).tolist()
        if not live:
            return success, steps
        actions = act(seen, time)
        over = []
        for i, (now, won) in stage("step", {i: actions[i] for i in live}).items():
            seen[i], time[i] = now, time[i] + 1
            if won or time[i] == horizon:
                success[i, at[i]], steps[i, at[i]] = won, time[i]
                at[i] += 1
                over.append(i)
