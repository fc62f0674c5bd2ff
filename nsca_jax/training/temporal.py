"""Learning what comes next from filmed interactions: windows of history, acts and what followed.

Nothing here is told the truth: the object's place is that of the agent's own eye, and an object
that is not seen teaches that it is out of view (a censored observation: Tobin 1958).

Shapes: P interactions, T moments, B windows, N moments of history, H steps ahead, D senses.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
import math

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax import losses
from nsca_jax.models import ensemble, normalise
from nsca_jax.models import temporal as model_lib
from nsca_jax.priors import visual
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import faults, recording

HORIZONS = (1, 5, 15, 30)  # control steps ahead at which senses are foreseen, and claims are made
MOMENTS = 4  # of a history
SIGHTS = 8  # the first senses are the eye's
BALL_DEPTH = 0.69 / math.sqrt(math.pi)  # a ball's centre behind its visible surface, in its size
Z_90 = 1.645


@dataclasses.dataclass(frozen=True)
class Settings:
    """The pace of learning, and the weights of the loss; hashable, static under jit."""

    steps: int = 1000  # gradient steps
    batch: int = 64  # windows a step
    rate: float = 3e-3
    decay: float = 1e-3  # of weights
    trust_rate: float = 1e-2  # of the prior's raw weight
    noise: float = (
        0.2  # added to the standardised senses, so that few things are not learnt by heart
    )
    look: float = 0.25  # share of the windows that are a look before the act
    price: float = 1.0  # of the correction of the prior
    senses: float = 0.2
    calibration: float = 0.1
    hidden: float = 0.1


@struct.dataclass
class Tracks:
    """Filmed interactions [P, T, ...] as the agent has them."""

    senses: jax.Array  # [P, T, D]
    place_m: jax.Array  # [P, T, 3] the object's centre, by eye
    size_m: jax.Array  # [P, T] apparent size
    seen: jax.Array  # [P, T] bool
    body: jax.Array  # [P, T, BODY]
    skill: jax.Array  # [P]
    parameters: jax.Array  # [P, 4]


@struct.dataclass
class Window:
    """What was, what is done, and what came of it."""

    history: model_lib.History  # [B, N]
    act: model_lib.Act  # [B]
    place_m: jax.Array  # [B, H, 3] as sensed
    seen: jax.Array  # [B, H] bool
    senses: jax.Array  # [B, A, D] standardised, at HORIZONS
    known: jax.Array  # [B] bool: the history saw the object


@struct.dataclass
class Learner:
    """All that a learner is between two steps; an axis of seeds in front."""

    params: chex.ArrayTree
    optimiser: chex.ArrayTree
    statistics: normalise.Statistics
    rows: jax.Array  # [n] int32: the interactions that it may learn from
    step: jax.Array  # [] int32


def place_by_eye(visual_code: jax.Array, camera: camera_lib.Camera) -> jax.Array:
    """[..., 3] m, the object's centre: behind the surface that the eye sees, as a ball's is."""
    centroid = visual_code[..., visual.CENTROID]
    ray = centroid - jnp.array(camera.position_m)
    ray = ray / jnp.linalg.norm(ray, axis=-1, keepdims=True)
    return centroid + BALL_DEPTH * visual_code[..., visual.APPARENT_SIZE, None] * ray


def sights(visual_code: jax.Array) -> jax.Array:
    """[..., SIGHTS]: what the eye tells of a thing but its place; lengths by their logarithm."""
    lengths = jnp.log(jnp.maximum(visual_code[..., visual.LENGTHS], 1e-3))
    return jnp.concatenate([visual_code[..., :1], lengths, visual_code[..., 8:]], -1)


def tracks(
    film: recording.Recording, camera: camera_lib.Camera, fused: jax.Array | None = None
) -> Tracks:
    """What the agent has of its films; `fused` [P, T, F] stands beside the innate senses."""
    code = jnp.asarray(film.visual_code)
    place = place_by_eye(code, camera)
    seen = code[..., 0] > 0
    joints = jnp.asarray(film.proprio)
    touch = jnp.asarray(film.touch_N).reshape(*joints.shape[:-1], 6)
    pull = joints[..., 10:15] - joints[..., :5]
    parts = [sights(code), joints[..., 3:10], pull, touch, film.sound]
    offset = jnp.where(seen[..., None], joints[..., :3] - place, 0.0)
    return Tracks(
        senses=jnp.concatenate(parts if fused is None else [*parts, fused], -1),
        place_m=place,
        size_m=code[..., visual.APPARENT_SIZE],
        seen=seen,
        body=jnp.concatenate([offset, joints[..., 5:8], touch], -1),
        skill=jnp.asarray(film.skill),
        parameters=jnp.asarray(film.parameters),
    )


def window(
    of: Tracks, statistics: normalise.Statistics, row: jax.Array, now: jax.Array, horizon: int
) -> Window:
    """Windows [B] of interactions `row` that have come to moment `now`, each [B] int32.

    At moment 0 the history is a look before the act: the hand is not yet there to be felt.
    """
    moment = now[:, None] + jnp.arange(1 - MOMENTS, 1)
    valid, at = moment >= 0, jnp.maximum(moment, 0)
    begun = now > 0
    pick = (row[:, None], at)
    seen = of.seen[pick] & valid
    senses = normalise.apply(statistics, of.senses[pick]) * valid[..., None]
    history = history_of(
        senses * (begun[:, None] | (jnp.arange(senses.shape[-1]) < SIGHTS))[:, None],
        of.place_m[pick],
        of.size_m[pick],
        seen,
        valid,
        of.body[row, now] * begun[:, None],
        begun,
    )
    ahead = now[:, None] + jnp.arange(1, horizon + 1)
    late = now[:, None] + jnp.array([h for h in HORIZONS if h <= horizon])
    return Window(
        history=history,
        act=model_lib.Act(of.skill[row], of.parameters[row], now),
        place_m=of.place_m[row[:, None], ahead],
        seen=of.seen[row[:, None], ahead],
        senses=normalise.apply(statistics, of.senses[row[:, None], late]),
        known=jnp.any(seen, -1),
    )


def history_of(senses, place_m, size_m, seen, valid, body, touching) -> model_lib.History:
    """`History` of N moments [B, N, ...]: where the object was last seen, how fast, how large."""
    order = jnp.arange(seen.shape[-1])
    last = jnp.argmax(jnp.where(seen, order, -1), -1)
    place = jnp.take_along_axis(place_m, last[:, None, None], 1)[:, 0]
    return model_lib.History(
        senses=senses,
        position_m=place_m,
        velocity_m_s=slope(place_m, seen) / model_lib.DT_S,
        size_m=losses.masked_mean(size_m, seen, -1),
        seen=seen,
        valid=valid,
        body=body,
        touching=touching,
        place_m=place,
    )


def look_history(
    senses: jax.Array,
    visual_code: jax.Array,
    statistics: normalise.Statistics,
    camera: camera_lib.Camera,
) -> model_lib.History:
    """The history of a single look before any act: senses [W, D] as in `Tracks`, codes [W, V]."""
    rows = visual_code.shape[0]
    valid = jnp.broadcast_to(jnp.arange(MOMENTS) == MOMENTS - 1, (rows, MOMENTS))
    senses = normalise.apply(statistics, senses) * (jnp.arange(senses.shape[-1]) < SIGHTS)

    def last(x):
        return jnp.zeros((rows, MOMENTS, *x.shape[1:])).at[:, -1].set(x)

    return history_of(
        last(senses),
        last(place_by_eye(visual_code, camera)),
        last(visual_code[:, visual.APPARENT_SIZE]),
        valid & (visual_code[:, :1] > 0),
        valid,
        jnp.zeros((rows, model_lib.BODY)),
        jnp.zeros(rows, bool),
    )


def slope(place: jax.Array, seen: jax.Array) -> jax.Array:
    """Least-squares change a moment [B, 3] of place [B, N, 3] over the moments seen; 0 of one."""
    weight = seen.astype(jnp.float32)
    count = jnp.maximum(weight.sum(-1, keepdims=True), 1.0)
    time = (
        jnp.arange(seen.shape[-1])
        - (weight * jnp.arange(seen.shape[-1])).sum(-1, keepdims=True) / count
    )
    time = time * weight
    middle = (weight[..., None] * place).sum(1, keepdims=True) / count[..., None]
    return (time[..., None] * (place - middle)).sum(1) / jnp.maximum((time**2).sum(-1), 1e-6)[
        :, None
    ]


def hidden_nll(future: model_lib.Future, camera: camera_lib.Camera) -> jax.Array:
    """[B, H] -log P(the object is out of view), the picture's edges held against the spread."""
    right, up, forward = jnp.asarray(camera.axes(), jnp.float32)
    relative = future.place_m - jnp.array(camera.position_m)
    depth = jnp.maximum(relative @ forward, 0.1)
    half = 0.5 * camera.pixel_pitch * depth
    spread = model_lib.UNIT_M * jnp.exp(0.5 * future.log_variance.mean(-1))

    def inside(offset, edge):
        norm = jax.scipy.stats.norm.cdf
        return norm((edge - offset) / spread) - norm((-edge - offset) / spread)

    within = inside(relative @ right, half * camera.width)
    within = within * inside(relative @ up, half * camera.height)
    return -jnp.log(1.0 - within + 1e-3)


