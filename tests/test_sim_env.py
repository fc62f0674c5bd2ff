"""The environment's own promises: frozen worlds, breaking, the camera's solids, one program."""

# pyright: reportAttributeAccessIssue=false
# (mujoco's names live in its C extension)

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from nsca_jax.sim import env
from nsca_jax.sim import scene as scene_lib
from tests.lab import OBJECTS, c_model, loose, properties, spawn

SICK = 5


def _mixed(scene, count=16):
    rng = np.random.default_rng(3)
    which = np.arange(count)
    return spawn(scene, which, which % 4, rng.uniform(-1, 1, (count, 4)))


def _sick_velocity(value):
    def make(scene, worlds):
        return scene, worlds.replace(qvel=worlds.qvel.at[SICK, 2].set(value))

    return make


def _sick_mass(value):
    def make(scene, worlds):
        mass = scene.objects["body_mass"]
        objects = scene.objects | {"body_mass": mass.at[SICK].set(mass[SICK] * value)}
        return scene.replace(objects=objects), worlds

    return make


def test_worlds_in_blocks_go_the_same_way_as_side_by_side(monkeypatch, household):
    _, scene = household
    worlds = _mixed(scene, 5)
    ends = []
    for at_once in (5, 2):  # the last block of two is not full
        monkeypatch.setattr(env, "AT_ONCE", at_once)
        ends.append(jax.jit(lambda scene, now: env.rollout(scene, now, 2))(scene, worlds))
    (after, readings), _ = ends
    assert readings.qpos.shape == (2, 5, 12)
    assert len(after.step) == 5
    assert not np.array_equal(readings.qpos[-1, 0], readings.qpos[-1, 4])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *ends)


@pytest.mark.parametrize(
    "make",
    [_sick_velocity(np.nan), _sick_velocity(np.inf), _sick_velocity(1e6), _sick_mass(np.nan)],
    ids=["nan velocity", "infinite velocity", "absurd velocity", "nan mass"],
)
def test_a_sick_world_is_frozen_and_flagged_and_poisons_no_neighbour(lab, household, make):
    _, scene = household
    worlds = _mixed(scene)
    healthy_after, healthy = lab.coarse(scene, worlds)
    after, readings = lab.coarse(*make(scene, worlds))
    others = np.arange(len(worlds.step)) != SICK

    assert healthy_after.finite.all()
    np.testing.assert_array_equal(after.finite, others)
    assert not readings.finite[:, SICK].any()
    np.testing.assert_array_equal(after.qpos[SICK], worlds.qpos[SICK])  # its last good state
    for leaf in jax.tree.leaves((after, readings)):
        assert np.isfinite(leaf).all()
    assert np.abs(readings.touch_Ns[:, SICK]).max() == 0
    for new, old in zip(jax.tree.leaves(after), jax.tree.leaves(healthy_after), strict=True):
        np.testing.assert_array_equal(new[others], old[others])
    for new, old in zip(jax.tree.leaves(readings), jax.tree.leaves(healthy), strict=True):
        np.testing.assert_array_equal(new[:, others], old[:, others])


def test_a_world_that_sickens_later_keeps_what_it_had(lab, household):
    """Frozen worlds stay frozen, and keep what happened before (here: they were broken)."""
    _, scene = household
    worlds = _mixed(scene)
    worlds = worlds.replace(
        qvel=worlds.qvel.at[SICK, 0].set(jnp.nan),
        broken=worlds.broken.at[SICK].set(True),
        step=worlds.step.at[SICK].set(40),
    )
    after, _ = lab.coarse(scene, worlds)
    assert after.broken[SICK]
    assert after.step[SICK] == 40
    again, _ = lab.coarse(scene, jax.tree.map(jnp.asarray, after))  # finite, yet still flagged
    assert not again.finite[SICK]
    np.testing.assert_array_equal(again.qpos[SICK], worlds.qpos[SICK])


def test_a_fragile_object_breaks_beyond_its_fragility_only(lab):
    """Spheres fall and rebound; fragility is set around the impulse that each one meets."""
    damping = np.linspace(0.02, 0.7, OBJECTS)
    drop = {"position_m": (0.0, 0.0, 0.33), "velocity": np.zeros(6)}

    def fall(fragility_Ns):
        truth = properties(damping_ratio=damping, fragility_Ns=fragility_Ns)
        scene = scene_lib.build(truth)
        return lab.fine(scene, loose(scene, np.arange(OBJECTS), **drop))

    whole, readings = fall(np.inf)
    impulse = whole.peak_impact_Ns
    expected = 0.1 * np.sqrt(2 * 9.81 * 0.3)  # m v, and more by the rebound
    assert (impulse > 0.8 * expected).all()
    assert (impulse < 2.2 * expected).all()
    np.testing.assert_array_equal(fall(1.001 * impulse)[0].broken, False)
    broken, pieces = fall(0.5 * impulse)
    assert broken.broken.all()
    assert fall(0.999 * impulse)[0].broken.all()

    landed = np.argmax(readings.table_Ns > 0, 0)

    def apex(log):  # after the first bounce, which is over within 60 steps
        return np.array([log.qpos[at + 60 :, i, 2].max() for i, at in enumerate(landed)])

    elastic = damping < 0.5
    assert (apex(pieces) < apex(readings) - 1e-3)[elastic].all()
    first = np.argmax(pieces.broken, 0)
    np.testing.assert_array_less(landed - 1, first)  # not before it lands


