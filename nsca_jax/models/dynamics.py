"""What will come of it: one skill on one object, from the spawn's senses to the state at rest.

A residual MLP reads the situation once; a light cell then unrolls K knots of motion, each a
ballistic step from the state predicted before (priors/physics.py) corrected by a residual; a head
reads off the outcome. Everything is predicted as mean and log-variance of standardised targets.
An ensemble is a stack of members: Lakshminarayanan et al. (2017).

Shapes: B batch, E members, K knots, M = MOTION, D features, O = OUTCOMES.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from nsca_jax import types
from nsca_jax.models import normalise
from nsca_jax.models.thing import Look, Thing, Trait
from nsca_jax.priors import physics, visual
from nsca_jax.sensors import sound

OUTCOME_SIZES = {
    "displacement": 3,
    "rotation": 3,
    "sound": types.SOUND_BANDS,
    "touch": 6,
    "broken": 1,
    "image": types.VISUAL_CODE,
}
OUTCOMES = sum(OUTCOME_SIZES.values())
SOUND = slice(6, 6 + types.SOUND_BANDS)  # where an outcome vector holds the sound
TOUCH = slice(6 + types.SOUND_BANDS, 12 + types.SOUND_BANDS)
SMALLEST_M = 1e-3
CENTROID_Z, SPREAD_Z = 3, 6  # where the visual code holds height and vertical spread, in metres
LOOK = types.VISUAL_CODE + types.SHAPE_CODE  # features that the eye gives; the body's follow
LOOK_WIDTH = 32  # of a look that is not brought down to what the thing is
MEMORY = 2 * len(types.PROPERTIES)
LOG_BANDS = np.log(sound.mel_bands()[1:-1]).astype(np.float32)  # centres, log Hz
PITCH_RANGE = 3.0  # log Hz that a pitch may lie above or below their mean
TEMPLATE, TEMPLATE_RANGE = 112, (-1.5, 2.7)  # points of a spectrum, and log Hz from its pitch
TONES = 4  # frequencies between two neighbouring bands at which the ear is told a spectrum
LOUDEST = 25.0  # log energy; far above any, it keeps an untrained member finite
TEACHING = 10.0  # price of a squared miss of the look where memory knows the trait
LOAD_RANGE = 4.0  # a load's logarithm lies within +- so much
STATE_LIMIT = 10.0  # standard deviations; keeps an untrained roll-out from running away
LOG_VARIANCE_LOW, LOG_VARIANCE_HIGH = -7.0, 3.0
RAW0 = physics.initial_raw(0.9)
ZERO = nn.initializers.zeros


@struct.dataclass
class Statistics:
    """Running moments, frozen after the random phase so that errors stay comparable."""

    features: normalise.Statistics  # [D]
    motion: normalise.Statistics  # [K, M]
    outcome: normalise.Statistics  # [O]


@struct.dataclass
class Situation:
    """What a member knows before the act, for rows [B]."""

    features: jax.Array  # [B, D] standardised senses
    visual_code: jax.Array  # [B, V] as sensed, metres: the prior needs the height
    skill: jax.Array  # [B] int32
    parameters: jax.Array  # [B, 4] in [-1, 1]
    memory: jax.Array  # [B, 10] own estimates of the properties and known-flags
    persistence: jax.Array  # [B, O] standardised prior outcome: the object still looks as it did


@struct.dataclass
class Prediction:
    """Gaussian over standardised targets; an ensemble puts E in front."""

    motion_mean: jax.Array  # [B, K, M]
    motion_log_variance: jax.Array  # [B, K, M]
    outcome_mean: jax.Array  # [B, O]
    outcome_log_variance: jax.Array  # [B, O]
    weight: jax.Array  # [B] trust in the gravity prior
    penalty: jax.Array  # [B] for the loss: prices of the prior's correction and of a look's misses


def feature_vector(spawn: types.Observation) -> jax.Array:
    """The senses at the spawn but for the image: [..., V + G + 6 + 3 J].

    Visual code, code of shape, touch, proprioception.

    Lengths enter by their logarithm: pitch, mass and the like go with powers of them.
    """
    touch = spawn.touch_N.reshape(*spawn.touch_N.shape[:-2], 6)
    code = spawn.visual_code
    lengths = jnp.log(jnp.maximum(code[..., visual.LENGTHS], SMALLEST_M))
    code = jnp.concatenate([code[..., :4], lengths, code[..., 8:]], -1)
    return jnp.concatenate([code, spawn.shape_code, touch, spawn.proprio], -1)


def persistence(spawn: types.Observation, outcome: normalise.Statistics) -> jax.Array:
    """Standardised [..., O]: objects persist, so the look at rest is that of the spawn.

    Everything else starts from the mean, 0.
    """
    lead = spawn.visual_code.shape[:-1]
    still = jnp.zeros((*lead, OUTCOMES - types.VISUAL_CODE))
    seen = normalise.apply(outcome, jnp.concatenate([still, spawn.visual_code], -1))[
        ..., -types.VISUAL_CODE :
    ]
    return jnp.concatenate([still, seen], -1)


def outcome_vector(outcome: types.Outcome) -> jax.Array:
    """Outcome -> [..., O], in the order of OUTCOME_SIZES."""
    touch = outcome.touch_peak_N.reshape(*outcome.touch_peak_N.shape[:-2], 6)
    parts = [outcome.displacement_m, outcome.rotation_rad, outcome.sound, touch]
    return jnp.concatenate([*parts, outcome.broken[..., None], outcome.image_code], -1)


def split_outcome(vector: jax.Array) -> dict[str, jax.Array]:
    """[..., O] -> {name: [..., size]}, the inverse of `outcome_vector`."""
    sizes = list(OUTCOME_SIZES.values())
    edges = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    return dict(zip(OUTCOME_SIZES, jnp.split(vector, edges, -1), strict=True))


def action_features(skill: jax.Array, parameters: jax.Array) -> jax.Array:
    """[...] and [..., 4] -> [..., 26]: skill, parameters, products, the direction's circle."""
    onehot = jax.nn.one_hot(skill, len(types.SKILLS))
    products = (onehot[..., :, None] * parameters[..., None, :]).reshape(*skill.shape, -1)
    angle_rad = jnp.pi * parameters[..., types.SKILL_PARAMETERS.index("direction")]
    circle = jnp.stack([jnp.sin(angle_rad), jnp.cos(angle_rad)], -1)
    return jnp.concatenate([onehot, parameters, products, circle], -1)


