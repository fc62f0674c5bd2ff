"""The agent among the rooms: plans that arrive, lives that repeat, regions that cover the floor."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nsca_jax.models import forward
from nsca_jax.training import exploring, planning
from nsca_jax.worlds import rooms

SHORT = exploring.ExploreSettings(episodes=2, steps=60, width=8, updates=1, batch=8, tests=16)


def test_a_plan_leads_to_the_reward_by_the_shortest_way():
    reward = np.full((rooms.CELLS, 6), -0.01)
    goal = rooms.CELLS - 1
    reward[goal, rooms.STAY] = 1.0
    moves = jnp.asarray(rooms.NEXT_CELL)
    value = planning.improve(jnp.asarray(reward), moves, jnp.zeros(rooms.CELLS), 0.95, 400)
    q = np.asarray(planning.action_values(jnp.asarray(reward), moves, value, 0.95))
    here, steps = 0, 0
    while here != goal and steps < 30:
        here, steps = int(rooms.NEXT_CELL[here, q[here].argmax()]), steps + 1
    assert steps == 2 * (rooms.SIDE - 1)
    np.testing.assert_allclose(value[goal], 1.0 / (1 - 0.95), rtol=1e-3)


def test_regions_are_blocks_by_actions_and_straddle_the_tv_room():
    assert exploring.REGION.shape == (rooms.CELLS, 6)
    np.testing.assert_array_equal(np.unique(exploring.REGION), np.arange(exploring.REGIONS))
    assert np.bincount(exploring.REGION.ravel()).max() == 9
    inside = exploring.REGION[rooms.ROOM_OF == rooms.TV, 0]
    outside = exploring.REGION[rooms.ROOM_OF != rooms.TV, 0]
    assert set(inside) & set(outside)


@pytest.fixture(scope="module")
def lived():
    """(lives, diary) without a TV, with noise and with noise again; the number of programs."""
    live = exploring.make_explorer(SHORT)
    born = jax.vmap(functools.partial(exploring.born, SHORT.width, SHORT.members))
    newborns = jax.jit(born)(jax.vmap(jax.random.key)(jnp.arange(2)))
    lot = lambda kind: exploring.Lot(np.array([kind]), np.array([0]), np.array([3.0]))  # noqa: E731
    told = [live(newborns, lot(kind)) for kind in (0, 1, 1)]
    return [jax.tree.map(lambda x: x[:, 0], one) for one in told], live._cache_size()


def test_one_program_serves_all_worlds_and_a_life_repeats_to_the_bit(lived):
    (none, noise, again), programs = lived
    assert programs == 1
    chex.assert_trees_all_equal(noise[1], again[1])
    chex.assert_trees_all_equal(noise[0].params, again[0].params)
    np.testing.assert_array_equal(none[0].world.pictures, noise[0].world.pictures)
    assert (noise[0].age == 120).all()
    np.testing.assert_allclose(noise[1].rooms.sum(-1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(noise[1].watched, noise[1].rooms[..., rooms.TV], rtol=1e-6)
    assert (np.diff(noise[1].cells) >= 0).all()
    assert np.isfinite(noise[1].error).all()


def test_the_history_is_what_was_seen(lived):
    """Each view is the successor of the one before; in the hall the eye sees its own noise."""
    lives, _ = lived[0][0]
    history = jax.tree.map(lambda x: np.asarray(x[0]), lives.history)
    within = np.arange(119) != 59  # an episode ends there
    np.testing.assert_array_equal(history.view[1:][within], history.seen[:-1][within])
    moved = rooms.NEXT_CELL[history.cell, history.action]
    np.testing.assert_array_equal(history.cell[1:][within], moved[:-1][within])
    assert history.cell[0] == history.cell[60] == rooms.HOME
    hall = rooms.ROOM_OF[history.cell] == rooms.HALL
    assert history.view[hall].std() == pytest.approx(rooms.EYE_NOISE, rel=0.2)


def test_the_forward_model_weighs_noise_less_than_what_is_known():
    mean, seen = jnp.zeros((1, 2)), jnp.ones((1, 2))
    log_variance = jnp.log(jnp.array([[4.0, 0.25]]))
    pull = lambda beta: jax.grad(forward.loss)(mean, log_variance, seen, beta)[0]  # noqa: E731
    np.testing.assert_allclose(pull(1.0), [-0.5, -0.5], rtol=1e-6)
    np.testing.assert_allclose(pull(0.5), [-0.25, -1.0], rtol=1e-6)
    np.testing.assert_allclose(pull(0.0), [-0.125, -2.0], rtol=1e-6)


def test_the_forward_model_begins_at_zero():
    model = forward.ForwardModel(8)
    view, place = jnp.full((1, 4), 3.0), jnp.ones((1, 2))
    params = model.init(jax.random.key(0), view, place)
    for part in model.apply(params, view, place):
        np.testing.assert_array_equal(part, np.zeros((1, 4)))


def test_that_one_room_halts_after_one_action_is_learnt_from_few_examples():
    """The view stays after action 0 in room 0 and action 1 in room 1: no sum over the two says it.

    A gate that is such a sum ends at an error near .5 here, having learnt the examples by heart.
    """
    model = forward.ForwardModel(32)

    def meet(key, n):
        keys = jax.random.split(key, 3)
        view = jax.random.normal(keys[0], (n, 8))
        room, action = (jax.random.randint(k, (n,), 0, 2) for k in keys[1:])
        place = jnp.concatenate([jax.nn.one_hot(room, 2), jax.nn.one_hot(action, 2)], -1)
        return view, place, view * (room == action)[:, None]

    def error(params, view, place, seen):
        return jnp.mean(forward.squared_error(model.apply(params, view, place)[0], seen))

    known, new = meet(jax.random.key(0), 40), meet(jax.random.key(1), 500)
    params = model.init(jax.random.key(2), *known[:2])
    optimiser = optax.adam(0.01)

    def step(carry, _):
        params, moments = carry
        change, moments = optimiser.update(jax.grad(error)(params, *known), moments, params)
        return (optax.apply_updates(params, change), moments), None

    params, _ = jax.lax.scan(step, (params, optimiser.init(params)), None, 300)[0]
    assert error(params, *new) < 0.1
