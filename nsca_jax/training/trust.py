"""Learning a correction of an innate prior together with the trust in that prior."""

# A Linen `apply` returns what its module does, and optax updates are arrays, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportOperatorIssue=false
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax.models import adaptive, ensemble
from nsca_jax.priors import physics
from nsca_jax.training import faults

TRUST_MEMORY = 0.9  # Adam's second moment of `raw`: it forgets the first, steepest slopes, so that
# where the trust ends does not depend on how fast it went there


class Batch(NamedTuple):
    """B examples."""

    x_BxF: jax.Array  # or pictures [B, H, W, C]
    prior_BxD: jax.Array
    y_BxD: jax.Array


class Pace(NamedTuple):
    """How fast and at what price is learnt; numbers or traced scalars, so that `vmap` may vary
    them."""

    network: Any = 0.01  # learning rate of Adam
    trust: Any = 0.05  # learning rate of `raw`
    beta: Any = 0.01  # price of the residual
    gamma: Any = 0.15  # price of a changed trust
    gate: Any = 0.03  # price of a situation's own trust
    decay: Any = 0.0  # decoupled weight decay of the network's kernels and biases
    closes_at: Any = jnp.inf  # the step at which the critical period of `raw` ends
    closing: Any = 30.0  # the width of that end, in steps


@struct.dataclass
class TrustState:
    params: Any
    optimiser: faults.Frozen
    step: jax.Array  # [] int32


ErrorFn = Callable[[jax.Array, jax.Array], jax.Array]


def squared_error(prediction_BxD: jax.Array, y_BxD: jax.Array) -> jax.Array:
    """[B], summed over the outputs."""
    return jnp.sum((prediction_BxD - y_BxD) ** 2, -1)


def logistic_error(logit_Bx1: jax.Array, y_Bx1: jax.Array) -> jax.Array:
    """[B] -log probability of y, which is 0 or 1."""
    return jnp.sum(jax.nn.softplus(logit_Bx1) - y_Bx1 * logit_Bx1, -1)


def init(
    net: adaptive.AdaptivePrior, key: jax.Array, features: tuple[int, ...], outputs: int
) -> TrustState:
    """A newborn: its predictions are the prior's. `features` is the shape of what it sees."""
    params = net.init(key, jnp.zeros((1, *features)), jnp.zeros((1, outputs)))["params"]
    return TrustState(params, _optimiser().init(params), jnp.zeros((), jnp.int32))


def apply(
    net: adaptive.AdaptivePrior, params: Any, x_BxF: jax.Array, prior_BxD: jax.Array
) -> adaptive.Adapted:
    """What `params` predict."""
    return net.apply({"params": params}, x_BxF, prior_BxD)


def learn(
    net: adaptive.AdaptivePrior,
    state: TrustState,
    sample: Callable[[jax.Array], Batch],
    steps: int,
    pace: Pace,
    error: ErrorFn = squared_error,
) -> tuple[TrustState, jax.Array]:
    """`steps` gradient steps on `sample(step)`; the new state and the mean trust [steps].

    Loss: error + beta E[r^2] + gamma (raw - raw0)^2 + gate E[g^2]. Linear fall of the network's
    learning rate over the last half, which settles what minibatches shake. A fault freezes the
    state, and the trust is NaN from then on (training/faults.py).
    """
    optimiser = _optimiser(pace.decay)

    def loss(params, batch: Batch):
        out = apply(net, params, batch.x_BxF, batch.prior_BxD)
        price = physics.blend_penalty(
            out.residual, out.raw, adaptive.RAW0, pace.beta, pace.gamma
        ) + physics.gate_penalty(out.gate, pace.gate)
        return jnp.mean(error(out.prediction, batch.y_BxD) + price), jnp.mean(out.weight)

    def one(state: TrustState, turn):
        (value, weight), slopes = jax.value_and_grad(loss, has_aux=True)(
            state.params, sample(state.step)
        )
        move, moments = optimiser.update(slopes, state.optimiser, state.params, loss=value)
        rate = pace.network * jnp.minimum(1.0, 2.0 * (1.0 - turn / steps))
        params = jax.tree.map(lambda p, m: p - rate * m, state.params, move)
        open_rate = physics.critical_period(
            state.step, pace.closes_at, pace.closing, pace.trust, pace.trust / 50.0
        )
        params["raw"] = state.params["raw"] - open_rate * move["raw"]
        return TrustState(params, moments, state.step + 1), faults.mark(moments, weight)

    return jax.lax.scan(one, state, jnp.arange(steps))


def _optimiser(decay: Any = 0.0) -> faults.Freezing:
    """Directions; the rates at which they are followed are the pace's."""
    parts = {
        "network": optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(decay)),
        "prior": optax.scale_by_adam(b2=TRUST_MEMORY),
    }
    return faults.freezing(optax.partition(parts, ensemble.parameter_labels))