def floor_displacement(visual_code: jax.Array, reach: jax.Array) -> jax.Array:
    """How far an object can sink before it rests on the table at z = 0.

    Args:
        visual_code: [..., V], metres.
        reach: [] how many vertical spreads the object reaches below its visible centroid.

    Returns:
        [...] metres, never positive.
    """
    lowest_m = visual_code[..., CENTROID_Z] - reach * visual_code[..., SPREAD_Z]
    return jnp.minimum(-lowest_m, 0.0)


def soft_clip(raw: jax.Array) -> jax.Array:
    """Bounds a log-variance with gradients that never vanish outright: Chua et al. (2018), PETS."""
    below = LOG_VARIANCE_HIGH - jax.nn.softplus(LOG_VARIANCE_HIGH - raw)
    return LOG_VARIANCE_LOW + jax.nn.softplus(below - LOG_VARIANCE_LOW)


class Trunk(nn.Module):
    """[B, inputs] -> context [B, width] by pre-normalised residual blocks."""

    width: int
    blocks: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Dense(self.width)(x)
        for _ in range(self.blocks):
            x = x + nn.Dense(self.width)(nn.silu(nn.LayerNorm()(x)))
        return nn.silu(nn.LayerNorm()(x))


class KnotCell(nn.Module):
    """One knot: z and drive [B, latent], motion [B, M] -> z, residual, log-variance."""

    latent: int

    @nn.compact
    def __call__(self, z: jax.Array, drive: jax.Array, motion: jax.Array):
        seen = jnp.concatenate([nn.LayerNorm()(z), motion], -1)
        z = z + nn.Dense(self.latent)(nn.silu(drive + nn.Dense(self.latent)(seen)))
        head = nn.Dense(2 * types.MOTION, kernel_init=ZERO)(z)
        residual, log_variance = jnp.split(head, 2, -1)
        return z, residual, soft_clip(log_variance)


