"""Where to go for what regions are worth: value iteration on a known floor (Bellman 1957)."""

import jax


def action_values(
    reward_CxA: jax.Array, next_CxA: jax.Array, value_C: jax.Array, discount: float
) -> jax.Array:
    """Q [C, A] = reward + discount * value of the cell that each action leads to (int32)."""
    return reward_CxA + discount * value_C[next_CxA]


def improve(
    reward_CxA: jax.Array, next_CxA: jax.Array, value_C: jax.Array, discount: float, sweeps: int
) -> jax.Array:
    """Values of C cells [C] after so many sweeps of value iteration from `value_C`."""

    def sweep(value_C, _):
        return action_values(reward_CxA, next_CxA, value_C, discount).max(-1), None

    return jax.lax.scan(sweep, value_C, None, sweeps)[0]
