"""How many entries of a grounding table do misleading looks spoil?

A read-out answers in levels of what the table itself holds: `levels` makes them from the agent's
own estimates, `enter` writes answers back as if they had been measured, `table_levels` reads them.
Only rows that the senses measure directly can be read from a look: hardness (as pitch), weight,
size and elasticity. Fragility is an interval between blows, and a look is no blow.
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import types
from nsca_jax.grounding import table as table_lib
from nsca_jax.robustness import detection

READ = types.PROPERTIES[:4]  # what a look can be asked for, in the table's order


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
    measured = jnp.take_along_axis(levels.centre[None], answer_BxP[..., None], -1)[..., 0]
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
    return jnp.argmin(jnp.abs(values[..., None] - levels.centre), -1), known


def poisoned(
    levels: Levels, clean: table_lib.GroundingTable, attacked: table_lib.GroundingTable
) -> jax.Array:
    """[N, P] bool: entries of `attacked` that say another level than `clean` does."""
    before, _ = table_levels(levels, clean)
    after, known = table_levels(levels, attacked)
    return known & (before != after)
