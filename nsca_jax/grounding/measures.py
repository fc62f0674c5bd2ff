"""What the senses alone say about an object after one interaction: raw measures of properties.

Each property has the channel by which an infant finds it out (README, "Grounding"):

    hardness    pitch of a strike             log f, Hz
    weight      load on the fingers in a lift log m, kg
    size        area in the views             log s, m
    elasticity  bounce of a drop              sqrt(energy after / before the first impact)
    fragility   loudest blow, and whether it broke   sqrt(heard energy), J^0.5

Pitch and loudness depend on size and weight too; `properties` divides these out with the agent's
own estimates, by the acoustics of a solid: f ~ sqrt(E V / m) / L and energy ~ J^2 / m.
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp

from nsca_jax.grounding import table as table_lib
from nsca_jax.sim import skills
from nsca_jax.types import PROPERTIES

HARDNESS, WEIGHT, SIZE, ELASTICITY, FRAGILITY = range(len(PROPERTIES))
GRAVITY = 9.81
LIFTED_M = 0.02
APPARENT_SIZE = 7  # where the visual code holds the square root of the metric area
VISIBLE = 0
QUIET_J = 1e-9


def measure(
    skill, clearance_m, positions_m, velocities_m_s, touch_N, energy_J, pitch_Hz, codes, broken
):
    """Measures of one interaction.

    Args:
        skill: [] int32. clearance_m: [] the height that a drop commanded.
        positions_m, velocities_m_s: [T, 3] of the object, as tracked.
        touch_N: [T, 2, 3]. energy_J: [T] heard a control step. pitch_Hz: [] of the whole sound.
        codes: [knots + 1, V] visual codes of the looks. broken: [] bool.

    Returns:
        (measured [5], ok [5] bool): ok where this skill and its course allowed the measure.
    """
    heard = energy_J > QUIET_J
    load_N = jnp.abs(jnp.sum(touch_N[..., 2], -1))  # vertical shear of both fingers, [T]
    risen = positions_m[:, 2] - positions_m[0, 2] > LIFTED_M
    still = jnp.abs(velocities_m_s[:, 2]) < 0.02
    hanging = risen & still & (jnp.arange(risen.shape[0]) >= 2)
    lifted = jnp.sum(hanging) >= 2
    mass_kg = jnp.sum(jnp.where(hanging, load_N, 0.0)) / jnp.maximum(jnp.sum(hanging), 1) / GRAVITY
    seen = codes[:, VISIBLE] > 0
    area = jnp.sum(jnp.where(seen, codes[:, APPARENT_SIZE] ** 2, 0.0))
    area_m2 = area / jnp.maximum(jnp.sum(seen), 1)
    bounce, landed = _bounce(clearance_m, positions_m, velocities_m_s, heard)
    measured = jnp.stack(
        [
            jnp.log(jnp.maximum(pitch_Hz, 1.0)),
            jnp.log(jnp.maximum(mass_kg, 1e-4)),
            0.5 * jnp.log(jnp.maximum(area_m2, 1e-8)),
            bounce,
            jnp.sqrt(jnp.max(energy_J) + 1e-12),
        ]
    )
    ok = jnp.stack(
        [
            (skill == skills.STRIKE) & jnp.any(heard) & ~broken,
            (skill == skills.LIFT) & lifted,
            jnp.any(seen),
            (skill == skills.DROP) & landed & ~broken,
            jnp.any(heard),
        ]
    )
    return measured, ok


def _bounce(clearance_m, positions_m, velocities_m_s, heard):
    """Restitution from a drop's track, and whether it can be told.

    Between impacts the energy g z + v^2 / 2 above the resting height is constant, so that its
    value before the first impact and the largest one after it do not depend on the sampling.
    """
    steps = jnp.arange(heard.shape[0])
    first = jnp.argmax(heard & (steps >= 2))
    rest_m = positions_m[0, 2] - clearance_m
    energy = GRAVITY * (positions_m[:, 2] - rest_m) + 0.5 * velocities_m_s[:, 2] ** 2
    before = GRAVITY * clearance_m
    after = jnp.max(jnp.where(steps > first, energy, 0.0))
    landed = jnp.any(heard & (steps >= 2)) & (first < heard.shape[0] - 6)
    return jnp.sqrt(jnp.clip(after / jnp.maximum(before, 1e-3), 0.0, 1.5) + 1e-9), landed


def properties(table: table_lib.GroundingTable) -> tuple[jax.Array, jax.Array]:
    """The agent's estimates of PROPERTIES: values [N, 5] (monotone in the truth) and known [N, 5].

    log hardness = (2 log f + log m - log s) / 3: a solid's stiffness is its density times its
    wave speed squared. The blow that breaks is sqrt(heard energy x weight), an impulse.
    """
    values, known = table_lib.estimate(table)
    pitch, weight, size = values[:, HARDNESS], values[:, WEIGHT], values[:, SIZE]
    hardness = (2.0 * pitch + weight - size) / 3.0
    blow = values[:, FRAGILITY] * jnp.exp(0.5 * weight)
    values = values.at[:, HARDNESS].set(hardness).at[:, FRAGILITY].set(blow)
    weighed = known[:, WEIGHT]
    known = known.at[:, HARDNESS].set(known[:, HARDNESS] & weighed & known[:, SIZE])
    return values, known.at[:, FRAGILITY].set(known[:, FRAGILITY] & weighed)
