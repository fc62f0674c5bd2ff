"""The pure environment: reset, one control step, and the roll-out of a whole interaction.

`step` and `rollout` are for W worlds on a single flat axis, every other function for ONE world:
callers `vmap`. Between physics steps only positions, velocities and the solver's warm start are
carried: MJX's other arrays are rebuilt inside the step, which is faster than carrying them.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# (a struct's replace; MJX's back ends; jnp.where of untyped leaves)

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.sim import physics, skills
from nsca_jax.sim import scene as scene_lib
from nsca_jax.types import Primitives

OBJECT, HAND = slice(0, 7), slice(7, 12)  # qpos
FIRST_FEEL_STEPS = 10  # physics steps over which the spawn's touch is felt: 20 ms
BLUR_S = 0.04  # time constant that tells an impact from a steady load
AT_ONCE = 80  # worlds that a CPU steps side by side: more do not stay in its nearest caches
SPEED_LIMIT = 200.0  # m/s or rad/s: beyond this a world has diverged
BROKEN_DAMPING, BROKEN_FRICTION, BROKEN_SHADE = 0.8, 1.0, 0.4


@struct.dataclass
class World:
    """State of one world between control steps."""

    plan: skills.Plan
    object_id: jax.Array  # [] int32
    qpos: jax.Array  # [12] object position and quaternion, then the five joints
    qvel: jax.Array  # [11]
    warmstart: jax.Array  # [11]
    load_N: jax.Array  # [3] slowly varying part of the normal force: table, left, right
    impact_Ns: jax.Array  # [] leaky sum of impact impulses
    peak_impact_Ns: jax.Array  # [] largest so far
    rotation_rad: jax.Array  # [3] accumulated rotation
    broken: jax.Array  # [] bool
    finite: jax.Array  # [] bool; False: frozen at its last good state
    step: jax.Array  # [] int32 physics steps done


@struct.dataclass
class Reading:
    """What physics offers to the senses after one control step."""

    qpos: jax.Array  # [12]
    qvel: jax.Array  # [11]
    rotation_rad: jax.Array  # [3]
    command_m: jax.Array  # [5] last servo targets
    touch_Ns: jax.Array  # [2, 3] impulse on each finger, world axes, over the control step
    first_touch_Ns: jax.Array  # [2, 3] the same over the first FIRST_FEEL_STEPS of an interaction
    impact_Ns: jax.Array  # [3] impulse above the steady load: table, left, right finger
    table_Ns: jax.Array  # [] whole normal impulse of the table
    depth_m: jax.Array  # [] deepest interpenetration in the control step
    spawn_depth_m: jax.Array  # [] the same at the very first physics step, else 0
    peak_impact_Ns: jax.Array  # [] largest impact so far: what breaks things
    broken: jax.Array  # [] bool
    finite: jax.Array  # [] bool


def reset(scene: scene_lib.Scene, object_id, skill, parameters, place_m, astray_key=None) -> World:
    """Spawn an interaction: object_id, skill [] int32; parameters [4]; place_m [2] on the table.

    With an `astray_key` the interaction is not forced: the object lies on the table, and the hand
    starts somewhere beside it (`skills.astray`).
    """
    plan, thing, thing_velocity = skills.plan(scene, object_id, skill, parameters, place_m)
    if astray_key is not None:
        plan = skills.astray(scene, object_id, plan, thing[:2], astray_key)
        thing, thing_velocity = thing.at[2].set(scene.rest_height_m[object_id]), jnp.zeros(3)
    fingers = jnp.broadcast_to(plan.opening_m, (2,))
    upright = jnp.array([1.0, 0.0, 0.0, 0.0])
    hand_velocity = skills.spawn_velocity(plan)
    return World(
        plan=plan,
        object_id=object_id,
        qpos=jnp.concatenate([thing, upright, plan.start_m, fingers]),
        qvel=jnp.concatenate([thing_velocity, jnp.zeros(3), hand_velocity]),
        warmstart=jnp.zeros(11),
        load_N=jnp.zeros(3),
        impact_Ns=jnp.zeros(()),
        peak_impact_Ns=jnp.zeros(()),
        rotation_rad=jnp.zeros(3),
        broken=jnp.zeros((), bool),
        finite=jnp.ones((), bool),
        step=jnp.zeros((), jnp.int32),
    )


def step(scene: scene_lib.Scene, worlds: World) -> tuple[World, Reading]:
    """One control step of SUBSTEPS physics steps of W worlds: World [W, ...] -> (World, Reading).

    A world that diverges, or loses contacts for want of room, is frozen and flagged.
    """
    count = len(worlds.step)
    fields = jax.tree.map(lambda leaf: leaf[worlds.object_id], scene.objects)
    fragility = scene.fragility_Ns[worlds.object_id]
    shapes = ((2, 3), (2, 3), (3,), (), (), ())
    zero = tuple(jnp.zeros((count, *shape)) for shape in shapes)

    def add(now, felt, sums):
        first = jnp.where(now.step <= FIRST_FEEL_STEPS, 1.0, 0.0)
        spawn = jnp.where(now.step == 1, 1.0, 0.0)
        touch, impact, table, depth, target = felt
        sums = (
            sums[0] + touch,
            sums[1] + first * touch,
            sums[2] + impact,
            sums[3] + table,
            jnp.maximum(sums[4], depth),
            jnp.maximum(sums[5], spawn * depth),
        )
        return sums, target

    def substep(carry, _):
        now, felt = physics_step(scene, fields, fragility, carry[0])
        sums, target = jax.vmap(add)(now, felt, carry[1])
        return (now, sums), target

    (after, sums), targets = jax.lax.scan(substep, (worlds, zero), None, scene_lib.SUBSTEPS)
    return jax.vmap(_read)(worlds, after, sums, targets[-1])


def _read(world: World, after: World, sums, target) -> tuple[World, Reading]:
    """One world after a control step, frozen as it was before where it diverged; its reading."""
    speed = jnp.max(jnp.abs(after.qvel))
    good = jnp.all(jnp.isfinite(after.qpos)) & (speed < SPEED_LIMIT) & after.finite
    frozen = world.replace(qvel=jnp.zeros(11), warmstart=jnp.zeros(11), finite=good)
    after = jax.tree.map(lambda new, old: jnp.where(good, new, old), after, frozen)
    sums = jax.tree.map(lambda x: jnp.where(good, x, 0.0), sums)
    touch, first_touch, impact, table, depth, spawn_depth = sums
    return after, Reading(
        qpos=after.qpos,
        qvel=after.qvel,
        rotation_rad=after.rotation_rad,
        command_m=jnp.where(good, target, after.qpos[HAND]),
        touch_Ns=touch,
        first_touch_Ns=first_touch,
        impact_Ns=impact,
        table_Ns=table,
        depth_m=depth,
        spawn_depth_m=spawn_depth,
        peak_impact_Ns=after.peak_impact_Ns,
        broken=after.broken,
        finite=after.finite,
    )


def rollout(scene: scene_lib.Scene, worlds: World, steps: int = scene_lib.CONTROL_STEPS):
    """Carry out W interactions: World [W, ...] -> (World [W, ...], Reading [T, W, ...]).

    On a CPU in equal blocks, one after another; a last block that is not full repeats a world.
    """

    def block(worlds):
        return jax.lax.scan(lambda now, _: step(scene, now), worlds, None, steps)

    count = len(worlds.step)
    blocks = -(-count // AT_ONCE) if jax.default_backend() == "cpu" else 1
    with jax.default_matmul_precision("highest"):
        if blocks == 1:
            return block(worlds)
        row = jnp.minimum(jnp.arange(blocks * -(-count // blocks)), count - 1).reshape(blocks, -1)
        after, readings = jax.lax.map(block, jax.tree.map(lambda x: x[row], worlds))
    together = lambda x: x.reshape(-1, *x.shape[2:])[:count]  # noqa: E731
    return (
        jax.tree.map(together, after),
        jax.vmap(lambda part: jax.tree.map(together, part), 1)(readings),
    )


def promised_contact(skill, readings: Reading):
    """Did the contact happen that the skill promises? readings [T, ...] of one world -> [] bool.

    drop: the released object hits the table; strike, push: a finger meets the object;
    lift: both fingers hold it.
    """
    released = int(skills.HOLD_S / (scene_lib.DT_S * scene_lib.SUBSTEPS))
    fell = jnp.any(readings.table_Ns[released:] > 0)
    finger = jnp.any(jnp.abs(readings.touch_Ns) > 0, axis=(0, 2))  # [2]
    kinds = jnp.array([0, 1, 1, 2])
    return jnp.array([fell, jnp.any(finger), jnp.all(finger)])[kinds[skill]]


def primitives(scene: scene_lib.Scene, object_id, qpos, broken) -> Primitives:
    """The scene's solids for the camera, in the order of scene.KINDS; one world."""
    sizes = scene.objects["geom_size"][object_id]
    body = _matrix(qpos[3:7])
    along_y = jnp.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # local z is world y
    along_x = jnp.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
    hand, spread = qpos[7:10], jnp.array([1.0, 0.0, 0.0])
    palm = hand + jnp.array([0.0, 0.0, scene_lib.PALM_HEIGHT_M])
    rgb = jnp.where(broken, BROKEN_SHADE, 1.0) * scene.rgb[object_id]
    steel = jnp.array([0.55, 0.57, 0.6])
    return Primitives(
        position_m=jnp.stack(
            [
                jnp.zeros(3),
                qpos[:3],
                qpos[:3],
                palm,
                hand - spread * qpos[10],
                hand + spread * qpos[11],
            ]
        ),
        rotation=jnp.stack([jnp.eye(3), body @ along_y, body, along_x, along_y, along_y]),
        size_m=sizes,
        rgb=jnp.stack([jnp.array([0.78, 0.74, 0.68]), rgb, rgb, steel, steel, steel]),
    )


