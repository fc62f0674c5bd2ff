"""Object sets: the two shipped ones are fit for the robot, and every bad input says why."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import spearmanr

from nsca_jax import objects
from nsca_jax.types import SHAPES

CONFIGS = Path(__file__).parents[1] / "configs"
SET_A = str(CONFIGS / "objects_set_a.yaml")
SET_B = str(CONFIGS / "objects_set_b.yaml")
GOOD = {
    "name": "oak block",
    "shape": "box",
    "size_m": [0.03, 0.04, 0.025],
    "mass_kg": 0.17,
    "contact_stiffness": 36000,
    "damping_ratio": 0.2,
    "friction": 0.5,
    "fragility_Ns": float("inf"),
    "rgb": [0.5, 0.3, 0.1],
}


@pytest.fixture
def write(tmp_path):
    def _write(text: str) -> str:
        path = tmp_path / "things.yaml"
        path.write_text(text)
        return str(path)

    return _write


def _refusal(path: str) -> str:
    with pytest.raises(objects.ObjectError) as caught:
        objects.load(path)
    message = str(caught.value)
    assert message.startswith(path)
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mass_kg": -1}, ["object 1 (oak block)", "mass_kg", "from 0.02 to 2", "-1"]),
        ({"mass_kg": float("nan")}, ["mass_kg", "from 0.02 to 2"]),
        ({"mass_kg": float("inf")}, ["mass_kg", "from 0.02 to 2"]),
        ({"mass_kg": 10**400}, ["mass_kg", "from 0.02 to 2"]),
        ({"mass_kg": "heavy"}, ["mass_kg", "must be a number from 0.02 to 2"]),
        ({"mass_kg": True}, ["mass_kg", "must be a number"]),
        ({"mass_kg": None}, ["mass_kg", "must be a number"]),
        ({"contact_stiffness": 9999}, ["contact_stiffness", "from 10000 to 60000"]),
        ({"damping_ratio": 0.8}, ["damping_ratio", "from 0.02 to 0.7"]),
        ({"friction": 0}, ["friction", "from 0.1 to 1.5"]),
        ({"fragility_Ns": 0}, ["fragility_Ns", "from 0.001 to 1000, or .inf (never breaks)"]),
        ({"fragility_Ns": float("nan")}, ["fragility_Ns", "from 0.001"]),
        ({"fragility_Ns": 10**400}, ["fragility_Ns", "from 0.001"]),
        ({"rgb": [0.5, 1.2, 0]}, ["rgb green", "from 0 to 1"]),
        ({"rgb": [0.5, 0.2]}, ["rgb", "[red, green, blue]"]),
        ({"rgb": "red"}, ["rgb", "[red, green, blue]"]),
        ({"size_m": [0.03]}, ["size_m of a box", "[hx, hy, hz]"]),
        ({"size_m": [0.05, 0.03, 0.03]}, ["size_m hx", "from 0.015 to 0.045"]),
        ({"size_m": 0.03}, ["size_m of a box"]),
        ({"shape": "cone"}, ["shape", "sphere, capsule, box", "cone"]),
        ({"shape": ["box"]}, ["shape", "sphere, capsule, box"]),
        ({"name": ""}, ["object 1", "name", "not empty"]),
        ({"name": 3}, ["object 1", "name", "3"]),
        ({"masskg": 1}, ["unknown field 'masskg'", "did you mean mass_kg"]),
        ({"zzz": 1}, ["unknown field 'zzz'", "allowed are name, shape"]),
        ({7: 1}, ["unknown field 7"]),
    ],
)
def test_bad_field_is_refused_in_one_sentence(write, change, words):
    message = _refusal(write(yaml.safe_dump({"objects": [GOOD | change]})))
    for word in words:
        assert word in message


@pytest.mark.parametrize("field", objects.FIELDS)
def test_missing_field_is_named(write, field):
    entry = {k: v for k, v in GOOD.items() if k != field}
    message = _refusal(write(yaml.safe_dump({"objects": [entry]})))
    assert f"field {field} is missing" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# nothing but a comment\n", "is empty"),
        ("objects: [unclosed", "is not YAML"),
        ("objects: \x00", "is not YAML"),
        ("objects: 2001-99-99", "is not YAML"),
        ("- a\n- b\n", "`objects:`"),
        ("things: []\n", "`objects:`"),
        ("objects: []\nextra: 1\n", "`objects:`"),
        ("objects: []\n", "at least one object"),
        ("objects: ball\n", "at least one object"),
        ("objects: [ball]\n", "object 1"),
    ],
)
def test_bad_document_is_refused(write, text, words):
    assert words in _refusal(write(text))


def test_missing_file_and_folder_are_refused(tmp_path):
    assert "cannot be read" in _refusal(str(tmp_path / "absent.yaml"))
    assert "cannot be read" in _refusal(str(tmp_path))


def test_duplicate_name_is_refused(write):
    message = _refusal(write(yaml.safe_dump({"objects": [GOOD, GOOD]})))
    assert "object 2 (oak block): name must be unique, object 1 has it" in message


def test_exponent_without_point_is_a_number(write):
    text = yaml.safe_dump({"objects": [GOOD]}).replace("36000", "36e3")
    assert yaml.safe_load(text)["objects"][0]["contact_stiffness"] == "36e3"  # YAML 1.1
    loaded = objects.load(write(text)).properties
    assert float(loaded.contact_stiffness[0]) == 36000.0


def test_rows_hold_what_the_file_says(write):
    ball = GOOD | {"name": "ball", "shape": "sphere", "size_m": [0.02], "fragility_Ns": 0.5}
    pin = GOOD | {"name": "pin", "shape": "capsule", "size_m": [0.02, 0.03]}
    loaded = objects.load(write(yaml.safe_dump({"objects": [GOOD, ball, pin]})))
    assert loaded.names == ("oak block", "ball", "pin")
    p = loaded.properties
    np.testing.assert_array_equal(p.shape, [2, 0, 1])
    np.testing.assert_allclose(p.size_m, [[0.03, 0.04, 0.025], [0.02, 0, 0], [0.02, 0.03, 0]])
    np.testing.assert_allclose(p.fragility_Ns, [np.inf, 0.5, np.inf])
    assert p.rgb.shape == (3, 3)
    assert p.rgb.dtype == np.float32
    assert p.shape.dtype == np.int32


def test_concatenate_keeps_order_and_refuses_duplicates():
    a, b = objects.load(SET_A), objects.load(SET_B)
    both = objects.concatenate([a, b])
    assert both.names == a.names + b.names
    assert both.path == f"{SET_A} + {SET_B}"
    np.testing.assert_array_equal(both.properties.mass_kg[20:], b.properties.mass_kg)
    with pytest.raises(objects.ObjectError, match=r"steel bearing.*unique"):
        objects.concatenate([a, a])


def _columns(loaded: objects.ObjectSet) -> dict[str, np.ndarray]:
    """Per object: half width along the grasp axis, longest half extent, volume, restitution."""
    p = loaded.properties
    shape, size = np.asarray(p.shape), np.asarray(p.size_m, np.float64)
    r, h = size[:, 0], size[:, 1]
    sphere = 4 / 3 * np.pi * r**3
    volumes = [sphere, sphere + 2 * np.pi * r**2 * h, 8 * size.prod(axis=1)]
    volume = np.choose(shape, volumes)
    z = np.asarray(p.damping_ratio, np.float64)
    return {
        "half_width": r,
        "longest": np.choose(shape, [r, r + h, size.max(axis=1)]),
        "volume": volume,
        "density": np.asarray(p.mass_kg) / volume,
        "size": np.cbrt(3 * volume / (4 * np.pi)),
        "mass": np.asarray(p.mass_kg),
        "hardness": np.asarray(p.contact_stiffness),
        "restitution": np.exp(-np.pi * z / np.sqrt(1 - z**2)),
        "fragility": np.asarray(p.fragility_Ns),
    }


@pytest.mark.parametrize(("path", "n", "fragile"), [(SET_A, 20, (8, 10)), (SET_B, 10, (5, 6))])
def test_shipped_set_is_graspable_plausible_and_spread(path, n, fragile):
    loaded = objects.load(path)
    c = _columns(loaded)
    assert len(loaded.names) == n
    assert (2 * c["half_width"] >= 0.03 - 1e-6).all()
    assert (2 * c["half_width"] <= 0.09).all()
    assert (c["longest"] <= 0.0601).all()
    assert (c["density"] > 50).all()
    assert (c["density"] < 11_500).all()
    assert fragile[0] <= np.isfinite(c["fragility"]).sum() <= fragile[1]
    assert set(np.asarray(loaded.properties.shape)) == set(range(len(SHAPES)))
    for name in ("size", "mass", "hardness", "restitution"):
        values = np.sort(c[name])
        # things of one material are close, but no two are alike
        assert (values[1:] / values[:-1]).min() > 1.005, f"{name} has near ties"
    fragility = np.sort(c["fragility"][np.isfinite(c["fragility"])])
    assert (fragility[1:] / fragility[:-1]).min() > 1.02
    for x, y in itertools.combinations(("size", "mass", "hardness", "restitution"), 2):
        assert np.abs(np.asarray(spearmanr(c[x], c[y]))[0]) <= 0.7, f"{x} and {y} go together"


@pytest.mark.parametrize("path", [SET_A, SET_B])
def test_breakable_things_survive_gentle_handling_and_break_in_hard(path):
    c = _columns(objects.load(path))
    fragile = np.isfinite(c["fragility"])
    speed = (c["fragility"] / c["mass"] / (1 + c["restitution"]))[fragile]
    assert (speed > 0.65).all()
    assert (speed < 2.0).all()


def test_set_b_is_novel_and_reaches_beyond_a():
    a, b = objects.load(SET_A), objects.load(SET_B)
    assert not set(a.names) & set(b.names)
    ca, cb = _columns(a), _columns(b)
    for name in ("mass", "hardness", "restitution"):
        between = (cb[name] > ca[name].min()) & (cb[name] < ca[name].max())
        assert between.any()
        assert not between.all()
