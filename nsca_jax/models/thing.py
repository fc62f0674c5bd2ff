"""What a thing is, told from its look: stuff, form and size apart, and the traits that follow.

Colour tells what a thing is made of, whatever its form; its outline tells the form, whatever its
stuff and size. Few things are met. Told apart, what was learnt of glass and of boxes holds for the
first box of glass.

Things alike in stuff and form but not in size obey laws of scale: the load goes with the cube of
the size (Galileo 1638), the pitch with its inverse (van den Doel and Pai 1998). The exponents are
innate: they begin there, and experience can move them.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from nsca_jax import types
from nsca_jax.models import normalise
from nsca_jax.priors import visual

STUFF, FORM = 4, 4  # numbers that the look of a thing is brought down to, and its size
OUTLINE = 3 + types.SHAPE_CODE  # numbers of an outline
WIDTH = 16
KEEN = 4.0  # log ratios of lengths vary by a quarter or so
USUAL = 0.3  # spread of log sizes


class Thing(NamedTuple):
    """What the eye tells of a thing, for rows [B]."""

    stuff: jax.Array  # [B, STUFF] by its colours
    form: jax.Array  # [B, FORM] by its outline
    outline: jax.Array  # [B, OUTLINE] log ratios of its lengths, and its roundness
    size: jax.Array  # [B, 1] log of its apparent size, less the mean's

    def code(self) -> jax.Array:
        """All of it: [B, STUFF + FORM + 1]."""
        return jnp.concatenate([self.stuff, self.form, self.size / USUAL], -1)


class Look(nn.Module):
    """Reads a look: its lengths enter by their logarithms, so that differences are ratios."""

    @nn.compact
    def __call__(self, look: jax.Array, statistics: normalise.Statistics) -> Thing:
        """`look` [B, L] standardised by `statistics`: visual code, then the code of shape."""
        lengths = (look * normalise.std(statistics)[: look.shape[-1]])[..., visual.LENGTHS]
        size = lengths[..., -1:]
        ratios = KEEN * (lengths[..., :-1] - size)
        outline = jnp.concatenate([ratios, look[..., types.VISUAL_CODE :]], -1)
        hue = nn.silu(nn.Dense(WIDTH, name="hue")(look[..., visual.COLOURS]))
        curves = nn.silu(nn.Dense(WIDTH, name="outline")(outline))
        stuff, form = nn.Dense(STUFF, name="stuff")(hue), nn.Dense(FORM, name="form")(curves)
        return Thing(stuff, form, outline, size)


class Trait(nn.Module):
    """One number of a thing that no act changes: by the memory of a property, or else by the look.

    Once the property is known the look has no say. Few things' looks are easily learnt by heart,
    and then nothing would be learnt of how the number follows from the memory. Instead the memory
    teaches the look: what ear and hand found out of a thing is what the eye should tell. Left to
    the errors of sounds and forces, the look's number would be whatever the rest of the model makes
    up for, thing by thing; and a thing never met would get one that nothing makes up for.

    The look is read in proportion, linear in the stuff and in the outline itself: twenty things
    settle ten weights, and leave a nonlinear reading of twenty looks open everywhere else.
    """

    known_by: str  # of types.PROPERTIES
    exponent: float  # of the size in what is the number's logarithm, to begin with

    @nn.compact
    def __call__(self, thing: Thing, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        """memory [B, 10] -> the number [B, 1], and the look's squared error where it is known [B].

        No gradient of that error reaches the memory's reading.
        """
        which = types.PROPERTIES.index(self.known_by)
        known = memory[..., len(types.PROPERTIES) + which] > 0.0
        usual, gain = self.param("memory", lambda _: jnp.array([0.0, 1.0]))
        remembered = usual + gain * memory[..., which, None]
        exponent = self.param("exponent", nn.initializers.constant(self.exponent), ())
        seen = nn.Dense(1, name="look")(jnp.concatenate([thing.stuff, thing.outline], -1))
        seen = seen + exponent * thing.size
        miss = jnp.square(seen - jax.lax.stop_gradient(remembered))[..., 0]
        number = jnp.where(known[..., None], remembered, seen)
        return number, known * miss  # pyright: ignore[reportReturnType]
