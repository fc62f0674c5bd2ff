"""The mel front end: an independent library, real sounds, and the simulation's closed form."""

import warnings

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import soundfile

from nsca_jax import types
from nsca_jax.sensors import mel, sound
from tests import shipped

RATE_Hz, WINDOW, HOP = 44_100, 2048, 512


def librosa_mel(wave, rate_Hz, window, hop):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Empty filters")  # bands beyond half the sample rate
        spectrum = librosa.feature.melspectrogram(
            y=np.asarray(wave, np.float32),
            sr=rate_Hz,
            n_fft=window,
            hop_length=hop,
            center=False,
            window="hann",
            power=2.0,
            n_mels=types.SOUND_BANDS,
            htk=True,
            norm=None,
            fmin=sound.BAND_LOW_Hz,
            fmax=sound.BAND_HIGH_Hz,
        )
    return spectrum.T


def own_mel(wave, rate_Hz, window, hop):
    return np.asarray(mel.power(jnp.asarray(wave), window, hop)) @ mel.triangles(window, rate_Hz)


def agree(wave, rate_Hz, window, hop):
    """Within 1e-4 of each value, and 1e-6 of the loudest."""
    own, other = (f(wave, rate_Hz, window, hop) for f in (own_mel, librosa_mel))
    assert own.shape == other.shape
    np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6 * other.max())


@pytest.mark.parametrize(("window", "hop"), [(2048, 512), (1764, 441), (1024, 1024)])
def test_bands_agree_with_librosa(window, hop):
    rng = np.random.default_rng(0)
    t = np.arange(RATE_Hz // 2) / RATE_Hz
    sweep = np.sin(2 * np.pi * (100 * t + 8_000 * t**2))
    for wave in (rng.normal(size=len(t)), sweep, np.exp(-20 * t) * sweep):
        agree(wave.astype(np.float32), RATE_Hz, window, hop)


@pytest.mark.parametrize("path", shipped.sounds(), ids=lambda p: p.stem)
def test_real_sounds_agree_with_librosa(path):
    wave, rate_Hz = soundfile.read(path, dtype="float32")
    agree(wave, rate_Hz, 512, 256)
    loudness = mel.log_mel(jnp.asarray(wave), rate_Hz, 512, 256)
    assert loudness.max() > 3 * loudness.mean() > 0


def test_a_sine_has_its_energy_in_its_band():
    band, level = 14, 0.3
    pitch = sound.mel_bands()[band + 1]
    wave = level * np.sin(2 * np.pi * pitch * np.arange(RATE_Hz) / RATE_Hz)
    energy = mel.band_energy(jnp.asarray(wave, jnp.float32), RATE_Hz, WINDOW, HOP)
    assert (energy.argmax(-1) == band).all()
    np.testing.assert_allclose(energy.sum(-1), level**2 / 2 * HOP / RATE_Hz, rtol=1e-3)


def test_it_hears_the_simulation_as_the_closed_form_does():
    """Struck balls from soft to hard: the same energy (10 %), the same spectrum (r > .95)."""
    fields = {"size_m": (0.03, 0.0, 0.0), "mass_kg": 0.1, "damping_ratio": 0.1, "friction": 0.5}
    fields |= {"shape": 0, "fragility_Ns": np.inf, "rgb": (0.5, 0.5, 0.5)}
    for stiffness in (1.5e4, 2.5e4, 4e4):
        ball = types.ObjectProperties(
            **{k: jnp.asarray(v) for k, v in fields.items()},
            contact_stiffness=jnp.asarray(stiffness),
        )
        modes = sound.modes(ball)
        steps = jnp.zeros(25).at[5].set(0.2)  # a strike after .2 s of silence
        wave = sound.waveform(modes, steps, 0.04, RATE_Hz)
        heard = mel.band_energy(wave, RATE_Hz, WINDOW, HOP).sum(0)
        known = sound.band_energy(modes, jnp.asarray(0.2), 0.8, jnp.asarray(0.0))
        np.testing.assert_allclose(heard.sum(), known.sum(), rtol=0.1)
        logs = [np.asarray(sound.log_spectrum(energy)) for energy in (heard, known)]
        assert np.corrcoef(logs)[0, 1] > 0.95


def test_silence_is_zero_and_leading_axes_stay():
    shapes = jax.eval_shape(
        lambda wave: mel.log_mel(wave, RATE_Hz, WINDOW, HOP), jnp.zeros((2, 3, 4096))
    )
    assert shapes.shape == (2, 3, 5, types.SOUND_BANDS)
    assert (mel.log_mel(jnp.zeros(4096), RATE_Hz, WINDOW, HOP) == 0).all()


@pytest.mark.parametrize(("window", "hop"), [(4097, 512), (1, 1), (2048, 0)])
def test_what_does_not_fit_is_refused(window, hop):
    with pytest.raises(ValueError, match="do not fit 4096 samples"):
        mel.power(jnp.zeros(4096), window, hop)
