"""Random network distillation: novel is where a random network's answer is not yet known.

(Burda et al. 2019.) The networks are this rival's own. A TV's frames stay novel for long.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.curiosity import recent_mean
from nsca_jax.curiosity.evidence import Evidence

FEATURES = 16
WIDTH = 32
LEARNING_RATE = 0.02  # of plain gradient descent on the mean over a batch

init, score = recent_mean.init, recent_mean.score


def update(
    state: recent_mean.State, region_B: jax.Array, seen: Evidence, valid_B: jax.Array
) -> recent_mean.State:
    """Takes in the novelty of what was seen after each transition."""
    if seen.novelty is None:
        raise ValueError("rnd: the loop measures no novelty")
    return recent_mean.append(state, region_B, seen.novelty, valid_B)


class Features(nn.Module):
    """Inputs [..., D] -> [..., FEATURES]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(FEATURES)(nn.relu(nn.Dense(WIDTH)(x)))


@struct.dataclass
class Networks:
    """The fixed random network, and the one that learns to answer like it."""

    target: Any
    student: Any


def init_networks(key: jax.Array, inputs: int) -> Networks:
    """Two independently drawn networks of `inputs` numbers."""
    return Networks(*(Features().init(k, jnp.zeros(inputs)) for k in jax.random.split(key)))


def novelty(networks: Networks, x_BxD: jax.Array) -> jax.Array:
    """Mean squared difference of the two answers [B]."""
    return _difference(networks.student, networks.target, x_BxD)


def learn(networks: Networks, x_BxD: jax.Array) -> Networks:
    """One step of gradient descent of the student on a batch."""
    gradient = jax.grad(lambda p: _difference(p, networks.target, x_BxD).mean())(networks.student)
    student = jax.tree.map(lambda p, g: p - LEARNING_RATE * g, networks.student, gradient)
    return Networks(networks.target, student)


def _difference(student: Any, target: Any, x_BxD: jax.Array) -> jax.Array:
    answer, wanted = (jnp.asarray(Features().apply(p, x_BxD)) for p in (student, target))
    return jnp.mean((answer - wanted) ** 2, -1)
