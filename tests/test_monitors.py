"""Each failure mode is provoked and seen, in the reading, in the result and on the page."""

import functools
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _balloon_tasks as tasks
from experiments import _launch, babble
from nsca_jax.curiosity import gamma_progress, recent_mean
from nsca_jax.curiosity.evidence import Evidence
from nsca_jax.evaluation import monitors
from nsca_jax.models import adaptive
from nsca_jax.priors.physics import WEIGHT_FLOOR
from nsca_jax.reports import html, results
from nsca_jax.training import exploring, planning, trust
from nsca_jax.worlds import rooms


def test_slots_that_say_the_same():
    rng = np.random.default_rng(0)
    means, opened = rng.normal(size=(2, 200, 4)), np.array([[True, True, True, False]] * 2)
    apart = monitors.slot_collapse(means, opened, "more diversity")
    assert not apart.alarm
    assert apart.value is not None
    assert apart.value < 0.3
    means[:, :, 3] = means[:, :, 0]  # a closed slot may say what it likes
    assert not monitors.slot_collapse(means, opened, "more diversity").alarm
    means[:, :, 1] = 0.1 * rng.normal(size=(2, 200)) - means[:, :, 0]
    alike = monitors.slot_collapse(means, opened, "more diversity")
    assert alike.alarm
    assert alike.value == pytest.approx(0.995, abs=0.01)
    means[0, 5, 0] = np.nan  # that seed broke off; the other still says the same twice
    assert monitors.slot_collapse(means, opened, "more diversity").alarm
    nothing = monitors.slot_collapse(means, np.zeros_like(opened), "more diversity")
    assert nothing.value is None
    assert not nothing.alarm


def test_curiosity_that_finds_nothing_new():
    visits = np.zeros((1, 8, 10), int)
    visits[0, :, 0] = 125  # one region only, a thousand times
    stuck = monitors.curiosity_stalled(visits, "a lower bound")
    assert stuck.alarm
    assert stuck.value == 0.0
    assert "90 % of regions still unseen" in stuck.statistic
    visits[0, 7, 1:4] = 1  # three new ones among the last 253 interactions
    found = monitors.curiosity_stalled(visits, "a lower bound")
    assert found.value == pytest.approx(3000 / 253)
    assert not found.alarm
    visits[0, 0, 1:] = 1  # all had been seen at the start: nothing is left to find
    assert not monitors.curiosity_stalled(visits, "a lower bound").alarm
    many = np.repeat(visits, 8, 0)
    many[0, :, 9] = 0  # one region, of one seed in eight: too few to be missed
    assert not monitors.curiosity_stalled(many, "a lower bound").alarm


def wander(bound, steps):
    """Regions [steps] that curiosity visits where every step costs, and everything can be learnt:
    the error is always half of the slow copy's, up to noise.
    """
    settings = exploring.ExploreSettings(warmup=2, action_cost=0.05)
    moves = jnp.asarray(rooms.NEXT_CELL)
    lot = types.SimpleNamespace(signal=0, bound=bound)

    def step(carry, key):
        cell, plan, visited, progress, error = carry
        life: Any = types.SimpleNamespace(
            lot=lot, visited=visited, curiosity=(progress,), error=error
        )
        reward = exploring._reward(settings, life)
        plan = planning.improve(reward, moves, plan, settings.discount, settings.sweeps)
        q = planning.action_values(reward, moves, plan, settings.discount)
        action = jnp.argmax(q[cell])
        region, valid = jnp.asarray(exploring.REGION)[cell, action][None], jnp.ones(1, bool)
        seen = Evidence(*jnp.array([[0.5], [1.0]]) + 0.1 * jax.random.normal(key, (2, 1)))
        progress = gamma_progress.update(progress, region, seen, valid)
        error = recent_mean.append(error, region, seen.error, valid)
        return (moves[cell, action], plan, visited.at[cell].set(True), progress, error), region[0]

    begin = (
        jnp.int32(rooms.HOME),
        jnp.zeros(rooms.CELLS),
        jnp.zeros(rooms.CELLS, bool),
        gamma_progress.init(exploring.REGIONS, settings.window),
        recent_mean.init(exploring.REGIONS, settings.window),
    )
    return jax.lax.scan(step, begin, jax.random.split(jax.random.key(0), steps))[1]


def test_curiosity_to_which_nothing_looks_learnable_stays_at_home():
    bounds, steps, stretches = jnp.array([3.0, 1e9]), 400, 8
    lives = jax.jit(jax.vmap(wander, (0, None)), static_argnums=1)(bounds, steps)
    parts = np.asarray(lives).reshape(2, 1, stretches, -1, 1)
    visits = (parts == np.arange(exploring.REGIONS)).sum(3)
    quiet, stuck = (monitors.curiosity_stalled(of, "a smaller bound") for of in visits)
    assert not quiet.alarm
    assert " 0 % of regions still unseen" in quiet.statistic
    assert stuck.alarm
    assert stuck.value == 0.0


