"""Procgen: published constants, games that repeat, and what is claimed of made-up players."""

# pyright: reportArgumentType=false
# (made-up worlds and records stand for a run's)

import importlib.util
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from configs import procgen as configs
from experiments import _config, _procgen_report
from experiments import procgen as experiment
from nsca_jax.evaluation import procgen, stats

ROOT = Path(__file__).parents[1]


@pytest.fixture
def games():
    """Needs EnvPool, by `make procgen`: once that is there, whatever else it lacks is an error."""
    if importlib.util.find_spec("envpool") is None:
        pytest.skip("EnvPool is not installed: make procgen")
    return procgen.envpool()


def test_scales_by_hand():
    np.testing.assert_allclose(
        procgen.normalised([2.5, 64.0, 33.25], "starpilot", "easy"), [0.0, 1.0, 0.5]
    )
    assert procgen.normalised(27.2, "fruitbot", "hard") == pytest.approx(1.0)
    assert procgen.normalised(0.0, "fruitbot", "hard") == pytest.approx(0.5 / 27.7)


def test_every_game_has_both_scales_and_hard_is_harder():
    assert len(procgen.EASY) == 16
    assert procgen.EASY.keys() == procgen.HARD.keys()
    for name, easy in procgen.EASY.items():
        assert easy.low < easy.high
        assert procgen.HARD[name].low <= easy.low or name == "fruitbot"


class Countdown:
    """Two worlds whose episodes last 2 and 3 steps and pay 1 a step."""

    count = 2

    def __init__(self):
        self.image, self.age = np.zeros((2, 1)), np.zeros(2, int)

    def step(self, action):
        assert len(action) == 2
        self.age += 1
        done = self.age == [2, 3]
        self.age[done] = 0
        return np.ones(2), done


def test_each_world_plays_as_many_episodes():
    got = procgen.play(Countdown(), lambda step, image: np.zeros(2, int), 4)
    np.testing.assert_array_equal(got, [[2] * 4, [3] * 4])


def test_a_missing_envpool_is_told_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "envpool", None)
    with pytest.raises(procgen.ProcgenError, match="make procgen"):
        procgen.envpool()


