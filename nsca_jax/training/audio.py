"""An ear that learns by itself: two handfuls of one interaction's impacts come from one thing.

Everything is for one seed; callers `vmap`. N interactions of T control steps, F sound bands, B rows
a batch.
"""

# jnp functions have one array to return, though not to pyright.
# pyright: reportArgumentType=false, reportReturnType=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nsca_jax import losses
from nsca_jax.models import audio, vision
from nsca_jax.training import descent, faults


@dataclasses.dataclass(frozen=True)
class Settings:
    """Size and pace; hashable, hence static under `jit`."""

    width: int = 64
    steps: int = 400
    batch: int = 64
    learning_rate: float = 2e-3
    gain: float = 1.0  # spread of the log energy by which a view is louder or softer
    noise: float = 0.1  # of a band's log energy
    recall: float = 20.0  # weight of foreseeing the interaction's spectrum from some of its impacts
    invariance: float = 25.0  # the weights of VICReg, as in its paper
    variance: float = 25.0
    covariance: float = 1.0


def encoder(settings: Settings) -> audio.AudioEncoder:
    """The network that is learnt."""
    return audio.AudioEncoder(width=settings.width)


def views(key: jax.Array, sound_BxTxF: jax.Array, gain: float, noise: float):
    """Two views [B, T, F]: each impact goes to one of them, which then is louder or softer.

    Where one view would be silent, both hear everything. Silent bands stay silent.
    """
    deal, *keys = jax.random.split(key, 3)
    heard = jnp.any(sound_BxTxF > 0.0, -1)
    first = jax.random.bernoulli(deal, 0.5, heard.shape) & heard
    out = []
    for part, key in zip((first, heard & ~first), keys, strict=True):
        part = jnp.where(jnp.any(part, -1, keepdims=True), part, heard)
        louder, rough = jax.random.split(key)
        gains = gain * jax.random.normal(louder, (len(sound_BxTxF), 1, 1))
        view = jnp.log1p(jnp.exp(gains) * jnp.expm1(sound_BxTxF))
        view = jnp.maximum(view + noise * jax.random.normal(rough, view.shape), 0.0)
        out.append(jnp.where(part[..., None] & (sound_BxTxF > 0.0), view, 0.0))
    return out


def learn(
    settings: Settings, key: jax.Array, sound_NxTxF: jax.Array
) -> tuple[Any, jax.Array, faults.Frozen]:
    """(parameters of the encoder, losses [steps], a fault if there was one) from sounds alone.

    VICReg between two views (Bardes et al. 2022) makes the code say what the impacts share, and not
    how loud they were; foreseeing the whole interaction's spectrum keeps what a view told.
    """
    ear, compare, recall = encoder(settings), vision.Projection(), vision.Projection(64)
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    code = jnp.zeros((1, ear.code))
    params = {
        "ear": ear.init(jax.random.fold_in(key, 0), sound_NxTxF[:1]),
        "compare": compare.init(jax.random.fold_in(key, 1), code),
        "recall": recall.init(jax.random.fold_in(key, 2), code),
    }

    def loss(params, number):
        draw, look = jax.random.split(jax.random.fold_in(key, number + 3))
        rows = jax.random.randint(draw, (settings.batch,), 0, len(sound_NxTxF))
        sound = sound_NxTxF[rows]
        codes = [ear.apply(params["ear"], v) for v in views(look, sound, *spread)]
        shared = losses.vicreg(*(compare.apply(params["compare"], c) for c in codes))
        said = [recall.apply(params["recall"], c) for c in codes]
        missed = sum(jnp.mean((s - _spectrum(sound)) ** 2) for s in said)
        likeness = settings.invariance * shared.invariance + settings.variance * shared.variance
        value = likeness + settings.covariance * shared.covariance + settings.recall * missed
        return value, value

    spread = settings.gain, settings.noise
    params, course, fault = descent.descend(optax.adam(rate), params, loss, settings.steps)
    return params["ear"], course, fault


def _spectrum(sound_BxTxF: jax.Array) -> jax.Array:
    """[B, 2 F] the loudest and the mean impact, as shares of a usual impact's loudness."""
    count = jnp.sum(jnp.any(sound_BxTxF > 0.0, -1), -1)[:, None]
    mean = jnp.sum(sound_BxTxF, 1) / jnp.maximum(count, 1)
    return jnp.concatenate([sound_BxTxF.max(1), mean], -1) / audio.LOUD
