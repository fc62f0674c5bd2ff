"""What things are like: episodes consolidated into a fixed number of prototypes, without labels.

A prototype is the count, mean and variance of the keys of its episodes, and of the facts found out
in them. Everything is for one agent; `vmap` over seeds. The rules of consolidation:

    joining     an episode joins the nearest prototype, by the senses that tell things apart,
                within `radius` of its mean; else it founds one, in a free place or, when there is
                none, in that of the prototype with the fewest episodes (of those, the stalest)
    merging     the two nearest prototypes, if within `merge`, become one: counts add, moments by
                Chan et al. (1979)
    forgetting  a prototype of fewer than `least` episodes, not met for `patience`, is forgotten
"""

# pyright takes jnp functions to return one array or a tuple, and cannot count starred arguments.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportAttributeAccessIssue=false

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import ArrayLike

FAR = float("inf")
MERGES = 4  # at most, a consolidation


class Rules(NamedTuple):
    """Distances are Euclidean, in the units of the keys; times those of `last`."""

    radius: float = 0.3
    merge: float = 0.15
    least: int = 3
    patience: int = 20_000
    floor: float = 0.003  # variance that a key's number has at least, and that of a lone episode


@struct.dataclass
class Prototypes:
    """P places; a place is free where its count is 0."""

    count: jax.Array  # [P] float32, episodes
    mean: jax.Array  # [P, D]
    m2: jax.Array  # [P, D] sum of squared deviations
    fact_count: jax.Array  # [P, F] float32, how often each fact was found out
    fact_mean: jax.Array  # [P, F]
    last: jax.Array  # [P] int32, when it was last met

    @property
    def known(self) -> jax.Array:
        """[P] bool: the places that hold a prototype."""
        return self.count > 0


def init(places: int, dimensions: int, facts: int) -> Prototypes:
    """Nothing known."""
    return Prototypes(
        count=jnp.zeros(places),
        mean=jnp.zeros((places, dimensions)),
        m2=jnp.zeros((places, dimensions)),
        fact_count=jnp.zeros((places, facts)),
        fact_mean=jnp.zeros((places, facts)),
        last=jnp.zeros(places, jnp.int32),
    )


def variance(prototypes: Prototypes, floor: float) -> jax.Array:
    """[P, D] of the keys, as if one more episode had deviated by `floor`^(1/2)."""
    return (prototypes.m2 + floor) / (prototypes.count[:, None] + 1.0) + floor


def write(
    prototypes: Prototypes,
    key_D: jax.Array,
    facts_F: jax.Array,
    found_F: jax.Array,
    time: ArrayLike,
    valid: jax.Array,
    by_D: jax.Array,
    rules: Rules,
) -> Prototypes:
    """One episode joins a prototype, or founds one.

    Args:
        facts_F, found_F: what was found out of the thing, and whether it was.
        by_D: bool, the numbers of the key that tell things apart.
        valid: [] bool; False changes nothing.
    """
    distance_P = jnp.sqrt(jnp.sum(jnp.where(by_D, (prototypes.mean - key_D) ** 2, 0.0), -1))
    distance_P = jnp.where(prototypes.known, distance_P, FAR)
    nearest = jnp.argmin(distance_P)
    joins = distance_P[nearest] <= rules.radius
    fewest = prototypes.count == jnp.min(prototypes.count)
    place = jnp.argmin(jnp.where(fewest, prototypes.last, jnp.iinfo(jnp.int32).max))
    index = jnp.where(joins, nearest, place)
    blank = jax.tree.map(lambda x: jnp.where(joins, x[index], jnp.zeros_like(x[index])), prototypes)
    count = blank.count + 1.0
    shift_D = key_D - blank.mean
    fact_count = blank.fact_count + found_F
    new = Prototypes(
        count=count,
        mean=blank.mean + shift_D / count,
        m2=blank.m2 + shift_D**2 * (1.0 - 1.0 / count),
        fact_count=fact_count,
        fact_mean=blank.fact_mean
        + jnp.where(found_F, facts_F - blank.fact_mean, 0.0) / jnp.maximum(fact_count, 1.0),
        last=jnp.asarray(time, jnp.int32),
    )
    index = jnp.where(valid, index, prototypes.count.shape[0])  # out of range, hence dropped
    return jax.tree.map(lambda all_, one: all_.at[index].set(one, mode="drop"), prototypes, new)


