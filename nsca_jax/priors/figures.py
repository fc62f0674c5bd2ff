"""Things told apart by their hues alone, and how near the red one comes to the yellow one.

Red and yellow are two of Hering's four poles, which infants tell apart at four months (Bornstein,
Kessen and Weiskopf 1976); of all else that is coloured, each common hue is taken for one thing.
Nothing here learns.
"""

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.priors import visual

OTHERS = 5
THINGS = 2 + OTHERS  # red, yellow, others
RED, YELLOW = 0, 1
MOMENTS = 9  # of a thing: size, x, y, spread across, spread down, slant, tone, light's two slopes
SIZE, X, Y, ACROSS, DOWN, SLANT, TONE, LIGHT_ACROSS, LIGHT_DOWN = range(MOMENTS)
SIDED = (X, SLANT, LIGHT_ACROSS)  # change sign in a mirror
REACHES_px = (1, 3, 6)  # at 64 pixels
BANDS_px = (1.5, 64.0)  # at 64 pixels: of a figure's foot, from its lowest pixel upwards
NEARNESSES = len(REACHES_px) + len(BANDS_px)
EDGE = 0.2  # of a colour over luminance, in which membership rises
NEAR_px, TREAD_px = 4.0, 2.0  # pixels of overlap at which nearness, or treading, is 1 - 1/e
HUES = 72  # bins of the circle
REACH = 3  # bins, from a common hue to the next one
SMALLEST_px = 2.0  # below this there is nothing
COMMON_px = 3.0  # a hue of fewer is nobody's
SLANT_UNIT, TONE_UNIT, LIGHT_UNIT = 0.2, 0.5, 0.6


@struct.dataclass
class Percept:
    """What is innately seen of T moments of a film."""

    things: jax.Array  # [..., T, THINGS, MOMENTS]; all 0 of a thing that is out of view
    near: jax.Array  # [..., T, NEARNESSES] of red to yellow, 0 to 1: by REACHES_px, by BANDS_px


def percept(film: jax.Array, naming: int) -> Percept:
    """What is seen of a film [T, H, W, 3] in [0, 1]; its first `naming` moments say who is who.

    A thing's size is the root of its share of the picture; centroid and spreads go from -1 to 1
    across and down; slant is the correlation of across and down, times SLANT_UNIT. Tone is its
    luminance, and the slopes say to which side it is the lighter: a ball's light runs otherwise
    than a cube's. Yellow is taken to stay where it was seen, though red may cover it.
    """
    red, yellow, other = jnp.moveaxis(membership(film), -1, 0)
    hue = _hue(film)
    names = _common_hues(hue[:naming], other[:naming])
    away = _apart(hue[..., None], names)
    whose = jax.nn.one_hot(jnp.argmin(away, -1), OTHERS) * (away <= REACH + 1)
    maps = jnp.concatenate([red[..., None], yellow[..., None], other[..., None] * whose], -1)
    ground = jax.lax.cummax(yellow, axis=0)
    near = jnp.concatenate([nearness(red, ground), treading(red, ground)], -1)
    return Percept(_moments(maps, film.mean(-1)), near)


def membership(rgb: jax.Array) -> jax.Array:
    """[..., 3] in [0, 1]: how far each colour [..., 3] is red, yellow, and of another hue."""
    opponent = visual.opponent_colours(rgb)
    luminance = opponent[..., 0] + 0.05
    red_green, blue_yellow = opponent[..., 1] / luminance, opponent[..., 2] / luminance
    strength = jnp.maximum(jnp.abs(red_green), jnp.abs(blue_yellow))
    red = _rises(red_green, 0.9)
    yellow = _rises(-blue_yellow, 0.6) * (1 - _rises(jnp.abs(red_green), 0.5))
    other = _rises(strength, 0.5) * (1 - red) * (1 - yellow)
    return jnp.stack([red, yellow, other], -1)


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


def treading(a: jax.Array, b: jax.Array) -> jax.Array:
    """[..., 2] how much of the foot of figure `a` [..., H, W], a pixel wider, falls on `b`.

    Its foot is what it has nothing of itself beneath, up to each of BANDS_px above its lowest
    pixel: what stands on the ground touches it there, and what is merely before it does not.
    """
    *lead, height, width = a.shape
    flat, other = a.reshape(-1, height, width), b.reshape(-1, height, width)
    rows = jnp.arange(height)[:, None]
    under = jnp.pad(flat, ((0, 0), (0, 1), (0, 0)))[:, 1:]
    foot = flat * (1 - jax.lax.cummax(under, axis=1, reverse=True))
    lowest = jnp.where(flat > 0.5, rows, -height).max((-2, -1), keepdims=True)
    side, scale = 2 * max(round(height / 64), 1) + 1, TREAD_px * height * width / 64**2
    out = []
    for band in BANDS_px:
        wide = _widest(foot * (rows > lowest - band * height / 64), (1, side, side))
        out.append(1 - jnp.exp(-(wide * other).sum((-2, -1)) / scale))
    return jnp.stack(out, -1).reshape(*lead, len(BANDS_px))


