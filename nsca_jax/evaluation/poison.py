"""How much of a grounding table, and of semantic memory, do misleading looks spoil?

A read-out answers in levels of what the table itself holds: `levels` makes them from the agent's
own estimates. Answers are then written back as if they had been measured, into a fresh table
(`enter`, read by `table_levels`) and as episodes of a fresh semantic memory (`remember`, read by
`recalled_levels`). An episode's key is the object's levels in the agent's own table, which no
change of a look moves: objects of the same levels share a prototype, and its facts.

Only rows that the senses measure directly can be read from a look: hardness (as pitch), weight,
size and elasticity. Fragility is an interval between blows, and a look is no blow.
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from nsca_jax import types
from nsca_jax.grounding import table as table_lib
from nsca_jax.memory import semantic
from nsca_jax.robustness import detection

READ = types.PROPERTIES[:4]  # what a look can be asked for, in the table's order
ALL = np.ones(len(READ), bool)  # of a key
RULES = semantic.Rules()  # keys are whole numbers: those that differ found another prototype


@struct.dataclass
class Levels:
    """The table's estimates, cut into L levels of equally many known objects, per property."""

    centre: jax.Array  # [P, L] mean estimate of a level, in the table's unit
    level: jax.Array  # [N, P] int32; 0 where unknown
    known: jax.Array  # [N, P] bool


def levels(table: table_lib.GroundingTable, count: int) -> Levels:
    """Cuts the table's estimates of READ by rank into `count` levels."""
    values, known = (x[:, : len(READ)] for x in table_lib.estimate(table))
    below = known[None] & (values[None] < values[:, None])  # [N, other N, P]
    usable = jnp.maximum(jnp.sum(known, 0), 1)
    level = jnp.where(known, jnp.sum(below, 1) * count // usable, 0)
    of = (jax.nn.one_hot(level, count) * known[..., None]).astype(values.dtype)  # [N, P, L]
    centre = jnp.sum(of * values[..., None], 0) / jnp.maximum(jnp.sum(of, 0), 1.0)
    return Levels(centre, level, known)


def enter(
    levels: Levels, object_id_B: jax.Array, answer_BxP: jax.Array, uncertain_B: jax.Array
) -> table_lib.GroundingTable:
    """A fresh table, told the answers [B, P] to B looks, less those that the guard holds back."""
    measured = _measured(levels, answer_BxP)
    blow = jnp.zeros((len(measured), 1))
    ok = jnp.concatenate([jnp.ones_like(measured, bool), blow.astype(bool)], 1)
    return table_lib.update(
        table_lib.init(levels.level.shape[0]),
        object_id_B,
        jnp.concatenate([measured, blow], 1),
        detection.guard(ok, uncertain_B),
        blow[:, 0],
    )


def table_levels(levels: Levels, table: table_lib.GroundingTable) -> tuple[jax.Array, jax.Array]:
    """What a table says, as nearest levels [N, P], and whether it says anything [N, P]."""
    values, known = (x[:, : len(READ)] for x in table_lib.estimate(table))
    return _nearest(levels, values), known


def remember(
    levels: Levels, object_id_B: jax.Array, answer_BxP: jax.Array, uncertain_B: jax.Array
) -> semantic.Prototypes:
    """A fresh semantic memory, told the same as `enter`: B looks are its episodes, in order."""
    facts = _measured(levels, answer_BxP)
    return semantic.consolidate(
        semantic.init(len(levels.level), len(READ), len(READ)),
        levels.level[object_id_B].astype(facts.dtype),
        facts,
        jnp.ones_like(facts, bool),
        jnp.arange(len(facts)),
        detection.guard(jnp.ones_like(uncertain_B), uncertain_B),
        ALL,
        RULES,
    )


def recalled_levels(levels: Levels, held: semantic.Prototypes) -> tuple[jax.Array, jax.Array]:
    """What each object brings to mind, as `table_levels` gives it; nothing beyond RULES.radius."""
    key_NxP = levels.level.astype(held.mean.dtype)
    place, _ = jax.vmap(lambda key: semantic.read(held, key, ALL, RULES))(key_NxP)
    gap = jnp.linalg.norm(key_NxP - held.mean[place], axis=-1)
    met = (gap <= RULES.radius) & held.known[place]
    return _nearest(levels, held.fact_mean[place]), met[:, None] & (held.fact_count[place] > 0)


def poisoned(
    clean: tuple[jax.Array, jax.Array], attacked: tuple[jax.Array, jax.Array]
) -> jax.Array:
    """[N, P] bool: where `attacked` says another level than `clean`; both are levels and known."""
    (before, _), (after, known) = clean, attacked
    return known & (before != after)


def _measured(levels: Levels, answer_BxP: jax.Array) -> jax.Array:
    """[B, P] centres of the levels that were answered."""
    return jnp.take_along_axis(levels.centre[None], answer_BxP[..., None], -1)[..., 0]


def _nearest(levels: Levels, values_NxP: jax.Array) -> jax.Array:
    """[N, P] int32: the level whose centre is nearest."""
    return jnp.argmin(jnp.abs(values_NxP[..., None] - levels.centre), -1)
