"""The vision experiment: what it refuses, which frames it deals, what it claims."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import json
import subprocess
import sys
import types

import jax
import numpy as np
import pytest

from configs import vision as configs
from experiments import _vision_films, _vision_report, vision
from experiments._config import BadInput
from nsca_jax.reports import figures_vision, results
from tests import clips


@pytest.mark.parametrize("preset", configs.PRESETS[:2])
def test_presets_are_accepted(preset):
    vision.check(configs.get_config(preset))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": 0}, "config.seeds=0: it must be 1 or more"),
        ({"patch": 5}, "config.patch=5: it must be even"),
        ({"steps": 100}, "multiple of config.chunk"),
        ({"films": 250}, "config.films"),
        ({"labelled": (5,)}, "from 10 to 500"),
        ({"labelled": (501,)}, "from 10 to 500"),
        ({"missing": 1.5}, "from 0 to 1"),
        ({"data": "imagenet"}, "config.data=imagenet: it must be one of babbling"),
        (
            {"data": "kinetics", "data_dir": "nowhere"},
            "it must be the folder of kinetics",
        ),
        ({"priors": {"gabor": False, "colour": False, "depth": False}}, "all off"),
        ({"eye_with": {"span": 0}}, "span"),
        ({"eye_without": {"rate": 0.0}}, "rate"),
    ],
)
def test_bad_config_is_refused_in_a_sentence(fields, message):
    config = configs.get_config()
    config.update(fields)
    with pytest.raises(BadInput, match=message):
        vision.check(config)


def _films(films=400, moments=26):
    rng = np.random.default_rng(0)
    out = {}
    for name in "ab":
        out |= {
            f"{name}.image": np.zeros((films, moments, 4, 4, 4), np.uint8),
            f"{name}.seen": rng.random((films, moments)) < 0.9,
            f"{name}.position": rng.normal(size=(films, moments, 3)),
            f"{name}.size": rng.random(films),
            f"{name}.label": rng.integers(3, size=films),
            f"{name}.finite": np.arange(films) != 7,
        }
    return out


def test_no_film_is_learnt_labelled_and_judged():
    config, films = configs.get_config(), _films()
    a, b, judged = _vision_films.labelled(config, films, 3)
    assert len(a.label) == len(b.label) == _vision_films.MOST_LABELLED
    learnt = _vision_films._order(films, "a", 3)[: config.learnt]
    assert not set(learnt) & set(a.group)
    assert not set(b.group) & set(judged.group)
    assert not any(7 in part for part in (learnt, a.group, b.group, judged.group))
    np.testing.assert_array_equal(b.label, films["b.label"][b.group])
    shuffled = _vision_films.shuffle(b, 3)
    assert (shuffled.targets != b.targets).any()
    np.testing.assert_allclose(np.sort(shuffled.targets[:, 3]), np.sort(b.targets[:, 3]))


def test_clips_that_cannot_be_read_are_counted_and_listed(tmp_path):
    folder = clips.kinetics(tmp_path / "data")
    config = configs.get_config()
    config.update({"data": "kinetics", "data_dir": str(folder), "clips": 2, "frames": 3})
    run = types.SimpleNamespace(workdir=tmp_path, say=lambda text: said.append(text))
    eye, said = vision.eye_of(config, "without"), []
    with pytest.raises(BadInput, match="more than the share"):
        _vision_films.source(config, run, {})(eye, 1, 0)
    config.missing = 0.5
    looks, pairs = _vision_films.source(config, run, {})(eye, 1, 0)
    left_out = json.loads((tmp_path / "left_out.json").read_text())
    assert list(left_out.values()) == ["is missing"]
    assert len(said) == 1
    assert said[0].startswith("1 clips left out so far")
    assert pairs.shape == (config.seeds, 2 * 2, 2)
    assert len(jax.tree.leaves(looks)[0]) == 2 * 3
    _vision_films.source(config, run, {})(eye, 1, 1)
    assert len(said) == 1


def test_views_are_of_one_film_and_near():
    pairs = _vision_films._within(np.array([2, 5]), 13, 4)
    assert set((pairs // 13).ravel()) == {2, 5}
    assert (pairs[:, 0] // 13 == pairs[:, 1] // 13).all()
    apart = pairs[:, 1] - pairs[:, 0]
    assert apart.min() == 1
    assert apart.max() == 4


def _part(level, seeds=4, fits=4):
    rng = np.random.default_rng(int(100 * level))
    told = level + 0.01 * rng.normal(size=(seeds, fits, 5))
    told[..., 4] = 1 / 3 + told[..., 4] * 2 / 3
    return {"told": told, "rank": np.full(seeds, 40 * level)}


def _parts():
    levels = {"with": 0.8, "without": 0.4, "untrained": 0.7, "innate": 0.6, "pixels": 0.2}
    parts = {f"read-{name}": _part(x) for name, x in levels.items()}
    parts |= {"read-temporal": _part(0.05), "read-shuffled": _part(0.0)}
    return parts


def test_worse_than_a_constant_counts_as_nothing():
    part = {"told": np.array([[[-5.0, 0.5, 1.0, -9.0, 0.2]]]), "rank": np.ones(1)}
    told = _vision_report.told(part)
    assert told["position"] == pytest.approx(0.5)
    assert told["size"] == told["shape"] == 0.0


def test_claims_hold_where_priors_help_and_fail_where_not():
    config = configs.get_config()
    good = _vision_report.claims(config, _parts())["criteria"]
    assert all(item["passed"] for item in good)
    assert {item["name"] for item in good} >= {"priors_size_25", "priors_shape_from_set_a"}
    parts = _parts()
    parts["read-without"], parts["read-shuffled"] = parts["read-with"], _part(0.5)
    by_name = {c["name"]: c for c in _vision_report.claims(config, parts)["criteria"]}
    assert not by_name["shuffled_labels_tell_nothing"]["passed"]
    parts["read-without"] = _part(0.9)
    by_name = {c["name"]: c for c in _vision_report.claims(config, parts)["criteria"]}
    assert not by_name["priors_size_25"]["passed"]
    assert by_name["pixels_size"]["passed"]


def test_a_failed_seed_is_counted_and_not_averaged():
    parts = _parts()
    parts["read-with"]["told"][2] = np.nan
    claims = _vision_report.claims(configs.get_config(), parts)
    assert claims["n_failed_seeds"] == 1
    assert claims["criteria"][0]["per_seed"][2] is None


def test_figures(tmp_path):
    rng = np.random.default_rng(0)
    curves = {k: {"with": rng.random((4, 3)), "pixels": rng.random((4, 3))} for k in "ab"}
    bars = {k: {"with": rng.random(4), "pixels": np.array([1, np.nan, 2, 3])} for k in "ab"}
    for path in (
        figures_vision.label_curves(tmp_path / "a.png", (25, 100, 500), curves),
        figures_vision.bars(tmp_path / "b.png", bars, "share"),
        figures_vision.losses(tmp_path / "c.png", {k: {"with": rng.random((4, 9))} for k in "ab"}),
        figures_vision.maps(tmp_path / "d.png", {str(k): rng.random((8, 8)) for k in range(4)}),
    ):
        assert path.stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.guard
def test_end_to_end(tmp_path):
    """Three tiny seeds: films, eyes, read-outs, report, and the file of eyes."""
    from experiments import _encoders

    fields = {"films": 120, "learnt": 15, "steps": 4, "chunk": 2, "labelled": "25", "batch": 8}
    command = [
        *(sys.executable, "-m", "experiments.vision", "--config=configs/vision.py:quick"),
        *(f"--config.{name}={value}" for name, value in fields.items()),
        *("--config.seeds=2", f"--workdir={tmp_path}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    result = results.read(tmp_path / "result.json")
    assert result["n_failed_seeds"] == 0
    assert (tmp_path / "report.html").stat().st_size > 100_000
    eye, params = _encoders.load_vision(tmp_path / "encoder.npz")
    assert params["params"]["code"]["kernel"].shape == (2, eye.code, eye.code)
