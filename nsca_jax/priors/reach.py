"""Innate reaching: a scene as what lies how far from the hand, and finer the nearer it is.

Infants reach in relation to the thing, not to the room (von Hofsten 1982), and distance is told
finer near zero (Weber 1834). It knows no task: it is the same arm, hand and table in all.

A reading is Meta-World's: two frames of 18 numbers, now and a step ago, each the hand's place (3,
m), the gripper's opening (1, in [0, 1]), and place (3, m) and quaternion (4) of up to two things.
Where the goal is shown, its place (3, m) follows.
"""

import jax
import jax.numpy as jnp
import numpy as np

FRAME = 18
HAND, OPENING = slice(0, 3), slice(3, 4)
THING, TURN, OTHER = slice(4, 7), slice(7, 11), slice(11, 14)
GOAL = slice(2 * FRAME, 2 * FRAME + 3)
ROOM_M = np.array([0.0, 0.65, 0.15], np.float32)  # the middle of what the arm reaches
UNIT_M = 0.1
FINE_M = (0.02, 0.06)  # at these distances the finer scales saturate
ABSOLUTE = 0.3  # how much less places in the room count than relations
LIMIT = 5.0


def relations(seen: jax.Array, first: jax.Array) -> jax.Array:
    """[..., D] features of readings `seen` [..., 36], of an episode that began with `first`.

    Of readings [..., 39] the goal is told by how far it is from the hand and from the thing.
    """
    hand, thing, opening = seen[..., HAND], seen[..., THING], seen[..., OPENING]
    before = seen[..., FRAME:]
    apart = [hand - thing, thing - first[..., THING], hand - first[..., HAND]]
    if seen.shape[-1] > GOAL.start:
        apart += [seen[..., GOAL] - hand, seen[..., GOAL] - thing]
    level = jnp.linalg.norm(apart[0][..., :2], axis=-1, keepdims=True)
    apart_m = jnp.concatenate([*apart, level], -1)
    places_m = [hand - ROOM_M, thing - ROOM_M, first[..., THING] - ROOM_M]
    other_m = seen[..., OTHER] - first[..., OTHER]
    moved_cm = 100.0 * jnp.concatenate([hand - before[..., HAND], thing - before[..., THING]], -1)
    told = [
        ABSOLUTE / UNIT_M * jnp.concatenate([*places_m, other_m], -1),
        apart_m / UNIT_M,
        *(jnp.tanh(apart_m / fine) for fine in FINE_M),
        moved_cm,
        10.0 * (opening - before[..., OPENING]),
        2.0 * opening - 1.0,
        seen[..., TURN],
    ]
    return jnp.clip(jnp.concatenate(told, -1), -LIMIT, LIMIT)
