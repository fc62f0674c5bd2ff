"""Innate physics: gravity, solidity, contact, and a blend that says how far they are trusted.

A prior p is corrected by a residual r through one weight w: `p + (1 - w) r`, with a price on r.
The price is what gives w a meaning: since r = error / (1 - w), a violated prior is expensive until
w falls; without it any w fits any data. Objects persist, do not pass through one another and move
each other only by contact: Spelke (1990), Principles of Object Perception.
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportOperatorIssue=false

import math

import jax
import jax.numpy as jnp

GRAVITY_M_S2 = 9.81
WEIGHT_FLOOR = 0.3  # a prior is never forgotten altogether


def ballistic_step(
    position_m: jax.Array,
    velocity_m_s: jax.Array,
    dt_s: float,
    floor_m: jax.Array,
    gravity: float = GRAVITY_M_S2,
) -> tuple[jax.Array, jax.Array]:
    """Closed-form free flight over `dt_s`, ended by a floor that no body passes.

    Only the motion into the floor is arrested: a body that slides goes on sliding.

    Args:
        position_m: [..., 3], z upwards.
        velocity_m_s: [..., 3].
        floor_m: [...] lowest z that the position may take.

    Returns:
        Position [..., 3] and velocity [..., 3] after `dt_s`.
    """
    fall = jnp.array([0.0, 0.0, gravity * dt_s])
    moved_m = position_m + (velocity_m_s - 0.5 * fall) * dt_s
    arrested = (moved_m[..., 2] <= floor_m)[..., None] & jnp.array([False, False, True])
    position_m = jnp.where(arrested, jnp.expand_dims(floor_m, -1), moved_m)
    return position_m, jnp.where(arrested, 0.0, velocity_m_s - fall)


def contact_step(
    velocity_m_s: jax.Array,
    hand_velocity_m_s: jax.Array,
    normal: jax.Array,
    gap_m: jax.Array,
    dt_s: float,
) -> jax.Array:
    """No action at a distance, no interpenetration: a hand moves a body only by reaching it.

    Args:
        velocity_m_s: [..., 3] of the body.
        hand_velocity_m_s: [..., 3].
        normal: [..., 3] unit vector from the hand to the body.
        gap_m: [...] free distance between them along `normal`.

    Returns:
        [..., 3] the body's velocity: where the hand closes the gap within `dt_s`, its part along
        `normal` is at least the hand's; elsewhere as it was.
    """
    closing_m_s = jnp.sum((hand_velocity_m_s - velocity_m_s) * normal, -1)
    reached = (closing_m_s > 0.0) & (closing_m_s * dt_s >= gap_m)
    return velocity_m_s + jnp.where(reached, closing_m_s, 0.0)[..., None] * normal


def separate(position_m: jax.Array, other_m: jax.Array, reach_m: jax.Array) -> jax.Array:
    """Solidity: two bodies do not share a place; the first gives way along the line between them.

    Args:
        position_m, other_m: [..., 3] centres.
        reach_m: [...] the least distance of the centres (the sum of two balls' radii).

    Returns:
        [..., 3] where the first may be: where it was, if that is far enough. Where both centres
        coincide it gives way upwards.
    """
    apart_m = position_m - other_m
    together = jnp.sum(apart_m**2, -1, keepdims=True) < 1e-18
    # the direction is set before the norm: the gradient of a norm at zero is NaN
    direction = jnp.where(together, jnp.array([0.0, 0.0, 1.0]), apart_m)
    length_m = jnp.linalg.norm(direction, axis=-1, keepdims=True)
    normal, distance_m = direction / length_m, jnp.where(together, 0.0, length_m)
    missing_m = jnp.maximum(jnp.expand_dims(reach_m, -1) - distance_m, 0.0)
    return position_m + missing_m * normal


def support_margin(middle_m: jax.Array, low_m: jax.Array, high_m: jax.Array) -> jax.Array:
    """[...] by how much a body's middle is inside its support, low_m to high_m; negative: it falls.

    What is not held up at its middle tips over; all [...], in one unit.
    """
    return jnp.minimum(middle_m - low_m, high_m - middle_m)


def prior_weight(raw: jax.Array) -> jax.Array:
    """Trust in the prior: `0.3 + softplus(raw - 0.3)`, at most 1. Any shape."""
    return jnp.minimum(WEIGHT_FLOOR + jax.nn.softplus(raw - WEIGHT_FLOOR), 1.0)


def initial_raw(weight: float = 0.9) -> float:
    """The `raw` at which `prior_weight(raw) == weight`; 0.9 gives 0.1041.

    Raises:
        ValueError: the weight is not in (0.3, 1].
    """
    if not WEIGHT_FLOOR < weight <= 1.0:
        raise ValueError(f"a prior's weight must lie in ({WEIGHT_FLOOR}, 1], not {weight}")
    return WEIGHT_FLOOR + math.log(math.expm1(weight - WEIGHT_FLOOR))


def gated_weight(raw: jax.Array, gate: jax.Array) -> jax.Array:
    """A weight that depends on the situation: `prior_weight(raw + gate)`, gate [...] from a net."""
    return prior_weight(raw + gate)


def blend(prior: jax.Array, residual: jax.Array, weight: jax.Array) -> jax.Array:
    """`prior + (1 - weight) * residual`; weight broadcasts against both."""
    return prior + (1.0 - weight) * residual


def blend_penalty(
    residual: jax.Array,
    raw: jax.Array,
    raw0: float,
    beta: float = 0.01,
    gamma: float = 0.15,
) -> jax.Array:
    """`beta * mean(residual^2) + gamma * (raw - raw0)^2`.

    Args:
        residual: [..., D].
        raw: [] or [...]; `raw0` where it started.

    Returns:
        [...], to be added to the loss.
    """
    return beta * jnp.mean(residual**2, -1) + gamma * (raw - raw0) ** 2


def gate_penalty(gate: jax.Array, gamma: float = 0.03) -> jax.Array:
    """Price of a situation's departure from the common weight: `gamma * gate^2`, [...]."""
    return gamma * gate**2


def critical_period(
    step: jax.Array,
    closes_at: float,
    width: float,
    open_rate: float = 0.05,
    closed_rate: float = 0.001,
) -> jax.Array:
    """Learning rate of `raw`: high while the critical period is open, low once it has closed.

    A logistic fall from `open_rate` to `closed_rate`, half way at `closes_at`, over about
    4 `width` steps. An optax schedule when partially applied.
    """
    openness = jax.nn.sigmoid((closes_at - step) / width)
    return closed_rate + (open_rate - closed_rate) * openness
