"""The floor with its rooms and its TV: what moves, what shows, what can be learnt."""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.worlds import rooms

UP, DOWN, LEFT, RIGHT = range(4)
KINDS = {name: number for number, name in enumerate(rooms.TV_KINDS)}

EYE = rooms.EYE_NOISE * jax.random.normal(jax.random.key(0), (rooms.VIEW,))


def cell(row, column):
    return jnp.int32(row * rooms.SIDE + column)


def world(kind):
    return rooms.make(jax.random.key(3), jnp.int32(KINDS[kind]))


def reset(here):
    state, _ = rooms.reset(here, jax.random.key(4), jax.random.key(0))
    return state


def walk(kind, start, actions, age=0.0):
    """Views [T + 1, VIEW] and cells of a walk from `start`, the eye's noise the same all along."""
    here = world(kind)
    state = reset(here).replace(cell=start)
    views, cells = [rooms.view(here, state, EYE)], [int(state.cell)]
    for number, action in enumerate(actions):
        key = jax.random.fold_in(jax.random.key(5), number)
        state = rooms.step(here, state, jnp.int32(action), jnp.float32(age), rooms.chance(key, key))
        views.append(rooms.view(here, state, EYE))
        cells.append(int(state.cell))
    return np.array(views), cells


def test_moves_stop_at_the_outer_wall_only():
    _, cells = walk("none", cell(0, 0), [UP, LEFT, RIGHT, DOWN, rooms.STAY, rooms.PRESS])
    assert cells == [0, 0, 0, 1, 12, 12, 12]
    counts = np.bincount(rooms.ROOM_OF)
    np.testing.assert_array_equal(counts, [21, 25, 25, 25, 25])


@pytest.mark.parametrize(("start", "period"), [((2, 2), 8), ((8, 2), 20)])
def test_clock_rooms_come_round_after_their_period(start, period):
    views, _ = walk("noise", cell(*start), [rooms.STAY] * period)
    pictures = views[:, : rooms.ROOM]
    np.testing.assert_allclose(pictures[period], pictures[0], atol=1e-6)
    assert np.abs(pictures[1:period] - pictures[0]).max(1).min() > 0.1
    assert np.ptp(views[:, rooms.ROOM :], axis=0).max() < 1e-6  # no screen here


def test_the_driven_room_goes_on_when_the_walker_moves():
    circle = [UP, RIGHT, DOWN, LEFT] * 4
    views, _ = walk("none", cell(8, 8), [rooms.STAY, rooms.PRESS, *circle])
    pictures = views[:, : rooms.ROOM]
    for same in (1, 2, 18):
        np.testing.assert_allclose(pictures[same], pictures[0], atol=1e-6)
    assert np.abs(pictures[3:18] - pictures[0]).max(1).min() > 0.1


@pytest.mark.parametrize("kind", ["noise", "loud", "shifted", "heavy", "fading", "coin", "none"])
def test_the_screen_has_the_mean_and_size_of_its_kind(kind):
    here = world(kind)
    state = reset(here)
    keys = jax.random.split(jax.random.key(6), 4000)
    age = jnp.float32(rooms.FADING_STEPS)
    stay = lambda luck: rooms.step(here, state, jnp.int32(rooms.STAY), age, luck)  # noqa: E731
    step = jax.vmap(lambda k: stay(rooms.chance(k, k)).screen)
    screens = np.asarray(step(keys))
    frame = np.asarray(here.frame)
    size = {"loud": 3.0, "fading": 2.0 / np.e, "none": 0.0}.get(kind, 1.0)
    mean = frame if kind == "shifted" else np.zeros(rooms.SCREEN)
    spread = np.abs(frame) if kind == "coin" else np.full(rooms.SCREEN, size)
    np.testing.assert_allclose(screens.mean(0), mean, atol=0.2)
    np.testing.assert_allclose(screens.std(0), spread, rtol=0.2, atol=1e-6)
    if kind == "coin":
        np.testing.assert_allclose(np.abs(screens), np.abs(frame)[None].repeat(4000, 0), rtol=1e-6)


def test_a_remote_changes_the_frame_when_pressed_and_only_where_it_works():
    presses = [rooms.STAY, rooms.PRESS]
    tv, clock = cell(2, 8), cell(2, 2)
    changes = {}
    for kind in ("remote", "everywhere"):
        for name, start in (("tv", tv), ("clock", clock)):
            screen = walk(kind, start, presses)[0][:, rooms.ROOM :]
            changes[kind, name] = np.abs(np.diff(screen, axis=0)).max(1) > 0.1
    np.testing.assert_array_equal(changes["remote", "tv"], [False, True])
    np.testing.assert_array_equal(changes["remote", "clock"], [False, False])
    np.testing.assert_array_equal(changes["everywhere", "clock"], [False, True])


def test_visits_are_the_room_or_where_it_is_everywhere_the_press():
    where, what = jnp.array([cell(2, 8), cell(2, 2)]), jnp.array([rooms.STAY, rooms.PRESS])
    np.testing.assert_array_equal(rooms.watches(world("remote"), where, what), [True, False])
    np.testing.assert_array_equal(rooms.watches(world("everywhere"), where, what), [False, True])
    assert rooms.uniform_rate("noise") == pytest.approx(25 / 121)
    assert rooms.uniform_rate("everywhere") == pytest.approx(1 / 6)


def test_held_out_steps_are_true_to_the_world():
    """Each is taken in the world itself, from a state that shows what it says."""
    here = world("none")
    tests = rooms.held_out(here, jax.random.key(7), 200)
    assert set(np.asarray(rooms.ROOM_OF)[tests.cell]) == {rooms.CLOCK, rooms.LONG, rooms.DRIVEN}
    after = rooms.ROOM_OF[rooms.NEXT_CELL[tests.cell, tests.action]]
    assert (after == rooms.ROOM_OF[np.asarray(tests.cell)]).all()
    luck = rooms.chance(jax.random.key(0), jax.random.key(1))
    for n in range(200):
        place = int(rooms.ROOM_OF[int(tests.cell[n])]) - rooms.CLOCK
        shown = here.pictures[place, : rooms.PERIODS[place]] - tests.view[n, : rooms.ROOM]
        phase = jnp.zeros(3, jnp.int32).at[place].set(jnp.argmin((shown**2).sum(-1)))
        state = rooms.State(tests.cell[n], phase, jnp.zeros(rooms.SCREEN))
        state = rooms.step(here, state, tests.action[n], jnp.float32(0), luck)
        seen = rooms.view(here, state, EYE)[: rooms.ROOM]
        assert np.abs(seen - tests.next_picture[n]).max() < 8 * rooms.EYE_NOISE
