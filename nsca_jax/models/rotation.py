"""Rotation to simple structure: which axes explain the loadings with the fewest entries.

Neither the likelihood nor the KL to a unit Gaussian sees a rotation of the slots; only sparsity
tells their axes apart: Jennrich (2006), Rohe & Zeng (2023). Axes may be oblique, since properties
of objects go together.
"""

# optax keeps a leaf an array, though pyright does not know.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import optax

SMALL = 0.01  # square of a loading below which it is taken for noise, not for structure


def simple_structure(
    key: jax.Array,
    loadings: jax.Array,
    used: jax.Array,
    starts: int = 24,
    steps: int = 300,
    rate: float = 0.03,
) -> jax.Array:
    """The turn T [S, S] after which `loadings @ inv(T)` has the smallest summed group norms.

    Rows of T have norm 1, so that unit-variance slots s become unit-variance slots T s. The best
    of several random orthogonal starts, each followed down the gradient by Adam.

    Args:
        loadings: [M, H, S], M groups (what reads) of H entries each, on S slots.
        used: [S] bool; the others stay as they are.
    """
    size = used.shape[0]
    eye = jnp.eye(size)
    both = used[:, None] & used[None, :]
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def turn(raw: jax.Array) -> jax.Array:
        block = jnp.where(both, raw, eye)
        return block / jnp.linalg.norm(block, axis=1, keepdims=True)

    def price(raw: jax.Array) -> jax.Array:
        turned = jnp.einsum("mhs,st->mht", loadings, jnp.linalg.inv(turn(raw)))
        return jnp.sum(jnp.sqrt(jnp.sum(turned**2, 1) + SMALL) * used)

    def descend(start: jax.Array) -> tuple[jax.Array, jax.Array]:
        def step(carry, _):
            raw, moments = carry
            updates, moments = optimiser.update(jax.grad(price)(raw), moments)
            return (optax.apply_updates(raw, updates), moments), None

        (raw, _), _ = jax.lax.scan(step, (start, optimiser.init(start)), length=steps)
        return turn(raw), price(raw)

    # a random rotation among the used slots alone: QR of a block that leaves the others
    drawn = jax.random.normal(key, (starts, size, size))
    first = jnp.linalg.qr(jnp.where(both, drawn, eye))[0]
    turns, prices = jax.vmap(descend)(first)
    return turns[jnp.nanargmin(prices)]
