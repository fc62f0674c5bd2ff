"""Where things and words meet: two linear maps into one space of directions.

Linear, so that "heavy" and "light" must lie at the two ends of what was felt, and few utterances
are not learnt by heart.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

FIRST_SHARPNESS = 10.0  # of the softmax over similarities
SHARPEST = 100.0


class Aligner(nn.Module):
    """Active states [..., S] and utterance embeddings [..., D] -> unit vectors [..., E]."""

    embedding: int = 32

    def setup(self):
        self.point = nn.Dense(self.embedding)
        self.hear = nn.Dense(self.embedding, use_bias=False)
        self.log_sharpness = self.param(
            "log_sharpness", nn.initializers.constant(jnp.log(FIRST_SHARPNESS)), ()
        )

    def __call__(self, state_BxS: jax.Array, utterance_BxD: jax.Array) -> jax.Array:
        """[B, B] logits that a thing and an utterance belong together."""
        sharpness = jnp.minimum(jnp.exp(self.log_sharpness), SHARPEST)
        return sharpness * self.thing(state_BxS) @ self.word(utterance_BxD).T

    def thing(self, state: jax.Array) -> jax.Array:
        """Where a thing lies, as it acts in an interaction."""
        return _unit(self.point(state))

    def word(self, utterance: jax.Array) -> jax.Array:
        """Where an utterance lies."""
        return _unit(self.hear(utterance))


def _unit(x: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.sum(x**2, -1, keepdims=True) + 1e-12)
