"""Learning without labels to foresee films, and the features that come of it.

Films are percepts (`priors.figures`) and looks, a tenth of a second apart. A gradient step draws
films and moments in them, observes a little and is told what came. Everything is for one seed;
callers `vmap`.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax import losses
from nsca_jax.models import foresight as model_lib
from nsca_jax.priors import figures

OBSERVED = 6  # moments, a tenth of a second apart
IMAGINED = 17  # moments, SPAN of those apart
SHOWN = (0, 1, 2, 4, 6, 9, 12, 16)  # imagined moments that become features


@dataclasses.dataclass(frozen=True)
class Settings:
    """Pace; hashable, hence static under `jit`."""

    batch: int = 48
    steps: int = 1000
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    earliest: int = OBSERVED - 1  # moments at which a film may be broken off
    latest: int = 20


@struct.dataclass
class Films:
    """F films of T moments."""

    percept: jax.Array  # [F, T, P]
    pixels: jax.Array  # [F, T, cells, C] uint8
    responses: jax.Array  # [F, T, cells, R] float16


@struct.dataclass
class Learner:
    """One seed."""

    params: Any
    optimiser: Any
    step: jax.Array  # [] int32


def glimpse(films: Films, film: jax.Array, now: jax.Array) -> model_lib.Glimpse:
    """The last OBSERVED moments before and at `now` [B] of films [B]."""
    first = now - (OBSERVED - 1)
    moments = first[:, None] + jnp.arange(OBSERVED)
    looks = film[:, None], jnp.stack([first, now], 1)
    return model_lib.Glimpse(
        films.percept[film[:, None], moments],
        films.pixels[looks],
        films.responses[looks].astype(jnp.float32),
    )


def loss_of(future: model_lib.Future, percept: jax.Array, valid: jax.Array) -> jax.Array:
    """Scalar Gaussian likelihood of what came, percepts [B, K, P], where valid [B, K].

    Of a figure that is out of view only its size, nothing, is to be foreseen.
    """
    seen = percept[..., 0 : figures.NEAR.start : figures.MOMENTS] > 0  # [B, K, figures]
    where = jnp.repeat(seen, figures.MOMENTS, -1).at[..., :: figures.MOMENTS].set(True)
    near = jnp.ones((*seen.shape[:-1], len(figures.REACHES_px)), bool)
    mask = jnp.concatenate([where, near], -1) & valid[..., None]
    nll = losses.gaussian_nll(future.mean, future.log_variance, percept, 0.5)
    loss = losses.masked_mean(nll, mask)
    chex.assert_shape(loss, ())
    return loss


def make_learner(model: model_lib.Foresight, settings: Settings):
    """(init, learn) of one seed.

    init(key, films) -> Learner. learn(learner, key, films, steps) -> (Learner, loss [steps]).
    """

    def optimiser():
        rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps, 0.02)
        return optax.chain(
            optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=settings.weight_decay)
        )

    def init(key: jax.Array, films: Films) -> Learner:
        start = jnp.full(2, settings.earliest)
        params = model.init(key, glimpse(films, jnp.arange(2), start), IMAGINED)
        return Learner(params, optimiser().init(params), jnp.int32(0))

    def learn(learner: Learner, key: jax.Array, films: Films, steps: int):
        length = films.percept.shape[1]

        def step(learner: Learner, _):
            film_key, now_key = jax.random.split(jax.random.fold_in(key, learner.step))
            film = jax.random.randint(film_key, (settings.batch,), 0, len(films.percept))
            now = jax.random.randint(
                now_key, (settings.batch,), settings.earliest, settings.latest + 1
            )
            ahead = now[:, None] + model_lib.SPAN * jnp.arange(1, IMAGINED + 1)
            came = films.percept[film[:, None], jnp.minimum(ahead, length - 1)]
            observed = glimpse(films, film, now)

            def loss(params):
                return loss_of(model.apply(params, observed, IMAGINED), came, ahead < length)

            value, gradient = jax.value_and_grad(loss)(learner.params)
            update, state = optimiser().update(gradient, learner.optimiser, learner.params)
            params = optax.apply_updates(learner.params, update)
            return Learner(params, state, learner.step + 1), value

        return jax.lax.scan(step, learner, None, steps)

    return init, learn


def features(
    model: model_lib.Foresight, params: Any, films: Films
) -> tuple[jax.Array, jax.Array, model_lib.Future]:
    """(observed [F, D], imagined [F, E], future) of films whose last moment is the cutoff.

    Observed: percepts of all moments, the eye's code of both looks and the belief. Imagined:
    percepts and spreads of the moments SHOWN, and the greatest nearness of all.
    """
    rows = jnp.arange(len(films.percept))
    seen = glimpse(films, rows, jnp.full(len(rows), films.percept.shape[1] - 1))
    code = model.apply(params, seen, method="look")
    belief = model.apply(params, seen, method="observe")
    future: Any = model.apply(params, belief, IMAGINED, method="imagine")
    observed = [seen.percept.reshape(len(rows), -1), code, belief.hidden]
    near = future.mean[..., figures.NEAR]
    shown = jnp.array(SHOWN)
    imagined = [
        future.mean[:, shown].reshape(len(rows), -1),
        near.max(1),
        future.log_variance[:, shown][..., figures.NEAR].reshape(len(rows), -1),
    ]
    return jnp.concatenate(observed, -1), jnp.concatenate(imagined, -1), future