def loss_of(
    future: model_lib.Future, target: Window, settings: Settings, camera: camera_lib.Camera
) -> jax.Array:
    """The scalar loss of windows [B].

    Gaussian likelihood of the place wherever it was seen, its calibration, the senses at the
    horizons, what was not seen, and the price of the prior's correction.
    """
    axes = model_lib.heading(target.act)
    error = model_lib.into_frame(target.place_m - future.place_m, axes) / model_lib.UNIT_M
    spread = future.log_variance
    nll = losses.gaussian_nll(jnp.zeros_like(error), spread, error, 0.5)
    band = Z_90 * jnp.exp(0.5 * spread)
    nll = nll + settings.calibration * losses.calibration(spread, error, band)
    seen = target.seen & target.known[:, None]
    unseen = ~target.seen & target.known[:, None]
    place = losses.masked_mean(nll.mean(-1), seen)
    hidden = jnp.mean(jnp.where(unseen, hidden_nll(future, camera), 0.0))
    senses = losses.gaussian_nll(
        future.senses_mean, future.senses_log_variance, target.senses, 0.5
    ).mean()
    loss = place + settings.senses * senses + settings.hidden * hidden
    loss = loss + settings.price * future.penalty.mean()
    chex.assert_shape(loss, ())
    return loss


