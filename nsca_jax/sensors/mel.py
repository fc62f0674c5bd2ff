"""A recorded sound as the agent hears it: the same bands as in simulation, from a waveform.

Short-time power spectra under a Hann window, summed by the triangular mel bands of
`sound.mel_bands` (Stevens, Volkmann & Newman 1937; HTK's formula m = 2595 log10(1 + f / 700)).
"""

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.sensors import sound


def triangles(window: int, sample_rate_Hz: float) -> np.ndarray:
    """[window // 2 + 1, SOUND_BANDS] weight, up to 1, of each bin of a spectrum in each band."""
    frequency = np.fft.rfftfreq(window, 1.0 / sample_rate_Hz)[:, None]
    edges = sound.mel_bands()
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    return np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)


def power(wave: jax.Array, window: int, hop: int) -> jax.Array:
    """[..., T, window // 2 + 1]: |spectrum|^2 of `wave` [..., n] under a Hann window.

    T = 1 + (n - window) // hop; nothing is padded. Raises ValueError where n < window.
    """
    if not hop >= 1 or not 2 <= window <= wave.shape[-1]:
        raise ValueError(
            f"mel: window {window} and hop {hop} do not fit {wave.shape[-1]} samples of sound"
        )
    frames = 1 + (wave.shape[-1] - window) // hop
    index = np.arange(frames)[:, None] * hop + np.arange(window)
    hann = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)).astype(np.float32)
    return jnp.abs(jnp.fft.rfft(wave[..., index] * hann)) ** 2


def band_energy(wave: jax.Array, sample_rate_Hz: float, window: int, hop: int) -> jax.Array:
    """[..., T, SOUND_BANDS] J of each hop in each band, of `wave` [..., n] in sqrt W.

    By Parseval's theorem, so that the hops of a sound add up to the energy that
    `sound.band_energy` has in closed form.
    """
    sides = np.full(window // 2 + 1, 2.0)  # a real wave's negative frequencies
    sides[0] = 1.0
    sides[-1] = 2.0 - (window % 2 == 0)
    hann_squared = 0.375 * window
    scale = sides * hop / (sample_rate_Hz * window * hann_squared)
    weights = triangles(window, sample_rate_Hz) * scale[:, None].astype(np.float32)
    return jnp.matmul(power(wave, window, hop), weights, precision="highest")


def log_mel(wave: jax.Array, sample_rate_Hz: float, window: int, hop: int) -> jax.Array:
    """[..., T, SOUND_BANDS] loudness, as `sound.log_spectrum` has it; arguments as above."""
    return sound.log_spectrum(band_energy(wave, sample_rate_Hz, window, hop))
