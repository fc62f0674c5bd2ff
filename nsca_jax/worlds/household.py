"""Plausible things that nobody owns: random objects within the ranges of `nsca_jax/objects.py`.

What a thing is made of is drawn property by property, not material by material, so that hard does
not mean heavy and a word can only be learnt from the property that it names:

    shape       sphere, capsule or box, each as often
    size        every length log-uniform within what the gripper can close on
    density     log-uniform from 300 to 8,000 kg/m^3, then the mass clipped to what may be lifted
    stiffness   log-uniform; damping log-uniform; friction uniform
    fragility   every other thing breaks, when it lands at 0.9 to 1.9 m/s
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp

from nsca_jax.types import ObjectProperties

SIZE_M = (0.016, 0.042)
LONGEST_M = 0.044
DENSITY_kg_m3 = (300.0, 8000.0)
MASS_kg = (0.021, 1.8)
STIFFNESS = (1.05e4, 5.9e4)
DAMPING = (0.025, 0.5)
FRICTION = (0.25, 1.0)
BREAKS_AT_m_s = (0.9, 1.9)  # landing speed; a drop lands at 0.9 to 2.6 m/s
BREAKABLE = 0.5


def draw(key: jax.Array, count: int) -> ObjectProperties:
    """[count] random objects."""
    keys = iter(jax.random.split(key, 12))

    def uniform(low: float, high: float) -> jax.Array:
        return jax.random.uniform(next(keys), (count,), minval=low, maxval=high)

    def log_uniform(low: float, high: float) -> jax.Array:
        return jnp.exp(uniform(jnp.log(low), jnp.log(high)))

    shape = jax.random.randint(next(keys), (count,), 0, 3)
    size, volume = _sizes(shape, log_uniform(*SIZE_M), *(uniform(0.75, 1.5) for _ in range(2)))
    mass = jnp.clip(volume * log_uniform(*DENSITY_kg_m3), *MASS_kg)
    damping = log_uniform(*DAMPING)
    breaks = jax.random.bernoulli(next(keys), BREAKABLE, (count,))
    impulse = mass * uniform(*BREAKS_AT_m_s) * (1.0 + restitution(damping))
    return ObjectProperties(
        shape=shape,
        size_m=size,
        mass_kg=mass,
        contact_stiffness=log_uniform(*STIFFNESS),
        damping_ratio=damping,
        friction=uniform(*FRICTION),
        fragility_Ns=jnp.where(breaks, impulse, jnp.inf),
        rgb=jax.random.uniform(next(keys), (count, 3), minval=0.1, maxval=0.95),
    )


def restitution(damping_ratio: jax.Array) -> jax.Array:
    """[...] speed after a bounce over that before, of a linear contact."""
    return jnp.exp(-jnp.pi * damping_ratio * jax.lax.rsqrt(1.0 - damping_ratio**2))


def _sizes(shape, base_m, wide, tall) -> tuple[jax.Array, jax.Array]:
    """Sizes [count, 3] as MuJoCo takes them, and volumes [count] m^3."""
    y, z = (jnp.clip(base_m * ratio, SIZE_M[0], LONGEST_M) for ratio in (wide, tall))
    none = jnp.zeros_like(base_m)
    rows = [
        jnp.stack([base_m, none, none], -1),
        jnp.stack([base_m, y, none], -1),
        jnp.stack([base_m, y, z], -1),
    ]
    ball = 4.0 / 3.0 * jnp.pi * base_m**3
    rod = ball + 2.0 * jnp.pi * base_m**2 * y
    which = [shape == 0, shape == 1]
    size = jnp.where(which[0][:, None], rows[0], jnp.where(which[1][:, None], rows[1], rows[2]))
    return size, jnp.select(which, [ball, rod], 8.0 * base_m * y * z)
