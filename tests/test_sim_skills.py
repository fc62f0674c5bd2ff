"""Motor programmes: spawns that just touch, and commands that keep their limits."""

# pyright: reportAttributeAccessIssue=false
# (mujoco's names live in its C extension)

import jax
import mujoco
import numpy as np
import pytest

from nsca_jax.sim import scene as scene_lib
from nsca_jax.sim import skills
from tests.lab import OBJECTS, c_model, c_rollout, c_state, properties, spawn

command = jax.jit(jax.vmap(skills.command))


def test_touching_distance_is_the_distance_of_contact(household):
    """A push spawns SQUEEZE_M inside contact: so says mj_geomDistance too, in every direction."""
    truth, scene = household
    rng = np.random.default_rng(2)
    tries = 12
    thing = np.repeat(np.arange(OBJECTS), tries)
    parameters = np.zeros((len(thing), 4))
    parameters[:, 2] = rng.uniform(-1, 1, len(thing))
    parameters[::tries, 2], parameters[1::tries, 2] = 0.0, 0.5  # along x, along y
    worlds = spawn(scene, thing, skills.PUSH, parameters)
    errors = []
    for i, row in enumerate(thing):
        model = c_model(truth, row) if i % tries == 0 else model  # noqa: F821
        data = c_state(model, worlds, i)
        part = scene_lib.BOX if truth.shape[row] == 2 else scene_lib.CAPSULE
        gap = min(
            mujoco.mj_geomDistance(model, data, part, pad, 1.0, None)
            for pad in (scene_lib.LEFT, scene_lib.RIGHT)
        )
        errors.append(gap + skills.SQUEEZE_M)
    assert np.abs(errors).max() < 1e-3


def test_a_push_never_exceeds_its_force(household):
    """The servos' force as the C engine computes it, for hands anywhere and at any velocity."""
    truth, scene = household
    rng = np.random.default_rng(4)
    count = 200
    parameters = rng.uniform(-1, 1, (count, 4))
    worlds = spawn(scene, 0, np.full(count, skills.PUSH), parameters)
    hand = worlds.qpos[:, 7:] + rng.normal(0, 0.05, (count, 5)).astype(np.float32)
    velocity = rng.normal(0, 0.5, (count, 5)).astype(np.float32)
    time = rng.uniform(0, 1, count).astype(np.float32)
    targets = np.asarray(command(worlds.plan, time, hand, velocity))
    model = c_model(truth, 0)
    data = mujoco.MjData(model)
    force = []
    for i in range(count):
        data.qpos[7:], data.qvel[6:], data.ctrl[:] = hand[i], velocity[i], targets[i]
        mujoco.mj_forward(model, data)
        force.append(np.linalg.norm(data.actuator_force[:3]))
    limit = np.asarray(worlds.plan.force_N)
    assert (np.array(force) <= 1.001 * limit).all()
    assert (np.array(force) > 0.99 * limit).mean() > 0.5  # the limit is reached, not undercut


@pytest.mark.parametrize("skill", range(4))
def test_parameters_are_read_linearly_and_clipped(household, skill):
    _, scene = household
    low, middle, high, beyond = (
        spawn(scene, 3, skill, np.full(4, x)).plan for x in (-1.0, 0.0, 1.0, 7.0)
    )
    for name in ("force_N", "lift_m"):
        ends = [float(getattr(p, name)[0]) for p in (low, middle, high, beyond)]
        assert ends[1] == pytest.approx((ends[0] + ends[2]) / 2, abs=1e-6)
        assert ends[3] == ends[2]
    speeds = [float(np.linalg.norm(p.velocity_m_s[0])) for p in (low, high)]
    np.testing.assert_allclose(speeds, skills.RANGES[skill, 1], atol=1e-6)


def test_a_light_push_cannot_move_what_a_strong_one_does():
    """2 kg at friction 0.7 resist 13.7 N: a push of 6 N leaves them, one of 30 N does not."""
    truth = properties(1, shape=2, size_m=(0.03, 0.03, 0.03), mass_kg=2.0, friction=0.7)
    scene = scene_lib.build(truth)
    moved = []
    for force in (-1.0, 1.0):
        worlds = spawn(scene, 0, skills.PUSH, [0.0, 0.0, 0.0, force])
        moved.append(c_rollout(truth, worlds, 0)["qpos"][-1, 0])
    assert abs(moved[0]) < 0.005
    assert moved[1] > 0.05


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_a_lift_lifts_by_its_height(shape):
    truth = properties(1, shape=shape, size_m=(0.03, 0.03, 0.03), mass_kg=0.1)
    scene = scene_lib.build(truth)
    worlds = spawn(scene, 0, skills.LIFT, [0.0, 0.0, 0.0, 1.0])
    risen = c_rollout(truth, worlds, 0)["qpos"][-1, 2] - 0.03
    assert risen == pytest.approx(float(worlds.plan.lift_m[0]), abs=0.005)
