"""Interactions as films: what every sense tells at every control step, not at the ends alone.

The phases after babbling learn from these. N interactions, T control steps of 40 ms; the spawn is
step 0. Truth stands beside the senses to score by, never to train on.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportCallIssue=false

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sensors import proprio, sound, touch
from nsca_jax.sim import env, skills
from nsca_jax.sim import scene as scene_lib
from nsca_jax.training import experience


@struct.dataclass
class Recording:
    """N filmed interactions; time is the second axis, T + 1 moments with the spawn first."""

    object_id: jax.Array  # [N] int32
    skill: jax.Array  # [N] int32
    parameters: jax.Array  # [N, 4] in [-1, 1]
    image: jax.Array  # [N, T + 1, H, W, 4] uint8: red, green, blue, depth
    visual_code: jax.Array  # [N, T + 1, V] innate figure-ground code (priors/visual.py)
    proprio: jax.Array  # [N, T + 1, 15] joints' positions (m), velocities (m/s), commands (m)
    touch_N: jax.Array  # [N, T + 1, 2, 3] mean over the last control step; 0 at the spawn
    sound: jax.Array  # [N, T + 1, F] log(1 + band energy) of the last control step; 0 at the spawn
    position_m: jax.Array  # [N, T + 1, 3] truth: the object's centre
    quaternion: jax.Array  # [N, T + 1, 4] truth: w, x, y, z
    velocity_m_s: jax.Array  # [N, T + 1, 3] truth
    broken: jax.Array  # [N, T + 1] bool, truth
    finite: jax.Array  # [N] bool: False where the world went non-finite and was frozen


def balanced(key: jax.Array, object_ids: jax.Array, skill_ids: jax.Array, n: int):
    """n choices that go round all pairs of `object_ids` and `skill_ids`, parameters uniform.

    Returns:
        `experience.Choice` [n], shuffled.
    """
    order_key, parameter_key = jax.random.split(key)
    pairs = len(object_ids) * len(skill_ids)
    pair = jax.random.permutation(order_key, jnp.arange(n) % pairs)
    return experience.Choice(
        object_id=jnp.asarray(object_ids, jnp.int32)[pair // len(skill_ids)],
        skill=jnp.asarray(skill_ids, jnp.int32)[pair % len(skill_ids)],
        parameters=jax.random.uniform(parameter_key, (n, 4), minval=-1.0, maxval=1.0),
    )


def record(
    body: experience.Body,
    camera: camera_lib.Camera,
    key: jax.Array,
    choice: experience.Choice,
    steps: int = scene_lib.CONTROL_STEPS,
    block: int = 128,
    tell: Callable[[int, int], None] | None = None,
) -> Recording:
    """Carries out and films the choices [N], `block` worlds at a time by one compiled program.

    Args:
        key: interaction i draws its place from `fold_in(key, i)`, whatever the block.
        steps: T.
        tell: called with (done, N) after each block.

    Returns:
        Recording [N] in host memory (NumPy leaves); about 110 kB an interaction at 32 x 32.
    """
    total = choice.object_id.shape[0]
    parts = []
    for first in range(0, total, block):
        index = np.minimum(np.arange(first, first + block), total - 1)
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.asarray(index))
        rows = jax.tree.map(lambda x, index=index: x[index], choice)
        kept = min(block, total - first)
        filmed = jax.device_get(_film(body, camera, keys, rows, steps))
        parts.append(jax.tree.map(lambda x, kept=kept: x[:kept], filmed))
        if tell is not None:
            tell(first + kept, total)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


@functools.partial(jax.jit, static_argnums=(1, 4))
def _film(body: experience.Body, camera, keys, choice: experience.Choice, steps: int) -> Recording:
    place = jax.vmap(lambda k: jax.random.uniform(k, (2,), minval=-1.0, maxval=1.0))(keys)
    start = jax.vmap(env.reset, (None, 0, 0, 0, 0))(
        body.scene,
        choice.object_id,
        choice.skill,
        choice.parameters,
        experience.PLACE_M * place,
    )
    _, readings = env.rollout(body.scene, start, steps)
    course = experience.Course(
        qpos=jnp.concatenate([start.qpos[None], readings.qpos]),
        broken=jnp.concatenate([start.broken[None], readings.broken]),
        impact_Ns=readings.impact_Ns.sum(-1),
        velocity_m_s=start.qvel[:, :3],
        spawn_depth_m=readings.spawn_depth_m.max(0),
    )
    image, code = experience.look(body, camera, choice.object_id, course, 1)
    command = jax.vmap(lambda w: skills.command(w.plan, 0.0, w.qpos[env.HAND], w.qvel[6:]))(start)
    velocity = jnp.concatenate([start.qvel[None], readings.qvel])
    joints = proprio.proprio(
        course.qpos[..., env.HAND],
        velocity[..., 6:],
        jnp.concatenate([command[None], readings.command_m]),
    )
    felt = touch.touch(readings.touch_Ns, experience.CONTROL_DT_S)
    heard = sound.log_spectrum(experience.hear(body, choice.object_id, readings))
    first = lambda x: jnp.concatenate([jnp.zeros_like(x[:1]), x])  # noqa: E731 - the spawn
    time_major = (
        image,
        code,
        joints,
        first(felt),
        first(heard),
        course.qpos[..., :3],
        course.qpos[..., 3:7],
        velocity[..., :3],
        course.broken,
    )
    tracks = [jnp.swapaxes(x, 0, 1) for x in time_major]
    return Recording(
        choice.object_id, choice.skill, choice.parameters, *tracks, readings.finite[-1]
    )
