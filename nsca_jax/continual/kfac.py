"""Kronecker-factored elastic weight consolidation: weights of a layer are stiff together.

For a dense layer with inputs a (a 1 appended for the bias) and pre-activation gradients g, the
Fisher information is about A (x) G with A = E[a a^T], G = E[g g^T] (Martens & Grosse 2015), and

    penalty = 1/2 sum_tasks sum_layers tr(G dW^T A dW)        (Ritter et al. 2018)

with dW [in + 1, out] the distance from the latest parameters. The sum over tasks is kept exactly:
a sum of Kronecker products is no Kronecker product.
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.continual import dense

Params = dense.Params


@struct.dataclass
class Factors:
    """Of one layer; with a leading axis T, one a task."""

    inputs: jax.Array  # A [in + 1, in + 1], last row and column: the bias
    gradients: jax.Array  # G [out, out]


@struct.dataclass
class State:
    """Factors of up to T tasks; those not yet learnt are zero."""

    factors: dict[str, Factors]  # [T, ...] by the layer's path
    centre: Params
    tasks: jax.Array  # [] int32, how many were learnt


def init(params: Params, tasks: int) -> State:
    """No task learnt, room for `tasks` of them.

    Raises:
        ValueError: a parameter that is no dense layer's kernel or bias.
    """
    factors = {
        path: Factors(
            jnp.zeros((tasks, w.shape[0], w.shape[0])), jnp.zeros((tasks, w.shape[1], w.shape[1]))
        )
        for path, w in dense.layers(params).items()
    }
    return State(factors, params, jnp.zeros((), jnp.int32))


def update(state: State, params: Params, new: dict[str, Factors]) -> State:
    """One more task, learnt at `params`. A task beyond the room is dropped: count before."""
    factors = jax.tree.map(lambda all_, one: all_.at[state.tasks].set(one), state.factors, new)
    return State(factors, params, state.tasks + 1)


def penalty(state: State, params: Params) -> jax.Array:
    """1/2 sum tr(G dW^T A dW), a scalar in nats.

    Its gradient sum A dW G is formed once, of the tasks learnt alone, and reused for the value:
    this is the dearest part of a training step. (No second derivatives.)
    """
    shift = dense.layers(jax.tree.map(jnp.subtract, params, state.centre))
    total = jnp.zeros(())
    for path, dw_IxO in shift.items():
        pull_IxO = _pull(state.factors[path], jax.lax.stop_gradient(dw_IxO), state.tasks)
        linear = jnp.sum(dw_IxO * pull_IxO)
        total += linear - 0.5 * jax.lax.stop_gradient(linear)
    return total


def factors_of(
    tapped_apply: dense.TappedApply, params: Params, x_BxD: jax.Array, damping: float = 0.0
) -> dict[str, Factors]:
    """A and G of every dense layer, exact over the model's own label distribution.

    Args: as those of `dense.slopes`; and `damping`: the share of its mean eigenvalue that is added
        to every eigenvalue of a factor (Martens & Grosse 2015), so that a direction in which no
        example told anything is not free.
    """
    probs_BxC, slopes = dense.slopes(tapped_apply, params, x_BxD)
    factors = {path: _factors(probs_BxC, layer) for path, layer in slopes.items()}
    return jax.tree.map(
        lambda of: of + damping * jnp.trace(of) / len(of) * jnp.eye(len(of)), factors
    )


def scale_groups(
    factors: dict[str, Factors], multipliers: Mapping[str, float]
) -> dict[str, Factors]:
    """Makes the layers whose path holds a given name so many times stiffer: {"semantic": 10.0}.

    Raises:
        ValueError: a name that no path holds.
    """
    for name in multipliers:
        if not any(name in path.split("/") for path in factors):
            raise ValueError(f"no layer's path holds {name!r}")

    def scale(path: str, layer: Factors) -> Factors:
        times = math.prod(multipliers[name] for name in set(path.split("/")) & set(multipliers))
        return Factors(layer.inputs, times * layer.gradients)

    return {path: scale(path, layer) for path, layer in factors.items()}


def _pull(factors: Factors, dw_IxO: jax.Array, tasks: jax.Array) -> jax.Array:
    """sum over the first `tasks` tasks of A dW G, [in + 1, out]."""

    def add(task, pull_IxO):
        return pull_IxO + factors.inputs[task] @ dw_IxO @ factors.gradients[task]

    held = jnp.minimum(tasks, len(factors.inputs))
    return jax.lax.fori_loop(0, held, add, jnp.zeros_like(dw_IxO))


def _factors(probs_BxC: jax.Array, layer: dense.Slopes) -> Factors:
    a_BxI, g_BxCxO = layer
    g_BCxO = (jnp.sqrt(probs_BxC)[..., None] * g_BxCxO).reshape(-1, g_BxCxO.shape[-1])
    return Factors(a_BxI.T @ a_BxI / len(a_BxI), g_BCxO.T @ g_BCxO / len(a_BxI))
