"""Elastic weight consolidation: what mattered for old tasks becomes stiff.

    penalty = 1/2 sum_i P_i (theta_i - c_i)^2        (Kirkpatrick et al. 2017)

P is a sum of diagonal Fisher informations, one a task. With one anchor a task, the sum of the
tasks' quadratics is again one quadratic, up to a constant, about the precision-weighted mean of the
anchors; `update` keeps that one. The online variant (Schwarz et al. 2018; Huszar 2018) keeps the
latest parameters as the only anchor and lets old precision fade: `update_online`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.continual import dense

Params = Any  # a pytree of float arrays


@struct.dataclass
class State:
    """Both are pytrees like the parameters."""

    precision: Params  # P >= 0, nats per squared parameter; 0 leaves the parameter free
    centre: Params  # c


def init(params: Params) -> State:
    """No task learnt: nothing is stiff."""
    return State(jax.tree.map(jnp.zeros_like, params), params)


def update(state: State, params: Params, fisher: Params) -> State:
    """One more task, learnt at `params`, with an anchor of its own (the exact sum of penalties)."""
    precision = jax.tree.map(jnp.add, state.precision, fisher)
    centre = jax.tree.map(_move_centre, state.centre, params, fisher, precision)
    return State(precision, centre)


def update_online(state: State, params: Params, fisher: Params, decay: float = 1.0) -> State:
    """One more task: P <- decay P + F, and the only anchor is where the parameters are now."""
    return State(jax.tree.map(lambda p, f: decay * p + f, state.precision, fisher), params)


def penalty(state: State, params: Params) -> jax.Array:
    """1/2 sum P (theta - c)^2, a scalar in nats."""
    parts = jax.tree.map(
        lambda p, c, theta: jnp.sum(p * (theta - c) ** 2), state.precision, state.centre, params
    )
    return 0.5 * jax.tree.reduce(jnp.add, parts)


def scale_groups(fisher: Params, multipliers: Mapping[str, float]) -> Params:
    """Multiplies the leaves whose path holds a given name, such as {"semantic": 10.0}.

    Raises:
        ValueError: a name that no path holds.
    """
    paths = [_names(path) for path, _ in jax.tree_util.tree_leaves_with_path(fisher)]
    for name in multipliers:
        if not any(name in path for path in paths):
            raise ValueError(f"no parameter's path holds {name!r}")

    def scale(path, leaf):
        for name in set(_names(path)) & set(multipliers):
            leaf = leaf * multipliers[name]
        return leaf

    return jax.tree_util.tree_map_with_path(scale, fisher)


def diagonal_fisher(
    logits_fn: Callable[[Params, jax.Array], jax.Array],
    params: Params,
    x_BxD: jax.Array,
    chunk: int = 1,
) -> Params:
    """F = E_x E_{y ~ p(y|x)} [(d log p(y|x) / d theta)^2], exact over the model's own labels.

    The gradient is squared example by example: squaring a batch's mean gradient instead makes F
    about B times too small and protects nothing.

    Args:
        logits_fn: (params, x [D]) -> logits [C].
        x_BxD: the task's inputs; no labels are needed.
        chunk: examples at a time, which must divide B; bounds the memory to chunk * C gradients.

    Returns:
        A pytree like the parameters, >= 0.

    Raises:
        ValueError: `chunk` does not divide B.
    """
    examples = len(x_BxD)
    if examples % chunk:
        raise ValueError(f"chunks of {chunk} do not divide {examples} examples")

    def squares(x_D: jax.Array) -> Params:
        def log_probs(theta: Params) -> jax.Array:
            return jax.nn.log_softmax(logits_fn(theta, x_D))

        probs_C = jnp.exp(log_probs(params))
        rows = jax.jacrev(log_probs)(params)  # [C, ...] a leaf
        return jax.tree.map(lambda row: jnp.einsum("c,c...->...", probs_C, row**2), rows)

    def add(total: Params, x_NxD: jax.Array) -> tuple[Params, None]:
        some = jax.vmap(squares)(x_NxD)
        return jax.tree.map(lambda t, s: t + jnp.sum(s, 0), total, some), None

    zeros = jax.tree.map(jnp.zeros_like, params)
    total, _ = jax.lax.scan(add, zeros, x_BxD.reshape(-1, chunk, *x_BxD.shape[1:]))
    return jax.tree.map(lambda t: t / examples, total)


def dense_fisher(tapped_apply: dense.TappedApply, params: Params, x_BxD: jax.Array) -> Params:
    """`diagonal_fisher` of a network of dense layers, for a fraction of the time.

    An example's gradient is an outer product a g^T, whose squares sum up as E[a^2 g^2]: one product
    of matrices a layer. Args: as those of `dense.slopes`.
    """
    probs_BxC, slopes = dense.slopes(tapped_apply, params, x_BxD)

    def squares(layer: dense.Slopes) -> jax.Array:
        g2_BxO = jnp.einsum("bc,bco->bo", probs_BxC, layer.gradients**2)
        return (layer.inputs**2).T @ g2_BxO / len(x_BxD)

    return dense.parameters({path: squares(layer) for path, layer in slopes.items()})


def _move_centre(
    centre: jax.Array, theta: jax.Array, fisher: jax.Array, precision: jax.Array
) -> jax.Array:
    """The precision-weighted mean; where nothing is stiff it is never felt, and stays finite."""
    share = fisher / jnp.where(precision > 0, precision, 1.0)
    return centre + share * (theta - centre)


def _names(path: Any) -> list[str]:
    return [jax.tree_util.keystr((key,), simple=True) for key in path]