def ballistic_knot(
    motion: jax.Array, dt_s: float, floor_m: jax.Array, statistics: normalise.Statistics, knot: int
) -> jax.Array:
    """The prior's next motion, standardised as knot `knot`: [B, M] in SI units -> [B, M]."""
    displacement, rotation, velocity = jnp.split(motion, 3, -1)
    displacement, velocity = physics.ballistic_step(displacement, velocity, dt_s, floor_m)
    moved = jnp.concatenate([displacement, rotation, velocity], -1)
    return (moved - statistics.mean[knot]) / normalise.std(statistics)[knot]


def ear() -> tuple[np.ndarray, np.ndarray]:
    """The ear's own filters: tones [n] log Hz, and the share [n, F] of each that a band hears.

    A band is a triangle over frequency, so that a tone between two bands is heard in both; a share
    counts the logarithm of the frequency that its tone stands for, over the bands' mean spacing.
    """
    edges = sound.mel_bands()
    place = np.linspace(0.0, len(edges) - 1.0, TONES * (len(edges) - 1) + 1)
    tones_Hz = np.interp(place, np.arange(len(edges)), edges)
    rising = (tones_Hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - tones_Hz[:, None]) / (edges[2:] - edges[1:-1])
    share = np.maximum(np.minimum(rising, falling), 0.0)
    log_Hz = np.log(tones_Hz)
    wide = np.gradient(log_Hz) / np.mean(np.diff(LOG_BANDS))
    return log_Hz.astype(np.float32), (share * wide[:, None]).astype(np.float32)


EAR_TONES, EAR_SHARES = ear()


class SoundHead(nn.Module):
    """What it will sound like: a spectrum relative to a pitch, and the pitch.

    Things of one kind sound alike but for their pitch, so the spectrum is predicted over the
    logarithm of the frequency relative to the pitch, and heard from there through the ear's own
    filters: what was learnt at one pitch holds at all, though high and low bands differ in width.
    """

    innate: bool = True  # that large things sound low

    @nn.compact
    def __call__(self, seen: jax.Array, thing: Thing, memory: jax.Array):
        """seen [B, width], memory [B, 10] -> log(1 + energy) [B, F]; the look's miss [B]."""
        template = nn.Dense(TEMPLATE, kernel_init=ZERO, name="template")(seen)
        pitch, miss = Trait("hardness", -1.0 * self.innate, name="pitch")(thing, memory)
        pitch = pitch + nn.Dense(1, kernel_init=ZERO, name="detune")(seen)
        log_pitch = LOG_BANDS.mean() + PITCH_RANGE * jnp.tanh(pitch / PITCH_RANGE)
        lowest, highest = TEMPLATE_RANGE
        at = (EAR_TONES - log_pitch - lowest) * (TEMPLATE - 1) / (highest - lowest)
        at = jnp.clip(at, 0.0, TEMPLATE - 1.0)
        low = jnp.minimum(at.astype(jnp.int32), TEMPLATE - 2)
        below = jnp.take_along_axis(template, low, -1)
        above = jnp.take_along_axis(template, low + 1, -1)
        tones = jnp.minimum(below + (at - low) * (above - below), LOUDEST)
        return jnp.log1p(jnp.exp(tones) @ EAR_SHARES), miss


class TouchHead(nn.Module):
    """How hard it will press by its weight: as a usual thing would, times this one's load.

    A grip is as firm as the hand makes it, but what a thing's inertia does to the hand grows in
    proportion to its mass. The logarithm of that is a trait of the thing, so that what was learnt
    of acts holds for things heavier or lighter than any so far.
    """

    innate: bool = True  # that large things are heavy

    @nn.compact
    def __call__(self, seen: jax.Array, thing: Thing, memory: jax.Array):
        """seen [B, width], memory [B, 10] -> standardised forces [B, 6]; the look's miss [B]."""
        usual = nn.Dense(6, kernel_init=ZERO, name="usual")(seen)
        load, miss = Trait("weight", 3.0 * self.innate, name="load")(thing, memory)
        return usual * jnp.exp(LOAD_RANGE * jnp.tanh(load / LOAD_RANGE)), miss


