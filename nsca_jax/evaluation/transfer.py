"""Does what was learnt on Set A hold for interactions, and objects, never met?

skill = 1 - MSE / variance per dimension over held-out interactions, averaged within and then over
modalities; dimensions without variance are left out. 0 is the set's mean, 1 is perfect.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from nsca_jax import types
from nsca_jax.curiosity import choose
from nsca_jax.grounding import measures
from nsca_jax.grounding import table as table_lib
from nsca_jax.models import dynamics, normalise
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sensors import sound
from nsca_jax.training import experience, learner

MODALITIES = ("pose", "sound", "touch", "broken", "image")
SAME = 1e-8  # variance below which a dimension says nothing


@struct.dataclass
class HeldOut:
    """Interactions for judging only."""

    rows: types.Interaction  # [n]
    course: experience.Course  # [T + 1, n, ...]
    region: jax.Array  # [n] int32: object (from 0 within its set) x skill x bin


@struct.dataclass
class Score:
    """One seed's figures on one held-out set."""

    skill: dict  # modality -> []
    overall: jax.Array  # []
    region_error: jax.Array  # [regions] mean standardised squared error, over modalities
    position_error_m: jax.Array  # [] mean distance of the predicted from the true end
    coverage: jax.Array  # [] share of end positions inside the 90 % interval
    trust: jax.Array  # [] mean trust in the gravity prior
    prior_error: jax.Array  # [] of the prior alone, knot by knot (`prior_errors`)
    blind_error: jax.Array  # [] of no prediction at all


def collect(
    body,
    camera: camera_lib.Camera,
    key,
    first: int,
    count: int,
    per_region: int,
    bins: int,
    block: int,
    noise: experience.SensorNoise = experience.NO_NOISE,
    forced: bool = True,
):
    """Balanced held-out interactions over objects first .. first + count - 1.

    Rolled out in blocks of `block` worlds by one compiled program.
    """
    region, *acts = jax.device_get(deal(key, first, count, per_region, bins))
    total = len(region)
    padded = -(-total // block) * block
    parts = []
    for index in (np.arange(padded) % total).reshape(-1, block):
        one = jax.tree.map(lambda x, index=index: x[index], acts)
        parts.append(jax.device_get(_carry_out(body, camera, *one, noise, forced)))
    rows = jax.tree.map(lambda *x: jnp.asarray(np.concatenate(x)[:total]), *[p[0] for p in parts])
    return HeldOut(rows, _join([p[1] for p in parts], total), jnp.asarray(region))


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def deal(key, first: int, count: int, per_region: int, bins: int):
    """(region [n], data of keys [n, 2], Choice [n]): every region of the objects, `per_region`
    times over.
    """
    region = jnp.tile(jnp.arange(count * len(types.SKILLS) * bins), per_region)
    thing, skill, bin = choose.region_parts(region, bins)
    parameters = experience.parameters_in_bin(jax.random.fold_in(key, 0), skill, bin, bins)
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n + 1))(jnp.arange(len(region)))
    return region, jax.random.key_data(keys), experience.Choice(thing + first, skill, parameters)


def _join(courses: list[experience.Course], total: int) -> experience.Course:
    """Blocks of courses as one of `total` interactions; tracks have time in front."""

    def join(name: str, axis: int):
        whole = np.concatenate([getattr(c, name) for c in courses], axis)
        return np.take(whole, np.arange(total), axis)

    axes = {"qpos": 1, "broken": 1, "impact_Ns": 1, "velocity_m_s": 0, "spawn_depth_m": 0}
    return experience.Course(**{name: join(name, axis) for name, axis in axes.items()})


@functools.partial(jax.jit, static_argnums=(1, 4, 5))
def _carry_out(body, camera, key_data, choice, noise, forced):
    keys = jax.random.wrap_key_data(key_data)
    return experience.carry_out(body, camera, keys, choice, noise, forced)


def table_of(rows: types.Interaction, first: int, count: int) -> table_lib.GroundingTable:
    """The table that interactions [n] with objects first .. first + count - 1 would fill."""
    broken = rows.outcome.broken > 0.5
    ids = rows.object_id - first
    return table_lib.update(table_lib.init(count), ids, rows.measured, rows.measured_ok, broken)


