"""One physics step of W worlds on a single flat axis, by the back end that the scene is for.

    jax    MJX's own stages and the solver of newton.py: everywhere, the same bits every time
    warp   MuJoCo Warp, called from inside the compiled program (mjx_warp.py): for NVIDIA GPUs

Both offer the same: where things moved, and the forces of the contacts.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# (MJX's back ends; its untyped structs)

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from mujoco import mjx

from nsca_jax.sim import friction, mjx_warp, newton
from nsca_jax.sim import scene as scene_lib


@struct.dataclass
class Moved:
    """A world after a physics step, and what acted during it."""

    qpos: jax.Array  # [12]
    qvel: jax.Array  # [11]
    warmstart: jax.Array  # [11]
    normal_N: jax.Array  # [3] normal force: table, left, right
    finger_N: jax.Array  # [2, 3] force on each finger, world axes
    depth_m: jax.Array  # [] deepest interpenetration
    whole: jax.Array  # [] bool; False: there was no room for some of the contacts


def step(scene: scene_lib.Scene, fields: dict, state: dict) -> Moved:
    """W worlds: scene.FIELDS, and qpos, qvel, qacc_warmstart and ctrl, of each -> Moved [W]."""
    by = {"jax": _by_newton, "warp": _by_warp}[scene.backend]
    return by(scene, fields, state)


def _by_newton(scene: scene_lib.Scene, fields: dict, state: dict) -> Moved:
    blank = mjx.make_data(scene.model)
    data = newton.step(scene.model, fields, jax.vmap(lambda own: blank.replace(**own))(state))

    def one(data):
        found = data._impl.contact
        local = friction.forces(data._impl.efc_force.reshape(-1, 4), found.friction)
        forces = contact_forces(found.geom, found.dist, found.frame.reshape(-1, 3, 3), local)
        return Moved(data.qpos, data.qvel, data.qacc_warmstart, *forces, jnp.ones((), bool))

    return jax.vmap(one)(data)


def _by_warp(scene: scene_lib.Scene, fields: dict, state: dict) -> Moved:
    data = mjx_warp.step(scene.model, scene.blank, fields, state)
    world, *contacts = mjx_warp.contacts(data)
    of_worlds = {"segment_ids": world, "num_segments": len(data.qpos)}
    forces = contact_forces(
        *contacts,
        total=functools.partial(jax.ops.segment_sum, **of_worlds),
        least=functools.partial(jax.ops.segment_min, **of_worlds),
    )
    return Moved(data.qpos, data.qvel, data.qacc_warmstart, *forces, ~mjx_warp.lost(data))


def contact_forces(
    geom,
    dist,
    frame,
    local,
    total: Callable = lambda x: jnp.sum(x, 0),
    least: Callable = jnp.min,
):
    """Normal forces [3] N (table, left, right), force on each finger [2, 3] N, depth [] m.

    Of n contacts: geoms [n, 2], distance [n] m, frame [n, 3, 3], and the force along its rows, the
    normal first [n, 3] N. `total` and `least` go over contacts; where these are of W worlds, W
    leads in what comes back.
    """
    normal = local[:, 0]
    force = jnp.sum(local[:, :, None] * frame, 1)  # on geom2, by geom1

    def part(at):
        return total(jnp.where((geom == at).any(1), normal, 0.0))

    def on(at):
        sign = jnp.where(geom[:, 1] == at, 1.0, 0.0) - jnp.where(geom[:, 0] == at, 1.0, 0.0)
        return total(sign[:, None] * force)

    parts = [part(at) for at in (scene_lib.TABLE, scene_lib.LEFT, scene_lib.RIGHT)]
    fingers = [on(at) for at in (scene_lib.LEFT, scene_lib.RIGHT)]
    return jnp.stack(parts, -1), jnp.stack(fingers, -2), jnp.maximum(-least(dist), 0.0)
