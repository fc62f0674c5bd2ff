"""Where the senses meet: cross-attention from learnt questions to the senses' codes."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

SENSES = ("vision", "audio", "proprio", "touch")
ABSENT = -1e9  # a logit that no softmax notices


class Fusion(nn.Module):
    """Codes of the senses present {name: [..., D]} -> state [..., state].

    `heads` learnt questions of state / heads numbers each look at the codes and answer with what
    they find (Jaegle et al. 2021, "Perceiver"); one hidden layer mixes the answers. A sense that
    is left out of `codes`, or whose `present` [...] is False, is not attended to. Raises ValueError
    without any sense and for one that is not in `senses`.
    """

    senses: tuple[str, ...] = SENSES
    heads: int = 8
    state: int = 512
    width: int = 512

    @nn.compact
    def __call__(
        self, codes: Mapping[str, jax.Array], present: Mapping[str, jax.Array] | None = None
    ) -> jax.Array:
        if not codes or set(codes) - set(self.senses):
            raise ValueError(f"fusion: senses {sorted(codes)}; known are {', '.join(self.senses)}")
        size = self.state // self.heads
        names = [name for name in self.senses if name in codes]
        lead = codes[names[0]].shape[:-1]
        there = [jnp.broadcast_to((present or {}).get(n, True), lead) for n in names]
        there_SxN = jnp.stack(there, -1)
        split = lambda x: x.reshape(*x.shape[:-1], self.heads, size)  # noqa: E731
        keys = jnp.stack(
            [split(nn.Dense(self.state, name=f"{n}_key")(codes[n])) for n in names], -3
        )
        values = [split(nn.Dense(self.state, name=f"{n}_value")(codes[n])) for n in names]
        question = self.param("question", nn.initializers.normal(1.0), (self.heads, size))
        logits = jnp.einsum("...shd,hd->...sh", keys, question) / size**0.5
        weight = jax.nn.softmax(jnp.where(there_SxN[..., None], logits, ABSENT), -2)
        weight = jnp.where(there_SxN[..., None], weight, 0.0)
        answer = jnp.einsum("...sh,...shd->...hd", weight, jnp.stack(values, -3))
        answer = answer.reshape(*lead, self.state)
        hidden = nn.silu(nn.Dense(self.width)(nn.LayerNorm()(answer)))
        return nn.LayerNorm()(answer + nn.Dense(self.state)(hidden))
