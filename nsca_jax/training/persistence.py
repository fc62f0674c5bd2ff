"""Acting by an ensemble, and trying again where it does not get there.

While an episode lasts no longer than demonstrations did, the members' mean acts. Later, what the
members agree on has failed: one of them after the other takes over for some time, its action
blurred, as in posterior sampling (Thompson 1933; Osband et al. 2016), so that what was tried is not
tried again. Nobody tells an agent that it has succeeded; an episode that goes on has not.

Everything is for one environment; callers `vmap`. Shapes: O readings, A actions, M members.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# (flax's replace, jnp's one array)

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.training import imitation


@dataclass(frozen=True)
class Rule:
    """When to try otherwise, and how."""

    patience: float = 1.3  # of the longest demonstration
    turn: int = 40  # steps that a member acts alone
    blur: float = 0.3  # of a lone member's action


@struct.dataclass
class Memory:
    """What an agent remembers within an episode."""

    first: jax.Array  # [O] its first reading
    key: jax.Array  # []


def begin(count: int, readings: int, seed: int) -> Memory:
    """The memories [count] of agents whose episodes are about to begin."""
    keys = jax.random.split(jax.random.key(seed), count)
    return Memory(jnp.zeros((count, readings)), keys)


def act(
    settings: imitation.Settings,
    rule: Rule | None,
    params: Any,
    eye: imitation.Eye,
    longest: jax.Array,
    memory: Memory,
    seen: jax.Array,
    time: jax.Array,
) -> tuple[Memory, jax.Array]:
    """(memory, action [A]) on seeing `seen` [O] at step `time` [] of an episode."""
    first = jnp.where(time == 0, seen, memory.first)
    key, draw = jax.random.split(memory.key)
    said = imitation.answers(settings, params, eye, seen, first)
    action = jnp.mean(said, 0)
    if rule is not None:
        turn = (time // rule.turn) % settings.members
        alone = said[turn] + rule.blur * jax.random.normal(draw, action.shape)
        action = jnp.where(time > rule.patience * longest, alone, action)
    return memory.replace(first=first, key=key), jnp.clip(action, -1.0, 1.0)
