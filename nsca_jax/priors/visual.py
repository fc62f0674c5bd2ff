"""Innate vision: filters of the early visual cortex, and a code of the figure that stands out.

Newborns part an object from its background and keep it apart (Spelke 1990, "Principles of object
perception"). That figure-ground split is taken as given here: the image's `segmentation` says
which pixels are the figure. What the figure *is* stays to be learnt.

`responses` needs no such split: oriented edges, opponent colours and the depth that one eye tells,
from the picture alone.
"""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax import types
from nsca_jax.sensors.camera import Camera

# Where the figure code holds what; places and lengths in metres.
COVERED, CENTROID, LENGTHS, APPARENT_SIZE, COLOURS = 0, slice(1, 4), slice(4, 8), 7, slice(8, 11)
FIGURE = 1  # label of the object in `types.Image.segmentation`
VARIANCE_FLOOR_m2 = 1e-8  # a spread below 0.1 mm; the root's gradient stays finite at zero
ORIENTATIONS = 8
WAVELENGTHS_px = (3.0, 4.5, 6.75, 10.125)
GABOR_SPREAD = 0.5  # standard deviation of a filter's window over its wavelength
OPPONENT_MAPS = 5  # luminance, red, green, blue, yellow
DEPTH_MAPS = 4  # height in the field, texture, blur, relative size
BLURS_px = (1.0, 2.0, 4.0, 8.0)  # bounds of the bands in which depth cues are looked for
CONTRAST_FLOOR = 0.01  # where there is less contrast there is nothing to judge


@dataclasses.dataclass(frozen=True)
class Innate:
    """Which innate filters an eye is born with; hashable, hence static under `jit`."""

    gabor: bool = True
    colour: bool = True
    depth: bool = True

    @property
    def channels(self) -> int:
        """Number of maps that `responses` gives."""
        gabor = ORIENTATIONS * len(WAVELENGTHS_px) if self.gabor else 0
        return gabor + OPPONENT_MAPS * self.colour + DEPTH_MAPS * self.depth


