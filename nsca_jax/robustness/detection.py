"""Can this observation be believed? A guard before everything that remembers.

Two suspicions are measured, each against what is usual for clean observations:

    surprise      what the agent's own reconstruction of the observation leaves unexplained
    disagreement  what the members of its ensemble do not agree on

An observation is uncertain if either is larger than nearly all clean ones were. `calibrate` sets
the two limits by the order statistics of clean observations that nothing was trained on (conformal
prediction, Vovk et al. 2005), so that at most `rate` of clean ones are refused on average.
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportReturnType=false

import math

import jax
import jax.numpy as jnp
from flax import struct

LEAST_SPREAD = 1.0 / 255.0  # of a reading's reconstruction: the camera's own step
LEAST_DISAGREEMENT = 1e-4  # nats below which members agree


@struct.dataclass
class Detector:
    """What is usual for clean observations."""

    spread: jax.Array  # [...] of an observation: usual size of the residual, by reading
    surprise_limit: jax.Array  # []
    disagreement_limit: jax.Array  # [] nats


def surprise(residual: jax.Array, spread: jax.Array) -> jax.Array:
    """Mean of log(1 + (residual / spread)^2) over the readings of one observation -> [].

    The logarithm of Cauchy's density: a moved edge, wrong by much in few pixels, counts little
    beside a pattern that is wrong by little everywhere.
    """
    return jnp.mean(jnp.log1p((residual / spread) ** 2))


def disagreement(probs_ExPxL: jax.Array) -> jax.Array:
    """Mutual information of answer and member, mean over P questions, nats, >= 0 -> [].

    H(mean of the members) - mean of H(member), as Houlsby et al. 2011; log L at most.
    """
    return jnp.mean(_entropy(jnp.mean(probs_ExPxL, 0)) - jnp.mean(_entropy(probs_ExPxL), 0))


def calibrate(residual_Nx: jax.Array, disagreement_N: jax.Array, rate: float) -> Detector:
    """A detector that refuses at most about `rate` of observations like these N clean ones.

    Args:
        residual_Nx: [N, ...] observation minus reconstruction.
        disagreement_N: see `disagreement`.
        rate: shared evenly by the two suspicions.

    Raises:
        ValueError: `rate` is not in (0, 1), or N is too small to bound it.
    """
    rows = len(disagreement_N)
    rank = math.ceil((rows + 1) * (1.0 - rate / 2.0))
    if not 0.0 < rate < 1.0 or rank > rows:
        raise ValueError(f"{rows} clean observations cannot bound a refusal rate of {rate}")
    spread = jnp.maximum(jnp.sqrt(jnp.mean(residual_Nx**2, 0)), LEAST_SPREAD)
    surprise_N = jax.vmap(surprise, (0, None))(residual_Nx, spread)
    limit = jnp.sort(disagreement_N)[rank - 1]
    return Detector(spread, jnp.sort(surprise_N)[rank - 1], jnp.maximum(limit, LEAST_DISAGREEMENT))


def score(detector: Detector, residual: jax.Array, probs_ExPxL: jax.Array) -> jax.Array:
    """The larger suspicion of one observation, in units of its limit -> []."""
    return jnp.maximum(
        surprise(residual, detector.spread) / detector.surprise_limit,
        disagreement(probs_ExPxL) / detector.disagreement_limit,
    )


def uncertain(score: jax.Array) -> jax.Array:
    """[...] bool: not to be believed. What is not a number never is."""
    return ~(score <= 1.0)


def guard(ok_Bx: jax.Array, uncertain_B: jax.Array) -> jax.Array:
    """The mask [B, ...] of what may be remembered, less every row whose observation is uncertain.

    For the `ok` of `grounding.table.update`, and for any other memory's mask of valid rows.
    """
    return ok_Bx & ~uncertain_B.reshape(-1, *[1] * (ok_Bx.ndim - 1))


def _entropy(probs: jax.Array) -> jax.Array:
    """[..., L] -> [...] nats, with 0 log 0 = 0 and a finite gradient there."""
    return -jnp.sum(probs * jnp.log(jnp.maximum(probs, 1e-12)), -1)
