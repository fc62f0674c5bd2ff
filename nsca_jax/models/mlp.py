"""A plain classifier: dense layers with rectifiers, and a linear head."""

import flax.linen as nn
import jax


class MLP(nn.Module):
    """Features [..., D] -> logits [..., classes]; one hidden layer for each of `widths`."""

    widths: tuple[int, ...] = (100,)
    classes: int = 10

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for number, width in enumerate(self.widths):
            x = nn.relu(nn.Dense(width, name=f"hidden_{number}")(x))
        return nn.Dense(self.classes, name="head")(x)
