"""The ablation's Meta-World: what is shown, which goals judge, and how they are told."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# (a made-up stage stands for one of processes)

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiments import _ablate_metaworld as world
from experiments import _config, ablate
from nsca_jax.evaluation import apprenticeship
from nsca_jax.evaluation import metaworld as benchmark
from nsca_jax.training import apprentice

SEED = 1003


def config(tasks: str = "reach-v3,push-v3", preset: str = "quick", **fields) -> Any:
    out = _config.load(f"configs/ablate.py:{preset}")
    given = {"tasks": tasks, "seed": str(SEED), "seeds": "1", "block": "1"}
    for field, text in {**given, **fields}.items():
        _config.override(out, field.replace("__", "."), text)
    return ablate.own(out, "metaworld")


@pytest.fixture(scope="module")
def shown():
    return world.show(config(), SEED)


@pytest.fixture(scope="module")
def has(shown):
    return world.given(config(), {f"shown_{SEED}": shown})


def test_a_goal_is_found_again_by_its_places():
    goal = benchmark.goals_of(["push-v3"], 3)["push-v3"][0]
    mine, theirs = (benchmark.World("push-v3", observed=benchmark.SHOWN) for _ in range(2))
    told = mine.reset(benchmark.goal_at("push-v3", benchmark.drawn(goal)))
    np.testing.assert_array_equal(told, theirs.reset(goal))
    assert told.shape == (benchmark.SHOWN,)
    np.testing.assert_allclose(told[36:38], benchmark.drawn(goal)[3:5], atol=1e-6)


def test_no_goal_that_judges_is_ever_shown(shown, has):
    library = has.libraries[SEED]
    for number, task in enumerate(("reach-v3", "push-v3")):
        judge = shown[f"{task}/held"][:, 3:5]
        seen = library["seen"][number, ..., 0, 36:38].reshape(-1, 2)
        assert len(judge) == config().metaworld.judged
        apart = np.linalg.norm(judge[:, None] - seen[None], axis=-1)
        assert apart.min() > 1e-6
        assert shown[f"{task}/expert"].shape == (len(judge),)


def test_regions_are_goals_ever_farther(has):
    library = has.libraries[SEED]
    for number, task in enumerate(("reach-v3", "push-v3")):
        far = apprenticeship.gap_m(task, library["seen"][number, :, :, 0]).reshape(-1)
        assert (np.diff(far) >= 0).all()
        assert far[0] > 0.02


def test_demonstrations_end_at_the_goal_and_touch_the_thing_before(has):
    library = has.libraries[SEED]
    for number, task in enumerate(("reach-v3", "push-v3")):
        for region, one in np.ndindex(library["length"].shape[1:]):
            length, touch = (library[k][number, region, one] for k in ("length", "touch"))
            seen = library["seen"][number, region, one]
            near = {"reach-v3": 0.06, "push-v3": 0.06}[task]
            assert apprenticeship.gap_m(task, seen[length]) < near
            assert not seen[length + 1 :].any()
            assert touch <= length - apprentice.LEAST_STEPS
            if task == "push-v3" and touch < length - apprentice.LEAST_STEPS:
                assert touch > 0
                assert np.linalg.norm(seen[touch, :3] - seen[touch, 4:7]) < world.TOUCH_M
            if task == "reach-v3":
                assert touch == 0


def test_every_order_is_met_equally_often():
    told = world.orders(config("reach-v3,push-v3,pick-place-v3"), list(range(12)))
    assert all(sorted(row) == [0, 1, 2] for row in told.tolist())
    assert len({tuple(row) for row in told[:6].tolist()}) == 6
    np.testing.assert_array_equal(told[:6], told[6:])


def test_goals_judge_in_turn_and_one_of_a_task_to_come():
    of = config("reach-v3,push-v3", metaworld__chunks="2", metaworld__judged="3")
    held = [[f"{t}{i}" for i in range(6)] for t in "rp"]
    given = world.Given({}, {4: held, 5: held}, np.ones(2))
    told = [world.judged_goals(of, given, [4, 5], point) for point in range(4)]
    assert told[0] == [["r0", "r1", "r2"], ["p0"], ["r0"], ["p0", "p1", "p2"]]
    assert told[1][0] == ["r3", "r4", "r5"]
    assert told[3] == [["r3", "r4", "r5"], ["p3", "p4", "p5"]] * 2


class MadeUp:
    """A stage where the hand moves as it is told; success within 1 cm of the goal."""

    names = ("reach-v3", "push-v3")

    def __init__(self):
        self.seen = np.zeros((2, benchmark.SHOWN), np.float32)

    def __call__(self, order, arguments):
        out = {}
        for i, given in arguments.items():
            if order == "reset":
                self.seen[i] = 0
                self.seen[i, 36] = given
                out[i] = self.seen[i].copy()
            else:
                self.seen[i, 0] += 0.01 * given[0]
                self.seen[i, 4] += 0.01 * given[0]
                out[i] = (
                    self.seen[i].copy(),
                    apprenticeship.gap_m("reach-v3", self.seen[i]) < 0.01,
                )
        return out


def test_success_and_the_share_of_the_way_are_told_by_task():
    begun = []

    def act(seen, first):
        assert seen.shape == first.shape == (1, 2, benchmark.SHOWN)
        begun.append(np.abs(first[..., :36]).max())
        slow = seen[..., 36] > 5.0
        return np.where(slow[..., None], 0.5, 1.0) * np.ones((1, 2, 4))

    success, way = world.judge(MadeUp(), [[1.0, 10.0], [10.0]], act)
    np.testing.assert_allclose(success, [0.5, 0.0])
    np.testing.assert_allclose(way, [(1.0 + 0.25) / 2, 0.25], atol=2e-3)
    assert max(begun) == 0.0, "an episode's first reading is its own"


def test_an_expert_that_is_too_slow_is_told_of():
    of = config(metaworld__longest="30")
    slow = benchmark.World("push-v3", observed=benchmark.SHOWN)
    goals = benchmark.goals_of(["push-v3"], SEED)["push-v3"][:1]
    with pytest.raises(_config.BadInput, match="reaches 0 of 1 goals, and 8 are to be shown"):
        world.demonstrations(of, slow, goals, np.random.default_rng(0))


def test_a_finished_job_is_not_begun_again(tmp_path, monkeypatch):
    job = ablate.blocks(config(), "metaworld", tmp_path)[0]
    lived = []
    monkeypatch.setattr(ablate._launch, "set_up_jax", lambda *_: None)
    monkeypatch.setattr(ablate, "read_parts", lambda folder, names: {})
    made_up = SimpleNamespace(
        prepare=lambda of: {},
        given=lambda of, parts: None,
        live=lambda of, has, condition, numbers: lived.append(condition) or {"loss": np.ones(1)},
    )
    monkeypatch.setitem(ablate.WORLDS, "metaworld", made_up)
    job.path.parent.mkdir(parents=True)
    job()
    job()
    assert lived == ["with_priors"]


@pytest.mark.slow
def test_quick_runs_by_command(tmp_path):
    command = [sys.executable, "-m", "experiments.ablate", "--config=configs/ablate.py:quick"]
    tasks = "--config.tasks=reach-v3,push-v3,pick-place-v3"
    flags = [tasks, "--config.launcher=debug", f"--workdir={tmp_path}"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["n_failed_seeds"] == 0
    told = result["baselines"]["metaworld"]
    assert min(told["the expert"].values()) > 0.5
    assert told["with_priors"]["success at the end"]["mean"] > 0.1
    seeds = json.loads((tmp_path / "seeds.json").read_text())["metaworld"]
    assert set(seeds) == {"with_priors", "without_priors", "sham"}
    assert np.shape(seeds["sham"]["0"]["skill"]) == (3, 3)
