"""The ray caster against MuJoCo's own renderer, and its promises about shape, colour and loops."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import types
from nsca_jax.sensors import camera as cameras
from nsca_jax.sensors import noise

KINDS = ("plane", "capsule", "box", "capsule", "capsule", "capsule")
SEGMENTS = (0, 1, 1, 2, 2, 2)
POSES = 24
CAMERA = cameras.Camera(width=48, height=40)
look = jax.jit(cameras.render, static_argnums=(0, 1, 2, 4))


def _scene(rng: np.random.Generator):
    """(position [P, 3], quaternion [P, 4], size [P, 3]) of table, object's two slots, gripper."""
    at = rng.uniform((-0.15, -0.15, 0.03), (0.15, 0.15, 0.2))
    spin = rng.normal(size=4)
    hand = rng.uniform((-0.1, -0.1, 0.06), (0.1, 0.1, 0.3))
    level = (np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0)  # the capsule's axis along world y
    gap = rng.uniform(0.02, 0.08)
    off = np.full(3, 1e-4)
    size = rng.uniform(0.02, 0.07, 3)
    if rng.random() < 0.3:
        size[1] = 1e-4  # a sphere
    slots = (size, off) if rng.random() < 0.5 else (off, size)
    pads = [(0.008, 0.02, 0.0)] * 2
    position = [
        np.zeros(3),
        at,
        at,
        hand - (gap, 0, 0),
        np.add(hand, (gap, 0, 0)),
        np.add(hand, (0, 0, 0.06)),
    ]
    quaternion = [(1, 0, 0, 0), spin, spin, level, level, level]
    return (
        np.array(position),
        np.array(quaternion),
        np.array([(1, 1, 1), *slots, *pads, (0.02, 0.06, 0)]),
    )


def _rotation(quaternion: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def _primitives(position, quaternion, size) -> types.Primitives:
    rotation = np.stack([_rotation(q) for q in quaternion])
    rgb = np.tile((0.8, 0.5, 0.2), (len(size), 1))
    return types.Primitives(*(jnp.asarray(a, jnp.float32) for a in (position, rotation, size, rgb)))


def _mjcf(scenes) -> str:
    """All scenes' solids in one model: a scene is shown by moving its bodies into view."""
    right, up, _ = CAMERA.axes()
    words = lambda v: " ".join(f"{c:.9g}" for c in v)  # noqa: E731
    bodies = "".join(
        f'<body><freejoint/><geom type="{kind}" contype="0" conaffinity="0"'
        f' size="{words(s)}" mass="1"/></body>'
        for _, _, size in scenes
        for kind, s in list(zip(KINDS, size, strict=True))[1:]
        if s[0] > 1e-3
    )
    return f"""<mujoco>
      <statistic extent="1"/>
      <visual><map znear="{CAMERA.near_m}" zfar="{CAMERA.far_m}"/>
        <quality offsamples="0" shadowsize="0" numslices="128" numstacks="64"/></visual>
      <worldbody>
        <camera name="eye" pos="{words(CAMERA.position_m)}" fovy="{CAMERA.fovy_deg}"
          xyaxes="{words(right)} {words(up)}"/>
        <geom type="plane" size="0 0 1"/>{bodies}
      </worldbody></mujoco>"""


def _poses(scenes) -> np.ndarray:
    """[N, nq]: scene n's bodies in place, all others far behind the camera."""
    away = np.array([0, -50.0, 1, 1, 0, 0, 0])
    per_scene = [np.concatenate([p, q], -1)[1:][s[1:, 0] > 1e-3] for p, q, s in scenes]
    return np.stack([
        np.concatenate([
            poses if m == n else np.tile(away, (len(poses), 1)) for m, poses in enumerate(per_scene)
        ]).ravel()
        for n in range(len(scenes))
    ])  # fmt: skip


def _mujoco_pictures(scenes, folder: Path):
    """(geom ids, depths) by the first OpenGL that works here; fails where none does."""
    asked, answer = folder / "asked.npz", folder / "answer.npz"
    np.savez(
        asked, xml=_mjcf(scenes), qpos=_poses(scenes), width=CAMERA.width, height=CAMERA.height
    )
    tries = [os.environ[k] for k in ("MUJOCO_GL",) if k in os.environ]
    tries += ["egl", "osmesa"] if sys.platform == "linux" else ["cgl"]
    errors = []
    for gl in tries:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("mujoco_reference.py")), asked, answer],
            env={**os.environ, "MUJOCO_GL": gl}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        if done.returncode == 0:
            pictures = np.load(answer)
            return pictures["geoms"], pictures["depths"]
        errors.append(f"{gl}: {done.stderr[-500:]}")
    pytest.fail(
        "no OpenGL for mujoco.Renderer (install libegl1 or libosmesa6):\n" + "\n".join(errors)
    )


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(7)
    return [_scene(rng) for _ in range(POSES)]


@pytest.fixture(scope="module")
def images(scenes):
    batch = jax.tree.map(lambda *a: jnp.stack(a), *(_primitives(*s) for s in scenes))
    return jax.jit(jax.vmap(functools.partial(cameras.render, CAMERA, KINDS, SEGMENTS)))(batch)


def test_agrees_with_mujoco(scenes, images, tmp_path):
    geoms, depths = _mujoco_pictures(scenes, tmp_path)
    visible = [np.array(SEGMENTS[1:])[s[1:, 0] > 1e-3] for _, _, s in scenes]
    label = np.concatenate([[0], *visible, [0]])  # geom 0 is the plane, -1 nothing
    expected = label[geoms]
    segmentation, depth = np.asarray(images.segmentation), np.asarray(images.depth_m)
    for n in range(POSES):
        assert (segmentation[n] == 1).sum() > 0, f"the object of scene {n} is out of view"
    assert np.mean(segmentation == expected) >= 0.99
    error = np.abs(depth - depths)[geoms >= 0]
    assert np.median(error) < 1e-3
    assert np.percentile(error, 99) < 1e-3
    assert np.all(depth[geoms < 0] == CAMERA.far_m)