def crossed_memory(
    rows: types.Interaction, first: int, count: int, reference, regions: int
) -> jax.Array:
    """Memory input [n, 10] for novel objects: each half of the interactions remembers the other.

    Standardised by `reference`, the table of the objects that the learner knows. The held-out set
    goes round its `regions`; the halves alternate so that each holds every region.
    """
    n = rows.object_id.shape[0]
    even = (jnp.arange(n) + jnp.arange(n) // regions) % 2 == 0
    out = jnp.zeros((n, dynamics.MEMORY))
    for mine in (even, ~even):
        others = rows.replace(measured_ok=rows.measured_ok & ~mine[:, None])
        seen = table_lib.memory_input(
            table_of(others, first, count), rows.object_id - first, reference
        )
        out = jnp.where(mine[:, None], seen, out)
    return out


def per_dimension(predicted, target) -> jax.Array:
    """Squared error over the held-out variance: [n, O] twice -> [n, O], NaN-free; 0/0 is masked."""
    variance = jnp.var(target, 0)
    return jnp.square(predicted - target) / jnp.where(variance > SAME, variance, 1.0)


def modality_skill(predicted, target) -> dict[str, jax.Array]:
    """Skill by modality from outcome vectors [n, O] in SI units."""
    variance = jnp.var(target, 0)
    error = jnp.mean(per_dimension(predicted, target), 0)
    return _by_modality(1.0 - error, variance > SAME)


def row_error(predicted, target) -> jax.Array:
    """Squared error of each interaction over the set's variance, mean over modalities: [n]."""
    return overall(_by_modality(per_dimension(predicted, target), jnp.var(target, 0) > SAME))


def _by_modality(value, informative) -> dict[str, jax.Array]:
    """Mean of value [..., O] over the informative dimensions [O] of each modality."""
    values, masks = dynamics.split_outcome(value), dynamics.split_outcome(informative)
    groups = {name: (name,) for name in MODALITIES} | {"pose": ("displacement", "rotation")}
    out = {}
    for name, members in groups.items():
        x = jnp.concatenate([values[m] for m in members], -1)
        mask = jnp.concatenate([masks[m] for m in members], -1)
        out[name] = jnp.sum(jnp.where(mask, x, 0.0), -1) / jnp.maximum(jnp.sum(mask, -1), 1)
    return out


def overall(skill: dict[str, jax.Array]) -> jax.Array:
    """Mean over modalities."""
    return sum(skill[m] for m in MODALITIES) / len(MODALITIES)


@functools.partial(jax.jit, static_argnums=0)
def score(settings: learner.LearnerSettings, learners, rows: types.Interaction, region, memory):
    """Score of S learners on interactions [n]; memory [S, n, 10] -> Score [S]."""
    regions = region_count(rows)
    return jax.vmap(lambda s, m: _score(settings, s, rows, region, m, regions))(learners, memory)


def region_count(rows: types.Interaction) -> int:
    """An upper bound on regions, static: held-out sets are balanced, at least one row a region."""
    return rows.object_id.shape[0]


def _score(settings, state: learner.LearnerState, rows, region, memory, regions: int) -> Score:
    out = learner.predict(settings, state.params, state.statistics, rows, memory)
    predicted = normalise.invert(state.statistics.outcome, out.outcome_mean.mean(0))
    target = dynamics.outcome_vector(rows.outcome)
    skill = modality_skill(predicted, target)
    error = row_error(predicted, target)
    ones = jnp.ones_like(error)
    total = jax.ops.segment_sum(error, region, regions)
    count = jax.ops.segment_sum(ones, region, regions)
    end, spread = open_loop(settings, state, rows, memory)
    miss = rows.motion[:, -1, :3] - end[:, -1]
    inside = jnp.abs(miss) <= 1.6449 * spread[:, -1]
    prior_error, blind_error = prior_errors(settings, state, rows)
    return Score(
        skill=skill,
        overall=overall(skill),
        region_error=total / jnp.maximum(count, 1),
        position_error_m=jnp.mean(jnp.linalg.norm(miss, axis=-1)),
        coverage=jnp.mean(inside),
        trust=jnp.mean(out.weight),
        prior_error=prior_error,
        blind_error=blind_error,
    )


def prior_errors(settings, state: learner.LearnerState, rows) -> tuple[jax.Array, jax.Array]:
    """Mean squares of standardised motion, as learning counts them: what is left by the gravity
    prior from one true knot to the next, and by expecting the mean of what was seen. [] twice.
    """
    dt_s, moments = learner.make_model(settings).knot_dt_s, state.statistics.motion
    reach = state.params["params"]["reach"][:, None]
    floor_m = dynamics.floor_displacement(rows.spawn.visual_code, reach)  # [E, n]
    target = normalise.apply(moments, rows.motion)
    before = jnp.concatenate([jnp.zeros_like(rows.motion[:, :1]), rows.motion[:, :-1]], 1)
    before = jnp.broadcast_to(before, (len(reach), *before.shape))
    expected = [
        dynamics.ballistic_knot(before[:, :, knot], dt_s, floor_m, moments, knot)
        for knot in range(types.KNOTS)
    ]
    return jnp.mean((jnp.stack(expected, -2) - target) ** 2), jnp.mean(target**2)


def open_loop(settings, state: learner.LearnerState, rows, memory):
    """Predicted displacement and its deviation at the knots: [n, K, 3] m twice, from the spawn."""
    out = learner.predict(settings, state.params, state.statistics, rows, memory)
    mean = normalise.invert(state.statistics.motion, out.motion_mean.mean(0))
    variance = jnp.exp(out.motion_log_variance).mean(0) + out.motion_mean.var(0)
    return mean[..., :3], jnp.sqrt(variance[..., :3]) * normalise.std(state.statistics.motion)[
        ..., :3
    ]


def persistence(rows: types.Interaction) -> jax.Array:
    """Outcome vectors [n, O] of "nothing changes": no motion, no sound, touch and look remain."""
    still = jnp.zeros_like(rows.outcome.displacement_m)
    return dynamics.outcome_vector(
        types.Outcome(
            displacement_m=still,
            rotation_rad=still,
            sound=jnp.zeros_like(rows.outcome.sound),
            touch_peak_N=jnp.abs(rows.spawn.touch_N),
            broken=jnp.zeros_like(rows.outcome.broken),
            image_code=rows.spawn.visual_code,
        )
    )


def ballistic(course: experience.Course, velocity_m_s, floor_m) -> np.ndarray:
    """End displacement [n, 3] m of constant velocity with gravity, stopped at the table.

    Given the true spawn velocity [n, 3] and how far the object may fall, floor_m [n] <= 0.
    """
    duration = experience.CONTROL_DT_S * (course.qpos.shape[0] - 1)
    vz = velocity_m_s[:, 2]
    fall = (vz + np.sqrt(vz**2 - 2 * 9.81 * np.minimum(floor_m, 0.0))) / 9.81
    flight = np.where(floor_m < -1e-4, np.minimum(fall, duration), 0.0)
    out = velocity_m_s * flight[:, None]
    out[:, 2] = np.where(
        floor_m < -1e-4, np.maximum(out[:, 2] - 0.5 * 9.81 * flight**2, floor_m), 0
    )
    return out


def true_properties(properties: types.ObjectProperties) -> np.ndarray:
    """What the grounding table is scored against: [N, 5] in the order of types.PROPERTIES.

    size is the cube root of the volume (m); elasticity is minus the damping ratio.
    """
    size = sound.volume_m3(properties.shape, properties.size_m) ** (1.0 / 3.0)
    p = jax.tree.map(np.asarray, properties)
    columns = [p.contact_stiffness, p.mass_kg, size, -p.damping_ratio, p.fragility_Ns]
    return np.stack([np.asarray(c) for c in columns], -1)


def grounding(table: table_lib.GroundingTable) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and known-flags [N, 5] of one table."""
    values, known = _properties(table)
    return np.asarray(values), np.asarray(known)


_properties = jax.jit(measures.properties)