def responses(rgb: jax.Array, innate: Innate, pool: int) -> jax.Array:
    """[..., H / pool, W / pool, innate.channels] of a picture [..., H, W, 3] in [0, 1].

    Means over squares of `pool` pixels of the Gabor amplitudes, the rectified opponent colours and
    the depth cues, as far as they are on. Nothing here learns.

    Raises:
        ValueError: H or W is no multiple of `pool`.
    """
    height, width = rgb.shape[-3:-1]
    if height % pool or width % pool:
        raise ValueError(f"a picture of {height}x{width} does not pool by {pool}")
    opponent = opponent_colours(rgb)
    maps = [jnp.zeros((*rgb.shape[:-3], height // pool, width // pool, 0))]
    if innate.gabor:
        stride = 2 if pool % 2 == 0 else 1  # amplitudes vary slowly
        maps.append(_pool(gabor_amplitude(opponent[..., 0], stride), pool // stride))
    if innate.colour:
        maps.append(_pool(rectified_colours(opponent), pool))
    if innate.depth:
        maps.append(_pool(depth_cues(opponent), pool))
    return jnp.concatenate(maps, -1)


def gabor_amplitude(picture: jax.Array, stride: int = 1) -> jax.Array:
    """[..., H / stride, W / stride, scales * ORIENTATIONS] amplitude of quadrature Gabor pairs.

    `picture` is [..., H, W]. A pair answers a grating of its own wavelength and orientation with
    the grating's amplitude, whatever its phase, and a constant with zero (complex cells: Adelson
    and Bergen 1985). Orientation k has its wave vector at k pi / ORIENTATIONS from the x axis,
    downwards. Beyond its edges the picture goes on as at the edge.
    """
    *lead, height, width = picture.shape
    flat = picture.reshape(-1, height, width)
    down, across = (_gabor_factors(axis, n, stride) for axis, n in (("y", height), ("x", width)))
    # exp(i k . x) is a product of a part down and a part across, and so is the round window.
    real, imaginary = (jnp.einsum("skyh,nhw->sknyw", part, flat) for part in down.wave)
    even = _across(real, across.wave[0]) - _across(imaginary, across.wave[1])
    odd = _across(real, across.wave[1]) + _across(imaginary, across.wave[0])
    level = jnp.einsum("syh,nhw,sxw->snyx", down.window, flat, across.window)[:, None]
    constant = (down.constant * across.constant)[..., None, None, None]
    even, odd = even - np.real(constant) * level, odd - np.imag(constant) * level
    amplitude_SxKxNxYxX = 2.0 * jnp.sqrt(even**2 + odd**2 + 1e-12)
    *_, rows, columns = amplitude_SxKxNxYxX.shape
    return jnp.moveaxis(amplitude_SxKxNxYxX, (0, 1), (-2, -1)).reshape(*lead, rows, columns, -1)


def opponent_colours(rgb: jax.Array) -> jax.Array:
    """[..., 3] luminance, red-green, blue-yellow of `rgb` [..., 3] in [0, 1].

    Hering's opponent pairs: luminance is the mean in [0, 1]; red against green and blue against
    yellow (the mean of red and green) are in [-1, 1], and zero for every grey.
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    return jnp.stack([(red + green + blue) / 3.0, red - green, blue - (red + green) / 2.0], axis=-1)


def rectified_colours(opponent: jax.Array) -> jax.Array:
    """[..., 5] luminance, red, green, blue, yellow from `opponent_colours`: a cell cannot fire
    less than not at all, so that each pole has cells of its own."""
    luminance, red_green, blue_yellow = jnp.moveaxis(opponent, -1, 0)
    poles = [red_green, -red_green, blue_yellow, -blue_yellow]
    return jnp.stack([luminance, *(jnp.maximum(x, 0.0) for x in poles)], -1)


def depth_cues(opponent: jax.Array) -> jax.Array:
    """[..., H, W, 4] what one eye knows of distance, from opponent colours [..., H, W, 3].

    | cue | map |
    | --- | --- |
    | height in the field | 0 at the lower edge to 1 at the upper, times the contrast there |
    | texture gradient | mean frequency of luminance: what is far is finer |
    | blur | of the two finest bands' contrast, the share of the coarser |
    | relative size | mean scale of the chromatic contrast: what is near is larger |

    Zero where there is no contrast to judge (see Howard 2012, "Perceiving in Depth" III).
    """
    luminance, red_green, blue_yellow = jnp.moveaxis(opponent, -1, 0)
    bands = _band_contrast(luminance[None])  # [bands, ..., H, W]
    chromatic = _band_contrast(jnp.stack([red_green, blue_yellow]))
    rows = opponent.shape[-3]
    height = jnp.linspace(1.0, 0.0, rows)[:, None] * jnp.sqrt(jnp.sum(bands**2, 0))
    scales = jnp.arange(len(bands), dtype=bands.dtype)
    texture = jnp.tensordot(0.5**scales, bands, 1)
    size = jnp.tensordot(scales, chromatic, 1)
    return jnp.stack(
        [
            height,
            texture / (bands.sum(0) + CONTRAST_FLOOR),
            bands[1] / (bands[0] + bands[1] + CONTRAST_FLOOR),
            size / (chromatic.sum(0) + CONTRAST_FLOOR),
        ],
        -1,
    )


def figure_code(image: types.Image, camera: Camera) -> jax.Array:
    """[..., VISUAL_CODE] of the figure in `image` ([..., H, W] pixels seen by `camera`):

    |     |     |
    | --- | --- |
    | 0 | share of the image that the figure covers |
    | 1-3 | centroid of its visible surface in the world (m) |
    | 4-6 | spread: standard deviation of that surface along the world's x, y, z (m) |
    | 7 | apparent size: root of its area, projected on planes across the line of sight (m) |
    | 8-10 | luminance, and red-green and blue-yellow over luminance, so that shading drops out |

    All zero where no figure is visible. It speaks of the surface that faces the eye: the centroid
    of a ball lies 0.69 of its radius before its centre. Pixels count whole: of n pixels the size
    has an error of 0.15 / sqrt(n) of itself (standard deviation over random balls) and the centroid
    one of 0.2 pixels. At 32 x 32 a small object covers a handful; a picture of 64 x 64 of the same
    scene halves both.
    """
    weight = (image.segmentation == FIGURE).astype(image.depth_m.dtype)
    pixels = weight.sum(axis=(-2, -1))
    visible = pixels > 0
    count = jnp.maximum(pixels, 1.0)

    def mean(value: jax.Array) -> jax.Array:  # over the figure; [..., H, W] -> [...]
        return (weight * value).sum(axis=(-2, -1)) / count

    # x, y and z apart, as in the camera.
    rays = zip(camera.position_m, camera.rays(), strict=True)
    points = [origin + image.depth_m * ray for origin, ray in rays]
    centroid = [mean(point) for point in points]
    spread = [
        jnp.sqrt(mean((point - middle[..., None, None]) ** 2) + VARIANCE_FLOOR_m2)
        for point, middle in zip(points, centroid, strict=True)
    ]
    area = pixels * mean((image.depth_m * camera.pixel_pitch) ** 2)
    size = jnp.sqrt(area + VARIANCE_FLOOR_m2)
    luminance, red_green, blue_yellow = jnp.moveaxis(
        opponent_colours(jnp.stack([mean(image.rgb[..., c]) for c in range(3)], axis=-1)), -1, 0
    )
    chroma = [opponent / (luminance + 1e-3) for opponent in (red_green, blue_yellow)]
    covered = pixels / (camera.width * camera.height)
    code = jnp.stack([covered, *centroid, *spread, size, luminance, *chroma], axis=-1)
    return jnp.where(visible[..., None], code, 0.0)


def shape_code(image: types.Image, size_m: jax.Array) -> jax.Array:
    """[SHAPE_CODE] how round the figure is, whatever its colour: fill, and the dome across and up.

    Fill is its share of the box around it: pi / 4 for a disc, 1 for an upright rectangle. A dome
    is how fast the surface falls off with the squared distance from the middle, times the apparent
    size_m []: about 0.9 for a ball, 0 for a flat face. Zero where there is no figure.
    """
    weight = (image.segmentation == FIGURE).astype(image.depth_m.dtype)
    count = jnp.maximum(jnp.sum(weight), 1.0)
    rows, columns = weight.max(1), weight.max(0)
    fill = jnp.sum(weight) / jnp.maximum(jnp.sum(rows) * jnp.sum(columns), 1.0)
    pitch_m = size_m / jnp.sqrt(count)  # one pixel, at the figure's distance

    def mean(x: jax.Array) -> jax.Array:
        return jnp.sum(weight * x) / count

    nearer = mean(image.depth_m) - image.depth_m

    def dome(axis: int) -> jax.Array:
        place = jnp.arange(weight.shape[axis], dtype=jnp.float32)
        place = jnp.broadcast_to(place[:, None] if axis == 0 else place, weight.shape)
        square = ((place - mean(place)) * pitch_m) ** 2
        off = square - mean(square)
        return -size_m * mean(off * nearer) / (mean(off**2) + 1e-12)

    code = jnp.stack([fill, dome(1), dome(0)])
    return jnp.where(jnp.sum(weight) > 0, jnp.clip(code, -5.0, 5.0), 0.0)


def _band_contrast(maps: jax.Array) -> jax.Array:
    """[bands, ..., H, W] local contrast between neighbouring BLURS_px, over maps [C, ..., H, W]."""
    steps = [maps, *(_blur(maps, spread) for spread in BLURS_px)]
    squares = jnp.stack([jnp.sum((a - b) ** 2, 0) for a, b in itertools.pairwise(steps)])
    return jnp.sqrt(_blur(squares, 2.0) + 1e-12)


def _blur(maps: jax.Array, spread_px: float) -> jax.Array:
    """[..., H, W] under a Gaussian; beyond the edges it goes on as at the edge."""
    down, across = (_sliding(_window(spread_px), n, 1) for n in maps.shape[-2:])
    return jnp.swapaxes(jnp.swapaxes(maps @ across.T, -2, -1) @ down.T, -2, -1)


def _across(rows_SxKxNxYxW: jax.Array, part_SxKxXxW: np.ndarray) -> jax.Array:
    return jnp.einsum("sknyw,skxw->sknyx", rows_SxKxNxYxW, part_SxKxXxW)


def _pool(maps: jax.Array, side: int) -> jax.Array:
    """[..., H / side, W / side, C] means over squares."""
    *lead, height, width, channels = maps.shape
    blocks = maps.reshape(*lead, height // side, side, width // side, side, channels)
    return blocks.mean((-4, -2))


class _Factors(NamedTuple):
    """One axis' part of every filter: S scales, K orientations, n samples read at stride."""

    wave: tuple[np.ndarray, np.ndarray]  # [S, K, n / stride, n] real and imaginary
    window: np.ndarray  # [S, n / stride, n]
    constant: np.ndarray  # [S, K] complex: what a filter says of a constant one


@functools.cache
def _gabor_factors(axis: str, n: int, stride: int) -> _Factors:
    angle = np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
    turn = np.cos(angle) if axis == "x" else np.sin(angle)
    real, imaginary, windows, constant = [], [], [], []
    for wavelength in WAVELENGTHS_px:
        window = _window(GABOR_SPREAD * wavelength)
        place = np.arange(len(window)) - len(window) // 2
        waves = window * np.exp(2j * np.pi * turn[:, None] / wavelength * place)
        real.append([_sliding(wave.real, n, stride) for wave in waves])
        imaginary.append([_sliding(wave.imag, n, stride) for wave in waves])
        windows.append(_sliding(window, n, stride))
        constant.append(waves.sum(1))
    waves = np.stack(real), np.stack(imaginary)
    return _Factors(waves, np.stack(windows), np.array(constant, np.complex64))


def _window(spread_px: float) -> np.ndarray:
    """A Gaussian cut at three standard deviations, of sum 1 and odd length."""
    reach = int(np.ceil(3.0 * spread_px))
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread_px) ** 2)
    return weight / weight.sum()


def _sliding(kernel: np.ndarray, n: int, stride: int) -> np.ndarray:
    """[n / stride, n] float32 matrix that correlates n samples with `kernel`, edges repeated."""
    matrix = np.zeros((n // stride, n), np.float32)
    for row in range(n // stride):
        place = row * stride + np.arange(len(kernel)) - len(kernel) // 2
        np.add.at(matrix[row], np.clip(place, 0, n - 1), kernel)
    return matrix