def test_any_size_is_the_same_look():
    """An odd image (its pixels do not fill the blocks) sees what an even one sees in its centre."""
    scene = _primitives(*_scene(np.random.default_rng(1)))
    small, large = (
        look(cameras.Camera(width=n, height=n), KINDS, SEGMENTS, scene) for n in (5, 15)
    )
    np.testing.assert_allclose(small.depth_m, large.depth_m[1::3, 1::3], rtol=1e-5)
    np.testing.assert_array_equal(small.segmentation, large.segmentation[1::3, 1::3])


def _ball(radius=0.05, **changes) -> types.Primitives:
    values = {
        "position_m": jnp.array([[0.0, 0.0, 0.1]]), "rotation": jnp.eye(3)[None],
        "size_m": jnp.array([[radius, 1e-4, 0.0]]), "rgb": jnp.array([[1.0, 0.5, 0.0]]),
    }  # fmt: skip
    return types.Primitives(**{**values, **changes})


def test_sphere_by_hand():
    eye = cameras.Camera((0.0, -1.0, 0.1), (0.0, 0.0, 0.1), width=33, height=33, fovy_deg=20.0)
    lamp = cameras.Light(direction=(0.0, -1.0, 0.0), ambient=0.25)
    image = look(eye, ("capsule",), (1,), _ball(), lamp)
    assert image.depth_m[16, 16] == pytest.approx(0.95, abs=1e-5)
    np.testing.assert_allclose(image.rgb[16, 16], [1.0, 0.5, 0.0], atol=0.6 / 255)
    np.testing.assert_allclose(image.rgb[0, 0], lamp.sky_rgb, atol=1 / 255)
    assert image.depth_m[0, 0] == eye.far_m
    # The silhouette of a ball at distance D is the cone of half angle asin(r / D).
    radius_px = np.tan(np.arcsin(0.05)) / eye.pixel_pitch
    assert image.segmentation.sum() == pytest.approx(np.pi * radius_px**2, rel=0.03)


def test_switched_off_slot_is_never_hit():
    image = look(
        cameras.Camera(width=1, height=1, target_m=(0, 0, 0.1)), ("capsule",), (1,), _ball(1e-4)
    )
    assert image.segmentation.sum() == 0


def test_table_shows_squares_of_five_centimetres():
    down = cameras.Camera((0.01, 0.0, 1.0), (0.01, 0.001, 0.0), width=64, height=64, fovy_deg=30.0)
    table = _ball(1.0, position_m=jnp.zeros((1, 3)))
    tones = np.unique(np.asarray(look(down, ("plane",), (0,), table).rgb[..., 0]))
    assert len(tones) == 2
    assert tones[0] / tones[1] == pytest.approx(1 - cameras.CHECKER_CONTRAST, abs=0.01)


def test_pack_and_unpack(images):
    packed = cameras.pack(CAMERA, images)
    assert packed.shape == (POSES, CAMERA.height, CAMERA.width, 4)
    assert packed.dtype == jnp.uint8
    rgb, depth = cameras.unpack(CAMERA, packed)
    np.testing.assert_allclose(rgb, images.rgb, atol=0.5 / 255 + 1e-6)
    half_step = (CAMERA.far_m - CAMERA.near_m) / 255 / 2
    np.testing.assert_allclose(depth, images.depth_m, atol=half_step + 1e-5)


def test_the_same_inside_a_scan(scenes):
    """A loop around the camera changes nothing: not the picture, and no NaN beside it."""
    batch = jax.tree.map(lambda *a: jnp.stack(a), *(_primitives(*s) for s in scenes[:3]))
    view = functools.partial(cameras.render, CAMERA, KINDS, SEGMENTS)
    _, scanned = jax.jit(lambda b: jax.lax.scan(lambda c, p: (c, view(p)), 0, b))(batch)
    jax.tree.map(np.testing.assert_array_equal, scanned, jax.jit(jax.vmap(view))(batch))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(scanned))


def test_noise_is_seeded_clipped_and_spares_the_labels(images):
    noisy = noise.add_to_image(jax.random.key(0), images, 0.1, 0.01)
    assert noisy.rgb.min() >= 0.0
    assert noisy.rgb.max() <= 1.0
    assert float(jnp.std(noisy.depth_m - images.depth_m)) == pytest.approx(0.01, rel=0.05)
    np.testing.assert_array_equal(noisy.segmentation, images.segmentation)
    again = noise.add_to_image(jax.random.key(0), images, 0.1, 0.01)
    np.testing.assert_array_equal(noisy.rgb, again.rgb)
    assert noise.add(jax.random.key(0), images.rgb, 0.0) is images.rgb


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0}, "empty"),
        ({"fovy_deg": 180.0}, "fovy"),
        ({"near_m": 2.0, "far_m": 1.0}, "near"),
        ({"position_m": (0.0, 0.0, 1.0), "target_m": (0.0, 0.0, 0.0)}, "vertical"),
    ],
)
def test_impossible_cameras_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        cameras.Camera(**wrong)


def test_wrong_scenes_are_refused():
    with pytest.raises(ValueError, match="unknown"):
        cameras.render(CAMERA, ("cone",), (1,), _ball())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="solids"):
        cameras.render(CAMERA, ("capsule", "box"), (1, 1), _ball())
