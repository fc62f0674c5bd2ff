"""Objects with five properties that no sense shows: only what happens to the objects tells.

An interaction is an action at an intensity; it gives six outcomes. Every property shows in two
actions, every action brings out two properties, and several outcomes mix two of them or a hidden
property with the weight, which the senses give. One channel is noise alone.

    action   bounce    pull   heat     crack           force           hidden
    drop     q e       -      -        w q f           w q (.5 + e)    elasticity, fragility
    press    -         q s    -        -               q e             elasticity, stickiness
    hold     -         q s    q t      -               w               stickiness, temperature
    induce   -         -      t + q m  -               q m             temperature, magnetism
    snap     -         q m    -        q f (.5 + m)    w m             magnetism, fragility

Shapes: N objects, I interactions each, P properties, C channels.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false

import jax
import jax.numpy as jnp
from flax import struct

PROPERTIES = ("elasticity", "stickiness", "temperature", "fragility", "magnetism")
ACTIONS = ("drop", "press", "hold", "induce", "snap")
CHANNELS = ("bounce", "pull", "heat", "crack", "force", "hiss")
SENSED = ("weight", "size")  # seen and felt before the interaction


@struct.dataclass
class Experience:
    """What an agent met, and the truth that scores it. No units: relative to what is usual."""

    action: jax.Array  # [N, I] int32, index into ACTIONS
    intensity: jax.Array  # [N, I] in [0.5, 1.5]
    outcome: jax.Array  # [N, I, C]
    sensed: jax.Array  # [N, 2] weight and size, as standard scores
    truth: jax.Array  # [N, P] hidden properties in (0, 1); never shown to the learner


@struct.dataclass
class Laws:
    """What differs between worlds."""

    correlation: jax.Array  # [] of any two hidden properties' scores, in [0, 1)
    mixing: jax.Array  # [C, C] outcome = mixing @ what the table says
    noise: jax.Array  # [] standard deviation of the noise of each channel


def laws(key: jax.Array, correlation, mixed, noise) -> Laws:
    """Laws of a world. `mixed` turns the five true channels by a random rotation of their own.

    Numbers or traced scalars, so that one program serves all worlds.
    """
    true = len(CHANNELS) - 1
    turn = jnp.where(mixed, jax.random.orthogonal(key, true), jnp.eye(true))
    mixing = jnp.eye(len(CHANNELS)).at[:true, :true].set(turn)
    return Laws(jnp.asarray(correlation, jnp.float32), mixing, jnp.asarray(noise, jnp.float32))


def sample(key: jax.Array, world: Laws, objects: int, interactions: int) -> Experience:
    """Fresh objects, and random actions on each."""
    keys = jax.random.split(key, 5)
    own = jax.random.normal(keys[0], (objects, len(PROPERTIES)))
    shared = jax.random.normal(keys[1], (objects, 1))
    score = jnp.sqrt(world.correlation) * shared + jnp.sqrt(1 - world.correlation) * own
    truth = jax.nn.sigmoid(score)
    sensed = jax.random.normal(keys[2], (objects, len(SENSED)))
    shape = (objects, interactions)
    action = jax.random.randint(keys[3], shape, 0, len(ACTIONS))
    key_intensity, key_noise = jax.random.split(keys[4])
    intensity = jax.random.uniform(key_intensity, shape, minval=0.5, maxval=1.5)
    clean = expected(truth, sensed, action, intensity) @ world.mixing.T
    spread = jnp.full(len(CHANNELS), world.noise).at[-1].set(1.0)
    outcome = clean + spread * jax.random.normal(key_noise, clean.shape)
    return Experience(action, intensity, outcome, sensed, truth)


def expected(truth, sensed, action, intensity) -> jax.Array:
    """The table above: outcomes [N, I, C] without noise, before the channels are mixed."""
    e, s, t, f, m = (truth[:, i, None] for i in range(len(PROPERTIES)))
    w, q = weight(sensed)[:, None], intensity
    none, same = jnp.zeros_like(q), jnp.ones_like(q)
    table = (
        (q * e, none, none, w * q * f, w * q * (0.5 + e), none),
        (none, q * s, none, none, q * e, none),
        (none, q * s, q * t, none, w * same, none),
        (none, none, t + q * m, none, q * m, none),
        (none, q * m, none, q * f * (0.5 + m), w * m * same, none),
    )
    rows = jnp.stack([jnp.stack(row, -1) for row in table], -2)  # [N, I, actions, C]
    return jnp.take_along_axis(rows, action[..., None, None], -2)[..., 0, :]


def weight(sensed: jax.Array) -> jax.Array:
    """[N] relative weight, 1 is usual: exp(.3 score)."""
    return jnp.exp(0.3 * sensed[:, 0])


@struct.dataclass
class Usual:
    """What an action usually does: mean and spread of each channel."""

    mean: jax.Array  # [A, C]
    spread: jax.Array  # [A, C]


def usual(experience: Experience) -> Usual:
    """From an agent's own experience; an action that it never took has mean 0 and spread 1."""
    taken = jax.nn.one_hot(experience.action, len(ACTIONS))
    count = jnp.maximum(jnp.sum(taken, (0, 1)), 1.0)[:, None]
    mean = jnp.einsum("nia,nic->ac", taken, experience.outcome) / count
    square = jnp.einsum("nia,nic->ac", taken, (experience.outcome - mean[experience.action]) ** 2)
    spread = jnp.sqrt(square / count)
    return Usual(mean, jnp.where(spread > 1e-6, spread, 1.0))


def standardise(known: Usual, experience: Experience) -> jax.Array:
    """Outcomes [N, I, C] in standard deviations from what the action usually does."""
    action = experience.action
    return (experience.outcome - known.mean[action]) / known.spread[action]


def shuffle(key: jax.Array, experience: Experience) -> Experience:
    """The control: every interaction goes to an object drawn anew, so that nothing stays of any."""
    objects, interactions = experience.action.shape
    order = jax.random.permutation(key, objects * interactions)

    def deal(x: jax.Array) -> jax.Array:
        return x.reshape(-1, *x.shape[2:])[order].reshape(x.shape)

    dealt = (experience.action, experience.intensity, experience.outcome)
    action, intensity, outcome = map(deal, dealt)
    return experience.replace(action=action, intensity=intensity, outcome=outcome)
