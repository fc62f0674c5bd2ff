"""Words and what they are said of: text as hashed n-grams, contrastive alignment, naming.

No word has a meaning here. A text becomes a vector by its letters alone, the same on every machine
and without a model to download; what it stands for is learnt from the moments in which it is said.
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportArgumentType=false

import re
import zlib
from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

DIMENSIONS = 256
SHORTEST, LONGEST = 3, 5  # letters of an n-gram


def ngrams(text: str) -> list[str]:
    """Every word between `<` and `>`, and all its pieces of three to five letters.

    As Bojanowski et al. (2017), "Enriching word vectors with subword information".
    """
    words = [f"<{word}>" for word in re.findall(r"\w+", text.lower())]
    pieces = [
        word[i : i + n]
        for word in words
        for n in range(SHORTEST, LONGEST + 1)
        for i in range(len(word) - n + 1)
        if n < len(word)
    ]
    return words + pieces


def embed(texts: Sequence[str], dimensions: int = DIMENSIONS) -> np.ndarray:
    """[U, dimensions] unit vectors: n-grams hashed to places and signs, Weinberger et al. (2009).

    CRC-32 is the hash: the same text has the same vector in every process. Raises ValueError for a
    text without a letter, which has no direction.
    """
    out = np.zeros((len(texts), dimensions), np.float32)
    for row, text in zip(out, texts, strict=True):
        for piece in ngrams(text):
            code = zlib.crc32(piece.encode())
            row[(code >> 1) % dimensions] += 1.0 if code & 1 else -1.0
        if not row.any():
            raise ValueError(f"{text!r} holds nothing to hear")
        row /= np.linalg.norm(row)
    return out


def info_nce(similarity_BxB: jax.Array, counts_B: jax.Array) -> jax.Array:
    """[] nats: each of B things picks its own utterance, and each utterance its thing.

    Symmetric, as Radford et al. (2021) took it from van den Oord et al. (2018): mean of both
    cross-entropies, of which log B is chance.

    Args:
        similarity_BxB: logits; row i is thing i, column j utterance j.
        counts_B: 1 where the pair is real, 0 where the row is padding, which no other row sees.
    """
    chex.assert_equal_shape([similarity_BxB, similarity_BxB.T])
    chex.assert_shape(counts_B, similarity_BxB.shape[:1])
    own = jnp.arange(similarity_BxB.shape[0])
    hidden = jnp.where(counts_B > 0, 0.0, -1e9)
    picks = optax.softmax_cross_entropy_with_integer_labels(similarity_BxB + hidden, own)
    picked = optax.softmax_cross_entropy_with_integer_labels(similarity_BxB.T + hidden, own)
    nats = 0.5 * (picks + picked) * counts_B
    return jnp.sum(nats) / jnp.maximum(jnp.sum(counts_B), 1.0)


def nearest(thing_xE: jax.Array, names_CxE: jax.Array) -> jax.Array:
    """[...] int32: which of C names lies nearest to each thing, by cosine; all are unit vectors."""
    return jnp.argmax(thing_xE @ names_CxE.T, -1)
