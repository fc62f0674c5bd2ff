"""Learning to see without labels: two looks at one moment, or the next, should be told alike.

Frames come from films (`recording.py`); innate responses do not learn, so that they are computed
once a frame and look. Everything is for one seed; callers `vmap`.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax import losses
from nsca_jax.models import vision
from nsca_jax.training import faults


@dataclasses.dataclass(frozen=True)
class Settings:
    """Pace and the weights of the three losses; hashable, hence static under `jit`."""

    batch: int = 64
    steps: int = 300  # of the whole run: the learning rate decays over them
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    nt_xent: float = 1.0
    temperature: float = 0.1
    vicreg: float = 0.1  # of 25 invariance + 25 variance + covariance
    temporal: float = 1.0


@struct.dataclass
class Looks:
    """F frames, each looked at V times in another light: what `VisionEncoder.cells` gives."""

    pixels: jax.Array  # [F, V, cells, P] uint8
    responses: jax.Array  # [F, V, cells, C] float16


@struct.dataclass
class State:
    """An eye that learns."""

    params: Any  # of the encoder
    head: Any  # of the projection
    moments: faults.Frozen
    key: jax.Array
    step: jax.Array  # [] int32


def relight(key: jax.Array, image: jax.Array) -> jax.Array:
    """Packed images [N, H, W, 4] uint8 in another light, and noisy, depth too.

    A gain for the picture, another for each colour, an offset, and Gaussian noise a pixel. What is
    seen stays where it is: place and size must be told from the code.
    """
    gain_key, tint_key, offset_key, noise_key = jax.random.split(key, 4)
    shape = (len(image), 1, 1, 1)
    gain = jax.random.uniform(gain_key, shape, minval=0.6, maxval=1.4)
    tint = jax.random.uniform(tint_key, (len(image), 1, 1, 3), minval=0.8, maxval=1.2)
    offset = jax.random.uniform(offset_key, shape, minval=-0.1, maxval=0.1)
    x = image.astype(jnp.float32) / 255.0
    rgb = gain * tint * x[..., :3] + offset
    x = jnp.concatenate([rgb, x[..., 3:]], -1)
    x = x + 0.02 * jax.random.normal(noise_key, x.shape) * jnp.array([1.0, 1.0, 1.0, 0.25])
    return jnp.round(255.0 * jnp.clip(x, 0.0, 1.0)).astype(jnp.uint8)


def look(eye: vision.VisionEncoder, image: jax.Array, block: int = 256) -> Looks:
    """Looks [F, V] at packed images [F, V, H, W, 4] uint8, `block` at a time."""
    flat = image.reshape(-1, *image.shape[2:])
    pixels = vision.split_patches(flat, eye.patch)
    responses = jnp.zeros((*pixels.shape[:-1], 0), jnp.float16)
    if eye.innate.channels:
        respond = lambda x: eye.cells(x)[1].astype(jnp.float16)  # noqa: E731
        responses = jax.lax.map(respond, flat, batch_size=block)
    return Looks(*(x.reshape(*image.shape[:2], *x.shape[1:]) for x in (pixels, responses)))


def make_learner(eye: vision.VisionEncoder, settings: Settings) -> tuple[Callable, Callable]:
    """`(init(key, looks) -> State, learn(state, looks, pairs_Px2, steps) -> (State, losses))`.

    `pairs` are the frames' numbers [P, 2] of one moment and the next; `steps` is static. Losses are
    {name: [steps]}, unweighted, and NaN from a fault on (training/faults.py).
    """
    head = vision.Projection()
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    optimiser = faults.freezing(optax.adamw(rate, weight_decay=settings.weight_decay))

    def encode(params, cells):
        return eye.apply(params, *cells, method="encode")

    def init(key, looks: Looks) -> State:
        eye_key, head_key, key = jax.random.split(key, 3)
        params = eye.init(eye_key, looks.pixels[0, 0], looks.responses[0, 0], method="encode")
        weights = head.init(head_key, jnp.zeros(eye.code))
        moments = optimiser.init((params, weights))
        return State(params, weights, moments, key, jnp.int32(0))

    def loss(weights, now, after):
        params, head_weights = weights
        codes = [encode(params, cells) for cells in (now, after)]
        views = [head.apply(head_weights, code) for code in codes]
        spread = losses.vicreg(*views)
        terms = {
            "nt_xent": losses.nt_xent(*views, settings.temperature),
            "vicreg": 25.0 * spread.invariance + 25.0 * spread.variance + spread.covariance,
            "temporal": losses.temporal_consistency(*codes),
        }
        return sum(getattr(settings, name) * value for name, value in terms.items()), terms

    def step(state: State, looks: Looks, pairs_Px2):
        key = jax.random.fold_in(state.key, state.step)
        pair_key, light_key = jax.random.split(key)
        pair = pairs_Px2[jax.random.randint(pair_key, (settings.batch,), 0, len(pairs_Px2))]
        lights = looks.pixels.shape[1]
        first = jax.random.randint(light_key, (settings.batch,), 0, lights)
        second = (first + 1) % lights
        seen = [
            (looks.pixels[f, v], looks.responses[f, v])
            for f, v in ((pair[:, 0], first), (pair[:, 1], second))
        ]
        weights = state.params, state.head
        (value, terms), slopes = jax.value_and_grad(loss, has_aux=True)(weights, *seen)
        updates, moments = optimiser.update(slopes, state.moments, weights, loss=value)
        params, head_weights = jax.tree.map(jnp.add, weights, updates)
        after = State(params, head_weights, moments, state.key, state.step + 1)
        return after, faults.mark(moments, terms)

    def learn(state: State, looks: Looks, pairs_Px2, steps: int):
        return jax.lax.scan(lambda s, _: step(s, looks, pairs_Px2), state, length=steps)

    return init, learn
