"""MuJoCo Warp as the scene's back end: one call inside the compiled program steps all worlds.

It is meant for NVIDIA GPUs. On a CPU the same path runs slowly, which serves tests. It cannot be
differentiated, and on a GPU neither the order of its sums nor that of its contacts is fixed: two
runs agree in their statistics, not in their bits, and neither do a resumed and an unbroken one.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# (a struct's replace; MJX's back ends)

import importlib.util

import jax
import jax.numpy as jnp
import mujoco
from mujoco import mjx

from nsca_jax.sim import friction

CONTACTS = 18  # of a world at most: the table's with capsule 2 and box 8, each pad's 2 with each
ROWS = 4 * CONTACTS  # of the pyramidal cones
OF_CONTACTS = "contact__"  # how the fields begin that all worlds share
FAR_M = 1e3


class BackendError(ValueError):
    """The back end cannot run here; its text is one sentence."""


def need() -> None:
    """Raises BackendError where Warp is not installed, or cannot use JAX's device."""
    if importlib.util.find_spec("warp") is None:
        raise BackendError(
            "backend warp needs the package warp-lang, which is not installed:"
            " `make warp` installs it, and `make gpu` beside JAX for a GPU."
        )
    import warp  # pyright: ignore[reportMissingImports] - an extra

    warp.config.log_level = warp.LOG_ERROR  # else it tells of every kernel that it loads
    if jax.default_backend() != "cpu" and not warp.is_cuda_available():
        raise BackendError(
            "backend warp runs on NVIDIA GPUs with a driver for CUDA 13, and on CPUs;"
            f" JAX runs on {jax.devices()[0].device_kind} here."
        )


def compiled(model: mujoco.MjModel) -> tuple[mjx.Model, mjx.Data]:
    """The model, and one world's blank data with room for its contacts."""
    need()
    from mujoco.mjx.third_party.mujoco_warp import BroadphaseFilter

    out = mjx.put_model(model, impl="warp")
    # The boxes around geoms are the template's own: only the spheres are told of every object.
    near = BroadphaseFilter.PLANE | BroadphaseFilter.SPHERE
    private = out.opt._impl.replace(broadphase_filter=near, warn_overflow=0)  # `lost` tells instead
    out = out.replace(opt=out.opt.replace(_impl=private))
    return out, mjx.make_data(model, impl="warp", naconmax=CONTACTS, njmax=ROWS)


def step(model: mjx.Model, blank: mjx.Data, fields: dict, state: dict) -> mjx.Data:
    """W worlds after one step. fields: the model's leaves that differ; state: the data's; [W, ...].

    In what comes back all worlds' contacts lie in one list.
    """
    worlds = len(state["qpos"])
    shared = {
        name: jnp.tile(leaf, (worlds,) + (1,) * (leaf.ndim - 1))
        for name, leaf in vars(blank._impl).items()
        if name.startswith(OF_CONTACTS)
    }
    room = {"naconmax": worlds * CONTACTS, "naccdmax": worlds * CONTACTS}
    blank = blank.replace(_impl=blank._impl.replace(**shared, **room))

    def one(fields, state):
        return mjx.step(model.tree_replace(fields), blank.replace(**state))

    return jax.vmap(one)(fields, state)


def lost(data: mjx.Data) -> jax.Array:
    """[W] bool: contacts were left out of this step, for there was no room for them."""
    found = data._impl
    crowded = (found.ncollision[0] > found.naconmax) | (found.nacon[0] > found.naconmax)
    return crowded | (found.nefc > found.njmax)


def contacts(data: mjx.Data) -> tuple[jax.Array, ...]:
    """The list of n contacts: world [n], geoms [n, 2], distance (m) [n], frame [n, 3, 3], and the
    force along its rows (N) [n, 3]; of what is not used, 0 and FAR_M.
    """
    found = data._impl
    world, address = found.contact__worldid, found.contact__efc_address[:, :4]
    used = jnp.arange(len(world)) < found.nacon[0]
    force = found.efc__force[world[:, None], address]
    force = jnp.where(used[:, None] & (address >= 0), force, 0.0)
    return (
        world,
        found.contact__geom,
        jnp.where(used, found.contact__dist, FAR_M),
        found.contact__frame,
        friction.forces(force, found.contact__friction),
    )
