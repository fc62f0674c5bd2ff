"""Networks of dense layers, a matrix each: per-example gradients without the outer products.

The gradient of log p(y|x) by a layer's matrix W [in + 1, out], the bias its last row, is a g^T: a
what goes in, a 1 appended, and g the gradient by what comes out.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Params = Any  # a nested dict whose every leaf is a dense layer's "kernel" or "bias"
TappedApply = Callable[[Params, jax.Array, dict[str, jax.Array]], tuple[jax.Array, dict]]


class Slopes(NamedTuple):
    """Of one layer."""

    inputs: jax.Array  # a [B, in + 1]
    gradients: jax.Array  # g [B, C, out], of the log probability of each label


def layers(params: Params, prefix: str = "") -> dict[str, jax.Array]:
    """Path -> W [in + 1, out] of every dense layer, the bias as last row.

    Raises:
        ValueError: a parameter that is no dense layer's kernel or bias.
    """
    found = {}
    for name, value in params.items():
        path = f"{prefix}{name}"
        if not isinstance(value, Mapping):
            raise ValueError(f"{path} is no kernel with bias of a dense layer")
        if set(value) == {"kernel", "bias"}:
            found[path] = jnp.concatenate([value["kernel"], value["bias"][None]])
        else:
            found |= layers(value, f"{path}/")
    return found


def parameters(matrices: Mapping[str, jax.Array]) -> Params:
    """The inverse of `layers`."""
    out: dict = {}
    for path, matrix in matrices.items():
        *outer, name = path.split("/")
        place = out
        for part in outer:
            place = place.setdefault(part, {})
        place[name] = {"kernel": matrix[:-1], "bias": matrix[-1]}
    return out


def slopes(
    tapped_apply: TappedApply, params: Params, x_BxD: jax.Array
) -> tuple[jax.Array, dict[str, Slopes]]:
    """The model's own label distribution [B, C], and the slopes of every layer.

    Args:
        tapped_apply: (params, x [D], taps) -> (logits [C], inputs); see `models.taps`.
        x_BxD: the task's inputs; no labels are needed.
    """
    zeros = {path: jnp.zeros(w.shape[1]) for path, w in layers(params).items()}

    def one(x_D: jax.Array) -> tuple[jax.Array, dict[str, Slopes]]:
        def log_probs(taps):
            logits, inputs = tapped_apply(params, x_D, taps)
            log_probs_C = jax.nn.log_softmax(logits)
            return log_probs_C, (log_probs_C, inputs)

        g_CxO, (log_probs_C, inputs) = jax.jacrev(log_probs, has_aux=True)(zeros)
        told = {path: Slopes(jnp.append(inputs[path], 1.0), g_CxO[path]) for path in zeros}
        return jnp.exp(log_probs_C), told

    return jax.vmap(one)(x_BxD)
