"""Flight through air, against the parabola, the terminal speed and an independent integrator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nsca_jax.worlds import falling


def body(radius, density, pull):
    return falling.Bodies(*(jnp.array([float(v)]) for v in (radius, density, pull)))


def test_a_heavy_body_flies_the_parabola():
    end, velocity = falling.fly(body(0.1, 1e9, -9.81), jnp.array([[1.0, 0.0, 2.0]]), 0.2)
    np.testing.assert_allclose(end, [[0.2, 0.0, 0.4 - 0.1962]], atol=1e-5)
    np.testing.assert_allclose(velocity, [[1.0, 0.0, 2.0 - 1.962]], atol=1e-5)


def test_a_long_fall_ends_at_the_terminal_speed():
    balloon = jax.tree.map(lambda a: a[:1], falling.balloons(jax.random.key(0), 1))
    _, velocity = falling.fly(balloon, jnp.zeros((1, 3)), 20.0, steps=400)
    terminal = np.sqrt(5.0 / balloon.drag_1_m)
    np.testing.assert_allclose(velocity[:, 2], terminal, rtol=1e-3)


def test_flight_agrees_with_an_independent_integrator():
    ball, v0, time_s = body(0.03, 25.0, -9.81), np.array([6.0, 0.0, 7.0]), 1.0
    k = float(ball.drag_1_m[0])

    def slope(_, y):
        v = y[3:]
        return np.concatenate([v, [0, 0, -9.81] - k * np.linalg.norm(v) * v])

    exact = solve_ivp(slope, (0, time_s), np.concatenate([np.zeros(3), v0]), rtol=1e-9, atol=1e-9)
    end, velocity = falling.fly(ball, jnp.array([v0], jnp.float32), time_s)
    np.testing.assert_allclose(end[0], exact.y[:3, -1], atol=2e-3)
    np.testing.assert_allclose(velocity[0], exact.y[3:, -1], atol=2e-3)
    free = 7.0 - 0.5 * 9.81
    assert float(end[0, 2]) < free - 0.5  # air matters here


def test_a_balloon_is_as_light_as_its_pull_says():
    lift = (falling.AIR_kg_m3 / falling.BALLOON_kg_m3 - 1.0) * falling.GRAVITY_M_S2
    assert lift == pytest.approx(falling.BUOYANCY_M_S2)
    balloons = falling.balloons(jax.random.key(1), 50)
    drag = 0.5 * 1.2 * 0.47 * np.pi * balloons.radius_m**2 / balloons.mass_kg
    np.testing.assert_allclose(balloons.drag_1_m, drag, rtol=1e-4)


def test_kinds_differ_in_density_and_not_in_size():
    stones, balloons = (f(jax.random.key(2), 500) for f in (falling.stones, falling.balloons))
    inside = (stones.radius_m > balloons.radius_m.min()) & (
        stones.radius_m < balloons.radius_m.max()
    )
    assert inside.mean() > 0.3
    assert float(stones.density_kg_m3.min()) > 100.0 * falling.BALLOON_kg_m3
