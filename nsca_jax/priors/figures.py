"""Three figures told apart by opponent colours alone, and how near they come to one another.

A red thing, a yellow thing, and all else that is coloured: red and yellow are two of Hering's four
poles, which infants tell apart at four months (Bornstein, Kessen and Weiskopf 1976). Nothing here
learns.
"""

import jax
import jax.numpy as jnp

from nsca_jax.priors import visual

FIGURES = ("red", "yellow", "other")
MOMENTS = 5  # of a figure: size, x, y, spread across, spread down
REACHES_px = (1, 3, 6)  # at 64 pixels
PERCEPT = MOMENTS * len(FIGURES) + len(REACHES_px)
SIZE, X, Y = 0, 1, 2  # in a figure's moments
NEAR = slice(MOMENTS * len(FIGURES), PERCEPT)
EDGE = 0.2  # of a colour over luminance, in which membership rises
NEAR_px = 4.0  # pixels of overlap at which nearness is 1 - 1/e


def membership(rgb: jax.Array) -> jax.Array:
    """[..., 3] in [0, 1]: how far each colour [..., 3] in [0, 1] belongs to each of FIGURES."""
    opponent = visual.opponent_colours(rgb)
    luminance = opponent[..., 0] + 0.05
    red_green, blue_yellow = opponent[..., 1] / luminance, opponent[..., 2] / luminance
    strength = jnp.maximum(jnp.abs(red_green), jnp.abs(blue_yellow))
    red = _rises(red_green, 0.9)
    yellow = _rises(-blue_yellow, 0.6) * (1 - _rises(jnp.abs(red_green), 0.5))
    other = _rises(strength, 0.5) * (1 - red) * (1 - yellow)
    return jnp.stack([red, yellow, other], -1)


def percept(rgb: jax.Array) -> jax.Array:
    """[..., PERCEPT] of pictures [..., H, W, 3] in [0, 1].

    | | |
    | --- | --- |
    | 0-14 | of each figure: root of its share of the picture; centroid across and down in [-1, 1];
    spread across and down; all 0 where there is none |
    | 15-17 | nearness of red and yellow within each of REACHES_px, 0 to 1 |
    """
    maps = membership(rgb)
    *_, height, width, _ = maps.shape
    across = (jnp.arange(width) + 0.5) / width * 2 - 1
    down = (jnp.arange(height) + 0.5) / height * 2 - 1
    share = maps.mean((-3, -2))
    weight = maps / jnp.maximum(maps.sum((-3, -2), keepdims=True), 1e-6)
    columns, rows = weight.sum(-3), weight.sum(-2)  # [..., W, F], [..., H, F]
    x, y = jnp.einsum("...wf,w->...f", columns, across), jnp.einsum("...hf,h->...f", rows, down)
    xx = jnp.einsum("...wf,w->...f", columns, across**2) - x**2
    yy = jnp.einsum("...hf,h->...f", rows, down**2) - y**2
    there = maps.sum((-3, -2)) > 1.0  # a pixel or more
    spread = [jnp.sqrt(jnp.maximum(v, 0.0) + 1e-8) for v in (xx, yy)]
    moments = jnp.stack([jnp.sqrt(share), x, y, *spread], -1) * there[..., None]
    near = nearness(maps[..., 0], maps[..., 1])
    return jnp.concatenate([moments.reshape(*moments.shape[:-2], -1), near], -1)


def nearness(a: jax.Array, b: jax.Array) -> jax.Array:
    """[..., 3] how much of figure `a` [..., H, W], widened by each of REACHES_px, falls on `b`."""
    *lead, height, width = a.shape
    flat = a.reshape(-1, height, width)
    other = b.reshape(flat.shape)
    out = []
    for reach in REACHES_px:
        side = 2 * max(round(reach * height / 64), 1) + 1
        wide = _widest(_widest(flat, (1, side, 1)), (1, 1, side))
        scale = NEAR_px * height * width / 64**2
        out.append(1 - jnp.exp(-(wide * other).sum((-2, -1)) / scale))
    return jnp.stack(out, -1).reshape(*lead, len(REACHES_px))


def _rises(x: jax.Array, middle: float) -> jax.Array:
    """From 0 to 1 about `middle`, exactly 0 below it: a whole wall must not add up to a figure."""
    return jnp.clip((x - middle) / EDGE + 0.5, 0.0, 1.0)


def _widest(maps: jax.Array, window: tuple[int, int, int]) -> jax.Array:
    return jax.lax.reduce_window(maps, -jnp.inf, jax.lax.max, window, (1, 1, 1), "SAME")
