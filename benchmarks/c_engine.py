"""The peer: the same worlds under the same commands in the C engine, by `mujoco.rollout`.

It runs open loop: breakage, which changes an object in the middle of an interaction, is left out,
and so are contact forces and the turning of friction along the slip (nsca_jax/sim/friction.py); all
three are to the C engine's advantage.
"""

# pyright: reportAttributeAccessIssue=false
# (mujoco's names live in its C extension)

from collections.abc import Callable

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import rollout as c_rollout

from nsca_jax import types
from nsca_jax.sim import env, skills
from nsca_jax.sim import scene as scene_lib


def models(truth: types.ObjectProperties) -> list[mujoco.MjModel]:
    """The C engine's model of each of N objects."""
    rows = jax.device_get(truth)
    return [
        scene_lib.spec(
            int(rows.shape[i]),
            rows.size_m[i],
            float(rows.mass_kg[i]),
            float(rows.contact_stiffness[i]),
            float(rows.damping_ratio[i]),
            float(rows.friction[i]),
        ).compile()
        for i in range(len(rows.mass_kg))
    ]


def commands(worlds: env.World, readings: env.Reading) -> np.ndarray:
    """[W, steps, 5] m: what the skills command along a recorded roll-out's path.

    Between control steps the hand's recorded position and velocity are interpolated.
    """
    position = jnp.concatenate([worlds.qpos[None], readings.qpos])[..., env.HAND]
    velocity = jnp.concatenate([worlds.qvel[None], readings.qvel])[..., 6:]
    t_s = scene_lib.DT_S * jnp.arange(len(readings.qpos) * scene_lib.SUBSTEPS)
    over_time = jax.vmap(skills.command, (None, 0, 0, 0))
    over_worlds = jax.vmap(over_time, (0, None, 1, 1))
    return np.asarray(over_worlds(worlds.plan, t_s, _every_step(position), _every_step(velocity)))


def make_rollout(
    models: list[mujoco.MjModel], worlds: env.World, commands_WxTxU: np.ndarray
) -> Callable[[c_rollout.Rollout, int], tuple[np.ndarray, np.ndarray]]:
    """A function of a pool and its number of threads that carries out the W worlds.

    It returns qpos [T, W, 12] and qvel [T, W, 11] after every control step.
    """
    mine = [models[i] for i in np.asarray(worlds.object_id)]
    count = len(mine)
    start = np.concatenate([np.zeros((count, 1)), worlds.qpos, worlds.qvel], 1)  # time first
    controls = commands_WxTxU.astype(np.float64)

    def run(pool: c_rollout.Rollout, threads: int):
        data = [mujoco.MjData(models[0]) for _ in range(max(threads, 1))]
        state = np.asarray(pool.rollout(mine, data, start, controls)[0])
        kept = state[:, scene_lib.SUBSTEPS - 1 :: scene_lib.SUBSTEPS].swapaxes(0, 1)
        return kept[..., 1:13], kept[..., 13:24]

    return run


def _every_step(x):
    """[T + 1, W, J] at control steps -> [T * SUBSTEPS, W, J] before every physics step."""
    part = (jnp.arange(scene_lib.SUBSTEPS) / scene_lib.SUBSTEPS)[:, None, None]
    return (x[:-1, None] + part * (x[1:, None] - x[:-1, None])).reshape(-1, *x.shape[1:])
