"""Stones that fall and balloons that rise, through air: real flights from random states.

A body of density rho and radius r has drag k = 3 rho_air C_d / (8 rho r) a metre, and
dv/dt = pull - k |v| v: quadratic drag, which has no closed form in three dimensions, so the flight
is integrated (fourth-order Runge-Kutta). The pull is -9.81 m/s^2, or +5 for a balloon, whose
density is the one that floats up so.
"""

import jax
import jax.numpy as jnp
from flax import struct

GRAVITY_M_S2 = 9.81
BUOYANCY_M_S2 = 5.0  # net, upwards
AIR_kg_m3 = 1.2
BALLOON_kg_m3 = AIR_kg_m3 / (1.0 + BUOYANCY_M_S2 / GRAVITY_M_S2)
DRAG_COEFFICIENT = 0.47  # of a sphere
SPHERE = 4.0 / 3.0 * jnp.pi


@struct.dataclass
class Bodies:
    """Spheres in the air, `[...]` one a body."""

    radius_m: jax.Array
    density_kg_m3: jax.Array
    pull_m_s2: jax.Array  # acceleration at rest, z upwards

    @property
    def mass_kg(self) -> jax.Array:
        return SPHERE * self.density_kg_m3 * self.radius_m**3

    @property
    def drag_1_m(self) -> jax.Array:
        return 0.375 * AIR_kg_m3 * DRAG_COEFFICIENT / (self.density_kg_m3 * self.radius_m)


def stones(key: jax.Array, n: int) -> Bodies:
    """[n] solid bodies, from foam to rock: 0.1 to 1 m, 150 to 3000 kg/m^3, log-uniform."""
    radius, density = jax.random.split(key)
    return Bodies(
        log_uniform(radius, n, 0.1, 1.0),
        log_uniform(density, n, 150.0, 3000.0),
        jnp.full(n, -GRAVITY_M_S2),
    )


def balloons(key: jax.Array, n: int) -> Bodies:
    """[n] balloons of 0.4 to 1.2 m, log-uniform, that rise."""
    return Bodies(
        log_uniform(key, n, 0.4, 1.2),
        jnp.full(n, BALLOON_kg_m3),
        jnp.full(n, BUOYANCY_M_S2),
    )


def balls(key: jax.Array, n: int) -> Bodies:
    """[n] light balls to throw: 2 to 8 cm, 20 to 300 kg/m^3 (foam to cork), log-uniform."""
    radius, density = jax.random.split(key)
    return Bodies(
        log_uniform(radius, n, 0.02, 0.08),
        log_uniform(density, n, 20.0, 300.0),
        jnp.full(n, -GRAVITY_M_S2),
    )


def fly(
    bodies: Bodies, velocity_m_s: jax.Array, time_s: jax.Array | float, steps: int = 8
) -> tuple[jax.Array, jax.Array]:
    """Displacement [..., 3] (m) and velocity [..., 3] (m/s) after `time_s` [...] in the air.

    Args:
        bodies: [...].
        velocity_m_s: [..., 3] at the start, z upwards.
        steps: of the integration; 8 leave under 1e-4 of the path at |v| k t <= 5.
    """
    dt_s = jnp.asarray(time_s)[..., None] / steps
    pull = bodies.pull_m_s2[..., None] * jnp.array([0.0, 0.0, 1.0])
    drag = bodies.drag_1_m[..., None]

    def slope(v):
        return pull - drag * jnp.linalg.norm(v, axis=-1, keepdims=True) * v

    def step(state, _):
        x, v = state
        a1 = slope(v)
        a2 = slope(v + 0.5 * dt_s * a1)
        a3 = slope(v + 0.5 * dt_s * a2)
        a4 = slope(v + dt_s * a3)
        x = x + dt_s * v + dt_s**2 / 6.0 * (a1 + a2 + a3)
        return (x, v + dt_s / 6.0 * (a1 + 2.0 * a2 + 2.0 * a3 + a4)), None

    start = (jnp.zeros_like(velocity_m_s), velocity_m_s)
    return jax.lax.scan(step, start, None, steps)[0]


def log_uniform(key: jax.Array, n: int, low: float, high: float) -> jax.Array:
    """[n] values whose logarithm is uniform between those of `low` and `high`."""
    return jnp.exp(jax.random.uniform(key, (n,), minval=jnp.log(low), maxval=jnp.log(high)))
