"""Sound: the closed form against the waveform's FFT, physics' signs, and the agent's pitch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import types
from nsca_jax.sensors import noise, sound

RATE_HZ = 32_000
LISTEN_s = 0.5


def _objects(**changes) -> types.ObjectProperties:
    """Balls of wood, 3 cm, unless changed; any field may be [N]."""
    values = {
        "shape": 0, "size_m": (0.03, 0.0, 0.0), "mass_kg": 0.1, "contact_stiffness": 2.5e4,
        "damping_ratio": 0.1, "friction": 0.5, "fragility_Ns": np.inf, "rgb": (0.5, 0.5, 0.5),
    }  # fmt: skip
    return types.ObjectProperties(**{k: jnp.asarray(v) for k, v in {**values, **changes}.items()})


def _everyday(count: int, seed: int = 0) -> types.ObjectProperties:
    """Random objects of 1.5 to 6 cm half extent whose density grows with hardness, roughly."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(0, 3, count)
    size = np.exp(rng.uniform(np.log(0.015), np.log(0.06), (count, 3)))
    size[shape == 0, 1:] = 0.0
    size[shape == 1, 2] = 0.0
    hard = rng.uniform(size=count)
    density = 60.0 * 60.0**hard * np.exp(rng.normal(0.0, 0.7, count))
    mass = density * np.asarray(sound.volume_m3(jnp.asarray(shape), jnp.asarray(size)))
    return _objects(
        shape=shape, size_m=size, mass_kg=np.clip(mass, 0.02, 2.0),
        contact_stiffness=1e4 * 6.0**hard,
    )  # fmt: skip


def _brightness(energy):
    return (energy * sound.mel_bands()[1:-1]).sum(-1) / energy.sum(-1)


def _strike(properties, impulse=0.2, broken=0.0):
    modes = sound.modes(properties)
    shape = modes.frequency_Hz.shape[:-1]
    return sound.band_energy(modes, jnp.full(shape, impulse), LISTEN_s, jnp.full(shape, broken))


def _fft_bands(wave) -> np.ndarray:
    """Energy per triangular band, from the waveform's spectrum (Parseval)."""
    power = 2.0 * np.abs(np.fft.rfft(np.asarray(wave, np.float64))) ** 2 / len(wave) / RATE_HZ
    at = np.fft.rfftfreq(len(wave), 1.0 / RATE_HZ)
    edges = sound.mel_bands()
    corners = zip(edges[:-2], edges[1:-1], edges[2:], strict=True)
    return np.array([power @ np.interp(at, corner, (0.0, 1.0, 0.0)) for corner in corners])


@pytest.mark.parametrize(("broken", "lowest"), [(0.0, 0.9), (1.0, 0.85)])
def test_closed_form_agrees_with_the_waveform(broken, lowest):
    """Log energies of all bands. A rattle is one draw of noise: a few waves a band, hence less."""
    properties = _everyday(20)
    modes = sound.modes(properties)
    impulse = jnp.zeros(25).at[0].set(0.3)
    closed = np.asarray(_strike(properties, 0.3, broken))
    render = jax.jit(lambda m: sound.waveform(m, impulse, LISTEN_s / 25, RATE_HZ, broken))
    heard = np.stack([
        _fft_bands(render(jax.tree.map(lambda leaf, i=i: leaf[i], modes))) for i in range(20)
    ])  # fmt: skip
    correlation = [
        np.corrcoef(np.log(ours), np.log(fft))[0, 1]
        for ours, fft in zip(closed, heard, strict=True)
    ]
    assert min(correlation) >= lowest
    np.testing.assert_allclose(closed.sum(-1), heard.sum(-1), rtol=0.25)


def test_one_mode_by_hand():
    """A narrow line midway between two peaks gives each half of a^2 J^2 / (4 d)."""
    edges = sound.mel_bands()
    frequency = np.r_[(edges[9] + edges[10]) / 2.0, np.full(7, 5e3)]
    amplitude = np.r_[2.0, np.zeros(7)]
    modes = sound.Modes(jnp.asarray(frequency), jnp.full(8, 1.0), jnp.asarray(amplitude))
    energy = sound.band_energy(modes, jnp.asarray(3.0), 100.0, jnp.asarray(0.0))
    expected = np.zeros(types.SOUND_BANDS)
    expected[[8, 9]] = 0.5 * 2.0**2 * 3.0**2 / 4.0
    np.testing.assert_allclose(energy, expected, atol=0.02 * expected.max())


