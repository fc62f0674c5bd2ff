"""What a film will show next: a few looks, a belief, and imagined moments after them."""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.models import vision

SPAN = 2  # observed moments that an imagined one spans
PACE = 0.2  # unit of a correction, in the percept's
LOG_VARIANCE = (-9.0, 2.0)


@struct.dataclass
class Glimpse:
    """A film up to now: the innate percepts of T moments, and two whole looks, first and last."""

    percept: jax.Array  # [B, T, P]
    pixels: jax.Array  # [B, 2, cells, C] uint8, of `VisionEncoder.cells`
    responses: jax.Array  # [B, 2, cells, R]


@struct.dataclass
class Belief:
    """What is carried from moment to moment."""

    hidden: jax.Array  # [B, W]
    percept: jax.Array  # [B, P]
    change: jax.Array  # [B, P] over the last SPAN moments


@struct.dataclass
class Future:
    """K imagined moments, SPAN observed ones apart."""

    mean: jax.Array  # [B, K, P]
    log_variance: jax.Array  # [B, K, P]


class Foresight(nn.Module):
    """A recurrent world model over percepts and the code of an eye (GRU: Cho et al. 2014).

    Innate: what changed goes on changing so, as far as the network does not hold against it.
    """

    eye: vision.VisionEncoder = vision.VisionEncoder(patch=4, width=8, code=48)
    width: int = 96

    def setup(self):
        self.begin = nn.Dense(self.width)
        self.cell = nn.GRUCell(self.width)
        self.imagined = ImaginedMoment(self.width)

    def __call__(self, glimpse: Glimpse, moments: int) -> Future:
        return self.imagine(self.observe(glimpse), moments)

    def look(self, glimpse: Glimpse) -> jax.Array:
        """[B, 2 * code] of the two looks."""
        code = self.eye.encode(glimpse.pixels, glimpse.responses)
        return code.reshape(len(code), -1)

    def observe(self, glimpse: Glimpse) -> Belief:
        """The belief after the last moment observed."""
        hidden = nn.tanh(self.begin(self.look(glimpse)))
        percept = glimpse.percept
        change = jnp.diff(percept, axis=1, prepend=percept[:, :1])
        for t in range(percept.shape[1]):
            hidden, _ = self.cell(hidden, jnp.concatenate([percept[:, t], change[:, t] / PACE], -1))
        return Belief(hidden, percept[:, -1], percept[:, -1] - percept[:, -1 - SPAN])

    def imagine(self, belief: Belief, moments: int) -> Future:
        """So many moments after a belief."""
        step = nn.scan(
            lambda module, carry, _: module(carry),
            variable_broadcast="params",
            split_rngs={"params": False},
            length=moments,
            out_axes=1,
        )
        _, (mean, log_variance) = step(self.imagined, belief, None)
        return Future(mean, log_variance)


class ImaginedMoment(nn.Module):
    """Belief -> the next one, and (mean, log variance) [B, P] of what it shows."""

    width: int

    @nn.compact
    def __call__(self, belief: Belief) -> tuple[Belief, tuple[jax.Array, jax.Array]]:
        percepts = belief.percept.shape[-1]
        seen = jnp.concatenate([belief.percept, belief.change / PACE], -1)
        hidden, _ = nn.GRUCell(self.width, name="cell")(belief.hidden, seen)
        x = nn.silu(nn.Dense(self.width, name="think")(hidden))
        correction, keep, spread = jnp.split(nn.Dense(3 * percepts, name="tell")(x), 3, -1)
        change = nn.sigmoid(keep) * belief.change + PACE * correction
        percept = jnp.clip(belief.percept + change, -2.0, 2.0)
        return Belief(hidden, percept, change), (percept, jnp.clip(spread - 4.0, *LOG_VARIANCE))
