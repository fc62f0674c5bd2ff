"""Innate vision: opponent colours, and a code of the figure that stands out from the ground.

Newborns part an object from its background and keep it apart (Spelke 1990, "Principles of object
perception"). That figure-ground split is taken as given here: the image's `segmentation` says
which pixels are the figure. What the figure *is* stays to be learnt.
"""

import jax
import jax.numpy as jnp

from nsca_jax import types
from nsca_jax.sensors.camera import Camera

CENTROID, LENGTHS, APPARENT_SIZE = slice(1, 4), slice(4, 8), 7  # in the figure code; metres
FIGURE = 1  # label of the object in `types.Image.segmentation`
VARIANCE_FLOOR_m2 = 1e-8  # a spread below 0.1 mm; the root's gradient stays finite at zero


def opponent_colours(rgb: jax.Array) -> jax.Array:
    """[..., 3] luminance, red-green, blue-yellow of `rgb` [..., 3] in [0, 1].

    Hering's opponent pairs: luminance is the mean in [0, 1]; red against green and blue against
    yellow (the mean of red and green) are in [-1, 1], and zero for every grey.
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    return jnp.stack([(red + green + blue) / 3.0, red - green, blue - (red + green) / 2.0], axis=-1)


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