def make_learner(
    model: model_lib.TemporalModel,
    settings: Settings,
    camera: camera_lib.Camera,
    horizon: int = HORIZONS[-1],
):
    """(init, learn) of one seed, to be vmapped over seeds.

    init(key, of, rows) -> Learner: a newborn that will learn from the interactions `rows` [n].
    learn(learner, key, of, steps) -> (Learner, loss [steps]): `steps` gradient steps; a fault
    freezes the learner, and the loss is NaN from then on (training/faults.py).
    """
    at = tuple(h for h in HORIZONS if h <= horizon)

    def optimiser():
        rate = optax.cosine_decay_schedule(settings.rate, settings.steps, 0.02)
        network = optax.chain(
            optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=settings.decay)
        )
        prior = optax.adam(settings.trust_rate)
        parts = {"network": network, "prior": prior}
        return faults.freezing(optax.partition(parts, ensemble.parameter_labels))

    def init(key, of: Tracks, rows) -> Learner:
        senses = of.senses[rows].reshape(-1, of.senses.shape[-1])
        statistics = normalise.update(
            normalise.init(senses.shape[1:]), senses, jnp.ones(len(senses), bool)
        )
        first = window(of, statistics, rows[:2], jnp.zeros(2, jnp.int32), horizon)
        params = model.init(key, first.history, first.act, horizon, at)
        return Learner(params, optimiser().init(params), statistics, rows, jnp.int32(0))

    def draw(key, learner: Learner, of: Tracks) -> Window:
        row_key, now_key, look_key, noise_key = jax.random.split(key, 4)
        row = jax.random.choice(row_key, learner.rows, (settings.batch,))
        latest = of.seen.shape[1] - 1 - horizon
        now = jax.random.randint(now_key, (settings.batch,), 1, latest + 1)
        look = jax.random.bernoulli(look_key, settings.look, (settings.batch,))
        drawn = window(of, learner.statistics, row, jnp.where(look, 0, now), horizon)
        senses = drawn.history.senses
        blurred = senses + settings.noise * jax.random.normal(noise_key, senses.shape)
        return drawn.replace(history=drawn.history.replace(senses=blurred))

    def learn(learner: Learner, key, of: Tracks, steps: int):
        def step(learner: Learner, _):
            batch = draw(jax.random.fold_in(key, learner.step), learner, of)

            def loss(params):
                future = model.apply(params, batch.history, batch.act, horizon, at)
                return loss_of(future, batch, settings, camera)

            value, gradient = jax.value_and_grad(loss)(learner.params)
            update, state = optimiser().update(
                gradient, learner.optimiser, learner.params, loss=value
            )
            value = faults.mark(state, value)
            params = optax.apply_updates(learner.params, update)
            return learner.replace(params=params, optimiser=state, step=learner.step + 1), value

        return jax.lax.scan(step, learner, None, steps)

    return init, learn


def observe(model, params, history: model_lib.History) -> model_lib.Belief:
    """What is believed now, by one seed's parameters."""
    return model.apply(params, history, method="observe")


def imagine(
    model, params, belief: model_lib.Belief, acts: model_lib.Act, horizon: int = HORIZONS[-1]
) -> model_lib.Future:
    """K acts thought through from the same beliefs [B]: `acts` [K, B] -> Future [K, B, ...]."""
    at = tuple(h for h in HORIZONS if h <= horizon)

    def one(act):
        return model.apply(params, belief, act, horizon, at, method="imagine")

    return jax.vmap(one)(acts)
