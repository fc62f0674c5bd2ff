"""The grounding table: what the agent itself has found out about each object. It starts empty.

Hardness, weight, size and elasticity: the median of the last measures. Fragility: an interval
between the largest impulse that the object survived and the smallest that broke it.
True values never enter.
"""

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import rings
from nsca_jax.types import PROPERTIES

FRAGILITY = PROPERTIES.index("fragility")
WINDOW = 32


@struct.dataclass
class GroundingTable:
    """N objects x 5 properties, in the units in which the senses measure."""

    measures: jax.Array  # [5, N, W] the last measures; fragility's row holds impulses
    count: jax.Array  # [5, N] int32, measures ever taken
    survived: jax.Array  # [N] largest impulse survived; 0: none yet
    broke: jax.Array  # [N] smallest impulse that broke it; inf: none yet


def init(objects: int) -> GroundingTable:
    """An empty table."""
    properties = len(PROPERTIES)
    return GroundingTable(
        measures=jnp.zeros((properties, objects, WINDOW)),
        count=jnp.zeros((properties, objects), jnp.int32),
        survived=jnp.zeros(objects),
        broke=jnp.full(objects, jnp.inf, jnp.float32),
    )


def update(
    table: GroundingTable,
    object_id_B: jax.Array,
    measured_Bx5: jax.Array,
    ok_Bx5: jax.Array,
    broken_B: jax.Array,
) -> GroundingTable:
    """Enters a batch of measures; objects may repeat.

    Args:
        object_id_B: int32 in [0, N).
        measured_Bx5: one measure a property, any unit, in a logarithm where it spans decades;
            for fragility the largest impulse on the object, positive and linear.
        ok_Bx5: bool; measures that are not finite are never entered.
        broken_B: whether the object broke; its impulse then bounds fragility from above.
    """
    ok = ok_Bx5 & jnp.isfinite(measured_Bx5)
    append = jax.vmap(rings.append, (0, 0, None, 1, 1))
    measures, count = append(table.measures, table.count, object_id_B, measured_Bx5, ok)
    impulse, felt, broken = measured_Bx5[:, FRAGILITY], ok[:, FRAGILITY], broken_B > 0.5
    return GroundingTable(
        measures,
        count,
        table.survived.at[object_id_B].max(jnp.where(felt & ~broken, impulse, 0.0)),
        table.broke.at[object_id_B].min(jnp.where(felt & broken, impulse, jnp.inf)),
    )


def estimate(table: GroundingTable) -> tuple[jax.Array, jax.Array]:
    """What the table says: values [N, 5], 0 where unknown, and known [N, 5] bool.

    Fragility is known once the object has both survived an impulse and broken at one: the
    geometric mean of the two bounds.
    """
    values = jax.vmap(ring_median)(table.measures, table.count).T
    known = (table.count > 0).T
    bounded = (table.survived > 0.0) & jnp.isfinite(table.broke)
    fragility = jnp.sqrt(table.survived * jnp.where(bounded, table.broke, 0.0))
    values = values.at[:, FRAGILITY].set(fragility)
    return values, known.at[:, FRAGILITY].set(bounded)


def ring_median(ring_NxW: jax.Array, count_N: jax.Array) -> jax.Array:
    """[N] median of what each ring holds; 0 for an empty one."""
    mask = rings.filled(ring_NxW, count_N)
    ordered = jnp.sort(jnp.where(mask, ring_NxW, jnp.inf), -1)
    n = jnp.clip(count_N, 1, ring_NxW.shape[1])
    middle = jnp.stack([(n - 1) // 2, n // 2], -1)
    median = jnp.mean(jnp.take_along_axis(ordered, middle, -1), -1)
    return jnp.where(count_N > 0, median, 0.0)


def memory_input(
    table: GroundingTable,
    object_id: jax.Array,
    reference: GroundingTable | None = None,
    limit: float = 5.0,
) -> jax.Array:
    """What the dynamics sees of objects [...]: [..., 10].

    Five estimates, standardised over the known objects of `reference` (default: the table itself)
    and clipped to +- `limit`, 0 where unknown; then five known-flags.
    """
    values, known = estimate(table)
    norm, usual = estimate(table if reference is None else reference)
    n = jnp.maximum(jnp.sum(usual, 0), 1)
    mean = jnp.sum(norm * usual, 0) / n
    variance = jnp.sum(jnp.where(usual, norm - mean, 0.0) ** 2, 0) / n
    scale = jnp.sqrt(jnp.where(variance > 0.0, variance, 1.0))
    deviation = jnp.where(known, (values - mean) / scale, 0.0)
    rows = jnp.concatenate([jnp.clip(deviation, -limit, limit), known], -1)
    return rows[object_id]
