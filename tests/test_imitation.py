"""Relations of a scene, cloning from a start, and trying again: each against arithmetic."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# (flax's replace)

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.priors import reach
from nsca_jax.training import imitation, persistence

SETTINGS = imitation.Settings(width=16, members=2, steps=200, batch=32, rate=3e-3, foresight=1.0)


@functools.partial(jax.jit, static_argnums=0)
def _adapt(settings, *given):
    return imitation.adapt(settings, *given)


_answers = jax.jit(functools.partial(imitation.answers, SETTINGS))
_act = jax.jit(functools.partial(persistence.act, SETTINGS), static_argnums=0)


def _readings(rng, count=1):
    """Plausible readings [count, 36], a little after a first one."""
    frame = rng.normal([0.0, 0.6, 0.2, 0.5] + [0.0, 0.7, 0.1] + [0.0] * 11, 0.05, (count, 18))
    return np.concatenate([frame, frame - rng.normal(0, 0.002, (count, 18))], -1).astype(np.float32)


def _shift(readings, by_m):
    """The whole scene moved: hand and both things, in both frames."""
    moved = np.array(readings)
    for start in (0, 4, 11, 18, 22, 29):
        moved[..., start : start + 3] += by_m
    return moved


@pytest.fixture(scope="module")
def rows():
    """Rows of an expert who closes in on the thing; the last third belongs to demonstration 1."""
    rng = np.random.default_rng(0)
    seen = _readings(rng, 90)
    meant = np.zeros((90, 4), np.float32)
    meant[:, :3] = np.clip(25.0 * (seen[:, 4:7] - seen[:, :3]), -1, 1)
    then = seen.copy()
    then[:, :3] += 0.01 * meant[:, :3]
    of = np.repeat([0, 0, 1], 30).astype(np.int32)
    return imitation.Rows(*map(jnp.asarray, (seen, seen[:1].repeat(90, 0), then, meant, meant, of)))


@pytest.fixture(scope="module")
def trunk(rows):
    eye = imitation.open_eye(rows, jnp.ones(90))
    learn = jax.jit(functools.partial(imitation.pretrain, SETTINGS, 2))
    return (*learn(jax.random.key(0), eye, rows), eye)


def test_relations_do_not_change_when_the_scene_moves():
    rng = np.random.default_rng(1)
    seen, first = _readings(rng), _readings(rng)
    by = np.array([0.05, -0.03, 0.02])
    here = np.asarray(reach.relations(seen, first))
    there = np.asarray(reach.relations(_shift(seen, by), _shift(first, by)))
    changed = ~np.isclose(here, there, atol=1e-4)[0]
    assert changed.sum() == 9, "places of the hand, the thing and where it was, and no more"
    told = (there - here)[0, changed].reshape(3, 3)
    np.testing.assert_allclose(told, np.tile(reach.ABSOLUTE / reach.UNIT_M * by, (3, 1)), atol=1e-4)


def test_a_goal_that_is_shown_is_told_by_how_far_it_is_alone():
    rng = np.random.default_rng(1)
    goal = np.array([[0.1, 0.8, 0.2]], np.float32)
    seen, first = (np.concatenate([_readings(rng), goal], -1) for _ in range(2))
    here = np.asarray(reach.relations(seen, first))
    hidden = np.asarray(reach.relations(seen[:, :36], first[:, :36]))
    assert here.shape[-1] - hidden.shape[-1] == 2 * 3 * (1 + len(reach.FINE_M))
    by = np.array([0.05, -0.03, 0.02])
    moved = [np.concatenate([_shift(x, by)[:, :36], goal + by], -1) for x in (seen, first)]
    changed = ~np.isclose(here, np.asarray(reach.relations(*moved)), atol=1e-4)[0]
    assert changed.sum() == 9, "places in the room, as without a goal"


def test_relations_tell_near_from_nearer_more_than_far_from_farther():
    seen = np.zeros((4, 36), np.float32)
    seen[:, 0] = [0.005, 0.015, 0.295, 0.305]
    near, nearer, far, farther = np.asarray(reach.relations(seen, np.zeros((4, 36), np.float32)))
    assert np.abs(near - nearer).sum() > 2 * np.abs(far - farther).sum()


def test_an_action_beyond_a_bound_that_was_meant_costs_nothing():
    said = jnp.array([[1.5, -2.0, 0.5, 1.5]])
    meant = jnp.array([[1.0, -1.0, 1.0, 0.5]])
    assert float(imitation.mismatch(said, meant, True)) == pytest.approx((0.25 + 1.0) / 4)
    plain = (0.25 + 1.0 + 0.25 + 1.0) / 4
    assert float(imitation.mismatch(said, meant, False)) == pytest.approx(plain)


def test_changes_are_told_in_their_units():
    seen, then = np.zeros((1, 36), np.float32), np.zeros((1, 36), np.float32)
    then[0, :7] = [0.01, 0.0, 0.02, 0.1, 0.0, -0.01, 0.0]
    rows = imitation.Rows(seen, seen, then, seen, seen, seen)
    np.testing.assert_allclose(imitation.changes(rows), [[1, 0, 2, 1, 0, -1, 0]], rtol=1e-5)


def test_pretraining_learns_to_act_and_to_foresee(trunk):
    params, errors, *_ = trunk
    errors = np.asarray(errors)
    assert (errors[-20:].mean(0) < 0.5 * errors[:5].mean(0)).all()
    assert "act" not in params["params"], "the training tasks' heads are thrown away"


def test_only_the_demonstrations_given_are_learnt_from(rows, trunk):
    start, *_, eye = trunk
    poisoned = rows._replace(meant=rows.meant.at[60:].set(jnp.nan))
    used = (rows.of < 1).astype(jnp.float32)
    _, errors, _ = _adapt(SETTINGS, jax.random.key(1), start, eye, poisoned, used)
    assert np.isfinite(errors).all()
    _, errors, _ = _adapt(SETTINGS, jax.random.key(1), start, eye, poisoned, jnp.ones(90))
    assert not np.isfinite(errors).all(), "the control: with all rows the poison is met"


def test_adapting_starts_from_the_trunk_and_learns(rows, trunk):
    start, *_, eye = trunk
    still = imitation.Settings(width=16, members=2, steps=1, batch=8, rate=0.0)
    used = jnp.ones(90)
    params, *_ = _adapt(still, jax.random.key(2), start, eye, rows, used)
    kernel = params["params"]["trunk_0"]["kernel"]
    np.testing.assert_array_equal(kernel[0], start["params"]["trunk_0"]["kernel"])
    head = params["params"]["act"]["kernel"]
    assert not np.array_equal(head[0], head[1]), "each member has a head of its own"
    params, errors, _ = _adapt(SETTINGS, jax.random.key(2), start, eye, rows, used)
    said = _answers(params, eye, rows.seen[3], rows.first[3])
    assert said.shape == (2, 4)
    assert float(errors[:, -20:, 0].mean()) < 0.05
    assert float(jnp.abs(said.mean(0) - rows.meant[3]).max()) < 0.5


def test_raw_readings_are_standardised_by_what_was_used(rows):
    eye = imitation.open_eye(rows, (rows.of < 1).astype(jnp.float32))
    plain = imitation.Settings(eye="readings")
    x = np.asarray(imitation.look(plain, eye, rows.seen[:60], rows.first[:60]))
    moving = np.asarray(eye.spread) > imitation.LEAST_SPREAD
    np.testing.assert_allclose(x.mean(0), 0.0, atol=0.05)
    np.testing.assert_allclose(x.std(0)[moving], 1.0, atol=0.05)


def test_persistence_waits_and_then_lets_one_member_act(rows, trunk):
    start, *_, eye = trunk
    params, *_ = _adapt(SETTINGS, jax.random.key(3), start, eye, rows, jnp.ones(90))
    rule = persistence.Rule(patience=1.5, turn=10, blur=0.0)
    memory = jax.tree.map(lambda x: x[0], persistence.begin(1, 36, 0))
    seen = rows.seen[5]

    def at(time, rule=rule):
        now = memory.replace(first=seen)
        said = _answers(params, eye, seen, seen)
        _, action = _act(rule, params, eye, jnp.float32(20), now, seen, jnp.int32(time))
        return np.asarray(action), np.asarray(said)

    action, said = at(30)
    np.testing.assert_allclose(action, said.mean(0), atol=1e-6)
    for time, member in ((31, 1), (39, 1), (40, 0), (55, 1)):
        action, said = at(time)
        np.testing.assert_allclose(action, said[member], atol=1e-6)
    action, said = at(55, None)
    np.testing.assert_allclose(action, said.mean(0), atol=1e-6)


def test_an_episode_forgets_the_one_before(rows, trunk):
    start, *_, eye = trunk
    params, *_ = _adapt(SETTINGS, jax.random.key(3), start, eye, rows, jnp.ones(90))
    memory = jax.tree.map(lambda x: x[0], persistence.begin(1, 36, 0))
    go = functools.partial(_act, None, params, eye, jnp.float32(20))
    memory, _ = go(memory, rows.seen[0], jnp.int32(0))
    memory, _ = go(memory, rows.seen[1], jnp.int32(1))
    np.testing.assert_array_equal(memory.first, rows.seen[0])
    memory, _ = go(memory, rows.seen[2], jnp.int32(0))
    np.testing.assert_array_equal(memory.first, rows.seen[2])
