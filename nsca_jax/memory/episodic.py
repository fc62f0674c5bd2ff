"""What happened, one by one: a fixed number of episodes on the device, retrieved by likeness.

An episode is a key (what the senses told, D numbers) and its content. Everything is for one agent;
`vmap` over seeds.

    retrieval   score = (1 + cos) / 2 * r,  cos over the senses that the cue gives,
                r = 1 - share + share * 2^(-age / half_life): the recent comes to mind sooner
    eviction    each episode draws a lot, log(u) / surprise with u uniform in (0, 1), and the lowest
                lot gives way: what is kept is a sample without replacement, weighted by surprise,
                of all that ever happened (Efraimidis & Spirakis 2006); with equal surprises it is
                plain reservoir sampling. The latest episode is always held.
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportArgumentType=false

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import ArrayLike

EMPTY = float("-inf")  # the lot of a free slot, which always gives way first


class Recency(NamedTuple):
    """How much sooner the recent comes to mind; share 0 switches it off."""

    share: float  # in [0, 1]
    half_life: float  # in units of `Episodes.time`


@struct.dataclass
class Episodes:
    """C slots, filled from the first on."""

    key: jax.Array  # [C, D]
    content: Any  # [C, ...] each
    lot: jax.Array  # [C] EMPTY where nothing is held
    time: jax.Array  # [C] int32, when it happened

    @property
    def held(self) -> jax.Array:
        """[C] bool: the slots that hold an episode."""
        return self.lot > EMPTY


def init(example: Any, capacity: int, dimensions: int) -> Episodes:
    """Nothing remembered; contents will be like `example` (leaves [...])."""
    return Episodes(
        key=jnp.zeros((capacity, dimensions)),
        content=jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), example),
        lot=jnp.full(capacity, EMPTY, jnp.float32),
        time=jnp.zeros(capacity, jnp.int32),
    )


def write(
    episodes: Episodes,
    key_D: jax.Array,
    content: Any,
    surprise: ArrayLike,
    time: ArrayLike,
    draw: jax.Array,
    valid: jax.Array,
) -> Episodes:
    """Remembers one episode, in the place of the one with the lowest lot.

    Args:
        surprise: [] > 0, the weight with which it is kept.
        draw: the random key of its lot.
        valid: [] bool; False writes nothing.
    """
    slot = jnp.argmin(episodes.lot)
    tiny = jnp.finfo(jnp.float32).tiny
    lot = jnp.log(jax.random.uniform(draw, minval=tiny)) / jnp.maximum(surprise, tiny)
    slot = jnp.where(valid, slot, episodes.lot.shape[0])  # out of range, hence dropped

    def put(all_, one):
        return all_.at[slot].set(one, mode="drop")

    return Episodes(
        key=put(episodes.key, key_D),
        content=jax.tree.map(put, episodes.content, content),
        lot=put(episodes.lot, jnp.maximum(lot, jnp.finfo(jnp.float32).min)),
        time=put(episodes.time, time),
    )


def read(
    episodes: Episodes,
    cue_D: jax.Array,
    given_D: jax.Array,
    now: ArrayLike,
    recency: Recency,
    k: int = 1,
) -> tuple[jax.Array, jax.Array]:
    """The k slots that come to mind: ([k] int32, scores [k] in [0, 1], 0 where nothing is held).

    Args:
        given_D: bool, which numbers of the cue are given; the others may be anything finite.
    """
    cue_D = jnp.where(given_D, cue_D, 0.0)
    length_C = jnp.sqrt((episodes.key**2) @ given_D.astype(jnp.float32))
    cosine_C = episodes.key @ cue_D / (length_C * jnp.linalg.norm(cue_D) + 1e-12)
    age_C = (now - episodes.time).astype(jnp.float32)
    recent_C = 1.0 - recency.share + recency.share * jnp.exp2(-age_C / recency.half_life)
    score_C = 0.5 * (1.0 + cosine_C) * recent_C
    score_k, slot_k = jax.lax.top_k(jnp.where(episodes.held, score_C, -1.0), k)
    return slot_k, jnp.maximum(score_k, 0.0)


def sample(episodes: Episodes, draw: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """([size] slots drawn uniformly from what is held, valid [size]); none is valid when empty."""
    held = jnp.sum(episodes.held)
    slot = jax.random.randint(draw, (size,), 0, jnp.maximum(held, 1))
    return slot, jnp.broadcast_to(held > 0, (size,))
