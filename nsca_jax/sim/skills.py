"""Four skills with forced interaction: each spawns where its contact is sure to happen.

The agent's action is a skill and four parameters in [-1, 1], read linearly into SI units by RANGES:

    skill   spawn                       height              speed            direction    force
    drop    held in the hand            clearance 4..35 cm  throw 0..0.5 m/s of throw     -
    strike  5 cm away, hand moving      of the blow         0.4..1.6 m/s     of the blow  -
    push    touching                    -                   0.08..0.35 m/s   of the push  6..30 N
    lift    held, object on the table   by 4..18 cm         0.1..0.5 m/s     -            12..40 N

A `Plan` is the open-loop motor programme of one interaction; `command` reads it at time t.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportAttributeAccessIssue=false
# (jnp.where of untyped leaves; a struct's replace)

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from nsca_jax.sim import scene as scene_lib

DROP, STRIKE, PUSH, LIFT = range(4)
RANGES = np.array(  # [skill, parameter, (low, high)]
    [
        [[0.04, 0.35], [0.0, 0.5], [-jnp.pi, jnp.pi], [30.0, 30.0]],
        [[-0.2, 0.4], [0.4, 1.6], [-jnp.pi, jnp.pi], [150.0, 150.0]],
        [[0.0, 0.0], [0.08, 0.35], [-jnp.pi, jnp.pi], [6.0, 30.0]],
        [[0.04, 0.18], [0.1, 0.5], [-jnp.pi, jnp.pi], [12.0, 40.0]],
    ],
    np.float32,
)
SQUEEZE_M = 5e-4  # the pads' overlap with what they touch at the spawn
STRIKE_GAP_M = 0.05
FOLLOW_M = 0.02  # how far a strike goes past the first contact
HOLD_S = 0.08  # a drop opens its fingers, and a lift starts, after this time
RAMP_S = 0.1  # a push reaches its speed in this time
PUSH_S = 0.8
OPEN_M = 0.03
ASTRAY_M = 0.15  # how far from touching a hand may start that nothing brings to the object
RETREAT_M_S = 0.6


@struct.dataclass
class Plan:
    """Motor programme of one interaction (no leading axis; vmap over worlds)."""

    skill: jax.Array  # [] int32
    start_m: jax.Array  # [3] hand at the spawn
    velocity_m_s: jax.Array  # [3] hand at the spawn, and its cruising velocity
    reach_m: jax.Array  # [] path length of a strike
    lift_m: jax.Array  # [] height of a lift
    opening_m: jax.Array  # [] finger joints at the spawn
    force_N: jax.Array  # [] grip of a drop or lift, limit of a push


def plan(scene: scene_lib.Scene, object_id, skill, parameters, place_m):
    """Read an action into a Plan and the object's spawn.

    object_id, skill: [] int32; parameters: [4] in [-1, 1]; place_m: [2] where on the table.
    Returns (Plan, object position [3] m, object velocity [3] m/s).
    """
    low, high = jnp.moveaxis(jnp.asarray(RANGES)[skill], -1, 0)
    height, speed, angle, force = low + 0.5 * (jnp.clip(parameters, -1, 1) + 1) * (high - low)
    rest = scene.rest_height_m[object_id]
    ahead = jnp.array([jnp.cos(angle), jnp.sin(angle), 0.0])
    thing = jnp.array([place_m[0], place_m[1], rest + jnp.where(skill == DROP, height, 0.0)])
    grasp = (skill == DROP) | (skill == LIFT)

    touching = _touching_distance(scene.footprint_m[object_id], ahead[:2])
    behind = jnp.where(skill == STRIKE, touching + STRIKE_GAP_M, touching - SQUEEZE_M)
    blow = jnp.array([0.0, 0.0, jnp.where(skill == STRIKE, height * rest, 0.0)])
    start = jnp.where(grasp, thing, thing - behind * ahead + blow)
    cruise = speed * jnp.where(skill == LIFT, jnp.array([0.0, 0.0, 1.0]), ahead)
    closed = scene.half_width_m[object_id] + scene_lib.PAD_RADIUS_M - SQUEEZE_M
    out = Plan(
        skill=skill,
        start_m=start,
        velocity_m_s=cruise,
        reach_m=jnp.float32(STRIKE_GAP_M + FOLLOW_M),
        lift_m=height,
        opening_m=jnp.where(grasp, closed, 0.0),
        force_N=force,
    )
    return out, thing, jnp.where(skill == DROP, 1.0, 0.0) * cruise


def astray(scene: scene_lib.Scene, object_id, plan: Plan, place_m, key) -> Plan:
    """The same motor programme from anywhere beside the object: most often it meets nothing.

    The hand stands in any direction from the object at place_m [2], clear of it by at most
    ASTRAY_M, whatever the direction in which it is going to move.
    """
    angle_key, gap_key = jax.random.split(key)
    angle = jax.random.uniform(angle_key, minval=-jnp.pi, maxval=jnp.pi)
    beside = jnp.array([jnp.cos(angle), jnp.sin(angle)])
    clear = _touching_distance(scene.footprint_m[object_id], beside) + plan.opening_m
    away = clear + jax.random.uniform(gap_key, maxval=ASTRAY_M)
    return plan.replace(start_m=plan.start_m.at[:2].set(place_m + away * beside))


def spawn_velocity(plan: Plan):
    """Joint velocities [5] of the hand at the spawn: a throw and a blow are already moving."""
    moving = (plan.skill == DROP) | (plan.skill == STRIKE)
    return jnp.concatenate([jnp.where(moving, 1.0, 0.0) * plan.velocity_m_s, jnp.zeros(2)])


def command(plan: Plan, t_s, position, velocity):
    """Servo targets [5] (m) at time t_s, given joint positions and velocities [5].

    The target leads by v kv / kp, so that the hand follows the path without lag; that of a push is
    drawn in so that the servos' force kp (target - position) - kv velocity has a norm of at most
    `force_N`, whatever the direction of the push and of the hand's motion.
    """
    speed = jnp.linalg.norm(plan.velocity_m_s) + 1e-9
    ahead = plan.velocity_m_s / speed
    after = jnp.maximum(t_s - HOLD_S, 0.0)
    ramp = jnp.where(t_s < RAMP_S, 0.5 * t_s**2 / RAMP_S, jnp.minimum(t_s, PUSH_S) - 0.5 * RAMP_S)
    ends = jnp.array([10.0, plan.reach_m, 10.0, plan.lift_m])[plan.skill]
    path = jnp.minimum(speed * jnp.array([1.0, 1.0, 0.0, 0.0])[plan.skill] * t_s, ends)
    path += speed * jnp.where(plan.skill == PUSH, ramp, 0.0)
    path += jnp.where(plan.skill == LIFT, jnp.minimum(speed * after, plan.lift_m), 0.0)
    retreat = jnp.where(plan.skill == DROP, jnp.minimum(RETREAT_M_S * after, 0.12), 0.0)
    moving = jnp.where(plan.skill == DROP, t_s < 0.5, path < ends) & (t_s < PUSH_S)
    moving &= (plan.skill != LIFT) | (t_s > HOLD_S)
    path = jnp.where(plan.skill == DROP, speed * jnp.minimum(t_s, 0.5), path)
    lead = jnp.where(moving, speed * scene_lib.SLIDE_KV / scene_lib.SLIDE_KP, 0.0)
    target = plan.start_m + (path + lead) * ahead + jnp.array([0.0, 0.0, 1.0]) * retreat
    neutral = position[:3] + velocity[:3] * scene_lib.SLIDE_KV / scene_lib.SLIDE_KP  # no force here
    pull = target - neutral
    slack = plan.force_N / scene_lib.SLIDE_KP
    limited = neutral + pull * jnp.minimum(1.0, slack / (jnp.linalg.norm(pull) + 1e-9))
    target = jnp.where(plan.skill == PUSH, limited, target)

    grip = plan.opening_m - plan.force_N / scene_lib.FINGER_KP
    released = (plan.skill == DROP) & (t_s >= HOLD_S)
    fingers = jnp.where(released, plan.opening_m + OPEN_M, grip)
    fingers = jnp.where((plan.skill == STRIKE) | (plan.skill == PUSH), 0.0, fingers)
    return jnp.concatenate([target, jnp.broadcast_to(fingers, (2,))])


def _touching_distance(footprint_m, ahead):
    """Distance [] of hand and object centres in plan view when they just touch along `ahead` [2].

    Object and closed hand are rectangles widened by a radius, so the touching centres lie on their
    Minkowski sum: a rectangle (a, b) widened by r, met by a ray from its centre.
    """
    a = footprint_m[0]
    b = footprint_m[1] + scene_lib.PAD_HALF_LENGTH_M
    r = footprint_m[2] + scene_lib.PAD_RADIUS_M
    ux, uy = jnp.abs(ahead[0]) + 1e-9, jnp.abs(ahead[1]) + 1e-9
    side, front = (a + r) / ux, (b + r) / uy
    along = ux * a + uy * b
    corner = along + jnp.sqrt(jnp.maximum(r**2 - (a**2 + b**2 - along**2), 0.0))
    return jnp.where(side * uy <= b, side, jnp.where(front * ux <= a, front, corner))
