"""An 11 x 11 floor with three rooms to learn and one with a television (11 x 11 = 121 cells).

    clock | hall | TV         rooms are 5 x 5, the hall between them is a cross one cell wide;
    ------+------+------      nothing stops a walker but the outer wall
    long  | hall | driven

What the walker sees, VIEW numbers, is the room's picture (ROOM numbers, zero outside the three
rooms) beside a screen (SCREEN numbers). The pictures of the clock rooms go round in 8 and 20 steps
whether it is there or not; those of the driven room, a circle of 16, go on when the walker moves
and halt when it does not. The screen shows only in the TV's room, save for the kind
"everywhere". `TV_KINDS` names what is on; of "remote" and "everywhere" a press brings a new frame.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

SIDE = 11
CELLS = SIDE**2
ROOM, SCREEN = 8, 8
VIEW = ROOM + SCREEN
ACTIONS = ("up", "down", "left", "right", "stay", "press")
STAY, PRESS = 4, 5
PERIODS = (8, 20, 16)  # of the clock rooms and of the driven room
TV_KINDS = (
    "none",
    "noise",  # a new normal frame every step
    "loud",  # the same, three times the size
    "shifted",  # the same about a frame that can be learnt
    "remote",  # a new frame after a press, in the TV's room
    "everywhere",  # the same, and seen and pressed wherever the walker is
    "coin",  # one of two opposite frames, by a fair coin
    "heavy",  # Student's t with 3 degrees of freedom, of variance 1
    "fading",  # noise that begins at twice the size and falls by e every FADING_STEPS
)
HALL, CLOCK, LONG, DRIVEN, TV = range(5)
EYE_NOISE = 0.1  # standard deviation of what the eye adds to every number
LOUD, FADING_STEPS = 3.0, 3000.0
HOME = SIDE * (SIDE // 2)  # the hall's west end, seven steps from the TV


def _floor() -> np.ndarray:
    room = np.full((SIDE, SIDE), HALL)
    room[:5, :5], room[:5, 6:], room[6:, :5], room[6:, 6:] = CLOCK, TV, LONG, DRIVEN
    return room.ravel()


def _moves() -> np.ndarray:
    row, column = np.divmod(np.arange(CELLS), SIDE)
    down, right = [-1, 1, 0, 0, 0, 0], [0, 0, -1, 1, 0, 0]
    to_row = np.clip(row[:, None] + np.array(down), 0, SIDE - 1)
    return to_row * SIDE + np.clip(column[:, None] + np.array(right), 0, SIDE - 1)


ROOM_OF = _floor()  # [CELLS]
NEXT_CELL = _moves()  # [CELLS, actions]
DRIVE = np.array([1, 1, 1, 1, 0, 0])  # what each action does to the driven room's picture


@struct.dataclass
class World:
    """What does not change in a life."""

    kind: jax.Array  # [] int32, index into TV_KINDS
    pictures: jax.Array  # [3, 20, ROOM] of the three rooms, of which PERIODS are used
    frame: jax.Array  # [SCREEN] the mean of "shifted", one side of "coin"


@struct.dataclass
class State:
    """What does."""

    cell: jax.Array  # [] int32
    phase: jax.Array  # [3] int32, the picture that each room shows
    screen: jax.Array  # [SCREEN]


class Chance(NamedTuple):
    """What chance brings in a step, whatever the walker does: steps can be drawn ahead, many at
    once, which costs a fraction of drawing within the loop."""

    noise: jax.Array  # [SCREEN] standard normal
    heavy: jax.Array  # [SCREEN] Student's t with 3 degrees of freedom, of variance 1
    coin: jax.Array  # [] int32, -1 or 1
    eye: jax.Array  # [VIEW] what the eye adds to the view that the step leads to


class Transitions(NamedTuple):
    """N steps within the learnable rooms, and the picture that is then seen."""

    view: jax.Array  # [N, VIEW], the screen dark where it does not reach
    cell: jax.Array  # [N] int32
    action: jax.Array  # [N] int32
    next_picture: jax.Array  # [N, ROOM]


def make(key: jax.Array, kind: jax.Array) -> World:
    """Draws a world's pictures, standard normal; they do not depend on the kind of TV."""
    pictures, frame = jax.random.split(key)
    return World(
        jnp.asarray(kind, jnp.int32),
        jax.random.normal(pictures, (3, max(PERIODS), ROOM)),
        jax.random.normal(frame, (SCREEN,)),
    )


def reset(world: World, key: jax.Array, eye_key: jax.Array) -> tuple[State, jax.Array]:
    """At home, the rooms at random phases, a random frame (dark without a TV); and the view."""
    phase_key, screen_key = jax.random.split(key)
    phase = _below(PERIODS, jax.random.uniform(phase_key, (3,)))
    screen, eye = _normal([screen_key, eye_key], VIEW)
    screen = screen[:SCREEN] * (world.kind != _kind("none"))
    state = State(jnp.int32(HOME), phase, screen)
    return state, view(world, state, EYE_NOISE * eye)


