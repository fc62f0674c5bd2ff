"""Impact sounds by modal synthesis, in closed form.

A struck solid rings in a few modes, damped sines whose frequencies, decays and loudness follow from
what it is (van den Doel & Pai 1998, "The sounds of physical shapes"):

    modulus    E   = E0 (k / k0)^3            k the contact stiffness: hard things are stiff
    speed      c   = sqrt(E / density)
    pitch      f1  = BENDING c / (2 L)        L the longest half extent; f_i = RATIOS_i f1
    loss       eta = LOSS0 (k / k_soft)^-1.5  soft things are dull and short, hard ones ring
    decay      d_i = pi f_i eta
    strike     a mode gets the energy w_i^2 J^2 / (2 m) of an impulse J, low-passed by the contact's
               duration; it radiates at the rate RADIATION, so that the pressure is
               J sum_i a_i exp(-d_i t) sin(2 pi f_i t),  a_i^2 = 2 RADIATION w_i^2 / m  (sqrt W)

A damped sine's spectrum is a Lorentzian line, and the energy that a triangular band takes from it
has a closed form (`_band_shares`): no waveform is needed to hear. Frequencies are those of a free
bar's bending scaled to everyday objects: 2 to 8 cm and 0.02 to 2 kg give 60 Hz to 10 kHz.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.scipy.signal import fftconvolve

from nsca_jax import types

MODES = 8
RATIOS = np.array([1.0, 2.09, 2.76, 3.42, 4.11, 4.73, 5.40, 6.16], np.float32)
WEIGHTS = 1.0 / (1.0 + np.arange(MODES, dtype=np.float32))

STIFFNESS0 = 2.5e4  # 1/s^2, that of wood
MODULUS0_Pa = 1e10
BENDING = 0.0113  # bending is slower than sound in the solid: f1 = 500 Hz for 4 cm of wood
STIFFNESS_SOFT = 1e4
LOSS0 = 0.1
RADIATION_per_s = 1.0
CONTACT_SCALE = 0.01  # audible contacts are shorter than the simulation's soft ones

BAND_LOW_Hz, BAND_HIGH_Hz = 60.0, 12_000.0
ENERGY0_J = 1e-6  # the threshold of hearing
PEAK_SHARE = 0.25  # of the loudest band's energy makes a band a candidate for the pitch

# A crack lowers and scatters the pitches, damps them, and adds the noise of loose parts.
BROKEN_DETUNING = np.array([0.62, 0.81, 0.55, 0.9, 0.68, 0.77, 0.59, 0.86], np.float32)
BROKEN_DAMPING = 6.0
BROKEN_NOISE_SHARE = 0.3
RATTLE_DECAY_per_s = 15.0  # of the noise: loose parts go on rattling


@struct.dataclass
class Modes:
    """How an object rings; computed once an object."""

    frequency_Hz: jax.Array  # [..., MODES]
    decay_per_s: jax.Array  # [..., MODES] of the amplitude
    amplitude: jax.Array  # [..., MODES] sqrt(W) of radiated sound per N s of impulse


def volume_m3(shape: jax.Array, size_m: jax.Array) -> jax.Array:
    """[...] volume of solids: `shape` [...] indexes `types.SHAPES`, `size_m` [..., 3]."""
    x, y, z = size_m[..., 0], size_m[..., 1], size_m[..., 2]
    ball = 4.0 / 3.0 * math.pi * x**3
    rod = math.pi * x**2 * 2.0 * y
    return jnp.select([shape == 0, shape == 1], [ball, ball + rod], 8.0 * x * y * z)


def half_length_m(shape: jax.Array, size_m: jax.Array) -> jax.Array:
    """[...] longest half extent L of solids, arguments as for `volume_m3`."""
    ball, rod = size_m[..., 0], size_m[..., 0] + size_m[..., 1]
    return jnp.select([shape == 0, shape == 1], [ball, rod], size_m.max(axis=-1))


def modes(properties: types.ObjectProperties) -> Modes:
    """The modes of objects [...]: hard, light and small things ring high; hard ones ring long."""
    stiffness, mass = properties.contact_stiffness, properties.mass_kg
    density = mass / volume_m3(properties.shape, properties.size_m)
    speed = jnp.sqrt(MODULUS0_Pa * (stiffness / STIFFNESS0) ** 3 / density)
    pitch = BENDING * speed / (2.0 * half_length_m(properties.shape, properties.size_m))
    frequency = pitch[..., None] * RATIOS
    loss = LOSS0 * (stiffness / STIFFNESS_SOFT) ** -1.5
    contact_s = CONTACT_SCALE * math.pi / jnp.sqrt(stiffness)
    low_pass = 1.0 / (1.0 + (frequency * contact_s[..., None]) ** 2)
    loudness = jnp.sqrt(2.0 * RADIATION_per_s / mass)
    return Modes(
        frequency_Hz=frequency,
        decay_per_s=math.pi * frequency * loss[..., None],
        amplitude=loudness[..., None] * WEIGHTS * low_pass,
    )


def crack(whole: Modes) -> Modes:
    """The modes of the same object after it broke (its noise is added by `band_response`)."""
    detuned = whole.frequency_Hz * BROKEN_DETUNING
    return Modes(detuned, BROKEN_DAMPING * whole.decay_per_s, whole.amplitude)


def mel_bands() -> np.ndarray:
    """[SOUND_BANDS + 2] Hz: band b is a triangle from entry b to b + 2, its peak at entry b + 1."""
    low, high = (math.log1p(f / 700.0) for f in (BAND_LOW_Hz, BAND_HIGH_Hz))
    return 700.0 * np.expm1(np.linspace(low, high, types.SOUND_BANDS + 2))


def _triangles(at_edges: jax.Array, edges: np.ndarray) -> jax.Array:
    """Integral of a line's spectrum times each triangle, from its second antiderivative."""
    slope = jnp.diff(at_edges, axis=-1) / np.diff(edges).astype(np.float32)
    return jnp.diff(slope, axis=-1)


