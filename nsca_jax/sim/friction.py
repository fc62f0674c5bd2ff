"""Coulomb's friction in every direction from a pyramidal cone.

A pyramidal contact resists along two fixed tangents: a thing that slides between them meets
mu / sqrt(2) only at 45 degrees, and goes up to 41 % too far. Here the tangents of every contact are
turned so that the first lies along its slip. There the pyramid is the cone, so that what slides is
slowed by mu times the normal force whichever way it goes, and what sticks is held by no less.
The rows stay one-sided and as many as they were, for a few more operations a step; an elliptic cone
would need another solver.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# (MJX's back ends; its untyped structs)

import jax
import jax.numpy as jnp
from mujoco import mjx

STILL = 1e-7  # m/s times mu: no slip to speak of, the tangents stay


def along_slip(_: mjx.Model, data: mjx.Data) -> mjx.Data:
    """ONE world's data after `mjx.make_constraint`, with all tangents turned along the slip.

    C contacts of dimension 3 are 4 C rows, J_n + mu J_1, J_n - mu J_1, J_n + mu J_2, J_n - mu J_2
    (MuJoCo, "Computation: friction cones"), and the reference acceleration is linear in them.
    """
    found = data._impl
    turn = _turn(found.efc_J, data.qvel)
    contact = found.contact.replace(frame=_turned_frame(turn, found.contact.frame))
    return data.tree_replace(
        {
            "_impl.efc_J": _turned_rows(turn, found.efc_J),
            "_impl.efc_aref": _turned_rows(turn, found.efc_aref[:, None])[:, 0],
            "_impl.contact": contact,
        }
    )


def forces(rows, friction) -> jax.Array:
    """[n, 3] N along normal and tangents, of the forces of a pyramid's four rows [n, 4].

    friction [n, >= 2] is mu along the tangents: the normal force is the rows' sum, the tangential
    forces are mu (f0 - f1) and mu (f2 - f3).
    """
    tangent = friction[:, :2] * (rows[:, 0::2] - rows[:, 1::2])
    return jnp.concatenate([rows.sum(1)[:, None], tangent], 1)


def _turn(jacobian, velocity) -> jax.Array:
    """Unit slip [C, 2] in the tangents that the rows [4 C, n] have now; (1, 0) without slip."""
    rows = jnp.sum(jacobian * velocity, 1).reshape(-1, 4)
    slip = 0.5 * (rows[:, 0::2] - rows[:, 1::2])
    square = jnp.sum(jnp.square(slip), 1, keepdims=True)
    slides = square > STILL**2
    unit = slip * jax.lax.rsqrt(jnp.where(slides, square, 1.0))
    return jnp.where(slides, unit, jnp.array([1.0, 0.0]))


def _turned_rows(turn, rows):
    """rows [4 C, n] over the turned tangents."""
    edge = rows.reshape(-1, 4, rows.shape[1])
    normal, one, two = edge[:, 0] + edge[:, 1], edge[:, 0] - edge[:, 1], edge[:, 2] - edge[:, 3]
    one, two = _rotate(turn, one, two)
    turned = jnp.stack([normal + one, normal - one, normal + two, normal - two], 1)
    return 0.5 * turned.reshape(rows.shape)


def _turned_frame(turn, frame):
    """frame [C, 3, 3], rows: normal and the two tangents."""
    return jnp.stack([frame[:, 0], *_rotate(turn, frame[:, 1], frame[:, 2])], 1)


def _rotate(turn, one, two):
    """Two tangents' values [C, n] by the angle whose cosine and sine are turn [C, 2]."""
    cos, sin = turn[:, :1], turn[:, 1:]
    return cos * one + sin * two, cos * two - sin * one