class OutcomeModel(nn.Module):
    """One member of the ensemble.

    `use_action=False` is the control that must fail: it has neither skill nor parameters, nor the
    touch and proprioception at the spawn, in which the act is written. Two ablations:
    `use_priors=False` expects neither that things fall, rest on the table and persist, only the
    mean of what was seen, nor that large things are heavy and sound low; `use_slots=False` does not
    bring a look down to what the thing is, and knows no traits.
    """

    width: int = 192
    blocks: int = 3
    latent: int = 64
    knot_dt_s: float = 0.2
    use_action: bool = True
    use_priors: bool = True
    use_slots: bool = True
    prior_price: float = 1.0  # scales what a correction of the prior costs

    @nn.compact
    def __call__(self, situation: Situation, statistics: Statistics) -> Prediction:
        """Predicts for rows [B]."""
        action = action_features(situation.skill, situation.parameters) * float(self.use_action)
        senses = situation.features
        if not self.use_action:  # the body's own state at the spawn is the act's doing
            senses = senses.at[..., LOOK:].set(0.0)
        look = senses[..., :LOOK]
        if self.use_slots:
            thing = Look(name="look")(look, statistics.features)
            told = [thing.code(), look[..., visual.CENTROID]]
        else:
            told = [nn.silu(nn.Dense(LOOK_WIDTH, name="look")(look))]
        inputs = [*told, senses[..., LOOK:], action, situation.memory]
        context = Trunk(self.width, self.blocks)(jnp.concatenate(inputs, -1))
        raw = self.param("raw", nn.initializers.constant(RAW0), ())
        gate = nn.Dense(1, kernel_init=ZERO, use_bias=False, name="gate")(context)[..., 0]
        weight = physics.gated_weight(raw, gate) * float(self.use_priors)
        z, motion, log_variance, residual = self.unroll(
            situation, statistics.motion, context, weight
        )
        seen = jnp.concatenate([context, z, motion[..., -1, :]], -1)
        head = nn.Dense(2 * OUTCOMES, kernel_init=ZERO)(seen)
        outcome_mean, outcome_raw = jnp.split(head, 2, -1)
        outcome_mean = outcome_mean + situation.persistence * float(self.use_priors)
        price = jnp.mean(physics.blend_penalty(residual, raw, RAW0), -1)
        scale = self.prior_price * float(self.use_priors)
        penalty = (price + physics.gate_penalty(gate)) * scale
        if self.use_slots:
            traits = (seen, thing, situation.memory)
            outcome_mean, miss = self.by_traits(outcome_mean, traits, statistics.outcome)
            penalty = penalty + TEACHING * miss
        outcome_log_variance = soft_clip(outcome_raw)
        return Prediction(motion, log_variance, outcome_mean, outcome_log_variance, weight, penalty)

    def by_traits(self, usual, traits, statistics):
        """Outcome means [B, O] with sound and touch by what the thing is; the look's miss [B]."""
        mean, scale = statistics.mean, normalise.std(statistics)
        seen, thing, memory = traits
        heard, pitch_miss = SoundHead(self.use_priors)(seen, thing, memory)
        heard = (heard - mean[SOUND]) / scale[SOUND]
        felt, load_miss = TouchHead(self.use_priors)(seen, thing, memory)
        outcome = usual.at[..., SOUND].set(heard).at[..., TOUCH].add(felt)
        return outcome, pitch_miss + load_miss

    def unroll(self, situation, statistics, context, weight):
        """K knots from rest: final z [B, latent]; mean, log-variance, residual [B, K, M]."""
        reach = self.param("reach", nn.initializers.constant(2.0), ())
        floor_m = floor_displacement(situation.visual_code, reach)
        clock = self.param("clock", nn.initializers.normal(0.1), (types.KNOTS, self.latent))
        drive = nn.Dense(self.latent, name="drive")(context)
        cell = KnotCell(self.latent)
        rows = context.shape[:-1]
        z, motion = jnp.zeros((*rows, self.latent)), jnp.zeros((*rows, types.MOTION))
        scale, seen, knots = normalise.std(statistics), motion, []
        for knot in range(types.KNOTS):
            prior = ballistic_knot(motion, self.knot_dt_s, floor_m, statistics, knot)
            prior = prior * float(self.use_priors)
            z, residual, log_variance = cell(z, drive + clock[knot], seen)
            mean = physics.blend(prior, residual, weight[..., None])
            seen = jnp.clip(mean, -STATE_LIMIT, STATE_LIMIT)
            motion = seen * scale[knot] + statistics.mean[knot]
            knots.append((mean, log_variance, residual))
        return z, *(jnp.stack(parts, -2) for parts in zip(*knots, strict=True))
