"""What a film will show next: things that act on one another, remembered and imagined.

A recurrent interaction network (Battaglia et al. 2016): every thing has a state of its own, all
share the same weights, and what one does to another depends on where they stand to each other.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.priors import figures

SPAN = 2  # observed moments that an imagined one spans
PACE = 0.2  # unit of a change
SILENCE = -4.0  # log variance told by a newborn
LOG_VARIANCE = (-9.0, 2.0)
KINDS = (0, 1, *(2,) * figures.OTHERS)
TOUCH = 1.5  # spreads from a middle to an edge, about
UNLIKELY = -2.0  # logit of a peak's rise in a moment, told by a newborn


@struct.dataclass
class Belief:
    """What is carried from moment to moment: of N things, and of how near red came to yellow."""

    hidden: jax.Array  # [B, N, W]
    things: jax.Array  # [B, N, M] as in `figures.Percept`
    change: jax.Array  # [B, N, M] over the last SPAN moments
    peak: jax.Array  # [B, R] the greatest nearness yet


@struct.dataclass
class Future:
    """K imagined moments, SPAN observed ones apart."""

    things: jax.Array  # [B, K, N, M] means
    things_log_variance: jax.Array  # [B, K, N, M]
    near: jax.Array  # [B, K, 2 R] in [0, 1]: nearness, and the greatest until then


class Foresight(nn.Module):
    """Percepts of T moments -> a belief -> imagined moments."""

    width: int = 32

    def setup(self):
        self.watch = Watch(self.width)
        self.step = ImaginedMoment(self.width)

    def __call__(self, percept: figures.Percept, moments: int) -> Future:
        return self.imagine(self.observe(percept), moments)

    def observe(self, percept: figures.Percept) -> Belief:
        """The belief after the last moment of percepts [B, T, ...]."""
        things = percept.things
        change = jnp.diff(things, axis=1, prepend=things[:, :1])
        hidden = jnp.zeros((*things[:, 0].shape[:-1], self.width))
        watch = nn.scan(
            lambda module, hidden, seen: (module(hidden, *seen), None),
            variable_broadcast="params",
            split_rngs={"params": False},
            in_axes=1,
        )
        hidden, _ = watch(self.watch, hidden, (things, change))
        lately = things[:, -1] - things[:, -1 - SPAN]
        return Belief(hidden, things[:, -1], lately, percept.near.max(1))

    def imagine(self, belief: Belief, moments: int) -> Future:
        """So many moments after a belief."""
        step = nn.scan(
            lambda module, belief, _: module(belief),
            variable_broadcast="params",
            split_rngs={"params": False},
            length=moments,
            out_axes=1,
        )
        return step(self.step, belief, None)[1]


class Watch(nn.Module):
    """One moment of all things: hidden [B, N, W], state and change [B, N, M] -> hidden.

    Innate: things act on one another by contact, so that what is far in the picture is felt less.
    """

    width: int

    @nn.compact
    def __call__(self, hidden: jax.Array, things: jax.Array, change: jax.Array) -> jax.Array:
        there = (things[..., :1] > 0).astype(jnp.float32)
        kind = jnp.broadcast_to(jax.nn.one_hot(jnp.array(KINDS), 3), (*things.shape[:-1], 3))
        own = jnp.concatenate([things, change / PACE, kind, there], -1)
        both = jnp.concatenate([hidden, own], -1)
        told = nn.Dense(self.width, name="receive")(both)[..., :, None, :]
        told = told + nn.Dense(self.width, name="send")(both)[..., None, :, :]
        relation, touch = _relation(things, change)
        told = told + nn.Dense(self.width, name="relate")(relation)
        apart = (1 - jnp.eye(things.shape[-2]))[..., None]
        message = (nn.relu(told) * touch * there[..., None, :, :] * apart).sum(-2)
        return nn.GRUCell(self.width, name="cell")(hidden, jnp.concatenate([own, message], -1))[0]


class ImaginedMoment(nn.Module):
    """Belief -> the next one, and the moment of a `Future` that it shows.

    Innate: what changed goes on changing so, as far as the network does not hold against it; a
    peak never falls; what is out of view stays out of view.
    """

    width: int

    @nn.compact
    def __call__(self, belief: Belief) -> tuple[Belief, Future]:
        hidden = Watch(self.width, name="watch")(belief.hidden, belief.things, belief.change)
        x = nn.silu(nn.Dense(self.width, name="think")(hidden))
        told = nn.Dense(3 * figures.MOMENTS, name="tell")(x)
        correction, keep, spread = jnp.split(told, 3, -1)
        change = nn.sigmoid(keep) * belief.change + PACE * correction
        change = change * (belief.things[..., :1] > 0)
        things = jnp.clip(belief.things + change, -2.0, 2.0)
        pair = jnp.array((figures.RED, figures.YELLOW))
        seen = [hidden[..., pair, :], things[..., pair, :], spread[..., pair[:1], :]]
        seen = [x.reshape(*x.shape[:-2], -1) for x in seen]
        y = jnp.concatenate([*seen, _standing(things)], -1)
        for name in ("compare", "judge"):
            y = nn.silu(nn.Dense(self.width, name=name)(y))
        near, rise = jnp.split(nn.Dense(2 * figures.NEARNESSES, name="near")(y), 2, -1)
        peak = belief.peak + (1 - belief.peak) * nn.sigmoid(rise + UNLIKELY)
        shown = Future(
            things,
            jnp.clip(spread + SILENCE, *LOG_VARIANCE),
            jnp.concatenate([nn.sigmoid(near), peak], -1),
        )
        return Belief(hidden, things, change, peak), shown


def _standing(things: jax.Array) -> jax.Array:
    """[..., D] how red stands to yellow: apart, between their edges, and by red's foot."""
    red, yellow = things[..., figures.RED, :], things[..., figures.YELLOW, :]
    apart = (red - yellow) / PACE
    place, spread = slice(figures.X, figures.Y + 1), slice(figures.ACROSS, figures.DOWN + 1)
    reach = TOUCH * (red + yellow)[..., spread]
    gap = nn.relu(jnp.abs((red - yellow)[..., place]) - reach) / PACE
    low, ground = red[..., figures.Y] + TOUCH * red[..., figures.DOWN], yellow[..., figures.Y]
    foot = ((low - ground) / PACE)[..., None]
    return jnp.concatenate([apart, jnp.abs(apart), gap, jnp.exp(-gap), foot, jnp.abs(foot)], -1)


def _relation(things: jax.Array, change: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of each thing (row) and another: [..., N, N, 9] place, size, approach, gap and closeness;
    and [..., N, N, 1], 1 where they may touch, falling to 0 with the gap between them."""

    def between(x: jax.Array) -> jax.Array:
        return x[..., None, :, :] - x[..., :, None, :]

    place, approach = between(things)[..., :3], between(change)[..., 1:3]
    spread = things[..., figures.ACROSS : figures.DOWN + 1]
    gap = jnp.abs(place[..., 1:3]) - TOUCH * (spread[..., None, :, :] + spread[..., :, None, :])
    gap = nn.relu(gap) / PACE
    relation = jnp.concatenate([3 * place, approach / PACE, gap, jnp.exp(-gap)], -1)
    return relation, jnp.exp(-gap.sum(-1, keepdims=True))