def merge(prototypes: Prototypes, by_D: jax.Array, rules: Rules) -> Prototypes:
    """The two nearest prototypes become one, where they are within `rules.merge`."""
    places = prototypes.count.shape[0]
    apart_PxPxD = prototypes.mean[:, None] - prototypes.mean[None]
    distance = jnp.sqrt(jnp.sum(jnp.where(by_D, apart_PxPxD**2, 0.0), -1))
    pair = jnp.triu(prototypes.known[:, None] & prototypes.known[None], 1)
    distance = jnp.where(pair, distance, FAR)
    first, second = jnp.divmod(jnp.argmin(distance), places)
    close = distance[first, second] <= rules.merge
    a, b = (jax.tree.map(lambda x, i=i: x[i], prototypes) for i in (first, second))
    count, facts = a.count + b.count, a.fact_count + b.fact_count
    shift_D, share = b.mean - a.mean, b.count / jnp.maximum(count, 1.0)
    one = Prototypes(
        count=count,
        mean=a.mean + share * shift_D,
        m2=a.m2 + b.m2 + shift_D**2 * a.count * share,
        fact_count=facts,
        fact_mean=a.fact_mean
        + (b.fact_mean - a.fact_mean) * b.fact_count / jnp.maximum(facts, 1.0),
        last=jnp.maximum(a.last, b.last),
    )
    merged = jax.tree.map(lambda all_, x: all_.at[first].set(x), prototypes, one)
    merged = merged.replace(count=merged.count.at[second].set(0.0))
    return jax.tree.map(lambda x, y: jnp.where(close, x, y), merged, prototypes)


def forget(prototypes: Prototypes, now: ArrayLike, rules: Rules) -> Prototypes:
    """Frees the places of prototypes of too few episodes that were not met for long."""
    stale = now - prototypes.last > rules.patience
    keep = (prototypes.count >= rules.least) | ~stale
    return prototypes.replace(count=jnp.where(keep, prototypes.count, 0.0))


def consolidate(
    prototypes: Prototypes,
    key_NxD: jax.Array,
    facts_NxF: jax.Array,
    found_NxF: jax.Array,
    time_N: jax.Array,
    valid_N: jax.Array,
    by_D: jax.Array,
    rules: Rules,
) -> Prototypes:
    """Takes in the episodes since the last consolidation, in order; merges; forgets."""

    def take(held, episode):
        return write(held, *episode, by_D, rules), None

    rows = (key_NxD, facts_NxF, found_NxF, time_N, valid_N)
    prototypes, _ = jax.lax.scan(take, prototypes, rows)
    prototypes = jax.lax.fori_loop(0, MERGES, lambda _, p: merge(p, by_D, rules), prototypes)
    return forget(prototypes, jnp.max(time_N), rules)


def read(
    prototypes: Prototypes, cue_D: jax.Array, given_D: jax.Array, rules: Rules
) -> tuple[jax.Array, jax.Array]:
    """The place under which a cue is likeliest, and its log-likelihood [] in nats.

    Each prototype is a diagonal Gaussian over the given numbers [D] bool of the cue, so that what
    varies within a thing says little. -inf where nothing is known.
    """
    spread = variance(prototypes, rules.floor)
    nats = -0.5 * ((cue_D - prototypes.mean) ** 2 / spread + jnp.log(2 * jnp.pi * spread))
    nats_P = jnp.sum(jnp.where(given_D, nats, 0.0), -1)
    nats_P = jnp.where(prototypes.known, nats_P, -jnp.inf)
    place = jnp.argmax(nats_P)
    return place, nats_P[place]