def test_a_missing_library_is_told_in_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "envpool").mkdir()
    (tmp_path / "envpool" / "__init__.py").write_text("")
    lines = """
    def __getattr__(name):
        missing = ImportError("libQt5Gui.so.5: cannot open shared object file")
        raise ImportError("needs Qt") from missing
    """
    (tmp_path / "envpool" / "procgen.py").write_text(textwrap.dedent(lines))
    for name in [x for x in sys.modules if x.partition(".")[0] == "envpool"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(procgen.ProcgenError, match=r"libQt5Gui.*apt install libqt5gui5"):
        procgen.envpool()
    for name in ("envpool", "envpool.procgen"):
        sys.modules.pop(name, None)


def follow(seed, levels=3):
    worlds = procgen.Worlds("coinrun", "easy", levels, 4, (seed, 1), 1)
    random, images, levels_seen, ended = np.random.default_rng(0), [], set(), 0
    for _ in range(300):
        levels_seen |= set(worlds.level.tolist())
        _, done = worlds.step(random.integers(0, procgen.ACTIONS, 4))
        images.append(worlds.image.astype(int).sum())
        ended += done.sum()
    assert worlds.image.shape == (4, procgen.SIDE, procgen.SIDE, 3)
    worlds.close()
    return np.array(images), levels_seen, ended


def test_worlds_repeat_by_their_seed_and_keep_to_their_levels(games):
    one, levels, ended = follow(7)
    again, _, _ = follow(7)
    other, _, _ = follow(8)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert levels <= {0, 1, 2}
    assert ended > 0
    _, every, _ = follow(7, levels=0)
    assert max(every) > 3


def test_an_episodes_end_is_followed_by_the_next_ones_first_picture(games):
    worlds = procgen.Worlds("leaper", "easy", 1, 2, 0, 1)
    first, random = worlds.image.copy(), np.random.default_rng(0)
    begun = 0
    for _ in range(400):
        _, done = worlds.step(random.integers(0, procgen.ACTIONS, 2))
        for w in np.flatnonzero(done):
            begun += 1
            assert (worlds.image[w] == first[w]).mean() > 0.8  # one level: it looks as it began
    worlds.close()
    assert begun > 0


def config_of(**fields):
    config = configs.get_config("quick")
    config.games = ("starpilot",)
    config.update(fields)
    return config


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"seeds": 0}, "config.seeds"),
        ({"mode": "extreme"}, "config.mode=extreme: it must be one of easy, hard"),
        ({"games": ("pong",)}, "config.games: 'pong' is not one of bigfish"),
        ({"arms": ("ppo", "magic", "shuffled")}, "config.arms: 'magic'"),
        ({"arms": ("ppo",)}, "config.arms=ppo: it must be one that holds shuffled"),
        ({"minibatches": 7}, "must be a multiple of .minibatches"),
        ({"steps": 10}, "config.steps=10: it must be 512 or more"),
        ({"patch": 3}, "must divide 64"),
        ({"widths": (8,) * 6}, "must divide 64"),
        ({"curiosity": 0.0}, "must be more than 0"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(fields, told):
    with pytest.raises(_config.BadInput) as error:
        experiment.check(config_of(**fields))
    assert told in str(error.value)


def players(random=2.0, ppo=5.0, shuffled=2.0, everything=6.0, lost=None):
    """Records of two seeds with returns near the given ones."""
    noise = np.array([-0.01, 0.01])[:, None, None]
    records = {}
    named = {"random": random, "ppo": ppo, "shuffled": shuffled, "all": everything}
    for arm, level in named.items():
        apart = -noise if arm == "random" else noise
        game = {kind: level + apart + np.zeros((2, 4, 1)) for kind in ("train", "test")}
        game["curve"] = np.full((2, 30), level)
        game["curve"][:, 3] = np.nan
        records[arm] = {"starpilot": game}
    if lost is not None:
        records["ppo"]["starpilot"]["train"][lost] = np.nan
    return records


def test_claims_hold_for_a_player_that_learnt_and_fail_for_one_that_did_not():
    made = _procgen_report.claims(config_of(), players())
    (criterion,) = made["criteria"]
    assert criterion["passed"]
    assert criterion["mean"] == pytest.approx(3.0 / 61.5)
    assert 0 < criterion["value"] < criterion["mean"]
    assert not criterion["control"]["passed"]
    assert made["n_failed_seeds"] == 0
    gain = made["baselines"]["gain over PPO"]["PPO with all three, levels learnt from"]
    assert gain[0] == pytest.approx(1.0 / 61.5)
    assert not _procgen_report.claims(config_of(), players(ppo=1.9))["criteria"][0]["passed"]
    known = _procgen_report.claims(config_of(), players(shuffled=3.0))["criteria"][0]
    assert known["control"]["passed"]
    assert not known["passed"]


def test_interquartile_means_are_of_all_seeds_and_games():
    scores = np.arange(8.0).reshape(2, 4) ** 2
    told = _procgen_report.summary(scores)
    assert told["interquartile mean"] == stats.interquartile_mean(scores)
    assert told["interquartile mean"] == pytest.approx(np.mean([4, 9, 16, 25]))


def test_a_seed_that_broke_off_is_counted_and_not_averaged():
    made = _procgen_report.claims(config_of(), players(lost=1))
    assert made["n_failed_seeds"] == 1
    assert made["criteria"][0]["per_seed"][1] is None


def test_stretches_without_an_ended_episode_are_unknown():
    curve = np.array([[1.0, 3.0, np.nan, np.nan], [np.nan, 2.0, 4.0, 6.0]]).repeat(13, 1)
    short = _procgen_report.binned(curve)
    assert short.shape == (2, _procgen_report.POINTS)
    assert short[0, 0] == 1.0
    assert np.isnan(short[0, -1])
    assert np.isnan(short[1, 0])


@pytest.mark.slow
def test_a_run_from_start_to_finish_and_on_from_where_it_was_stopped(games, tmp_path):
    """Stopped after a leg, the resumed run ends with the same players as an unbroken one."""
    fields = ["--config.seeds=1", "--config.arms=('ppo','shuffled')", "--config.steps=1536"]

    def command(folder):
        flags = ["--config=configs/procgen.py:quick", *fields, f"--workdir={folder}"]
        return [sys.executable, "-m", "experiments.procgen", *flags]

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = subprocess.run(command(whole), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    process = subprocess.Popen(command(broken), cwd=ROOT)
    while process.poll() is None and not list(broken.glob("checkpoints/dodgeball_ppo_0/*/*")):
        pass
    process.terminate()
    assert process.wait() == 143
    done = subprocess.run(command(broken), cwd=ROOT, capture_output=True, text=True, check=False)
    assert "going on with dodgeball_ppo_0" in done.stdout + done.stderr
    one, two = (json.loads((x / "result.json").read_text()) for x in (whole, broken))
    assert one["criteria"] == two["criteria"]
    for name in ("dodgeball_ppo_0", "dodgeball_shuffled_0"):
        a, b = (np.load(x / "parts" / f"{name}.npz") for x in (whole, broken))
        for key in a.files:
            np.testing.assert_array_equal(a[key], b[key])
    assert (broken / "report.html").exists()
