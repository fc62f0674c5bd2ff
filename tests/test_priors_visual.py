"""The innate visual code: opponent colours, and the figure's place and size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import types
from nsca_jax.priors import visual
from nsca_jax.sensors import camera as cameras

CAMERA = cameras.Camera(width=64, height=64)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((1, 0, 0), (1 / 3, 1.0, -0.5)),
        ((0, 1, 0), (1 / 3, -1.0, -0.5)),
        ((0, 0, 1), (1 / 3, 0.0, 1.0)),
        ((1, 1, 0), (2 / 3, 0.0, -1.0)),
        ((1, 1, 1), (1.0, 0.0, 0.0)),
        ((0.3, 0.3, 0.3), (0.3, 0.0, 0.0)),
    ],
)
def test_pure_colours(rgb, expected):
    np.testing.assert_allclose(visual.opponent_colours(jnp.asarray(rgb)), expected, atol=1e-6)


def _look(position, size, kind: cameras.Kind = "capsule", rgb=(0.8, 0.4, 0.2), light=None):
    solid = types.Primitives(
        jnp.asarray([position]), jnp.eye(3)[None], jnp.asarray([size]), jnp.asarray([rgb])
    )
    light = light or cameras.Light()
    return jax.jit(cameras.render, static_argnums=(0, 1, 2, 4))(CAMERA, (kind,), (1,), solid, light)


def test_a_ball_is_where_and_as_large_as_it_is():
    centre, radius = np.array([0.05, 0.0, 0.1]), 0.05
    code = visual.figure_code(_look(centre, (radius, 1e-4, 0.0)), CAMERA)
    towards_eye = np.subtract(CAMERA.position_m, centre)
    nearer = centre + 0.69 * radius * towards_eye / np.linalg.norm(towards_eye)
    np.testing.assert_allclose(code[1:4], nearer, atol=0.003)
    assert float(code[7]) == pytest.approx(np.sqrt(np.pi) * radius, rel=0.05)
    # A disc of radius r spreads by r / 2 along its plane.
    assert float(code[4]) == pytest.approx(radius / 2, rel=0.05)


def test_size_is_metric_not_retinal():
    near, far = (
        visual.figure_code(_look((0.0, y, 0.1), (0.04, 1e-4, 0.0)), CAMERA) for y in (-0.2, 0.2)
    )
    assert near[0] > 1.5 * far[0]
    assert float(near[7]) == pytest.approx(float(far[7]), rel=0.05)


def test_spread_tells_the_shape():
    long = visual.figure_code(_look((0, 0, 0.1), (0.08, 0.02, 0.02), "box"), CAMERA)
    tall = visual.figure_code(_look((0, 0, 0.1), (0.02, 0.02, 0.08), "box"), CAMERA)
    assert long[4] > 2 * long[6]
    assert tall[6] > 2 * tall[4]
    assert float(long[4]) == pytest.approx(0.08 / np.sqrt(3), rel=0.05)


def test_shading_drops_out_of_the_hue():
    dim, bright = (
        visual.figure_code(
            _look((0, 0, 0.1), (0.05, 1e-4, 0.0), light=cameras.Light(ambient=a)), CAMERA
        )
        for a in (0.2, 0.9)
    )
    assert bright[8] > 1.3 * dim[8]
    np.testing.assert_allclose(dim[9:], bright[9:], rtol=0.05)
    lightness, red_green, blue_yellow = visual.opponent_colours(jnp.array([0.8, 0.4, 0.2]))
    expected = [red_green / lightness, blue_yellow / lightness]
    np.testing.assert_allclose(bright[9:], expected, rtol=0.05)


def test_invisible_is_all_zero_with_finite_gradients():
    image = _look((0.0, -5.0, 0.1), (0.05, 1e-4, 0.0))  # behind the eye
    np.testing.assert_array_equal(visual.figure_code(image, CAMERA), np.zeros(types.VISUAL_CODE))

    def total(rgb, depth_m, segmentation):
        return visual.figure_code(types.Image(rgb, depth_m, segmentation), CAMERA).sum()

    one_pixel = jnp.zeros_like(image.segmentation).at[3, 4].set(1)
    for segmentation in (image.segmentation, one_pixel):
        slopes = jax.grad(total, (0, 1))(0.0 * image.rgb, image.depth_m, segmentation)
        assert all(bool(jnp.isfinite(slope).all()) for slope in slopes)


def test_batch_axes():
    image = _look((0, 0, 0.1), (0.05, 1e-4, 0.0))
    batch = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (2, 3, *leaf.shape)), image)
    code = visual.figure_code(batch, CAMERA)
    assert code.shape == (2, 3, types.VISUAL_CODE)
    np.testing.assert_allclose(code[1, 2], visual.figure_code(image, CAMERA), rtol=1e-5)


@pytest.mark.parametrize("pixels", [32, 64])
def test_small_figures_are_measured_as_well_as_their_pixels_allow(pixels):
    """Random balls of 1.5 to 4.5 cm: size within 0.3 / sqrt(n) of itself for nine in ten."""
    camera = cameras.Camera(width=pixels, height=pixels, fovy_deg=45.0)
    rng = np.random.default_rng(0)
    count = 500
    radius = rng.uniform(0.015, 0.045, count)
    solids = types.Primitives(
        jnp.asarray(rng.uniform((-0.2, -0.2, 0.05), (0.2, 0.2, 0.2), (count, 3)))[:, None],
        jnp.tile(jnp.eye(3), (count, 1, 1, 1)),
        jnp.stack([radius, np.full(count, 1e-4), 0 * radius], -1)[:, None],
        jnp.full((count, 1, 3), 0.5),
    )

    @jax.jit
    @jax.vmap
    def code(solid):
        return visual.figure_code(cameras.render(camera, ("capsule",), (1,), solid), camera)

    measured = np.asarray(code(solids))
    seen = measured[:, 0] * pixels**2
    error = np.abs(measured[:, 7] / (np.sqrt(np.pi) * radius) - 1.0)[seen > 3]
    assert np.mean(seen > 3) > 0.6
    assert np.mean(error < 0.3 / np.sqrt(seen[seen > 3])) > 0.9


def _grating(wavelength, angle, amplitude=0.3, side=64):
    y, x = np.mgrid[:side, :side]
    along = np.cos(angle) * x + np.sin(angle) * y
    return jnp.asarray(0.5 + amplitude * np.cos(2 * np.pi * along / wavelength + 0.7))


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_orientation_tuning_is_the_gaussians(scale):
    """In the middle a pair answers exp(-2 (pi s |f - f0|)^2): the window's Fourier transform."""
    wavelength = visual.WAVELENGTHS_px[scale]
    spread = visual.GABOR_SPREAD * wavelength
    angles = np.pi * np.arange(visual.ORIENTATIONS) / visual.ORIENTATIONS
    for turned in (0.0, 0.3, 1.2, 2.5):
        amplitude = visual.gabor_amplitude(_grating(wavelength, turned))[32, 32]
        found = amplitude.reshape(-1, visual.ORIENTATIONS)[scale]
        # the wave vectors' distance, of the nearer of a vector and its opposite
        away = np.abs((turned - angles + np.pi / 2) % np.pi - np.pi / 2)
        distance = 2 * np.sin(away / 2) / wavelength
        expected = 0.3 * np.exp(-2 * (np.pi * spread * distance) ** 2)
        near = away < np.pi / 3  # farther off the opposite vector and the mean's removal count
        np.testing.assert_allclose(found[near], expected[near], atol=0.01)
        assert np.argmax(found) == np.argmin(away)


