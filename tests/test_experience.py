"""From a choice to an experience: what is seen at the spawn, and the senses' own noise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.priors import visual
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sim import env, skills
from nsca_jax.training import experience
from tests import lab

HEIGHTS = (-1.0, 1.0)  # the least and the greatest that a drop can be told


def test_what_is_held_above_the_periphery_is_seen_by_the_fovea():
    """The same ball, low and high: the same lengths and colours, and the right place."""
    body, camera = experience.make_body(lab.properties(1)), camera_lib.Camera()
    parameters = np.zeros((2, 4), np.float32)
    parameters[:, 0] = HEIGHTS
    start = lab.spawn(body.scene, [0, 0], skills.DROP, parameters)
    thing, keys = start.object_id, jax.random.split(jax.random.key(0), 2)
    course = experience.Course(
        qpos=start.qpos[None],
        broken=start.broken[None],
        impact_Ns=jnp.zeros((0, 2)),
        velocity_m_s=start.qvel[:, :3],
        spawn_depth_m=jnp.zeros(2),
    )
    _, codes = experience.look(body, camera, thing, course, 1, keys, experience.NO_NOISE)
    periphery = np.asarray(codes[0])
    assert periphery[0, visual.COVERED] > 0.0
    np.testing.assert_array_equal(periphery[1], 0.0)
    code, shape = experience.look_closely(
        body, camera, thing, start, codes[0], keys, experience.NO_NOISE
    )
    low, high = np.asarray(code)
    np.testing.assert_allclose(high[visual.LENGTHS], low[visual.LENGTHS], rtol=0.1)
    np.testing.assert_allclose(high[visual.COLOURS], low[visual.COLOURS], atol=0.05)
    rise = start.qpos[1, 2] - start.qpos[0, 2]
    np.testing.assert_allclose(
        high[visual.CENTROID] - low[visual.CENTROID], [0, 0, rise], atol=5e-3
    )
    np.testing.assert_allclose(shape[1], shape[0], atol=0.25)
    assert high[visual.COVERED] == 0.0


def test_every_sense_has_noise_of_its_own_where_asked(monkeypatch):
    """Of things that lie still: each sense is disturbed, by its key alone; what happened is not."""
    body, camera = experience.make_body(lab.properties(1)), camera_lib.Camera()
    start = lab.spawn(body.scene, [0, 0], skills.PUSH, np.zeros((2, 4), np.float32))
    shapes = jax.eval_shape(env.rollout, body.scene, start)[1]
    still = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    still = still.replace(
        qpos=jnp.broadcast_to(start.qpos, shapes.qpos.shape), finite=jnp.ones_like(still.finite)
    )
    monkeypatch.setattr(env, "rollout", lambda scene, worlds: (worlds, still))
    keys = jax.random.split(jax.random.key(0), 2)
    skill = jnp.full(2, skills.PUSH)
    choice = experience.Choice(start.object_id, skill, jnp.zeros((2, 4)))

    @functools.partial(jax.jit, static_argnums=1)
    def live(keys, noise):
        rows, _ = experience.carry_out(body, camera, keys, choice, noise)
        return rows

    def senses(rows):
        felt = rows.spawn.touch_N, rows.spawn.proprio
        return rows.spawn.image[..., :3], rows.spawn.image[..., 3], rows.outcome.sound, *felt

    loud = experience.SensorNoise(0.1, 0.1, 0.1, 0.1, 0.1)
    quiet, noisy, again = live(keys, experience.NO_NOISE), live(keys, loud), live(keys, loud)
    other = live(keys[::-1], loud)
    for clear, heard, same, another in zip(*map(senses, (quiet, noisy, again, other)), strict=True):
        assert np.mean(np.asarray(heard != clear)) > 0.3
        np.testing.assert_array_equal(heard, same)
        assert np.mean(np.asarray(heard != another)) > 0.3
    np.testing.assert_array_equal(noisy.motion, quiet.motion)
    np.testing.assert_array_equal(noisy.outcome.displacement_m, quiet.outcome.displacement_m)
