"""The simulation agrees with the C engine on the same model, and with the analytic cases.

One scene of thirty materials serves all: spheres of ten damping ratios, soft and hard, boxes of
five frictions, capsules of five masses. Readings come every physics step (`lab.fine`).
"""

import numpy as np
import pytest

from nsca_jax.sim import scene as scene_lib
from nsca_jax.sim import skills
from tests.lab import c_rollout, loose, properties, spawn

DAMPING = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
FRICTION = np.array([0.15, 0.3, 0.5, 0.7, 0.9])
SPHERES, BOXES, CAPSULES = np.arange(20), np.arange(20, 25), np.arange(25, 30)
RADIUS_M, DROP_M = 0.03, 0.3
DT, G = scene_lib.DT_S, scene_lib.GRAVITY


@pytest.fixture(scope="module")
def materials():
    truth = properties(
        shape=np.repeat([0, 2, 1], [20, 5, 5]),
        size_m=np.repeat([(RADIUS_M, 0, 0), (0.03, 0.04, 0.015), (0.025, 0.03, 0)], [20, 5, 5], 0),
        mass_kg=np.concatenate([np.full(25, 0.1), [0.02, 0.1, 0.4, 1.0, 2.0]]),
        contact_stiffness=np.repeat([1e4, 6e4, 3e4], [10, 10, 10]),
        damping_ratio=np.concatenate([DAMPING, DAMPING, np.full(10, 0.3)]),
        friction=np.concatenate([np.full(20, 0.5), FRICTION, np.full(5, 0.5)]),
    )
    return truth, scene_lib.build(truth)


@pytest.fixture(scope="module")
def bounces(lab, materials):
    """Twenty spheres dropped from 30 cm: (MJX, C), each a list of `_bounce` results."""
    truth, scene = materials
    worlds = loose(scene, SPHERES, (0.0, 0.0, RADIUS_M + DROP_M), np.zeros(6))
    _, readings = lab.fine(scene, worlds)
    mjx = [
        _bounce(readings.qpos[:, i, 2], readings.qvel[:, i, 2], readings.table_Ns[:, i])
        for i in SPHERES
    ]
    logs = [c_rollout(truth, worlds, i) for i in SPHERES]
    c = [_bounce(x["qpos"][:, 2], x["qvel"][:, 2], x["normal_N"][:, 0] * DT) for x in logs]
    return mjx, c


def _bounce(height_m, speed_m_s, table_Ns):
    """First bounce: restitution, apex (m), impulse (N s) and m v's change without gravity's."""
    hit = np.argmax(table_Ns > 0)
    release = hit + np.argmax(table_Ns[hit:] == 0)
    in_contact = slice(hit, release)
    change = speed_m_s[release - 1] - speed_m_s[hit - 1] + G * DT * (release - hit)
    return {
        "restitution": -speed_m_s[release - 1] / speed_m_s[hit - 1],
        "apex_m": height_m[release:].max() - RADIUS_M,
        "impulse_Ns": table_Ns[in_contact].sum(),
        "momentum_Ns": 0.1 * change,
    }


def _column(results, name):
    return np.array([r[name] for r in results])


def test_free_flight_agrees_with_c(lab, materials):
    truth, scene = materials
    which = np.array([0, 20, 25])  # one of each shape
    velocity = np.array([(0.5, -0.3, 2.0, 3, -8, 5), (-1, 0.7, 2.0, -6, 2, 7), (0, 1, 2, 9, 1, -4)])
    worlds = loose(scene, which, (0.1, -0.2, 0.5), velocity)
    _, readings = lab.fine(scene, worlds)
    flight = 250  # half a second: longer than any flight of an interaction
    for i in range(3):
        c = c_rollout(truth, worlds, i, flight)
        np.testing.assert_allclose(readings.qpos[:flight, i], c["qpos"], atol=1e-5)
        assert c["normal_N"].max() == 0  # nothing was touched


def test_hand_follows_its_commands_as_in_c(lab, materials):
    """A blow beside the object, a push of nothing, and a lift with empty fingers."""
    truth, scene = materials
    skill = np.array([skills.STRIKE, skills.PUSH, skills.LIFT])
    worlds = spawn(scene, BOXES[:3], skill, [0.3, 0.5, 0.4, 0.0])
    away = worlds.qpos.at[:, 0].add(0.5)
    worlds = worlds.replace(qpos=away)
    _, readings = lab.fine(scene, worlds)
    for i in range(3):
        c = c_rollout(truth, worlds, i)
        np.testing.assert_allclose(readings.qpos[:, i, 7:], c["qpos"][:, 7:], atol=1e-5)
        assert np.ptp(c["qpos"][:, 7:10], axis=0).max() > 0.02  # it did move


