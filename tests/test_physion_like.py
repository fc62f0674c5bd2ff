"""Scenes in Physion's manner: what is drawn, how it moves, and what is kept of it."""

import dataclasses

import numpy as np
import pytest

from nsca_jax.worlds.physion_like import scenarios
from nsca_jax.worlds.physion_like import scene as lib

FINGERPRINT = "c8d62f242fc10f1b"  # of version 2: whoever changes what is drawn, changes VERSION


def ball(x, speed, role: lib.Role = "target"):
    return lib.Body(
        (lib.Solid("capsule", (0.1, 0.0, 0.0)),),
        (x, 0.0, 0.1),
        role=role,
        velocity_m_s=(speed, 0, 0),
    )


def block(x):
    return lib.Body((lib.Solid("box", (0.1, 0.1, 0.1)),), (x, 0.0, 0.1), role="zone", fixed=True)


def test_the_generator_is_the_one_that_was_frozen():
    assert scenarios.VERSION == 2
    assert scenarios.fingerprint() == FINGERPRINT


@pytest.mark.parametrize("scenario", scenarios.SCENARIOS)
def test_a_scene_has_target_and_zone_stands_still_then_moves(scenario):
    scene = scenarios.draw(scenario, (0, 1))
    again = scenarios.draw(scenario, (0, 1))
    assert scene == again != scenarios.draw(scenario, (0, 2))
    roles = [body.role for body in scene.bodies]
    assert roles.count("zone") == 1
    assert roles.count("target") == (0 if scenario == "drape" else 1)
    motion = lib.simulate(scene, (0, scene.start, scene.start + 20))
    assert motion.position_m.shape == (3, len(motion.kinds), 3)
    np.testing.assert_array_equal(motion.position_m[0], motion.position_m[1])
    assert not motion.contact[: scene.start + 1].any()
    assert np.abs(motion.position_m[2] - motion.position_m[1]).max() > 0.005 or (
        scenario == "support"  # it may stand
    )
    np.testing.assert_allclose(np.linalg.det(motion.rotation[-1]), 1.0, atol=1e-6)


def test_contact_is_told_when_the_target_reaches_the_zone_and_not_otherwise():
    towards = lib.Scene((ball(-0.8, 2.0), block(0.0)), start=10)
    motion = lib.simulate(towards, (0, 60))
    first = int(np.argmax(motion.contact))
    # 0.6 m at about 2 m/s, rolling up from a slide: 9 to 14 frames
    assert 10 + 8 < first < 10 + 16
    away = lib.Scene((ball(-0.8, -2.0), block(0.0)), start=10)
    assert not lib.simulate(away, (0,)).contact.any()
    other = lib.Scene((ball(-0.8, 2.0, "other"), ball(-2.0, 0.0), block(0.0)), start=10)
    assert not lib.simulate(other, (0,)).contact.any()


def test_a_cloth_that_falls_on_the_zone_touches_it():
    over = lib.Scene((block(0.0),), start=0, cloth=lib.Cloth((0.0, 0.0, 0.5), 0.6))
    motion = lib.simulate(over, (0, 60))
    assert motion.contact.any()
    assert len(motion.kinds) == 1 + lib.CLOTH_ROWS**2
    beside = dataclasses.replace(over, cloth=lib.Cloth((2.0, 0.0, 0.5), 0.6))
    assert not lib.simulate(beside, (0,)).contact.any()


def test_turning_a_scene_turns_all_that_happens_in_it():
    scene = scenarios.draw("collide", (0, 3))
    turned = dataclasses.replace(scene, yaw_rad=scene.yaw_rad + np.pi / 2)
    a, b = (lib.simulate(s, (scene.start + 5,)).position_m[0] for s in (scene, turned))
    np.testing.assert_allclose(b[:, 0], -a[:, 1], atol=1e-3)
    np.testing.assert_allclose(b[:, 1], a[:, 0], atol=1e-3)


def test_noise_at_a_frame_changes_what_comes_after_it_alone():
    scene = scenarios.draw("roll", (0, 5))
    frames = (40, 45, 60)
    calm = lib.simulate(scene, frames).position_m
    noisy = lib.simulate(scene, frames, lib.Noise(45, 0.01, 0.05, 1)).position_m
    np.testing.assert_array_equal(calm[0], noisy[0])
    assert np.abs(calm[2] - noisy[2]).max() > 1e-3


def test_labels_are_not_all_one_way():
    labels = [
        lib.simulate(scenarios.draw("roll", (7, number)), (0,)).contact.any()
        for number in range(20)
    ]
    assert 2 < sum(labels) < 18
