"""The simulation under test and its oracle, the C engine on the same model.

`Lab` holds the two compiled programs that every simulation test shares (a compile takes some 15 s):
the environment as it is, and the same with one physics step a control step, so that a test sees
every step. Both take BATCH worlds of a scene of OBJECTS objects; fewer worlds are padded.
"""

# pyright: reportAttributeAccessIssue=false
# (mujoco's names live in its C extension)

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from nsca_jax.sim import env, friction, skills
from nsca_jax.sim import scene as scene_lib
from nsca_jax.types import ObjectProperties

BATCH, OBJECTS = 64, 30
STEPS = scene_lib.CONTROL_STEPS * scene_lib.SUBSTEPS
PARKED_M = (0.6, 0.6, 0.6)  # the hand, where it meets nothing
_reset = jax.jit(jax.vmap(env.reset, in_axes=(None, 0, 0, 0, 0)))
_command = jax.jit(skills.command)


class Lab:
    """The compiled roll-outs. Tracing one of them twice is an error, here and in every test."""

    def __init__(self):
        self._coarse = jax.jit(chex.assert_max_traces(env.rollout, n=1))
        self._fine = jax.jit(
            chex.assert_max_traces(lambda scene, now: env.rollout(scene, now, STEPS), n=1)
        )

    def coarse(self, scene, worlds):
        """World [W] -> (World [W], Reading [CONTROL_STEPS, W]) as NumPy."""
        return _in_batches(functools.partial(self._coarse, scene), worlds)

    def fine(self, scene, worlds):
        """World [W] -> (World [W], Reading [STEPS, W]): a reading every physics step."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scene_lib, "SUBSTEPS", 1)  # read when the program is traced
            return _in_batches(functools.partial(self._fine, scene), worlds)


def spawn(scene, object_id, skill, parameters, place_m=(0.0, 0.0)):
    """Batched env.reset; every argument broadcasts to W worlds."""
    object_id, skill = np.broadcast_arrays(np.atleast_1d(object_id), skill)
    count = len(object_id)
    parameters = np.broadcast_to(np.asarray(parameters, np.float32), (count, 4))
    place_m = np.broadcast_to(np.asarray(place_m, np.float32), (count, 2))
    return _reset(scene, object_id.astype(np.int32), skill.astype(np.int32), parameters, place_m)


def loose(scene, object_id, position_m, velocity):
    """Worlds whose hand is parked; the object starts at position_m [W, 3] with velocity [W, 6]."""
    worlds = spawn(scene, object_id, skills.LIFT, np.zeros(4))
    count = worlds.step.shape[0]
    hand = jnp.broadcast_to(jnp.array(PARKED_M), (count, 3))
    nothing = jnp.zeros(count)
    thing = jnp.broadcast_to(jnp.asarray(position_m, jnp.float32), (count, 3))
    speed = jnp.broadcast_to(jnp.asarray(velocity, jnp.float32), (count, 6))
    return worlds.replace(
        plan=worlds.plan.replace(
            start_m=hand,
            velocity_m_s=jnp.zeros((count, 3)),
            lift_m=nothing,
            opening_m=nothing,
            force_N=nothing,
        ),
        qpos=worlds.qpos.at[:, :3].set(thing).at[:, 7:10].set(hand).at[:, 10:].set(0.0),
        qvel=jnp.zeros_like(worlds.qvel).at[:, :6].set(speed),
    )


def properties(count=OBJECTS, **fields) -> ObjectProperties:
    """`count` objects, by default unbreakable spheres of 0.1 kg; every field may be overridden."""
    plain: dict[str, Any] = {
        "shape": 0,
        "size_m": (0.03, 0.0, 0.0),
        "mass_kg": 0.1,
        "contact_stiffness": 3e4,
        "damping_ratio": 0.2,
        "friction": 0.5,
        "fragility_Ns": np.inf,
        "rgb": (0.8, 0.4, 0.2),
    }
    tails = {"size_m": (3,), "rgb": (3,)}
    leaves: Any = {
        name: np.broadcast_to(
            np.asarray(value, np.int32 if name == "shape" else np.float32),
            (count, *tails.get(name, ())),
        )
        for name, value in (plain | fields).items()
    }
    return ObjectProperties(**leaves)


def c_model(truth: ObjectProperties, row) -> mujoco.MjModel:
    """The C engine's model of one object."""
    numbers = (truth.mass_kg, truth.contact_stiffness, truth.damping_ratio, truth.friction)
    return scene_lib.spec(
        int(truth.shape[row]), truth.size_m[row], *(float(x[row]) for x in numbers)
    ).compile()


