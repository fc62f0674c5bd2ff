"""How far a prediction was from what came of it: to learn from, and to be curious about.

Shapes: E members, B rows, K knots, M = MOTION, O = OUTCOMES (models/dynamics.py).
"""

import chex
import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.losses import gaussian_nll, masked_mean
from nsca_jax.models import dynamics

ERROR_LIMIT = 9.0  # squared deviations a modality may add to the error that curiosity sees
MODALITIES = ("pose", "sound", "touch", "broken", "image", "motion")


@struct.dataclass
class Targets:
    """Standardised truths for rows [B]."""

    motion: jax.Array  # [B, K, M]
    outcome: jax.Array  # [B, O]


@struct.dataclass
class LossReport:
    """What a loss was made of."""

    per_sample: jax.Array  # [B] mean over members and modalities, without penalties
    modalities: dict[str, jax.Array]  # name -> [] mean over rows and members
    weight: jax.Array  # [] mean trust in the gravity prior
    penalty: jax.Array  # [] prices of the prior's correction and of the look's misses


def by_modality(motion: jax.Array, outcome: jax.Array) -> dict[str, jax.Array]:
    """Means within each modality: [..., K, M] and [..., O] -> {name of MODALITIES: [...]}."""
    parts = dynamics.split_outcome(outcome)
    pose = jnp.concatenate([parts["displacement"], parts["rotation"]], -1)
    means = {name: jnp.mean(parts[name], -1) for name in ("sound", "touch", "broken", "image")}
    return {"pose": jnp.mean(pose, -1), **means, "motion": jnp.mean(motion, (-2, -1))}


def outcome_loss(
    prediction: dynamics.Prediction, targets: Targets, mask: jax.Array, beta: float = 0.5
) -> tuple[jax.Array, LossReport]:
    """Gaussian NLL averaged within, then over modalities, plus the penalty.

    Args:
        prediction: of an ensemble, [E, B, ...].
        targets: [B, ...].
        mask: [E, B] bool: rows that are valid and, bootstrapped, this member's.
        beta: see `gaussian_nll`.

    Returns:
        The scalar loss, summed over members so that each learns as if alone, and its report.
    """
    chex.assert_equal_shape([mask, prediction.weight])
    nll = jax.vmap(gaussian_nll, (0, 0, None, None))
    motion = nll(prediction.motion_mean, prediction.motion_log_variance, targets.motion, beta)
    outcome = nll(prediction.outcome_mean, prediction.outcome_log_variance, targets.outcome, beta)
    parts = by_modality(motion, outcome)
    per_row = jnp.mean(jnp.stack(list(parts.values())), 0)
    loss = jnp.sum(masked_mean(per_row + prediction.penalty, mask, -1))
    chex.assert_shape(loss, ())
    report = LossReport(
        jnp.mean(per_row, 0),
        {name: masked_mean(value, mask) for name, value in parts.items()},
        masked_mean(prediction.weight, mask),
        masked_mean(prediction.penalty, mask),
    )
    return loss, jax.lax.stop_gradient(report)


def prediction_error(prediction: dynamics.Prediction, targets: Targets) -> jax.Array:
    """Squared standardised error of the ensemble's mean: [B] in [0, ERROR_LIMIT].

    Averaged within each modality, bounded there so that one outlier is not all, then over them.
    """
    motion = (jnp.mean(prediction.motion_mean, 0) - targets.motion) ** 2
    outcome = (jnp.mean(prediction.outcome_mean, 0) - targets.outcome) ** 2
    parts = by_modality(motion, outcome)
    return jnp.mean(jnp.stack([jnp.minimum(part, ERROR_LIMIT) for part in parts.values()]), 0)
