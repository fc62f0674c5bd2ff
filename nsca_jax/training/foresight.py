"""Learning without labels to foresee films, and the features that come of it.

Films are percepts (`priors.figures`) a tenth of a second apart. A gradient step draws films and
moments in them, observes a little and is told what came. Everything is for one
seed; callers `vmap`.
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
from nsca_jax.training import faults

OBSERVED = 6  # moments, a tenth of a second apart
IMAGINED = 16  # moments, SPAN of those apart
SHOWN = (1, 2, 3, 5, 8, 11, 15)  # imagined moments that become features
LATE = 4  # imagined moments, the last ones, over which nearness is averaged
PAIR = (figures.RED, figures.YELLOW)
MOMENT_WEIGHTS = (0.5, 1.0, 1.0, 0.5, 0.5, 0.3, 0.1, 0.1, 0.1)  # in the loss: places first
RED_WEIGHT = 3.0  # of the red thing, against any other
MOVING = 0.01  # a moment, where the picture is 2 wide
ENOUGH = 0.25  # of the way that the red thing has still to go
DULL = 0.01  # interest of a moment at which nothing is to be learnt
SURE = 1e-3  # nearness is held this far from 0 and 1 before its logit


@dataclasses.dataclass(frozen=True)
class Settings:
    """Pace; hashable, hence static under `jit`."""

    batch: int = 32
    steps: int = 1500
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    earliest: int = OBSERVED - 1  # moments at which a film may be broken off
    latest: int = 20


@struct.dataclass
class Learner:
    """One seed."""

    params: Any
    optimiser: faults.Frozen
    step: jax.Array  # [] int32


@struct.dataclass
class Window:
    """B films broken off, and what came: K moments, SPAN apart."""

    seen: figures.Percept  # [B, OBSERVED, ...]
    things: jax.Array  # [B, K, N, M]
    near: jax.Array  # [B, K, 2 R] nearness, and the greatest since the film was first seen
    valid: jax.Array  # [B, K] the film lasts so long


def window(films: figures.Percept, film: jax.Array, now: jax.Array) -> Window:
    """Films [B] of `films` [F, T, ...], the moment `now` [B] being the last one seen."""
    length = films.near.shape[1]
    first = now - (OBSERVED - 1)
    seen = first[:, None] + jnp.arange(OBSERVED)
    ahead = now[:, None] + model_lib.SPAN * jnp.arange(1, IMAGINED + 1)
    at = film[:, None], jnp.minimum(ahead, length - 1)
    begun = jnp.arange(length) >= first[:, None]
    peak = jax.lax.cummax(jnp.where(begun[..., None], films.near[film], 0.0), axis=1)
    came = peak[jnp.arange(len(film))[:, None], at[1]]
    return Window(
        jax.tree.map(lambda x: x[film[:, None], seen], films),
        films.things[at],
        jnp.concatenate([films.near[at], came], -1),
        ahead < length,
    )


def interest(films: figures.Percept) -> jax.Array:
    """[F, T] how much there is to be learnt from breaking a film off at a moment.

    Most where something moves and the red thing is yet to move: before that nothing is to be
    foreseen, and after it nothing is left.
    """
    things = films.things
    there = things[..., :1] > 0
    place = things[..., figures.X : figures.Y + 1]
    step = jnp.linalg.norm(jnp.diff(place, axis=1, prepend=place[:, :1]), axis=-1)
    kept = there[..., 0] & jnp.roll(there[..., 0], 1, axis=1)
    moving = jnp.max(jnp.where(kept, step, 0.0), -1) > MOVING
    red = jnp.where(kept, step, 0.0)[..., figures.RED]
    left = jnp.cumsum(red[:, ::-1], 1)[:, ::-1] - red
    return DULL + moving * jnp.minimum(left, ENOUGH)


def turned(of: Window) -> Window:
    """The windows, each in a mirror where yellow was seen on red's left at last.

    Physics knows no left and right: so turned, "towards yellow" is one direction of the picture.
    """
    flip = leftward(of.seen)
    return of.replace(seen=mirror(of.seen, flip), things=_some_mirrored(of.things, flip))


def leftward(seen: figures.Percept) -> jax.Array:
    """[B] bool: in the last of the moments [B, T, ...] yellow is on the left of red."""
    pair = seen.things[:, -1, PAIR]
    return (pair[..., figures.SIZE] > 0).all(-1) & (jnp.diff(pair[..., figures.X])[:, 0] < 0)


def mirror(seen: figures.Percept, flip: jax.Array) -> figures.Percept:
    """Percepts [B, T, ...], those with flip [B] in a mirror."""
    return seen.replace(things=_some_mirrored(seen.things, flip))


def _some_mirrored(things: jax.Array, flip: jax.Array) -> jax.Array:
    other = figures.mirrored(figures.Percept(things, jnp.zeros(()))).things
    return jnp.where(flip[:, None, None, None], other, things)


def loss_of(future: model_lib.Future, of: Window) -> jax.Array:
    """Scalar Gaussian likelihood of what came of the things in view.

    Of one that goes out of view only its size, nothing, is to be foreseen.
    """
    nll = losses.gaussian_nll(future.things, future.things_log_variance, of.things, 0.5)
    weight = jnp.ones(figures.THINGS).at[figures.RED].set(RED_WEIGHT)
    nll = nll * jnp.array(MOMENT_WEIGHTS) * weight[:, None]
    known = (of.seen.things[:, -1:, :, :1] > 0) & of.valid[..., None, None]
    sized = jnp.arange(figures.MOMENTS) == figures.SIZE
    there = known & ((of.things[..., :1] > 0) | sized)
    told = jnp.clip(future.near, SURE, 1 - SURE)
    surprise = -(of.near * jnp.log(told) + (1 - of.near) * jnp.log1p(-told))
    valid = jnp.broadcast_to(of.valid[..., None], surprise.shape)
    loss = losses.masked_mean(nll, there) + losses.masked_mean(surprise, valid)
    chex.assert_shape(loss, ())
    return loss


def make_learner(model: model_lib.Foresight, settings: Settings):
    """(init, learn) of one seed.

    init(key, films) -> Learner. learn(learner, key, films, steps) -> (Learner, loss [steps]); a
    fault freezes the learner, and the loss is NaN from then on (training/faults.py).
    """

    def optimiser():
        rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps, 0.02)
        adam = optax.adamw(rate, weight_decay=settings.weight_decay)
        return faults.freezing(optax.chain(optax.clip_by_global_norm(1.0), adam))

    def init(key: jax.Array, films: figures.Percept) -> Learner:
        first = window(films, jnp.arange(2), jnp.full(2, settings.earliest))
        params = model.init(key, first.seen, IMAGINED)
        return Learner(params, optimiser().init(params), jnp.int32(0))

    moments = settings.latest + 1 - settings.earliest

    def draw(key: jax.Array, films: figures.Percept, until: jax.Array) -> Window:
        at = jax.random.uniform(key, (settings.batch,)) * until[-1]
        which = jnp.searchsorted(until, at)
        film, now = jnp.divmod(jnp.minimum(which, len(until) - 1), moments)
        return turned(window(films, film, settings.earliest + now))

    def learn(learner: Learner, key: jax.Array, films: figures.Percept, steps: int):
        worth = interest(films)[:, settings.earliest : settings.latest + 1]
        until = jnp.cumsum(worth.ravel())

        def step(learner: Learner, _):
            drawn = draw(jax.random.fold_in(key, learner.step), films, until)

            def loss(params):
                return loss_of(model.apply(params, drawn.seen, IMAGINED), drawn)

            value, gradient = jax.value_and_grad(loss)(learner.params)
            update, state = optimiser().update(
                gradient, learner.optimiser, learner.params, loss=value
            )
            value = faults.mark(state, value)
            params = optax.apply_updates(learner.params, update)
            return Learner(params, state, learner.step + 1), value

        return jax.lax.scan(step, learner, None, steps)

    return init, learn


def features(
    model: model_lib.Foresight, params: Any, seen: figures.Percept
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(observed [F, D], imagined [F, E], peak [F, R]) of films [F, OBSERVED, ...].

    Observed: percepts of all moments and the belief, others' parts of it summed. Imagined: red and
    yellow, and their nearness, in the moments SHOWN, and how near they come: at most, until half
    of the time is over and until the end, and late. The greatest nearness is `peak`. All films are
    seen as `turned`.
    """
    rows = len(seen.near)
    seen = mirror(seen, leftward(seen))
    belief: Any = model.apply(params, seen, method="observe")
    future: Any = model.apply(params, belief, IMAGINED, method="imagine")
    others = belief.hidden[:, len(PAIR) :].sum(1)
    observed = [seen.things, seen.near, belief.hidden[:, PAIR], others]
    shown = jnp.array(SHOWN)
    near, peak = jnp.split(future.near, 2, -1)
    imagined = [
        future.things[:, shown][:, :, PAIR],
        near[:, shown],
        _logit(peak[:, (IMAGINED // 2, IMAGINED - 1)]),
        _logit(near.max(1)),
        _logit(near[:, -LATE:].mean(1)),
    ]

    def flat(parts: list[jax.Array]) -> jax.Array:
        return jnp.concatenate([x.reshape(rows, -1) for x in parts], -1)

    return flat(observed), flat(imagined), peak[:, -1]


def _logit(p: jax.Array) -> jax.Array:
    return jax.scipy.special.logit(jnp.clip(p, SURE, 1 - SURE))
