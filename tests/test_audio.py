"""The ear, its views and learning; what the hearing phase claims, and its page."""

# What a network gives is an array, though not to pyright.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _audio_report, _config, _senses, audio
from nsca_jax import objects
from nsca_jax.models import audio as models
from nsca_jax.reports import results
from nsca_jax.training import audio as training

SEEDS = 4


@pytest.fixture(scope="module")
def sound():
    """[6, 8, 32]: steps 1, 4 and 6 ring, of the last interaction step 2 alone."""
    rng = np.random.default_rng(0)
    rings = np.isin(np.arange(8), (1, 4, 6))
    sound = rng.uniform(0.5, 9.0, (6, 8, 32)) * rings[:, None]
    sound[-1] = 0.0
    sound[-1, 2] = 3.0
    return jnp.asarray(sound, jnp.float32)


def test_an_ear_skips_silence_and_does_not_mind_order(sound):
    ear = models.AudioEncoder(width=8, code=16)
    params = ear.init(jax.random.key(0), sound)
    code = ear.apply(params, sound)
    assert code.shape == (6, 16)
    longer = jnp.concatenate([jnp.zeros_like(sound), sound[:, ::-1]], 1)
    np.testing.assert_allclose(ear.apply(params, longer), code, atol=1e-5)
    silent = ear.apply(params, jnp.zeros_like(sound))
    np.testing.assert_allclose(silent, jnp.broadcast_to(silent[:1], silent.shape))
    assert float(jnp.abs(code[0] - code[1]).max()) > 0.1


def test_views_share_out_the_impacts(sound):
    first, second = training.views(jax.random.key(1), sound, 0.0, 0.0)
    heard, ones, twos = (np.asarray(x.any(-1)) for x in (sound, first, second))
    several, alone = slice(0, 5), -1
    assert not (ones | twos)[~heard].any()
    assert (ones | twos)[several][heard[several]].all()
    for one, two in zip(ones[several], twos[several], strict=True):
        assert not (one & two).any() or (one == two).all()  # a view would else be silent
    np.testing.assert_array_equal(ones[alone], heard[alone])
    np.testing.assert_array_equal(twos[alone], heard[alone])
    np.testing.assert_allclose(first[ones], np.asarray(sound)[ones], rtol=1e-4)


def test_views_are_louder_or_softer_by_one_gain_each(sound):
    for view in training.views(jax.random.key(2), sound, 1.0, 0.0):
        both = np.asarray(view[0]) > 0
        shift = np.log(np.expm1(np.asarray(view[0])[both]) / np.expm1(np.asarray(sound[0])[both]))
        assert np.ptp(shift) < 1e-3
        assert abs(shift.mean()) > 1e-2


def test_learning_descends(sound):
    settings = training.Settings(width=8, steps=60, batch=8)
    params, losses, _ = jax.jit(lambda k, x: training.learn(settings, k, x))(
        jax.random.key(0), sound
    )
    assert np.isfinite(losses).all()
    assert losses[-10:].mean() < 0.8 * losses[:5].mean()
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(params))


def _scores(**changes):
    """Ears that tell more than eyes, by either protocol: {who: [S, 2, 2]}."""
    level = {
        "ear": 0.9,
        "unlearnt ear": 0.7,
        "spectrum": 0.7,
        "shuffled ear": 0.15,
        "silent ear": 1 / 6,
        "innate eye": 0.6,
        "innate eye without colours": 0.3,
        "ear and innate eye": 0.92,
    }
    rng = np.random.default_rng(0)
    return {
        name: value + 0.01 * rng.normal(size=(SEEDS, 2, 2))
        for name, value in (level | changes).items()
    }


def _passed(scores):
    return {c["name"]: c["passed"] for c in _audio_report.claims(scores)["criteria"]}


def test_good_ears_pass_every_criterion():
    passed = _passed(_scores())
    assert len(passed) == 13
    assert all(passed.values())


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"ear": 0.5}, "material_above_vision"),
        ({"innate eye": 0.95}, "hardness_above_vision_novel"),
        ({"trained eye": 0.95, "ear and trained eye": 0.92}, "material_above_vision"),
        ({"ear and innate eye": 0.6}, "hardness_with_vision"),
        ({"shuffled ear": 0.5}, "shuffled_at_chance"),
        ({"shuffled ear": 0.8}, "material_above_vision"),
        ({"silent ear": 0.3}, "silence_at_chance_novel"),
        ({"ear": 0.2}, "silence_at_chance"),
        ({"unlearnt ear": 0.9}, "hardness_above_unlearnt_novel"),
    ],
)
def test_a_worse_ear_or_a_control_that_succeeds_fails(change, criterion):
    assert not _passed(_scores(**change))[criterion]


def test_report_shows_every_figure(tmp_path):
    config = _config.load("configs/audio.py:quick")
    claims = _audio_report.claims(_scores())
    result = results.build("x", seeds=[0, 1, 2, 3], config_hash="0" * 16, wall_s=1.0, **claims)
    example = {"sound": np.random.default_rng(0).random((20, 25, 32)), "thing": np.arange(20) % 10}
    run = types.SimpleNamespace(workdir=tmp_path)
    _audio_report.write(config, run, _scores(), np.ones((SEEDS, 200)), example, result)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 4


def test_materials_are_known_of_every_thing_and_only_scored_by(tmp_path):
    truth = _senses.truth(objects.load("configs/objects_set_b.yaml"), "configs/materials.yaml")
    assert truth.targets.shape == (10, len(_senses.PROPERTIES))
    assert truth.materials[truth.material[0]] == "steel"
    assert set(truth.material) == set(range(6))
    few = tmp_path / "few.yaml"
    few.write_text("steel: [boule]\n")
    with pytest.raises(_config.BadInput, match="says nothing of glass phial"):
        _senses.truth(objects.load("configs/objects_set_b.yaml"), str(few))
    with pytest.raises(_config.BadInput, match="cannot be read"):
        _senses.truth(objects.load("configs/objects_set_b.yaml"), str(tmp_path / "none.yaml"))


def test_bad_configs_are_refused():
    audio.check(_config.load("configs/audio.py:quick"))
    for name, value, words in (
        ("interactions_b", "20", "160 or more"),
        ("share", "2.0", "from 0 to 1"),
        ("batch", "1", "8 or more"),
        ("vision", "nowhere.npz", "is no file"),
        ("objects_a", "nowhere.yaml", "cannot be read"),
    ):
        bad = _config.load("configs/audio.py:quick")
        _config.override(bad, name, value)
        with pytest.raises(_config.BadInput, match=words):
            audio.check(bad)
