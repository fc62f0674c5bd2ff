"""Where the senses meet: cross-attention from learnt questions to the senses' codes."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

SENSES = ("vision", "audio", "proprio", "touch")
ABSENT = -1e9  # a logit that no softmax notices
LEANING = 3.0  # logit by which, at first, a question prefers the sense that is its own


class Fusion(nn.Module):
    """Codes of the senses present {name: [..., D]} -> state [..., state].

    `heads` learnt questions of state / heads numbers each look at the codes and answer with what
    they find (Jaegle et al. 2021, "Perceiver"); one hidden layer mixes the answers. Each question
    leans to one sense at first, so that an average of all is not where learning starts. A sense
    that is left out of `codes`, or whose `present` [...] is False, is not attended to. Raises
    ValueError without any sense and for one that is not in `senses`.
    """

    senses: tuple[str, ...] = SENSES
    heads: int = 8
    state: int = 512
    width: int = 256
    key: int = 16  # numbers by which a question finds its answer

    @nn.compact
    def __call__(
        self, codes: Mapping[str, jax.Array], present: Mapping[str, jax.Array] | None = None
    ) -> jax.Array:
        if not codes or set(codes) - set(self.senses):
            raise ValueError(f"fusion: senses {sorted(codes)}; known are {', '.join(self.senses)}")
        names = [name for name in self.senses if name in codes]
        lead = codes[names[0]].shape[:-1]
        there = [jnp.broadcast_to((present or {}).get(name, True), lead) for name in names]
        there_SxH = jnp.stack(there, -1)[..., None]
        question = self.param("question", nn.initializers.normal(1.0), (self.heads, self.key))
        leaning = self.param("leaning", _leaning, (self.heads, len(self.senses)))
        logits = [
            jnp.einsum("...hk,hk->...h", self._heads(f"{n}_key", codes[n], self.key), question)
            / self.key**0.5
            + leaning[:, self.senses.index(n)]
            for n in names
        ]
        values = [self._heads(f"{n}_value", codes[n], self.state // self.heads) for n in names]
        weight = jax.nn.softmax(jnp.where(there_SxH, jnp.stack(logits, -2), ABSENT), -2)
        weight = jnp.where(there_SxH, weight, 0.0)
        answer = jnp.einsum("...sh,...shv->...hv", weight, jnp.stack(values, -3))
        answer = answer.reshape(*lead, self.state)
        hidden = nn.silu(nn.Dense(self.width)(nn.LayerNorm()(answer)))
        return nn.LayerNorm()(answer + nn.Dense(self.state)(hidden))

    def _heads(self, name: str, code: jax.Array, size: int) -> jax.Array:
        mapped = nn.Dense(self.heads * size, name=name)(code)
        return mapped.reshape(*code.shape[:-1], self.heads, size)


class Teller(nn.Module):
    """One linear map from a state or code [..., D] to what it must tell [..., size]."""

    size: int

    @nn.compact
    def __call__(self, state: jax.Array) -> jax.Array:
        return nn.Dense(self.size)(state)


def _leaning(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """[heads, senses]: the senses take turns in being a question's own."""
    del key
    heads, senses = shape
    return LEANING * jnp.asarray(np.arange(heads)[:, None] % senses == np.arange(senses), float)