def test_harder_is_higher_and_rings_longer():
    stiffness = jnp.geomspace(1e4, 6e4, 8)
    balls = _objects(contact_stiffness=stiffness, mass_kg=jnp.full(8, 0.1))
    modes = sound.modes(_objects(contact_stiffness=stiffness, mass_kg=jnp.full(8, 0.1)))
    assert np.all(np.diff(_brightness(_strike(balls))) > 0)
    cycles = modes.frequency_Hz[:, 0] / modes.decay_per_s[:, 0]
    assert np.all(np.diff(cycles) > 0)


def test_larger_is_lower():
    """At the same density and hardness."""
    radius = jnp.geomspace(0.015, 0.06, 8)
    size = jnp.stack([radius, 0 * radius, 0 * radius], -1)
    mass = 0.1 * (radius / 0.03) ** 3
    balls = _objects(size_m=size, mass_kg=mass, contact_stiffness=jnp.full(8, 2.5e4))
    assert np.all(np.diff(_brightness(_strike(balls))) < 0)


def test_energy_goes_with_impulse_squared():
    one, three = _strike(_objects(), 0.1), _strike(_objects(), 0.3)
    np.testing.assert_allclose(three, 9.0 * one, rtol=1e-5)


def test_energy_goes_with_one_over_mass_at_equal_density():
    """Same pitch, hence the same loss and low-pass: twice the mass, half the energy."""
    rods = _objects(
        shape=jnp.array([2, 2]), size_m=jnp.array([[0.05, 0.02, 0.01], [0.05, 0.02, 0.02]]),
        mass_kg=jnp.array([0.1, 0.2]), contact_stiffness=jnp.full(2, 2.5e4),
    )  # fmt: skip
    light, heavy = _strike(rods)
    np.testing.assert_allclose(light, 2.0 * heavy, rtol=1e-4)


def test_silence_is_zero():
    energy = _strike(_objects(), 0.0)
    assert float(jnp.abs(energy).max()) == 0.0
    assert float(sound.log_spectrum(energy).max()) == 0.0
    assert float(sound.dominant_frequency_Hz(jnp.zeros(types.SOUND_BANDS))) == 0.0
    modes = sound.modes(_objects())
    assert float(jnp.abs(sound.waveform(modes, jnp.zeros(5), 0.04, RATE_HZ)).max()) == 0.0


def test_breaking_is_heard():
    """Lower, and noisy: the quietest band of a broken thing is far above that of a whole one."""
    whole, broken = _strike(_objects()), _strike(_objects(), broken=1.0)
    assert broken.min() / broken.sum() > 10.0 * whole.min() / whole.sum()
    pitch = [float(sound.dominant_frequency_Hz(sound.log_spectrum(e))) for e in (whole, broken)]
    assert pitch[1] < 0.8 * pitch[0]


def test_the_pitch_is_recovered_and_in_range():
    properties = _everyday(2000)
    true = sound.modes(properties).frequency_Hz[:, 0]
    inside = (true > sound.mel_bands()[1]) & (true < sound.mel_bands()[-2])
    assert inside.mean() > 0.99
    heard = sound.dominant_frequency_Hz(sound.log_spectrum(_strike(properties)))
    error = np.abs(np.log(heard / true))[np.asarray(inside)]
    assert np.percentile(error, 99) < 0.1
    assert np.median(error) < 0.01


def test_everything_is_finite_and_noise_is_audible_only_upwards():
    spectrum = sound.log_spectrum(_strike(_everyday(200)))
    assert bool(jnp.isfinite(spectrum).all())
    noisy = noise.add(jax.random.key(1), spectrum, 0.5, low=0.0)
    assert float(noisy.min()) == 0.0
    assert float(jnp.std(noisy - spectrum)) > 0.1


def test_bands_are_mel_spaced():
    edges = sound.mel_bands()
    assert edges[0] == pytest.approx(60.0)
    assert edges[-1] == pytest.approx(12_000.0)
    mel = 2595.0 * np.log10(1.0 + edges / 700.0)
    np.testing.assert_allclose(np.diff(mel), np.diff(mel)[0], rtol=1e-9)


def test_impossible_durations_are_refused():
    with pytest.raises(ValueError, match="duration"):
        sound.band_response(sound.modes(_objects()), 0.0)
