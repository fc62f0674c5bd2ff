"""The temporal model: frames, programme, innate physics, causality, learning's plumbing."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats as reference

from nsca_jax import losses
from nsca_jax.evaluation import temporal as judging
from nsca_jax.models import temporal as model_lib
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sim import skills
from nsca_jax.training import temporal

P, T, D, H = 12, 41, 20, 30
CAMERA = camera_lib.Camera()


@pytest.fixture(scope="module")
def made() -> temporal.Tracks:
    """Made-up tracks: things that slide off at random speeds, senses that tell of them."""
    rng = np.random.default_rng(0)
    velocity = rng.normal(0, 0.1, (P, 1, 3)) * [1, 1, 0]
    place = 0.02 + velocity * np.arange(T)[:, None] * model_lib.DT_S
    seen = np.ones((P, T), bool)
    seen[0, 5:] = False
    return jax.tree.map(
        jnp.asarray,
        temporal.Tracks(
            senses=rng.normal(0, 1, (P, T, D)).astype(np.float32),
            place_m=place.astype(np.float32),
            size_m=np.full((P, T), 0.04, np.float32),
            seen=seen,
            body=rng.normal(0, 0.1, (P, T, model_lib.BODY)).astype(np.float32),
            skill=np.arange(P, dtype=np.int32) % 4,
            parameters=rng.uniform(-1, 1, (P, 4)).astype(np.float32),
        ),
    )


def setting(rows=1, friction=0.0, bounce=0.0, floor=-10.0, gap=10.0) -> model_lib.Setting:
    full = lambda x: jnp.full(rows, x, jnp.float32)  # noqa: E731
    return model_lib.Setting(
        jnp.zeros((rows, 4)), jnp.zeros(()), full(floor), full(gap), full(friction), full(bounce)
    )


def moment(velocity=(0.0, 0.0, 0.0), held=False) -> model_lib.Programme:
    return model_lib.Programme(
        jnp.zeros((1, 3)), jnp.array([velocity]), jnp.array([held]), jnp.zeros((1, 3))
    )


def test_frames_are_inverse_and_lead_ahead():
    act = model_lib.Act(
        jnp.array([skills.PUSH, skills.LIFT]), jnp.full((2, 4), 0.5), jnp.zeros(2, jnp.int32)
    )
    ahead = model_lib.heading(act)
    np.testing.assert_allclose(ahead, [[0, 1], [1, 0]], atol=1e-6)  # 0.5 is a quarter turn
    x = jnp.array([[0.0, 2.0, 3.0], [0.0, 2.0, 3.0]])
    np.testing.assert_allclose(model_lib.into_frame(x, ahead), [[2, 0, 3], [0, 2, 3]], atol=1e-6)
    back = model_lib.out_of_frame(model_lib.into_frame(x, ahead), ahead)
    np.testing.assert_allclose(back, x, atol=1e-6)


def test_programme_is_the_skills_own():
    """A push of 0.215 m/s: half way between 0.08 and 0.35, from its start to its end."""
    act = model_lib.Act(jnp.array([skills.PUSH]), jnp.zeros((1, 4)), jnp.zeros(1, jnp.int32))
    sent = model_lib.programme(act, H)
    speed = 0.215
    np.testing.assert_allclose(sent.velocity_m_s[5, 0], [speed, 0, 0], atol=1e-5)
    np.testing.assert_allclose(sent.velocity_m_s[25, 0], 0.0, atol=1e-5)
    assert not bool(sent.held.any())
    drop = act.replace(skill=jnp.array([skills.DROP]))
    held = np.asarray(model_lib.programme(drop, H).held[:, 0])
    assert held[:2].all()  # HOLD_S is two control steps
    assert not held[2:].any()


def test_innate_step_falls_rests_slides_and_bounces():
    """By hand: g t² / 2; a thing on the table; v - μ g t; e v; what is held; what is pushed."""
    t, g = model_lib.DT_S, 9.81
    still = jnp.zeros((1, 3))
    place, velocity = model_lib.innate_step(still, still, moment(), setting())
    np.testing.assert_allclose(place[0, 2], -0.5 * g * t * t, rtol=1e-5)
    np.testing.assert_allclose(velocity[0, 2], -g * t, rtol=1e-5)

    place, velocity = model_lib.innate_step(still, still, moment(), setting(floor=0.0, bounce=0.9))
    np.testing.assert_allclose(place, 0.0, atol=1e-7)
    np.testing.assert_allclose(velocity, 0.0, atol=1e-7)

    moving = jnp.array([[1.0, 0.0, 0.0]])
    lying = setting(floor=0.0, friction=0.5)
    _, velocity = model_lib.innate_step(still, moving, moment(), lying)
    np.testing.assert_allclose(velocity[0, 0], 1.0 - 0.5 * g * t, rtol=1e-4)

    falling = jnp.array([[0.0, 0.0, -2.0]])
    _, velocity = model_lib.innate_step(still, falling, moment(), setting(floor=0.0, bounce=0.6))
    np.testing.assert_allclose(velocity[0, 2], 1.2, rtol=1e-5)

    place, velocity = model_lib.innate_step(still, still, moment((0, 0, 0.3), True), setting())
    np.testing.assert_allclose(place[0], [0, 0, 0.3 * t], rtol=1e-5)

    reached = setting(floor=0.0, gap=0.001)
    _, velocity = model_lib.innate_step(still, still, moment((0.3, 0, 0)), reached)
    np.testing.assert_allclose(velocity[0, 0], 0.3, rtol=1e-5)
    _, velocity = model_lib.innate_step(still, still, moment((0.3, 0, 0)), setting(floor=0.0))
    np.testing.assert_allclose(velocity[0], 0.0, atol=1e-6)  # no action at a distance


def test_slope_is_numpys_least_squares(made):
    place = made.place_m[:, :4] + 0.01 * jnp.sin(jnp.arange(4.0) ** 2)[:, None]
    seen = jnp.ones((P, 4), bool)
    expected = [[np.polyfit(np.arange(4), p[:, d], 1)[0] for d in range(3)] for p in place]
    np.testing.assert_allclose(temporal.slope(place, seen), expected, atol=1e-5)
    one = jnp.zeros((P, 4), bool).at[:, 2].set(True)
    np.testing.assert_allclose(temporal.slope(place, one), 0.0)


def test_calibration_is_paid_where_the_error_is_large():
    log_variance = jnp.array([0.0, 2.0, 2.0])
    paid = losses.calibration(log_variance, jnp.array([3.0, 0.5, -3.0]), jnp.float32(1.0))
    np.testing.assert_allclose(paid, [0.0, 0.0, -1.0])
    slope = jax.grad(lambda t: losses.calibration(log_variance, jnp.full(3, 3.0), t).sum())
    assert float(slope(jnp.float32(1.0))) == 0.0


def test_what_is_hidden_teaches_that_it_is_out_of_view():
    """-log P(out of view), by an independent normal distribution along one edge."""
    spread = 0.02
    log_variance = jnp.full((1, 2, 3), 2.0 * np.log(spread / model_lib.UNIT_M))
    right = np.asarray(CAMERA.axes()[0])
    middle = np.asarray(CAMERA.target_m)
    depth = np.linalg.norm(middle - np.asarray(CAMERA.position_m))
    edge = 0.5 * CAMERA.pixel_pitch * CAMERA.width * depth
    places = np.stack([middle, middle + (edge + 0.01) * right])[None]
    future = model_lib.Future(jnp.asarray(places), log_variance, *([jnp.zeros(())] * 4))
    told = np.asarray(temporal.hidden_nll(future, CAMERA))[0]
    inside = reference.norm.cdf(-0.01 / spread)
    np.testing.assert_allclose(told[1], -np.log(1 - inside + 1e-3), rtol=1e-2)
    assert told[0] > 6.0


def test_window_never_holds_what_comes_later(made):
    """Causality: a history of moment 6 does not change when the film is changed after it."""
    statistics = temporal.normalise.init((D,))
    row, now = jnp.arange(P), jnp.full(P, 6)
    later = jnp.arange(T)[None, :, None] > 6
    other = made.replace(
        senses=jnp.where(later, 9.0, made.senses),
        place_m=jnp.where(later, 9.0, made.place_m),
        size_m=jnp.where(later[..., 0], 9.0, made.size_m),
        seen=made.seen & ~later[..., 0],
        body=jnp.where(later, 9.0, made.body),
    )
    ours = temporal.window(made, statistics, row, now, H)
    theirs = temporal.window(other, statistics, row, now, H)
    jax.tree.map(np.testing.assert_array_equal, ours.history, theirs.history)
    jax.tree.map(np.testing.assert_array_equal, ours.act, theirs.act)
    assert not np.allclose(ours.place_m, theirs.place_m)


def test_a_look_before_the_act_has_no_body(made):
    statistics = temporal.normalise.init((D,))
    before = temporal.window(made, statistics, jnp.arange(P), jnp.zeros(P, jnp.int32), H)
    assert not np.asarray(before.history.body).any()
    assert not np.asarray(before.history.touching).any()
    assert not np.asarray(before.history.senses[..., temporal.SIGHTS :]).any()
    assert np.asarray(before.history.valid).sum(1).tolist() == [1] * P


def test_windows_that_saw_nothing_are_not_judged(made):
    row, now = judging.every_window(made)
    assert (0, 9) not in set(zip(row.tolist(), now.tolist(), strict=True))
    assert (1, 9) in set(zip(row.tolist(), now.tolist(), strict=True))


def test_constant_velocity_foresees_constant_velocity(made):
    """On things that do slide at constant velocity it is right, and persistence is not."""
    row, now = judging.every_window(made, (3,))
    places = judging.rivals(made, row, now)
    truth = np.asarray(made.place_m)[row[:, None], now[:, None] + judging.AT]
    np.testing.assert_allclose(places["constant velocity"], truth, atol=1e-4)
    np.testing.assert_allclose(places["last velocity"], truth, atol=1e-4)
    assert np.abs(places["persistence"] - truth).max() > 0.05


def test_deal_keeps_objects_apart():
    object_id = np.arange(200) % 20
    learnt, aside = judging.deal(jax.random.key(3), object_id, 100, 4)
    assert (len(learnt), len(aside)) == (80, 20)
    assert not set(object_id[np.asarray(learnt)]) & set(object_id[np.asarray(aside)])
    assert len(set(object_id[np.asarray(aside)])) == 4


@pytest.fixture(scope="module")
def newborn(made):
    """(model, learn, learner of one seed) with the prior."""
    model = model_lib.TemporalModel(D, 8, 8)
    settings = temporal.Settings(steps=20, batch=8)
    init, learn = temporal.make_learner(model, settings, CAMERA)
    learner = jax.jit(init)(jax.random.key(0), made, jnp.arange(P))
    return model, jax.jit(learn, static_argnums=3), learner


def test_a_newborn_trusts_innate_physics_and_learns(made, newborn):
    model, learn, learner = newborn
    seen = temporal.window(made, learner.statistics, jnp.arange(P), jnp.full(P, 3), H)
    future = model.apply(learner.params, seen.history, seen.act, H, temporal.HORIZONS)
    np.testing.assert_allclose(future.weight, 0.9, atol=1e-4)
    assert future.senses_mean.shape == (P, len(temporal.HORIZONS), D)
    after, loss = learn(learner, jax.random.key(1), made, 20)
    assert np.isfinite(loss).all()
    assert loss[-5:].mean() < loss[:5].mean()
    again, _ = learn(learner, jax.random.key(1), made, 10)
    again, _ = learn(again, jax.random.key(1), made, 10)  # a resumed run draws the same
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), after.params, again.params
    )


def test_without_its_corrections_a_learner_foresees_what_innate_physics_does(made, newborn):
    model, _, learner = newborn  # its corrections are nought
    one = jax.tree.map(lambda x: x[None], learner.replace(optimiser=()))
    row, now = np.arange(P), np.full(P, 3)
    innate = judging.forecast(model, one, made, row, now)
    step = dict(one.params["params"]["step"])
    step["residual"] = jax.tree.map(jnp.ones_like, step["residual"])
    taught = one.replace(params={"params": {**one.params["params"], "step": step}})
    corrected = judging.forecast(model, taught, made, row, now)
    silent = judging.forecast(model, judging.uncorrected(taught), made, row, now)
    np.testing.assert_array_equal(silent.place_m, innate.place_m)
    assert (np.abs(corrected.place_m - innate.place_m)[:, :, -1].max(-1) > 1e-3).all()
    truth = innate.place_m[0][:, judging.AT - 1] + np.array([0.03, 0.0, 0.04])
    np.testing.assert_allclose(judging.squared_error(silent, truth), 0.0025, rtol=1e-4)


def test_imagining_many_acts_is_imagining_each(made, newborn):
    model, _, learner = newborn
    seen = temporal.window(made, learner.statistics, jnp.arange(P), jnp.zeros(P, jnp.int32), H)
    belief = temporal.observe(model, learner.params, seen.history)
    acts = jax.tree.map(lambda x: jnp.stack([x, x[::-1]]), seen.act)
    both = temporal.imagine(model, learner.params, belief, acts)
    one = model.apply(learner.params, seen.history, seen.act, H, temporal.HORIZONS)
    np.testing.assert_allclose(both.place_m[0], one.place_m, atol=1e-5)
    assert not np.allclose(both.place_m[0], both.place_m[1])


def test_judge_by_hand():
    """Two windows, one seed: errors of 3 and 4 cm, one axis outside its band."""
    steps = int(judging.AT[-1])
    place = np.zeros((1, 3, steps, 3))
    spread = np.full((1, 3, steps, 3), 0.02) * np.array([1.0, 2.0, 3.0])[None, :, None, None]
    foreseen = judging.Forecast(place, spread, np.zeros(0), np.zeros(0))
    truth = np.zeros((3, len(judging.AT), 3))
    truth[:, :, 0] = np.array([0.01, 0.02, 0.12])[:, None]
    east = np.array([[1.0, 0.0]] * 3)
    told = judging.judge(foreseen, np.ones((1, steps)), truth, east)
    np.testing.assert_allclose(told["error_m"], 0.05)
    np.testing.assert_allclose(told["coverage"], 8 / 9)  # 0.12 > 1.645 * 0.06
    np.testing.assert_allclose(told["rank"], 1.0)
