"""Meta-World's goals, experts and stage: official lists, hidden goals, honest counting."""

# pyright: reportArgumentType=false
# (a made-up stage stands for one of processes)

import pickle

import metaworld
import numpy as np
import pytest
from metaworld.types import Task

from nsca_jax.evaluation import metaworld as benchmark


@pytest.fixture(scope="module")
def goals():
    return benchmark.tasks(3)


def _drawn(goal):
    return pickle.loads(goal.data)["rand_vec"]


def test_ml10_has_its_ten_and_five_tasks_of_fifty_goals(goals):
    assert (len(benchmark.TRAIN), len(benchmark.TEST)) == (10, 5)
    assert sorted(goals) == sorted((*benchmark.TRAIN, *benchmark.TEST))
    assert all(len(of) == benchmark.GOALS for of in goals.values())
    assert all(len({tuple(_drawn(g)) for g in of}) == benchmark.GOALS for of in goals.values())


def test_another_seed_has_other_goals(goals):
    mine, other = goals["door-close-v3"][0], benchmark.tasks(4)["door-close-v3"][0]
    assert not np.allclose(_drawn(mine), _drawn(other))


@pytest.mark.slow
@pytest.mark.guard
def test_goals_are_the_official_ones_to_the_bit():
    official, goals = metaworld.ML10(seed=3), benchmark.tasks(3)
    for wanted in official.train_tasks + official.test_tasks:
        got = goals[wanted.env_name].pop(0)
        np.testing.assert_array_equal(_drawn(got), _drawn(wanted))


def test_welds_hold_the_hand_as_in_the_pinned_engine():
    world = benchmark.World("reach-v3")
    rows = world.env.model.eq_data
    assert rows.shape[1] >= len(benchmark.WELD)
    np.testing.assert_array_equal(rows[0, : len(benchmark.WELD)], benchmark.WELD)


def test_a_hidden_goal_leaves_no_trace_in_what_is_seen(goals):
    goal = goals["shelf-place-v3"][0]
    given = pickle.loads(goal.data)
    elsewhere = given["rand_vec"] + np.array([0, 0, 0, 0.05, 0.02, 0])
    moved = Task(goal.env_name, pickle.dumps(given | {"rand_vec": elsewhere}))
    world = benchmark.World("shelf-place-v3")
    here, full_here = world.reset(goal), world.full
    there, full_there = world.reset(moved), world.full
    np.testing.assert_array_equal(here, there)
    assert np.abs(full_here - full_there).max() > 0.04, "the expert must see the goal"
    assert here.shape == (benchmark.OBSERVED,)


def test_an_expert_succeeds_and_its_noise_is_told_apart(goals):
    world, goal = benchmark.World("drawer-open-v3"), goals["drawer-open-v3"][0]
    clean = benchmark.demonstrate(world, goal, 0.0, np.random.default_rng(0))
    noisy = benchmark.demonstrate(world, goal, 0.3, np.random.default_rng(0))
    assert clean is not None
    assert noisy is not None
    assert len(clean.seen) == len(clean.done) + 1 < benchmark.HORIZON
    np.testing.assert_array_equal(clean.done, clean.meant)
    assert np.abs(noisy.done - noisy.meant).max() > 0.3
    assert np.abs(noisy.done).max() <= 1.0


@pytest.mark.parametrize("name", benchmark.TRAIN + benchmark.TEST)
def test_success_is_the_official_one_though_rewards_are_skipped(goals, name):
    official, quick = benchmark.World(name, rewards=True), benchmark.World(name)
    official.reset(goals[name][2])
    quick.reset(goals[name][2])
    won = 0
    for _ in range(180):
        action = official.advice()
        seen, success = official.step(action)
        seen_quick, success_quick = quick.step(action)
        np.testing.assert_array_equal(seen, seen_quick)
        assert success == success_quick
        won += success
    assert won, "an episode without success tells nothing"


def test_an_environment_used_again_gives_the_same_episode(goals):
    world, goal = benchmark.World("sweep-into-v3"), goals["sweep-into-v3"]
    first = benchmark.demonstrate(world, goal[0], 0.0, np.random.default_rng(0))
    benchmark.demonstrate(world, goal[1], 0.0, np.random.default_rng(0))
    again = benchmark.demonstrate(world, goal[0], 0.0, np.random.default_rng(0))
    fresh = benchmark.World("sweep-into-v3")
    other = benchmark.demonstrate(fresh, goal[0], 0.0, np.random.default_rng(0))
    assert first is not None
    for episode in (again, other):
        assert episode is not None
        np.testing.assert_allclose(first.seen, episode.seen, atol=1e-6)


def test_a_stage_of_processes_is_the_environment_itself(goals):
    names = ["door-close-v3", "lever-pull-v3", "door-close-v3"]
    aims = {i: goals[name][i] for i, name in enumerate(names)}
    push = np.array([1.0, 0.5, 0.0, -1.0])
    with benchmark.Stage(names, 2) as stage:
        began = stage("reset", aims)
        went = stage("step", {0: push, 2: -push})
        advised = stage("advice", {1: None})
    assert sorted(went) == [0, 2]
    for i, action in ((0, push), (2, -push)):
        world = benchmark.World(names[i])
        np.testing.assert_array_equal(world.reset(aims[i]), began[i])
        seen, won = world.step(action)
        np.testing.assert_array_equal(seen, went[i][0])
        assert won == went[i][1]
    world = benchmark.World(names[1])
    world.reset(aims[1])
    np.testing.assert_array_equal(world.advice(), advised[1])


class Counting:
    """A stage whose goal is the step at which it succeeds."""

    def __init__(self, count):
        self.goal, self.time = [0] * count, [0] * count
        self.stepped = 0

    def __call__(self, order, arguments):
        out = {}
        for i, given in arguments.items():
            if order == "reset":
                self.goal[i], self.time[i] = given, 0
                out[i] = np.full(benchmark.OBSERVED, given, np.float32)
            else:
                self.time[i] += 1
                self.stepped += 1
                now = np.full(benchmark.OBSERVED, self.goal[i], np.float32)
                out[i] = (now, self.time[i] == self.goal[i])
        return out


def test_episodes_end_at_success_or_at_the_horizon():
    told = []

    def act(seen, time):
        told.append((seen[:, 0].copy(), time.copy()))
        return np.zeros((len(seen), benchmark.ACTION))

    stage = Counting(3)
    success, steps = benchmark.judge(stage, [[3, 99], [1, 2], [4]], act, horizon=5)
    np.testing.assert_array_equal(success, [[1, 0], [1, 1], [1, np.nan]])
    np.testing.assert_array_equal(steps, [[3, 5], [1, 2], [4, np.nan]])
    assert stage.stepped == 3 + 5 + 1 + 2 + 4
    begun = [seen[0] for seen, time in told if time[0] == 0]
    assert begun == [3, 99]
