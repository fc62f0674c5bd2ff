"""Many members as one: parameters with a leading axis E, and the members' joint word."""

from typing import Any

import jax
import jax.numpy as jnp

from nsca_jax.models import dynamics, normalise


def init_ensemble(
    model: dynamics.OutcomeModel,
    key: jax.Array,
    members: int,
    situation: dynamics.Situation,
    statistics: normalise.Statistics,
) -> Any:
    """Parameters [E, ...] of independently drawn members; `situation` gives the shapes."""
    return jax.vmap(model.init, (0, None, None))(
        jax.random.split(key, members), situation, statistics
    )


def apply_ensemble(
    model: dynamics.OutcomeModel,
    params: Any,
    situation: dynamics.Situation,
    statistics: normalise.Statistics,
) -> dynamics.Prediction:
    """Prediction with a leading axis E; every member sees the same rows [B]."""
    apply = jax.vmap(model.apply, (0, None, None))
    return apply(params, situation, statistics)  # pyright: ignore[reportReturnType, reportArgumentType]


def mixture(mean: jax.Array, log_variance: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of the members' equal mixture: [E, ...] twice -> [...] twice."""
    return jnp.mean(mean, 0), jnp.mean(jnp.exp(log_variance), 0) + jnp.var(mean, 0)


def parameter_labels(params: Any) -> Any:
    """Labels for optax.partition: "prior" for the prior's raw weight, "network" for the rest."""

    def label(path, _):
        return "prior" if jax.tree_util.keystr(path).endswith("['raw']") else "network"

    return jax.tree_util.tree_map_with_path(label, params)