def chance(key: jax.Array, eye_key: jax.Array) -> Chance:
    """A step's."""
    noise_key, coin_key, heavy_key = jax.random.split(key, 3)
    noise, tails, eye = _normal([noise_key, heavy_key, eye_key], 3 * SCREEN)
    noise = noise[:SCREEN]
    # of t = z / sqrt(chi2 / 3), variance 3
    heavy = noise / jnp.sqrt(jnp.sum(tails.reshape(3, SCREEN) ** 2, 0))
    return Chance(noise, heavy, jax.random.rademacher(coin_key, ()), EYE_NOISE * eye[:VIEW])


def step(world: World, state: State, action: jax.Array, age: jax.Array, luck: Chance) -> State:
    """One step; `age` counts the steps of the whole life, by which "fading" fades."""
    cell = jnp.asarray(NEXT_CELL)[state.cell, action]
    driven = jnp.asarray(DRIVE)[action] * (jnp.asarray(ROOM_OF)[state.cell] == DRIVEN)
    phase = (state.phase + jnp.array([1, 1, 0]).at[2].set(driven)) % jnp.array(PERIODS)
    return State(cell, phase, _screen(world, state, action, age, luck))


def view(world: World, state: State, eye: jax.Array) -> jax.Array:
    """What is seen [VIEW]: the room's picture, the screen where it can be seen, the eye's noise."""
    room = jnp.asarray(ROOM_OF)[state.cell]
    learnable = (room >= CLOCK) & (room <= DRIVEN)
    place = jnp.clip(room - CLOCK, 0, 2)
    picture = world.pictures[place, state.phase[place]] * learnable
    shown = (room == TV) | (world.kind == _kind("everywhere"))
    return jnp.concatenate([picture, state.screen * shown]) + eye


def watches(world: World, cell: jax.Array, action: jax.Array) -> jax.Array:
    """Whether a step is a visit to the TV: bool, of the shape of `cell` and `action`.

    To be in the TV's room; where the screen is everywhere, to press the remote.
    """
    at_home = jnp.asarray(ROOM_OF)[cell] == TV
    return jnp.where(world.kind == _kind("everywhere"), action == PRESS, at_home)


def uniform_rate(kind: str) -> float:
    """The share of visits to the TV of one to whom all cells and actions are alike."""
    return 1 / len(ACTIONS) if kind == "everywhere" else float(np.mean(ROOM_OF == TV))


def held_out(world: World, key: jax.Array, n: int) -> Transitions:
    """n steps, uniform over rooms, then over cells, phases and actions that stay in the room."""
    keys = jax.random.split(key, 7)
    place, corner, phase, action = jax.vmap(lambda k: jax.random.uniform(k, (n,)))(keys[:4])
    inside = np.stack([np.flatnonzero(r == ROOM_OF) for r in (CLOCK, LONG, DRIVEN)])
    place = _below(len(inside), place)
    cell = jnp.asarray(inside)[place, _below(inside.shape[1], corner)]
    period = jnp.array(PERIODS)[place]
    phase, action = _below(period, phase), _below(len(ACTIONS), action)
    leaves = jnp.asarray(ROOM_OF)[jnp.asarray(NEXT_CELL)[cell, action]] == HALL
    action = jnp.where(leaves, STAY, action)
    ahead = jnp.where(place == 2, jnp.asarray(DRIVE)[action], 1)
    reaches = world.kind == _kind("everywhere")
    screen, eye_now, eye_then = _normal(keys[4:], n * VIEW)
    screen = screen[: n * SCREEN].reshape(n, SCREEN) * reaches
    now = jnp.concatenate([world.pictures[place, phase], screen], -1)
    then = world.pictures[place, (phase + ahead) % period]
    now += EYE_NOISE * eye_now.reshape(now.shape)
    then += EYE_NOISE * eye_then[: n * ROOM].reshape(then.shape)
    return Transitions(now, cell, action, then)


def _screen(world: World, state: State, action, age, luck: Chance) -> jax.Array:
    """The next frame [SCREEN] of every kind, of which the world's is taken."""
    noise, pressed = luck.noise, jnp.where(action == PRESS, luck.noise, state.screen)
    frames = {
        "none": jnp.zeros(SCREEN),
        "noise": noise,
        "loud": LOUD * noise,
        "shifted": world.frame + noise,
        "remote": jnp.where(jnp.asarray(ROOM_OF)[state.cell] == TV, pressed, state.screen),
        "everywhere": pressed,
        "coin": world.frame * luck.coin,
        "heavy": luck.heavy,
        "fading": 2.0 * jnp.exp(-age / FADING_STEPS) * noise,
    }
    return jnp.stack([frames[kind] for kind in TV_KINDS])[world.kind]


def _normal(keys, n: int) -> jax.Array:
    """[len(keys), n] in one call: each call of a generator is a dozen kernels to compile."""
    return jax.vmap(lambda key: jax.random.normal(key, (n,)))(jnp.stack([*keys]))


def _below(most, uniform: jax.Array) -> jax.Array:
    """int32 in [0, most), of a number in [0, 1)."""
    return (jnp.asarray(most) * uniform).astype(jnp.int32)


def _kind(name: str) -> int:
    return TV_KINDS.index(name)
