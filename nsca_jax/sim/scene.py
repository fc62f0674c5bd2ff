"""The one scene: a table, a Cartesian two-finger gripper, one object. All objects, one program.

The object is a free body that carries a capsule geom and a box geom; the unused one has no mass
and a size of 1e-4 m (a sphere is a capsule of half-length 1e-4 m). What differs between objects is
a set of model leaves (`FIELDS`), compiled once per object by the C engine and stacked, so that
another object is other numbers and never another program.
"""

# pyright: reportAttributeAccessIssue=false
# (mujoco's names live in its C extension)

from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from flax import struct
from mujoco import mjx

from nsca_jax.sim import mjx_warp
from nsca_jax.types import ObjectProperties

BACKENDS = ("jax", "warp")  # which MJX steps the worlds with: its own arithmetic, MuJoCo Warp
DT_S = 0.002  # physics step
SUBSTEPS = 20  # physics steps a control step: 40 ms
CONTROL_STEPS = 25  # control steps an interaction: one second
GRAVITY = 9.81
TINY_M = 1e-4
PAD_RADIUS_M = 0.008
PAD_HALF_LENGTH_M = 0.02
PALM_HEIGHT_M = 0.07  # of the palm above the pads: clears the largest object
SLIDE_KP, SLIDE_KV = 3000.0, 120.0
FINGER_KP, FINGER_KV = 3000.0, 50.0
PAD_FRICTION = 1.2  # rubber pads: the hand's friction does not depend on the object's
PAD_DAMPING = 0.7  # nor its damping: a grip must not creep
PAD_SOLIMP, TABLE_SOLIMP = (0.99, 0.998, 0.001, 0.5, 2), (0.95, 0.99, 0.001, 0.5, 2)
KINDS = ("plane", "capsule", "box", "capsule", "capsule", "capsule")  # in the order of the geoms
SEGMENTS = (0, 1, 1, 2, 2, 2)
FIELDS = (
    "body_mass",
    "body_subtreemass",
    "body_inertia",
    "body_ipos",
    "body_iquat",
    "body_invweight0",
    "dof_invweight0",
    "geom_size",
    "geom_rbound",
    "pair_solref",
    "pair_friction",
)
TABLE, CAPSULE, BOX, PALM, LEFT, RIGHT = range(6)  # geom ids
PAIRS = tuple((g, o) for o in (CAPSULE, BOX) for g in (TABLE, LEFT, RIGHT))


@struct.dataclass
class Scene:
    """The compiled scene: the template model and, per object, the leaves that differ."""

    model: mjx.Model  # of either back end
    blank: Any  # the Warp back end's blank data of one world; () for jax
    objects: dict  # FIELDS -> [N, ...]
    fragility_Ns: jax.Array  # [N]
    rgb: jax.Array  # [N, 3]
    properties: ObjectProperties  # [N] what scores the agent; the world itself never asks it
    rest_height_m: jax.Array  # [N] of the object's centre when it stands on the table
    half_width_m: jax.Array  # [N] half extent along x: what the fingers close on
    footprint_m: jax.Array  # [N, 3] plan view at centre height: rectangle (a, b) widened by r

    @property
    def backend(self) -> str:
        """Which of BACKENDS steps it; static, for it is the model's type."""
        return self.model.impl.value


def solref(stiffness, damping_ratio):
    """MuJoCo's direct format (-k, -b), b = 2 zeta sqrt(k). Works on arrays; -> [..., 2]."""
    return jnp.stack(
        jnp.broadcast_arrays(-stiffness, -2.0 * damping_ratio * jnp.sqrt(stiffness)), -1
    )


def spec(shape: int, size_m, mass_kg: float, stiffness: float, damping: float, friction: float):
    """MjSpec of the scene with one object; `shape` indexes types.SHAPES."""
    out = mujoco.MjSpec()
    _options(out)
    world = out.worldbody
    world.add_geom(name="table", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 0.1], **_free())
    _object(world, shape, np.asarray(size_m, float), mass_kg)
    _gripper(world, out)
    for hand, thing in PAIRS:
        table = hand == TABLE
        slide, dull = (friction, damping) if table else (PAD_FRICTION, PAD_DAMPING)
        out.add_pair(
            geomname1=_NAMES[hand],
            geomname2=_NAMES[thing],
            condim=3,
            friction=[slide, slide, 0.005, 1e-4, 1e-4],
            solref=[-stiffness, -2.0 * dull * np.sqrt(stiffness)],
            solimp=TABLE_SOLIMP if table else PAD_SOLIMP,
        )
    return out