def test_a_penalty_under_which_nothing_new_is_learnt():
    plain = np.array([[[95.0, 10.0, 10.0], [60.0, 95.0, 10.0], [40.0, 60.0, 90.0]]])
    stiff = np.array([[[95.0, 10.0, 10.0], [94.0, 27.0, 10.0], [94.0, 27.0, 10.0]]])
    free = monitors.ewc_too_strong(plain, plain, "less strength")
    assert free.value == pytest.approx(1.0)
    assert not free.alarm
    held = monitors.ewc_too_strong(stiff, plain, "less strength")
    assert held.value == pytest.approx(17 / 165)
    assert held.alarm
    broken = np.full_like(plain, np.nan)
    both = np.concatenate([stiff, broken]), np.concatenate([plain, plain])
    assert monitors.ewc_too_strong(*both, "less strength").value == held.value
    assert monitors.ewc_too_strong(broken, plain, "less strength").value is None


@functools.cache
def among_balloons(trust_rate: float, raw: float, gamma: float) -> tuple[float, float, float]:
    """Trust at the end, the prior's squared error, and the outcome's square."""
    net = adaptive.AdaptivePrior((16,), scale=9.81)
    pace = trust.Pace(trust=trust_rate, gamma=gamma)
    state = trust.init(net, jax.random.key(0), tasks.DRIFT_FEATURES, 1)
    state.params["raw"] = jnp.float32(raw)

    def sample(t):
        return tasks.drift(jax.random.fold_in(jax.random.key(1), t), 32, 1.0)[0]

    _, weight = jax.jit(lambda s: trust.learn(net, s, sample, 600, pace))(state)
    batch, _ = tasks.drift(jax.random.key(2), 500, 1.0)
    error = jnp.mean((batch.prior_BxD - batch.y_BxD) ** 2)
    return float(weight[-1]), float(error), float(jnp.mean(batch.y_BxD**2))


@pytest.mark.parametrize(
    ("rate", "raw", "gamma", "alarm", "gradient"),
    [
        (0.05, adaptive.RAW0, 0.15, False, "gradient 0.05"),
        (0.0, adaptive.RAW0, 0.15, True, "gradient 0.45"),
        (0.05, 0.9, 0.0, True, "gradient 0)"),
        (0.05, 0.9, 0.15, False, "gradient 0.05"),
    ],
)
def test_gravity_still_trusted_among_balloons(rate, raw, gamma, alarm, gradient):
    """Where the trust cannot learn it stays, however wrong the prior is.

    From raw .9 the weight is cut off at 1, where no error moves it; the price of a raw that is far
    from where it began brings it back.
    """
    weight, error, square = among_balloons(rate, raw, gamma)
    reading = monitors.prior_holds_on(np.array([weight]), error, square, WEIGHT_FLOOR, "a price")
    assert reading.alarm == alarm
    assert gradient in reading.statistic
    gravity_kept = monitors.prior_holds_on(np.array([0.9]), 0.01, square, WEIGHT_FLOOR, "a price")
    assert not gravity_kept.alarm  # a prior that is right may be trusted
    gone = monitors.prior_holds_on(np.array([np.nan]), error, square, WEIGHT_FLOOR, "a price")
    assert gone.value is None
    assert not gone.alarm


def test_an_alarm_is_told_in_the_result_on_the_page_and_by_the_run(tmp_path, capsys):
    visits = np.ones((1, 4, 10), int) * (np.arange(10) == 0)
    alarm = monitors.curiosity_stalled(visits, "a smaller config.curiosity.bound")
    made = [results.criterion("works", "it works", [1.0], 1.0, ">=")]
    result = results.build("babble", made, [0], config_hash="0" * 16, wall_s=1.0, monitors=[alarm])
    assert result["passed"]  # it says where to look, and fails nothing
    assert result["monitors"][0]["alarm"]
    page = html.write_report(
        tmp_path / "report.html", "T", "S", made, [], {}, {}, result["monitors"]
    ).read_text()
    assert "a smaller config.curiosity.bound" in page
    assert ">alarm<" in page

    class Folder:
        workdir = tmp_path

    assert _launch._conclude(Folder, result) == 0  # pyright: ignore[reportArgumentType]
    assert "alarm   curiosity_stalled" in capsys.readouterr().out


@pytest.mark.parametrize(("prior_error", "alarm"), [(0.5, False), (1.5, True)])
def test_babbling_watches_its_gravity_and_its_curiosity(prior_error, alarm):
    record = {
        "visits": np.ones((2, 4, 10)),
        "trust_a": np.array([0.9, 0.8]),
        "prior_error_a": np.full(2, prior_error),
        "blind_error_a": np.ones(2),
    }
    stalled, holds_on = babble.watch(record)
    assert not stalled.alarm
    assert holds_on.value == pytest.approx(0.85)
    assert holds_on.alarm is alarm
    assert holds_on.remedy == "a larger config.learner.prior_price"