def _band_shares(frequency_Hz: jax.Array, decay_per_s: jax.Array) -> jax.Array:
    """[..., MODES, SOUND_BANDS] share of each mode's energy that each band hears.

    A line of half width g = decay / 2 pi has the density g / (pi (x^2 + g^2)) at the distance x;
    its second antiderivative is |x| / 2 - (|x| atan(g / |x|) + g / 2 log(1 + x^2 / g^2)) / pi.
    The first term is the line itself and gives plain interpolation between neighbouring bands; the
    rest is its skirt. They are summed apart, else the skirt drowns in float32 rounding. Far from
    it the mirror line at -f matters: it turns the Lorentzian's tail 1 / (4 (x - f)^2) into the
    damped sine's f^2 / (x^2 - f^2)^2.
    """
    edges = mel_bands()
    distance = jnp.abs(edges.astype(np.float32) - frequency_Hz[..., None])
    width = decay_per_s[..., None] / (2.0 * math.pi)
    skirt = distance * jnp.arctan2(width, distance) + 0.5 * width * jnp.log1p(
        (distance / width) ** 2
    )
    rising = (frequency_Hz[..., None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency_Hz[..., None]) / (edges[2:] - edges[1:-1])
    line = jnp.maximum(jnp.minimum(rising, falling), 0.0)
    share = jnp.maximum(line - _triangles(skirt, edges) / math.pi, 0.0)
    centres = edges[1:-1].astype(np.float32)
    far = (2.0 * frequency_Hz[..., None] / (centres + frequency_Hz[..., None])) ** 2
    return share * jnp.where(line > 0.0, 1.0, far)


def _heard(whole: Modes, duration_s: float) -> jax.Array:
    """[..., SOUND_BANDS] J per (N s)^2 within `duration_s` of a strike."""
    energy = whole.amplitude**2 / (4.0 * whole.decay_per_s)
    energy = energy * -jnp.expm1(-2.0 * whole.decay_per_s * duration_s)
    # A line that is cut off after the duration is at least as wide as the duration's inverse.
    decay = jnp.maximum(whole.decay_per_s, 1.0 / duration_s)
    return jnp.einsum("...m,...mb->...b", energy, _band_shares(whole.frequency_Hz, decay))


def band_response(whole: Modes, duration_s: float) -> jax.Array:
    """[..., 2, SOUND_BANDS] J per (N s)^2: what one strike sounds like, whole and broken.

    Compute it once an object; a step's energy is then impulse^2 times a row. `duration_s` is how
    long one listens after the strike. Raises `ValueError` unless it is positive.
    """
    if duration_s <= 0.0:
        raise ValueError(f"sound: duration_s {duration_s} must be positive")
    intact, cracked = _heard(whole, duration_s), _heard(crack(whole), duration_s)
    edges = mel_bands()
    white = ((edges[2:] - edges[:-2]) / np.sum(edges[2:] - edges[:-2])).astype(np.float32)
    rattle = intact.sum(axis=-1, keepdims=True) * white
    cracked = (1.0 - BROKEN_NOISE_SHARE) * cracked + BROKEN_NOISE_SHARE * rattle
    return jnp.stack([intact, cracked], axis=-2)


def band_energy(
    whole: Modes, impulse_Ns: jax.Array, duration_s: float, broken: jax.Array
) -> jax.Array:
    """[..., SOUND_BANDS] J heard in `duration_s` after a strike of `impulse_Ns` [...].

    `broken` [...] is 1 (or True) where the object is broken. Zero impulse is silence.
    """
    return strike_energy(band_response(whole, duration_s), impulse_Ns, broken)


def strike_energy(response: jax.Array, impulse_Ns: jax.Array, broken: jax.Array) -> jax.Array:
    """As `band_energy`, from `band_response`'s [..., 2, SOUND_BANDS]: for use inside a loop."""
    row = jnp.where(broken[..., None] > 0, response[..., 1, :], response[..., 0, :])
    return impulse_Ns[..., None] ** 2 * row


def log_spectrum(energy_J: jax.Array) -> jax.Array:
    """log(1 + energy / ENERGY0_J): loudness as the agent hears it, 0 in silence."""
    return jnp.log1p(energy_J / ENERGY0_J)


def waveform(
    whole: Modes,
    impulses_Ns_T: jax.Array,
    control_dt_s: float,
    sample_rate_Hz: int,
    broken_T: jax.Array | float = 0.0,
) -> jax.Array:
    """[n] sound pressure (sqrt W) of one object's interaction: a strike at each control step.

    `whole` has no leading axes; `impulses_Ns_T` is [T], so is `broken_T` (1 where the object is
    broken), and n is T control steps in samples. Modes above half the sample rate are silent.
    Deterministic: the noise of a broken object is drawn from a fixed key.
    """
    steps = impulses_Ns_T.shape[0]
    samples = round(steps * control_dt_s * sample_rate_Hz)
    starts = np.round(np.arange(steps) * control_dt_s * sample_rate_Hz).astype(int)
    broken_T = jnp.broadcast_to(broken_T, (steps,)) > 0
    sound = jnp.zeros(samples)
    for ring, struck in zip(
        _rings(whole, samples, sample_rate_Hz), (~broken_T, broken_T), strict=True
    ):
        train = jnp.zeros(samples).at[starts].add(jnp.where(struck, impulses_Ns_T, 0.0))
        sound = sound + fftconvolve(train, ring)[:samples]
    return sound


def _rings(whole: Modes, samples: int, sample_rate_Hz: int) -> tuple[jax.Array, jax.Array]:
    """Response [samples] to 1 N s of the object, whole and broken."""
    t = jnp.arange(samples) / sample_rate_Hz

    def ring(m: Modes) -> jax.Array:
        audible = jnp.where(m.frequency_Hz < sample_rate_Hz / 2.0, m.amplitude, 0.0)
        decay = jnp.exp(-m.decay_per_s[:, None] * t)
        return audible @ (decay * jnp.sin(2.0 * math.pi * m.frequency_Hz[:, None] * t))

    intact, cracked = ring(whole), ring(crack(whole))
    hiss = jax.random.normal(jax.random.key(0), (samples,)) * jnp.exp(-RATTLE_DECAY_per_s * t)
    in_bands = min(1.0, BAND_HIGH_Hz / (sample_rate_Hz / 2.0))
    hiss = hiss * jnp.sqrt(jnp.sum(intact**2) / jnp.sum(hiss**2) / in_bands)
    share = BROKEN_NOISE_SHARE
    return intact, math.sqrt(1.0 - share) * cracked + math.sqrt(share) * hiss


def dominant_frequency_Hz(sound: jax.Array) -> jax.Array:  # noqa: N802 - the unit's own case
    """[...] Hz: the agent's own estimate of the pitch from `log_spectrum` [..., SOUND_BANDS].

    The lowest band that is a peak and holds at least PEAK_SHARE of the loudest band's energy,
    refined by its two neighbours: a pure line shares its energy between the two bands around it in
    proportion to nearness. 0 in silence.
    """
    energy = jnp.expm1(sound)
    padded = jnp.pad(energy, [(0, 0)] * (energy.ndim - 1) + [(1, 1)])
    below, above = padded[..., :-2], padded[..., 2:]
    strong = energy >= PEAK_SHARE * energy.max(axis=-1, keepdims=True)
    peak = jnp.argmax(strong & (energy >= below) & (energy >= above), axis=-1, keepdims=True)
    centres = jnp.asarray(np.pad(mel_bands()[1:-1], 1, mode="edge"), jnp.float32)
    # Only the louder neighbour belongs to the line, the other one is skirt or the next mode.
    here, low, high = (jnp.take_along_axis(e, peak, -1) for e in (energy, below, above))
    other = jnp.where(high > low, peak + 2, peak)
    weight = jnp.maximum(low, high)
    total = here + weight
    pitch = (here * centres[peak + 1] + weight * centres[other]) / jnp.maximum(total, 1e-30)
    return jnp.where(total > 0.0, pitch, 0.0)[..., 0]
