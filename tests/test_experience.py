"""From a choice to an experience: what is seen at the spawn."""

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.priors import visual
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sim import skills
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