def build(properties: ObjectProperties, backend: str = "jax") -> Scene:
    """Compile every object in C and stack the leaves that differ.

    properties: [N] objects. Returns a Scene whose `objects` leaves have a leading axis N. Raises
    BackendError where the back end cannot run.
    """
    rows = jax.tree.map(np.asarray, properties)
    count = rows.mass_kg.shape[0]
    models = []
    for i in range(count):
        args = (rows.contact_stiffness[i], rows.damping_ratio[i], rows.friction[i])
        models.append(
            spec(
                int(rows.shape[i]), rows.size_m[i], float(rows.mass_kg[i]), *map(float, args)
            ).compile()
        )
    stacked = {
        f: jnp.asarray(np.stack([getattr(m, f) for m in models]), jnp.float32) for f in FIELDS
    }
    round_ = rows.shape < 2
    radius, size = rows.size_m[:, 0], rows.size_m
    half_length = np.where(rows.shape == 1, size[:, 1], 0.0)
    footprint = np.where(
        round_[:, None],
        np.stack([0 * radius, half_length, radius], -1),
        np.stack([size[:, 0], size[:, 1], 0 * radius], -1),
    )
    model, blank = template(spec(*_TEMPLATE).compile(), backend)
    return Scene(
        model=model,
        blank=blank,
        objects=stacked,
        fragility_Ns=jnp.asarray(properties.fragility_Ns),
        rgb=jnp.asarray(properties.rgb),
        properties=jax.tree.map(jnp.asarray, properties),
        rest_height_m=jnp.asarray(np.where(round_, radius, size[:, 2]), jnp.float32),
        half_width_m=jnp.asarray(size[:, 0], jnp.float32),
        footprint_m=jnp.asarray(footprint, jnp.float32),
    )


def template(model: mujoco.MjModel, backend: str) -> tuple[mjx.Model, Any]:
    """The back end's model, whose FIELDS are replaced per world, and `Scene.blank`.

    `put_model` commits its arrays to a device. Free ones follow whatever they are used with, so
    that a function given its own output back is not compiled a second time.
    """
    made = {"jax": lambda m: (mjx.put_model(m, impl="jax"), ()), "warp": mjx_warp.compiled}
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), made[backend](model))


# The template never depends on the set: its static parts (frames, sparsity) are part of the
# program. A capsule's are the general ones; a box's inertia is taken to be diagonal.
_TEMPLATE = (1, (0.03, 0.03, 0.0), 0.1, 3e4, 0.2, 0.5)
_NAMES = ("table", "capsule", "box", "palm", "left", "right")


def _free():
    return {"contype": 0, "conaffinity": 0}


def _options(out):
    out.option.timestep = DT_S
    out.option.gravity = [0, 0, -GRAVITY]
    out.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    out.option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    out.option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    out.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    out.option.iterations = 8  # at 4 a blow moves things rightly, but its forces are 50 % wrong
    out.option.ls_iterations = 4
    out.option.disableflags = int(mujoco.mjtDisableBit.mjDSBL_EULERDAMP)
    out.add_numeric(name="max_contact_points", data=[8])


def _object(world, shape: int, size, mass_kg: float):
    body = world.add_body(name="object", pos=[0, 0, 0])
    body.add_freejoint(name="object")
    unused = [TINY_M, TINY_M, TINY_M]
    capsule = unused if shape == 2 else [size[0], size[1] if shape == 1 else TINY_M, 0]
    box = list(size) if shape == 2 else unused
    along_y = [np.sqrt(0.5), -np.sqrt(0.5), 0, 0]  # a capsule lies along y
    body.add_geom(
        name="capsule",
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        size=capsule,
        quat=along_y,
        mass=0.0 if shape == 2 else mass_kg,
        **_free(),
    )
    body.add_geom(
        name="box",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=box,
        mass=mass_kg if shape == 2 else 0.0,
        **_free(),
    )


def _gripper(world, out):
    hand = world.add_body(name="hand", gravcomp=1)
    slide = mujoco.mjtJoint.mjJNT_SLIDE
    for name, axis in (("x", [1, 0, 0]), ("y", [0, 1, 0]), ("z", [0, 0, 1])):
        hand.add_joint(name=name, type=slide, axis=axis, armature=0.5)
    hand.add_geom(
        name="palm",
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=[-0.03, 0, PALM_HEIGHT_M, 0.03, 0, PALM_HEIGHT_M],
        size=[0.012, 0, 0],
        mass=0.2,
        **_free(),
    )
    for name, sign in (("left", -1), ("right", 1)):
        finger = hand.add_body(name=name, gravcomp=1)
        finger.add_joint(name=name, type=slide, axis=[sign, 0, 0], armature=0.15)
        finger.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            size=[PAD_RADIUS_M, PAD_HALF_LENGTH_M, 0],
            quat=[np.sqrt(0.5), -np.sqrt(0.5), 0, 0],
            mass=0.05,
            **_free(),
        )
    for name in ("x", "y", "z", "left", "right"):
        kp, kv = (SLIDE_KP, SLIDE_KV) if name in "xyz" else (FINGER_KP, FINGER_KV)
        out.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            gainprm=[kp] + [0] * 9,
            biasprm=[0, -kp, -kv] + [0] * 7,
        )