def physics_step(scene, fields, fragility, worlds: World):
    """One physics step of W worlds -> World, (touch [W, 2, 3], impact [W, 3], table [W] Ns,
    depth [W] m, target [W, 5]); fields and fragility [W] Ns are those of each world's object.
    """

    def before(fields, world):
        time_s = world.step * scene_lib.DT_S
        target = skills.command(world.plan, time_s, world.qpos[HAND], world.qvel[6:])
        return _broken_fields(fields, world.broken), {
            "qpos": world.qpos,
            "qvel": world.qvel,
            "qacc_warmstart": world.warmstart,
            "ctrl": target,
        }

    fields, state = jax.vmap(before)(fields, worlds)
    moved = physics.step(scene, fields, state)
    return jax.vmap(_feel)(fragility, worlds, moved, state["ctrl"])


def _feel(fragility, world: World, moved: physics.Moved, target):
    """One world after a physics step, and what it felt."""
    dt = scene_lib.DT_S
    normal = moved.normal_N
    impact = jnp.maximum(normal - world.load_N, 0.0) * dt
    # a body under a steady load has impact 0; the start of a grip is no impact either
    load = world.load_N + (normal - world.load_N) * dt / BLUR_S
    held = jnp.where(world.step == 0, normal, load)
    impact = jnp.where(world.step == 0, 0.0, impact)
    leaky = world.impact_Ns * (1 - dt / BLUR_S) + jnp.sum(impact)
    peak = jnp.maximum(world.peak_impact_Ns, leaky)
    after = world.replace(
        qpos=moved.qpos,
        qvel=moved.qvel,
        warmstart=moved.warmstart,
        load_N=held,
        impact_Ns=leaky,
        peak_impact_Ns=peak,
        rotation_rad=world.rotation_rad + _matrix(moved.qpos[3:7]) @ moved.qvel[3:6] * dt,
        broken=world.broken | (peak > fragility),
        finite=world.finite & moved.whole,
        step=world.step + 1,
    )
    return after, (moved.finger_N * dt, impact, normal[0] * dt, moved.depth_m, target)


def _broken_fields(fields: dict, broken):
    """A broken object neither bounces nor slides: the table's pairs and all dampings change."""
    stiffness = -fields["pair_solref"][:, 0]
    dull = scene_lib.solref(stiffness, BROKEN_DAMPING)
    rough = fields["pair_friction"].at[:, :2].max(BROKEN_FRICTION)
    return fields | {
        "pair_solref": jnp.where(broken, dull, fields["pair_solref"]),
        "pair_friction": jnp.where(broken, rough, fields["pair_friction"]),
    }


def _matrix(quaternion):
    """Rotation matrix [3, 3] of a unit quaternion [4] (w, x, y, z)."""
    w, x, y, z = quaternion
    return jnp.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
