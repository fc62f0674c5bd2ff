"""What to do next, and what will come of it: one trunk that clones and foresees.

Shapes: D features, A actions, C changes foreseen.
"""

# pyright: reportAttributeAccessIssue=false
# (flax's setup)

import flax.linen as nn
import jax
import jax.numpy as jnp

START = 0.3  # how large the first answers are, as a share of the usual start of a layer


class Imitator(nn.Module):
    """Features [..., D] -> the action meant [..., A]; `foresee` says what an action will change."""

    width: int = 256
    actions: int = 4
    changes: int = 7

    def setup(self) -> None:
        small = nn.initializers.variance_scaling(2.0 * START**2, "fan_in", "normal")
        self.trunk = [nn.Dense(self.width, kernel_init=nn.initializers.he_normal()) for _ in "ab"]
        self.act = nn.Dense(self.actions, kernel_init=small)
        self.effect = nn.Dense(self.width, kernel_init=nn.initializers.he_normal())
        self.change = nn.Dense(self.changes, kernel_init=small)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.act(self._grasp(x))

    def foresee(self, x: jax.Array, action: jax.Array) -> jax.Array:
        """[..., C] what doing `action` [..., A] changes."""
        both = jnp.concatenate([self._grasp(x), action], -1)
        return self.change(nn.relu(self.effect(both)))

    def both(self, x: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(what to do, what doing `action` changes)."""
        return self(x), self.foresee(x, action)

    def _grasp(self, x: jax.Array) -> jax.Array:
        for layer in self.trunk:
            x = nn.relu(layer(x))
        return x
