"""Looking into a network's dense layers: what goes in, and a place to nudge what comes out.

The gradient by a layer's tap is the gradient by its pre-activation. Kronecker factors need both.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

Taps = dict[str, jax.Array]  # path of a dense layer, such as "encoder/hidden_0" -> array


def untapped(module: nn.Module) -> Callable[[Any, jax.Array], jax.Array]:
    """`apply(params, x) -> output` of the module as it is."""

    def apply(params: Any, x: jax.Array) -> jax.Array:
        return module.apply({"params": params}, x)  # pyright: ignore[reportReturnType]

    return apply


def tapped(module: nn.Module) -> Callable[[Any, jax.Array, Taps], tuple[jax.Array, Taps]]:
    """`apply(params, x, taps) -> (output, inputs)` of a module whose dense layers are called once.

    `taps[path]` [..., out] is added to that layer's output, and `inputs[path]` [..., in] is what
    went into it. Raises KeyError for a layer that has no tap, ValueError for one called twice.
    """

    def apply(params: Any, x: jax.Array, taps: Taps) -> tuple[jax.Array, Taps]:
        inputs: Taps = {}

        def tap(call, args, kwargs, context):
            out = call(*args, **kwargs)
            if not isinstance(context.module, nn.Dense) or context.method_name != "__call__":
                return out
            path = "/".join(context.module.path)
            if path in inputs:
                raise ValueError(f"the dense layer {path} is called twice: it has no single input")
            inputs[path] = args[0]
            return out + taps[path]

        with nn.intercept_methods(tap):
            output = module.apply({"params": params}, x)
        return output, inputs  # pyright: ignore[reportReturnType]

    return apply