def c_state(model: mujoco.MjModel, worlds: env.World, row) -> mujoco.MjData:
    """The C engine's state of one world."""
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = worlds.qpos[row], worlds.qvel[row]
    mujoco.mj_forward(model, data)
    return data


def c_rollout(
    truth: ObjectProperties, worlds: env.World, row, steps: int = STEPS, turned: bool = True
) -> dict:
    """Step one world in C under the same commands; its tangents turn with the slip, as ours do.

    Returns qpos [steps, 12] and qvel [steps, 11] after every step, and what acted during it:
    normal_N [steps, 3] (table, left, right) and touch_N [steps, 2, 3] on the fingers.
    """
    model = c_model(truth, int(worlds.object_id[row]))
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = worlds.qpos[row], worlds.qvel[row]
    plan = jax.tree.map(lambda leaf: leaf[row], worlds.plan)
    log: dict[str, list] = {"qpos": [], "qvel": [], "normal_N": [], "touch_N": []}
    for i in range(steps):
        data.ctrl[:] = _command(
            plan, np.float32(i) * np.float32(scene_lib.DT_S), data.qpos[7:], data.qvel[6:]
        )
        (_c_turned_step if turned else mujoco.mj_step)(model, data)
        normal, touch = _c_forces(model, data)
        for name, value in zip(log, (data.qpos, data.qvel, normal, touch), strict=True):
            log[name].append(value.copy())
    return {name: np.stack(values) for name, values in log.items()}


def _c_turned_step(model, data):
    """mj_step with every contact's first tangent along its slip, by C's own Jacobians."""
    mujoco.mj_fwdPosition(model, data)
    jacobians = np.zeros((2, 3, model.nv))
    for contact in data.contact:
        for jacobian, geom in zip(jacobians, contact.geom, strict=True):
            mujoco.mj_jac(model, data, jacobian, None, contact.pos, model.geom_bodyid[geom])
        normal, *tangents = contact.frame.reshape(3, 3)
        slip = np.array(tangents) @ (jacobians[1] - jacobians[0]) @ data.qvel
        if np.linalg.norm(slip) > friction.STILL / contact.friction[0]:
            first = slip @ tangents / np.linalg.norm(slip)
            contact.frame[:] = np.concatenate([normal, first, np.cross(normal, first)])
    mujoco.mj_makeConstraint(model, data)
    mujoco.mj_projectConstraint(model, data)
    for stage in (mujoco.mj_fwdVelocity, mujoco.mj_fwdActuation, mujoco.mj_fwdAcceleration):
        stage(model, data)
    mujoco.mj_fwdConstraint(model, data)
    mujoco.mj_Euler(model, data)


def _c_forces(model, data):
    normal, touch, force = np.zeros(3), np.zeros((2, 3)), np.zeros(6)
    part = {scene_lib.TABLE: 0, scene_lib.LEFT: 1, scene_lib.RIGHT: 2}
    for i, contact in enumerate(data.contact):
        mujoco.mj_contactForce(model, data, i, force)
        on_second = contact.frame.reshape(3, 3).T @ force[:3]
        for geom, sign in zip(contact.geom, (-1, 1), strict=True):
            if geom in part:
                normal[part[geom]] += force[0]
                if geom != scene_lib.TABLE:
                    touch[part[geom] - 1] += sign * on_second
    return normal, touch


def _in_batches(run, worlds):
    count = worlds.step.shape[0]
    padded = -(-count // BATCH) * BATCH
    rows = np.minimum(np.arange(padded), count - 1).reshape(-1, BATCH)
    parts = [jax.device_get(run(jax.tree.map(lambda x, r=r: x[r], worlds))) for r in rows]
    after = jax.tree.map(lambda *x: np.concatenate(x)[:count], *(p[0] for p in parts))
    readings = jax.tree.map(lambda *x: np.concatenate(x, 1)[:, :count], *(p[1] for p in parts))
    return after, readings