def test_scales_are_tuned_to_their_wavelengths():
    for scale, wavelength in enumerate(visual.WAVELENGTHS_px):
        found = visual.gabor_amplitude(_grating(wavelength, 0.0))[32, 32]
        found = found.reshape(-1, visual.ORIENTATIONS)[:, 0]
        assert np.argmax(found) == scale
        assert float(found[scale]) == pytest.approx(0.3, rel=0.03)


def test_gabors_answer_a_constant_with_nothing_up_to_the_edges():
    assert visual.gabor_amplitude(jnp.full((32, 32), 0.8)).max() < 1e-4


def test_stride_samples_the_same_amplitudes():
    picture = jnp.asarray(np.random.default_rng(0).random((2, 32, 32)))
    whole, sparse = visual.gabor_amplitude(picture), visual.gabor_amplitude(picture, 2)
    np.testing.assert_allclose(sparse, whole[:, ::2, ::2], atol=1e-6)


@pytest.mark.parametrize(
    ("rgb", "firing"),
    [
        ((1, 0, 0), "rY"),
        ((0, 1, 0), "gY"),
        ((0, 0, 1), "b"),
        ((1, 1, 0), "y"),
        ((0.4, 0.4, 0.4), ""),
    ],
)
def test_pure_colours_fire_their_own_poles(rgb, firing):
    poles = visual.rectified_colours(visual.opponent_colours(jnp.asarray(rgb, jnp.float32)))[1:]
    assert {name for name, x in zip("rgby", poles, strict=True) if x > 1e-6} == set(firing.lower())
    assert (poles >= 0).all()


def _cues(picture):
    """Depth cues [H, W, 4] of a grey picture [H, W]."""
    return visual.depth_cues(visual.opponent_colours(jnp.repeat(picture[..., None], 3, -1)))


def test_height_in_the_field_rises_upwards_where_there_is_contrast():
    height = _cues(_grating(6.0, 0.0))[..., 0]
    assert height[8, 32] > 2 * height[48, 32] > 0
    assert _cues(jnp.full((32, 32), 0.5))[..., 0].max() < 1e-4


def test_finer_texture_reads_as_farther_and_smoothing_as_blurred():
    fine, coarse = _cues(_grating(3.0, 0.4)), _cues(_grating(12.0, 0.4))
    assert fine[32, 32, 1] > 1.5 * coarse[32, 32, 1]
    rough = jnp.asarray(np.random.default_rng(0).random((64, 64)))
    assert _cues(visual._blur(rough, 1.5))[16:48, 16:48, 2].mean() > (
        1.5 * _cues(rough)[16:48, 16:48, 2].mean()
    )


def test_larger_patches_of_colour_read_as_larger():
    y, x = np.mgrid[:64, :64]
    away = np.hypot(x - 32, y - 32)
    small, large = (
        visual.depth_cues(
            visual.opponent_colours(
                jnp.where((away < r)[..., None], jnp.array([0.8, 0.2, 0.2]), 0.5)
            )
        )[32, 32, 3]
        for r in (2, 8)
    )
    assert large > 1.3 * small > 0


def test_each_prior_can_be_switched_off():
    rgb = jnp.asarray(np.random.default_rng(0).random((2, 32, 32, 3)), jnp.float32)
    whole = visual.responses(rgb, visual.Innate(), 4)
    assert whole.shape == (2, 8, 8, visual.Innate().channels) == (2, 8, 8, 41)
    parts = [
        visual.responses(rgb, visual.Innate(*(k == on for k in range(3))), 4) for on in range(3)
    ]
    np.testing.assert_allclose(jnp.concatenate(parts, -1), whole, atol=1e-6)
    assert visual.responses(rgb, visual.Innate(False, False, False), 4).shape == (2, 8, 8, 0)
    with pytest.raises(ValueError, match="does not pool"):
        visual.responses(rgb, visual.Innate(), 5)
