"""Choosing a push by imagination, and what it is worth in the real world.

A task: a novel object lies on the table, and a target beside it; where is the object one push
later? Distances are in the plane of the table, after HORIZONS[-1] control steps. W tasks, K
candidates.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# (jnp functions that return one array; a struct's fields)

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.models import temporal as model_lib
from nsca_jax.sim import env, skills
from nsca_jax.training import experience, temporal

AWAY_M = 1.0  # the hand is so far up while the agent looks
REACH_M = (0.06, 0.20)  # of the targets
REFINED = 0.15  # spread of the candidates around the best of the round before
ELITE = 8


class Tasks(NamedTuple):
    """W tasks."""

    object_id: jax.Array  # [W] int32
    place_m: jax.Array  # [W, 2] where it lies
    target_m: jax.Array  # [W, 2]


def tasks(key: jax.Array, object_ids, each: int) -> Tasks:
    """`each` tasks with every object, in random places, the targets all around within reach."""
    object_id = jnp.repeat(jnp.asarray(object_ids, jnp.int32), each)
    place_key, angle_key, far_key = jax.random.split(key, 3)
    count = object_id.shape
    place = jax.random.uniform(place_key, (*count, 2), minval=-1.0) * experience.PLACE_M
    angle = jax.random.uniform(angle_key, count, minval=-jnp.pi, maxval=jnp.pi)
    far = jax.random.uniform(far_key, count, minval=REACH_M[0], maxval=REACH_M[1])
    way = far[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
    return Tasks(object_id, place, place + way)


def random_pushes(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Parameters [*shape, 4] of pushes, uniform."""
    return jax.random.uniform(key, (*shape, 4), minval=-1.0)


def straight_pushes(tasks: Tasks) -> jax.Array:
    """[W, 4]: towards the target, at the speed that takes the hand just there; nothing learnt."""
    way = tasks.target_m - tasks.place_m
    low, high = skills.RANGES[skills.PUSH, 1]
    speed = jnp.linalg.norm(way, axis=-1) / (skills.PUSH_S - 0.5 * skills.RAMP_S)
    fast = jnp.clip(2.0 * (speed - low) / (high - low) - 1.0, -1.0, 1.0)
    angle = jnp.arctan2(way[:, 1], way[:, 0]) / jnp.pi
    return jnp.stack([0.0 * fast, fast, angle, 0.0 * fast + 1.0], -1)


@functools.partial(jax.jit, static_argnums=4)
def carry_out(scene, object_id, parameters, place_m, steps: int = temporal.HORIZONS[-1]):
    """[W, 2] m: where the objects truly are after pushes with parameters [W, 4]."""
    skill = jnp.full_like(object_id, skills.PUSH)
    start = jax.vmap(env.reset, (None, 0, 0, 0, 0))(scene, object_id, skill, parameters, place_m)
    after, _ = env.rollout(scene, start, steps)
    return after.qpos[:, :2]


def in_blocks(
    scene,
    object_id,
    parameters,
    place_m,
    block: int = 128,
    tell: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """`carry_out` by blocks of one shape: [W, 2]; `tell` is called with (done, W) after each."""
    total = len(object_id)
    index = np.minimum(np.arange(-(-total // block) * block), total - 1).reshape(-1, block)
    parts = []
    for i in index:
        parts.append(np.asarray(carry_out(scene, object_id[i], parameters[i], place_m[i])))
        if tell is not None:
            tell(min(len(parts) * block, total), total)
    return np.concatenate(parts)[:total]


@functools.partial(jax.jit, static_argnums=1)
def look(body: experience.Body, camera, tasks: Tasks) -> jax.Array:
    """Visual codes [W, V] of the objects as they lie, the hand out of sight."""
    skill = jnp.full_like(tasks.object_id, skills.PUSH)
    nothing = jnp.zeros((len(skill), 4))
    world = jax.vmap(env.reset, (None, 0, 0, 0, 0))(
        body.scene, tasks.object_id, skill, nothing, tasks.place_m
    )
    qpos = world.qpos.at[:, 9].add(AWAY_M)
    still = jnp.zeros_like(world.qpos[:, :3])
    course = experience.Course(qpos[None], world.broken[None], still[:0], still, still[:, 0])
    return experience.look(body, camera, tasks.object_id, course, 1)[1][0]


def history(visual_code: jax.Array, senses: int, statistics, camera) -> model_lib.History:
    """A look [W, V] before any act, as the model is taught it; `senses` is D."""
    seen = temporal.sights(visual_code)
    raw = jnp.concatenate([seen, jnp.zeros((len(seen), senses - seen.shape[-1]))], -1)
    return temporal.look_history(raw, visual_code, statistics, camera)


def choose(
    model, params, belief: model_lib.Belief, target_m: jax.Array, key: jax.Array, settings: tuple
) -> tuple[jax.Array, jax.Array]:
    """Pushes [W, 4] chosen by imagination, and where they are imagined to end [W, 2].

    `settings` is (candidates K, rounds, shuffled): the first round tries K pushes anywhere, each
    further one K pushes around the ELITE best, least by the expected squared distance from the
    target: that of the mean, plus the spread (cross-entropy method, Rubinstein 1999). `shuffled`
    deals the imagined ends to other candidates: the control.
    """
    candidates, rounds, shuffled = settings
    count = target_m.shape[0]

    def imagine(parameters, key):
        skill = jnp.full((candidates, count), skills.PUSH)
        acts = model_lib.Act(skill, parameters, jnp.zeros_like(skill))
        future = temporal.imagine(model, params, belief, acts)
        end = future.place_m[..., -1, :2]
        variance = model_lib.UNIT_M**2 * jnp.exp(future.log_variance[..., -1, :2]).sum(-1)
        cost = jnp.sum((end - target_m) ** 2, -1) + variance
        if shuffled:
            order = jax.random.permutation(key, candidates)
            cost, end = cost[order], end[order]
        return cost, end

    def gather(x, order):
        return jnp.take_along_axis(x, order[..., None], 0)

    parameters = random_pushes(key, (candidates, count))
    cost, end = imagine(parameters, jax.random.fold_in(key, 1))
    for number in range(rounds - 1):
        now = jax.random.fold_in(key, 2 + number)
        best = jnp.argsort(cost, 0)[:ELITE]
        around = jnp.tile(gather(parameters, best), (-(-candidates // ELITE), 1, 1))[:candidates]
        spread = REFINED * 0.5**number
        moved = around + spread * jax.random.normal(now, around.shape)
        angle = (moved[..., 2] + 1.0) % 2.0 - 1.0  # directions go round
        moved = jnp.clip(moved, -1.0, 1.0).at[..., 2].set(angle)
        new_cost, new_end = imagine(moved, jax.random.fold_in(now, 1))
        parameters = jnp.concatenate([gather(parameters, best), moved])
        cost = jnp.concatenate([jnp.take_along_axis(cost, best, 0), new_cost])
        end = jnp.concatenate([gather(end, best), new_end])
    first = jnp.argmin(cost, 0)[None]
    return gather(parameters, first)[0], gather(end, first)[0]


def distance_m(end_m: np.ndarray, target_m: np.ndarray) -> np.ndarray:
    """[...] between ends and targets [..., 2]."""
    return np.linalg.norm(end_m - target_m, axis=-1)
