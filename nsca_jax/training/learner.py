"""The world model's learner: situations from experience, one gradient step, errors of prediction.

Everything here is for one seed; the loop vmaps it over seeds.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax import types
from nsca_jax.models import dynamics, ensemble, normalise
from nsca_jax.training import faults, outcome_loss, parallel

PRIOR_RATE = 10.0  # the prior's weight learns this much faster than the networks


@dataclasses.dataclass(frozen=True)
class LearnerSettings:
    """Size and pace of the learner."""

    members: int = 3
    width: int = 192
    blocks: int = 3
    latent: int = 64
    batch: int = 256
    learning_rate: float = 1e-3
    total_updates: int = 5000  # length of the cosine decay
    clip: float = 1.0
    weight_decay: float = 1e-3
    beta_nll: float = 0.5
    memory_dropout: float = 0.5  # share of rows that must do without the grounding table
    feature_noise: float = 0.05  # standardised; keeps the looks of few objects from being a name
    prior_price: float = 1.0  # scales what a correction of the prior costs
    use_action: bool = True  # False: the control that must fail
    use_priors: bool = True  # False: an ablation, as is the next (models/dynamics.py)
    use_slots: bool = True


@struct.dataclass
class LearnerState:
    """All that one seed has learnt."""

    params: dict  # [E, ...]
    optimiser: faults.Frozen
    statistics: dynamics.Statistics


def make_model(settings: LearnerSettings) -> dynamics.OutcomeModel:
    """The ensemble's member."""
    return dynamics.OutcomeModel(
        width=settings.width,
        blocks=settings.blocks,
        latent=settings.latent,
        use_action=settings.use_action,
        use_priors=settings.use_priors,
        use_slots=settings.use_slots,
        prior_price=settings.prior_price,
    )


def make_optimiser(settings: LearnerSettings) -> faults.Freezing:
    """AdamW with clipping and cosine decay; the prior's weight has its own, faster rate.

    A fault freezes it (training/faults.py).
    """

    def adam(scale, decay):
        rate = optax.cosine_decay_schedule(
            scale * settings.learning_rate, settings.total_updates, 0.05
        )
        return optax.adamw(rate, weight_decay=decay)

    parts = {"network": adam(1.0, settings.weight_decay), "prior": adam(PRIOR_RATE, 0.0)}
    return faults.freezing(
        optax.chain(
            optax.clip_by_global_norm(settings.clip),
            optax.partition(parts, ensemble.parameter_labels),
        )
    )


def init(settings: LearnerSettings, key) -> LearnerState:
    """A fresh learner for one seed."""
    statistics = dynamics.Statistics(
        normalise.init((FEATURES,)),
        normalise.init((types.KNOTS, types.MOTION)),
        normalise.init((dynamics.OUTCOMES,)),
    )
    rows = dynamics.Situation(
        features=jnp.zeros((1, FEATURES)),
        visual_code=jnp.zeros((1, types.VISUAL_CODE)),
        skill=jnp.zeros((1,), jnp.int32),
        parameters=jnp.zeros((1, 4)),
        memory=jnp.zeros((1, dynamics.MEMORY)),
        persistence=jnp.zeros((1, dynamics.OUTCOMES)),
    )
    params = ensemble.init_ensemble(make_model(settings), key, settings.members, rows, statistics)
    return LearnerState(params, make_optimiser(settings).init(params), statistics)


FEATURES = types.VISUAL_CODE + types.SHAPE_CODE + 6 + 3 * types.JOINTS


def observe(statistics: dynamics.Statistics, rows: types.Interaction) -> dynamics.Statistics:
    """Takes a batch of interactions [B] into the running moments."""
    good = rows.finite
    return dynamics.Statistics(
        normalise.update(statistics.features, dynamics.feature_vector(rows.spawn), good),
        normalise.update(statistics.motion, rows.motion, good),
        normalise.update(statistics.outcome, dynamics.outcome_vector(rows.outcome), good),
    )


def situation(
    statistics: dynamics.Statistics, rows: types.Interaction, memory
) -> dynamics.Situation:
    """What the model sees of interactions [B], given the memory input [B, 10]."""
    features = normalise.apply(statistics.features, dynamics.feature_vector(rows.spawn))
    return dynamics.Situation(
        features=features,
        visual_code=rows.spawn.visual_code,
        skill=rows.skill,
        parameters=rows.parameters,
        memory=memory,
        persistence=dynamics.persistence(rows.spawn, statistics.outcome),
    )


def targets(statistics: dynamics.Statistics, rows: types.Interaction):
    """Standardised targets of interactions [B]."""
    outcome = dynamics.outcome_vector(rows.outcome)
    return outcome_loss.Targets(
        normalise.apply(statistics.motion, rows.motion),
        normalise.apply(statistics.outcome, outcome),
    )


def predict(settings: LearnerSettings, params, statistics: dynamics.Statistics, rows, memory):
    """The ensemble's prediction for interactions [B]: leaves [E, B, ...], standardised."""
    seen = situation(statistics, rows, memory)
    return ensemble.apply_ensemble(make_model(settings), params, seen, statistics)


def loss(settings: LearnerSettings, params, statistics, rows, memory, valid, key, devices: int = 1):
    """Scalar loss of a batch [B]; some rows must do without the memory input [B, 10].

    Where several devices share the seed, it is that of this one's part of the batch, weighted by
    its valid rows, so that the mean over devices is the loss of the whole.
    """
    drop_key, noise_key = jax.random.split(key)
    keep = jax.random.bernoulli(drop_key, 1 - settings.memory_dropout, valid.shape)
    seen = situation(statistics, rows, memory * keep[:, None])
    noise = settings.feature_noise * jax.random.normal(noise_key, seen.features.shape)
    seen = seen.replace(features=seen.features + noise)
    batch = seen, targets(statistics, rows), valid
    seen, truth, mine = parallel.part_of(batch, devices)
    out = ensemble.apply_ensemble(make_model(settings), params, seen, statistics)
    mask = jnp.broadcast_to(mine, (settings.members, *mine.shape))
    value, _ = outcome_loss.outcome_loss(out, truth, mask, settings.beta_nll)
    if devices == 1:
        return value
    return value * devices * jnp.sum(mine) / jnp.maximum(jnp.sum(valid), 1)


def update(
    settings: LearnerSettings, state: LearnerState, rows, memory, valid, key, devices: int = 1
):
    """One gradient step on a batch [B] -> (LearnerState, loss []).

    So many devices share the seed, and the batch (training/parallel.py). A learner at fault
    (training/faults.py) is left as it is, and its loss is NaN from then on.
    """
    value, grads = jax.value_and_grad(
        lambda p: loss(settings, p, state.statistics, rows, memory, valid, key, devices)
    )(state.params)
    value, grads = parallel.mean_of_parts((value, grads), devices)
    steps, optimiser = make_optimiser(settings).update(
        grads, state.optimiser, state.params, loss=value
    )
    params = optax.apply_updates(state.params, steps)
    value = jnp.where(optimiser.fault < 0, value, jnp.nan)
    return state.replace(params=params, optimiser=optimiser), value


def error(settings: LearnerSettings, params, statistics: dynamics.Statistics, rows, memory):
    """Curiosity's error [B] of the ensemble's mean, bounded per modality."""
    out = predict(settings, params, statistics, rows, memory)
    return outcome_loss.prediction_error(out, targets(statistics, rows))
