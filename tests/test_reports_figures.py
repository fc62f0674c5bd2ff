"""Figures: each is a PNG that decodes, and what it says of failed seeds and correlations is so."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from nsca_jax.reports import figures

T, S = 6, 3
STEPS = np.linspace(100, 600, T)
PROPERTIES = ("hardness", "weight", "size", "elasticity", "fragility")


@pytest.fixture
def drawn(monkeypatch):
    """Every text that the saved figures show."""
    texts: list[str] = []
    save = Figure.savefig

    def _spy(self, *args, **kwargs):
        save(self, *args, **kwargs)
        texts.extend(t.get_text() for t in self.findobj(Text) if isinstance(t, Text))

    monkeypatch.setattr(Figure, "savefig", _spy)
    return texts


def _is_drawn(path, at_least=(800, 300)) -> None:
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width >= at_least[0]
        assert image.height >= at_least[1]
        assert len(np.unique(np.asarray(image.convert("L")))) > 20


def _curves(rng):
    return {name: rng.uniform(0, 1, (S, T)) for name in ("Set A", "Set B")}


def test_learning_curves_report_a_failed_seed(tmp_path, drawn):
    rng = np.random.default_rng(0)
    skill = {m: _curves(rng) for m in ("touch", "sound", "image code")}
    skill["sound"]["Set B"][1, 2] = np.nan
    path = figures.learning_curves(tmp_path / "new" / "curves.png", STEPS, skill)
    _is_drawn(path)
    assert drawn.count("Set B: 1 of 3 seeds failed") == 1
    assert {"touch", "sound", "image code", "Set A", "Set B"} <= set(drawn)


def test_curves_refuse_a_wrong_length(tmp_path):
    with pytest.raises(ValueError, match=r"Set A has shape \(3, 5\), needs \(3, 6\)"):
        figures.learning_curves(tmp_path / "c.png", STEPS, {"touch": {"Set A": np.zeros((S, 5))}})


def test_region_heat_map_names_every_object(tmp_path, drawn):
    share = np.random.default_rng(1).dirichlet(np.ones(8), T).T.reshape(4, 2, T)
    names = ("egg", "brick", "ball", "cube")
    _is_drawn(figures.region_heat_map(tmp_path / "h.png", STEPS, share, names, ("drop", "push")))
    assert set(names) <= set(drawn)
    with pytest.raises(ValueError, match="share has shape"):
        figures.region_heat_map(tmp_path / "h.png", STEPS, share, names[:3], ("drop", "push"))


def test_grounding_scatter_gives_spearman_over_known_objects(tmp_path, drawn):
    true = {"Set A": np.tile(np.arange(1.0, 8.0)[:, None], (1, 5))}
    estimated = {"Set A": true["Set A"] ** 2}
    estimated["Set A"][:, 1] *= -1  # weight: exactly the wrong order
    estimated["Set A"][:2, 3] = np.nan  # elasticity: two objects never measured
    true["Set A"][2:, 4] = np.inf  # fragility: only two objects can break
    units = ("1/s²", "kg", "m", "1", "N s")
    _is_drawn(figures.grounding_scatter(tmp_path / "g.png", true, estimated, PROPERTIES, units))
    for said in ("ρ Set A 1.00 (7)", "ρ Set A -1.00 (7)", "ρ Set A 1.00 (5)", "ρ Set A – (2)"):
        assert said in drawn


def test_trajectories(tmp_path, drawn):
    rng = np.random.default_rng(2)
    true, mean, ballistic = rng.normal(0, 0.2, (3, 3, T, 3))
    std = np.full((3, T, 3), 0.02)
    captions = ("egg · drop", "brick · push", "ball · strike")
    path = figures.trajectories(tmp_path / "t.png", true, mean, std, ballistic, captions, "xy")
    _is_drawn(path)
    assert {*captions, "x, cm", "y, cm", "ballistic", "true"} <= set(drawn)
    with pytest.raises(ValueError, match="std_m has shape"):
        figures.trajectories(tmp_path / "t.png", true, mean, std[:, 1:], ballistic, captions)


def test_ninety_percent_ellipse_holds_ninety_percent():
    points = np.random.default_rng(3).normal(size=(200_000, 2))
    inside = np.linalg.norm(points, axis=1) < figures.BAND_90_SIGMA
    assert abs(inside.mean() - 0.9) < 0.003


def test_distractor_share(tmp_path, drawn):
    share = {"learnability": np.full((S, T), 0.02), "prediction error": np.full((S, T), 0.3)}
    _is_drawn(figures.distractor_share(tmp_path / "d.png", STEPS, share, uniform=1 / 21))
    assert {*share, "blind choice"} <= set(drawn)


def test_skill_bars_write_what_they_cut(tmp_path, drawn):
    skill = {
        "model": {"touch": np.array([0.8, 0.9, np.nan]), "sound": np.full(3, 0.7)},
        "persistence": {"touch": np.full(3, -3.0), "sound": np.full(3, -0.1)},
    }
    _is_drawn(figures.skill_bars(tmp_path / "b.png", skill))
    assert "-3" in drawn
    assert "1 failed" in drawn