def test_restitution_agrees_with_c(bounces):
    mjx, c = bounces
    np.testing.assert_allclose(_column(mjx, "restitution"), _column(c, "restitution"), rtol=0.01)
    np.testing.assert_allclose(_column(mjx, "apex_m"), _column(c, "apex_m"), rtol=0.01)


def test_impact_impulses_to_three_digits(bounces):
    mjx, c = bounces
    impulse = _column(mjx, "impulse_Ns")
    assert impulse.min() > 0.2  # about m v = 0.24
    np.testing.assert_allclose(impulse, _column(mjx, "momentum_Ns"), rtol=5e-4)
    np.testing.assert_allclose(impulse, _column(c, "impulse_Ns"), rtol=5e-4)


def test_a_blow_in_the_air_gives_its_impulse_to_the_object(lab, materials):
    """No table, so that the fingers' impulse is all of the object's momentum but gravity's."""
    truth, scene = materials
    which = np.repeat(np.array([0, 20, 25, 28]), 4)
    angle = np.tile([-0.9, -0.4, 0.2, 0.65], 4)
    worlds = spawn(scene, which, skills.STRIKE, np.stack([0 * angle, 0 * angle, angle, angle], 1))
    up = worlds.qpos.at[:, 2].add(1.0).at[:, 9].add(1.0)
    start = worlds.plan.start_m.at[:, 2].add(1.0)
    # rising, the object is at its spawn's height again when the hand arrives after 50 ms
    rising = worlds.qvel.at[:, 2].set(0.5 * G * 0.05)
    worlds = worlds.replace(qpos=up, qvel=rising, plan=worlds.plan.replace(start_m=start))
    _, readings = lab.fine(scene, worlds)
    flight = 100  # steps: the blow is over, the table not yet reached
    impulse = readings.touch_Ns[:flight].sum(2)  # [T, W, 3] both fingers
    mass = truth.mass_kg[which][:, None]
    fall = np.array([0, 0, G * DT * flight])
    momentum = mass * (readings.qvel[flight - 1, :, :3] - rising[:, :3] + fall)
    total = -impulse.sum(0)
    size = np.linalg.norm(total, axis=1)
    assert size.min() > 0.01
    assert readings.table_Ns[:flight].max() == 0
    np.testing.assert_array_less(np.linalg.norm(total - momentum, axis=1), 1e-3 * size)
    # beside a capsule that lies along the pads C makes two contacts and MJX one: 1 to 4 % apart
    for i in np.flatnonzero(np.isin(which, [0, 20])):
        c = c_rollout(truth, worlds, i, flight)
        expected = -c["touch_N"].sum((0, 1)) * DT
        np.testing.assert_allclose(total[i], expected, atol=1e-3 * size[i])


def test_bounce_falls_with_the_damping_ratio(bounces):
    apex_m = _column(bounces[0], "apex_m").reshape(2, len(DAMPING))  # soft, hard
    assert (np.diff(apex_m, axis=1) < 0).all(), apex_m
    assert (apex_m[:, 0] > 5 * apex_m[:, -1]).all()


def test_restitution_is_analytic_up_to_a_damping_ratio_of_a_tenth(bounces):
    measured = _column(bounces[0], "restitution").reshape(2, len(DAMPING))[:, :3]
    z = DAMPING[:3]
    analytic = np.exp(-np.pi * z / np.sqrt(1 - z**2))
    np.testing.assert_allclose(measured, np.tile(analytic, (2, 1)), rtol=0.05)


def _slides(lab, materials, degrees, turned=True):
    """Distances (m) of MJX and of C that the five boxes slide from 0.9 m/s, and Coulomb's."""
    truth, scene = materials
    speed, angle = 0.9, np.radians(degrees)
    velocity = (speed * np.cos(angle), speed * np.sin(angle), 0, 0, 0, 0)
    worlds = loose(scene, BOXES, (0.0, 0.0, 0.015), velocity)
    _, readings = lab.fine(scene, worlds)
    c = [c_rollout(truth, worlds, i, turned=turned)["qpos"][-1, :2] for i in range(len(BOXES))]
    mjx = readings.qpos[-1, :, :2]
    assert np.abs(readings.qvel[-1, :, :2]).max() < 0.01  # at rest
    coulomb = speed**2 / (2 * FRICTION * G)
    return np.linalg.norm(mjx, axis=1), np.linalg.norm(c, axis=1), coulomb


@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 90, 180, 200])
def test_a_box_stops_where_coulomb_says(lab, materials, degrees):
    mjx, c, coulomb = _slides(lab, materials, degrees)
    np.testing.assert_allclose(mjx, coulomb, rtol=0.05)
    np.testing.assert_allclose(mjx, c, rtol=0.01)


def test_with_fixed_tangents_it_would_go_too_far_obliquely(lab, materials):
    mjx, fixed, _ = _slides(lab, materials, 45, turned=False)
    assert (fixed > 1.35 * mjx).all()
