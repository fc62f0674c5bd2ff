"""What the balloon experiment asks of a learner: how will this move? Gravity is the prior."""

import jax
import jax.numpy as jnp

from nsca_jax.priors import physics
from nsca_jax.training import trust
from nsca_jax.worlds import falling

DRIFT_s = 0.1
SPEED_m_s = 2.0  # of each component, at most
DRIFT_FEATURES = (5,)
THROW_FEATURES = (5,)
THROW_SD_m = 2.5  # of a throw's end, across and up: the unit of its predictions
HIT = 0.1  # a prediction is right within so many of those


def drift(key: jax.Array, n: int, balloon_share: jax.Array | float):
    """`trust.Batch` of n bodies in random states, and [n] bool: which are balloons.

    Seen are velocity, size and mass; asked is the mean vertical acceleration (m/s^2) over 0.1 s.
    Stones and balloons are of like size; no label tells them apart.
    """
    kind, stone, balloon = jax.random.split(key, 3)
    falls, rises = _drifts(stone, n, falling.stones), _drifts(balloon, n, falling.balloons)
    balloon_N = jax.random.uniform(kind, (n,)) < balloon_share
    chosen = jax.tree.map(lambda a, b: jnp.where(balloon_N[:, None], a, b), rises, falls)
    return chosen, balloon_N


def throws(key: jax.Array, n: int, gravity: float = falling.GRAVITY_M_S2) -> trust.Batch:
    """n balls thrown in a vertical plane at 2 to 10 m/s: where are they 0.2 to 1 s later?

    Seen are the velocity, the time, size and density; asked is the displacement across and up, in
    units of THROW_SD_m. The prior is flight without air, under `gravity`.
    """
    ball, direction, speed, moment = jax.random.split(key, 4)
    bodies = falling.balls(ball, n)
    angle = jax.random.uniform(direction, (n,), maxval=2.0 * jnp.pi)
    heading = jnp.stack([jnp.cos(angle), jnp.zeros(n), jnp.sin(angle)], -1)
    velocity = heading * jax.random.uniform(speed, (n, 1), minval=2.0, maxval=10.0)
    time_s = jax.random.uniform(moment, (n,), minval=0.2, maxval=1.0)
    end_m, _ = falling.fly(bodies, velocity, time_s)
    free_m, _ = jax.vmap(
        lambda v, t: physics.ballistic_step(jnp.zeros(3), v, t, -jnp.array(jnp.inf), gravity)
    )(velocity, time_s)
    x = jnp.stack(
        [
            velocity[:, 0] / 4.4,
            velocity[:, 2] / 4.4,
            (time_s - 0.6) / 0.23,
            (jnp.log(bodies.radius_m) + 3.2) / 0.4,
            (jnp.log(bodies.density_kg_m3) - 4.35) / 0.78,
        ],
        -1,
    )
    return trust.Batch(x, free_m[:, ::2] / THROW_SD_m, end_m[:, ::2] / THROW_SD_m)


def hits(prediction_NxD: jax.Array, y_NxD: jax.Array) -> jax.Array:
    """Percent of throws predicted within 0.1 standard deviations a dimension."""
    return 100.0 * jnp.mean(_miss(prediction_NxD, y_NxD) <= HIT)


def nrmse(prediction_NxD: jax.Array, y_NxD: jax.Array) -> jax.Array:
    """Root mean squared error in standard deviations."""
    return jnp.sqrt(jnp.mean(_miss(prediction_NxD, y_NxD) ** 2))


def _miss(prediction_NxD: jax.Array, y_NxD: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.mean((prediction_NxD - y_NxD) ** 2, -1))


def _drifts(key: jax.Array, n: int, draw) -> trust.Batch:
    body, motion = jax.random.split(key)
    bodies = draw(body, n)
    velocity = jax.random.uniform(motion, (n, 3), minval=-SPEED_m_s, maxval=SPEED_m_s)
    _, after = falling.fly(bodies, velocity, DRIFT_s, steps=2)
    nowhere = jnp.full(n, -jnp.inf)  # no floor in the air
    _, fallen = physics.ballistic_step(jnp.zeros((n, 3)), velocity, DRIFT_s, nowhere)
    size = (jnp.log(bodies.radius_m) + 0.8)[:, None]
    mass = (jnp.log(bodies.mass_kg)[:, None] - 2.0) / 3.0
    x = jnp.concatenate([velocity / SPEED_m_s, size, mass], -1)
    return trust.Batch(x, (fallen - velocity)[:, 2:] / DRIFT_s, (after - velocity)[:, 2:] / DRIFT_s)
