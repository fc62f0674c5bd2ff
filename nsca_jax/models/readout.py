"""What an object is like, from one look; and the look itself once more, from the same code."""

import flax.linen as nn
import jax

from nsca_jax.models import vision


class ReadOut(nn.Module):
    """A look's departure from the usual one -> (logits [..., P, L], departure once more).

    Departures are [..., H, W, 4] in [-1, 1]; P properties have L levels each. The second output is
    decoded from the encoder's code, patch by patch with one shared map.
    """

    properties: int = 4
    levels: int = 3
    patch: int = 8
    width: int = 32
    code: int = 64

    @nn.compact
    def __call__(self, departure: jax.Array) -> tuple[jax.Array, jax.Array]:
        *lead, height, width, channels = departure.shape
        eye = vision.PatchEncoder(self.patch, self.width, self.code)
        code = eye(255.0 * (departure + 0.5))  # the encoder takes pixels about their middle
        hidden = nn.silu(nn.Dense(self.code)(code))
        logits = nn.Dense(self.properties * self.levels)(hidden)
        patches = (height // self.patch) * (width // self.patch)
        blocks = nn.silu(nn.Dense(patches * self.width)(code))
        blocks = blocks.reshape(*lead, patches, self.width)
        decoded = nn.Dense(self.patch**2 * channels)(blocks)
        again = vision.join_patches(decoded, self.patch, height, width)
        return logits.reshape(*lead, self.properties, self.levels), again