def test_a_broken_object_slides_less(lab):
    truth = properties(shape=2, size_m=(0.03, 0.04, 0.015), friction=0.3)
    scene = scene_lib.build(truth)
    worlds = loose(scene, [0, 1], (0.0, 0.0, 0.015), (0.9, 0, 0, 0, 0, 0))
    after, _ = lab.coarse(scene, worlds.replace(broken=jnp.array([False, True])))
    distance = after.qpos[:, 0]
    coulomb = 0.9**2 / (2 * 9.81 * np.array([0.3, env.BROKEN_FRICTION]))
    np.testing.assert_allclose(distance, coulomb, rtol=0.05)


def test_primitives_agree_with_c(household):
    truth, scene = household
    rng = np.random.default_rng(1)
    primitives = jax.jit(env.primitives)
    for row in range(OBJECTS):
        model = c_model(truth, row)
        data = mujoco.MjData(model)
        data.qpos[:] = rng.uniform(-0.3, 0.3, 12)
        data.qpos[3:7] = rng.normal(size=4)
        data.qpos[3:7] /= np.linalg.norm(data.qpos[3:7])
        mujoco.mj_forward(model, data)
        got = primitives(scene, row, data.qpos.astype(np.float32), False)
        np.testing.assert_allclose(got.position_m, data.geom_xpos, atol=1e-5)
        np.testing.assert_allclose(got.rotation, data.geom_xmat.reshape(-1, 3, 3), atol=1e-5)
        np.testing.assert_allclose(got.size_m, model.geom_size, atol=1e-5)


def test_a_broken_object_looks_different(household):
    truth, scene = household
    qpos = jnp.zeros(12).at[3].set(1.0)
    whole, broken = (env.primitives(scene, 4, qpos, b) for b in (False, True))
    thing = np.array([scene_lib.CAPSULE, scene_lib.BOX])
    np.testing.assert_allclose(whole.rgb[thing], np.tile(truth.rgb[4], (2, 1)))
    assert (np.abs(whole.rgb - broken.rgb)[thing].max(-1) > 0.1).all()
    rest = np.setdiff1d(np.arange(6), thing)
    np.testing.assert_array_equal(whole.rgb[rest], broken.rgb[rest])


def test_another_object_set_is_the_same_program(lab, household):
    """`lab` refuses a second trace; the sets differ in every object."""
    _, scene = household
    truth = properties(shape=2, size_m=(0.02, 0.03, 0.04), mass_kg=np.linspace(0.05, 2, OBJECTS))
    other = scene_lib.build(truth)
    ends = [lab.coarse(s, _mixed(s))[0].qpos for s in (scene, other)]
    assert np.abs(ends[0] - ends[1]).max() > 1e-3


def test_accumulated_rotation_is_the_turn(lab, household):
    """A capsule spun about the vertical in flight turns by rate x time, beyond a full turn too."""
    _, scene = household
    rate = np.array([9.0, -4.0])
    spin = np.zeros((2, 6))
    spin[:, 5] = rate
    worlds = loose(scene, [1, 1], (0.0, 0.0, 6.0), spin)
    after, _ = lab.coarse(scene, worlds)
    np.testing.assert_allclose(after.rotation_rad, [[0, 0, r] for r in rate], atol=1e-3)


WATCHED = """
import jax, numpy as np
from nsca_jax.sim import env, scene
from tests.lab import properties, spawn
built = scene.build(properties(damping_ratio=np.linspace(0.05, 0.6, 30)))
rng = np.random.default_rng(0)
thing, skill = rng.integers(0, 30, 512), rng.integers(0, 4, 512)
worlds = spawn(built, thing, skill, rng.uniform(-1, 1, (512, 4)))
after, _ = jax.block_until_ready(jax.jit(env.rollout)(built, worlds))
assert after.finite.all() and (after.step == 500).all()
print("512 worlds done")
"""


@pytest.mark.slow
@pytest.mark.guard
def test_512_worlds_do_not_deadlock():
    """Some jaxlib versions hang for good in MJX's batched Cholesky from about 256 worlds up."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "512 worlds done" in done.stdout