def mirrored(percept: Percept) -> Percept:
    """What would be seen in a mirror: left and right change places."""
    signs = jnp.ones(MOMENTS).at[jnp.array(SIDED)].set(-1.0)
    return percept.replace(things=percept.things * signs)  # type: ignore[attr-defined]


def _moments(maps: jax.Array, luminance: jax.Array) -> jax.Array:
    """[..., C, MOMENTS] of maps [..., H, W, C] under luminance [..., H, W]."""
    height, width = maps.shape[-3:-1]
    across = (jnp.arange(width) + 0.5) / width * 2 - 1
    down = (jnp.arange(height) + 0.5) / height * 2 - 1
    total = maps.sum((-3, -2))
    share = maps / jnp.maximum(total, 1e-6)[..., None, None, :]
    columns, rows = share.sum(-3), share.sum(-2)  # [..., W, C], [..., H, C]
    x, y = jnp.einsum("...wc,w->...c", columns, across), jnp.einsum("...hc,h->...c", rows, down)
    xx = jnp.einsum("...wc,w->...c", columns, across**2) - x**2
    yy = jnp.einsum("...hc,h->...c", rows, down**2) - y**2
    xy = jnp.einsum("...hwc,h,w->...c", share, down, across) - x * y
    spread_x, spread_y = (jnp.sqrt(jnp.maximum(v, 0.0) + 1e-6) for v in (xx, yy))
    slant = SLANT_UNIT * xy / (spread_x * spread_y)
    size = jnp.sqrt(total / (height * width))
    lit = share * luminance[..., None]
    tone = lit.sum((-3, -2))
    lit_x = jnp.einsum("...hwc,w->...c", lit, across) - tone * x
    lit_y = jnp.einsum("...hwc,h->...c", lit, down) - tone * y
    light = [
        LIGHT_UNIT * m / (s + 1e-3) / jnp.maximum(tone, 0.02)
        for m, s in ((lit_x, spread_x), (lit_y, spread_y))
    ]
    out = jnp.stack([size, x, y, spread_x, spread_y, slant, TONE_UNIT * tone, *light], -1)
    return out * (total > SMALLEST_px)[..., None]


def _hue(rgb: jax.Array) -> jax.Array:
    """[...] int32 in [0, HUES): the angle in the plane of opponent colours."""
    opponent = visual.opponent_colours(rgb)
    angle = jnp.arctan2(opponent[..., 2], opponent[..., 1])
    return jnp.floor((angle / (2 * jnp.pi) + 0.5) * HUES).astype(jnp.int32) % HUES


def _common_hues(hue: jax.Array, weight: jax.Array) -> jax.Array:
    """[OTHERS] int32, the commonest hues first, at least REACH apart; far off where there is none.

    `hue` and `weight` are [T, H, W].
    """
    count = jnp.zeros(HUES).at[hue.ravel()].add(weight.ravel()) / len(hue)
    left = count + 0.5 * (jnp.roll(count, 1) + jnp.roll(count, -1))
    found = []
    for _ in range(OTHERS):
        best = jnp.argmax(left)
        found.append(jnp.where(left[best] > COMMON_px, best, -HUES * HUES))
        left = jnp.where(_apart(jnp.arange(HUES), best) <= REACH, 0.0, left)
    return jnp.stack(found)


def _apart(a: jax.Array, b: jax.Array) -> jax.Array:
    """Bins between two hues, the short way; very many from what is no hue (below 0)."""
    away = jnp.abs(a - b)
    return jnp.where(b < 0, HUES * HUES, jnp.minimum(away, HUES - away))


def _rises(x: jax.Array, middle: float) -> jax.Array:
    """From 0 to 1 about `middle`, exactly 0 below it: a whole wall must not add up to a figure."""
    return jnp.clip((x - middle) / EDGE + 0.5, 0.0, 1.0)


def _widest(maps: jax.Array, window: tuple[int, int, int]) -> jax.Array:
    return jax.lax.reduce_window(maps, -jnp.inf, jax.lax.max, window, (1, 1, 1), "SAME")
