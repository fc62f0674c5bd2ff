"""Windows, the fusion of senses, what learns and what stays; what the fusion phase claims."""

# What a network gives is an array, though not to pyright.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _config, _fusion_report, _weights, fusion
from nsca_jax.models import audio as audio_lib
from nsca_jax.models import vision
from nsca_jax.models.fusion import SENSES, Fusion
from nsca_jax.reports import results
from nsca_jax.training import fusion as training
from nsca_jax.training.recording import Recording

SEEDS, FILMS, MOMENTS = 4, 6, 9


@pytest.fixture(scope="module")
def small():
    """(modules, parameters, film) of few numbers."""
    ear = audio_lib.AudioEncoder(width=8)
    modules = training.make_modules(vision.VisionEncoder(width=4), ear, 16, 5)
    params = training.init(modules, jax.random.key(0), 32)
    rng = np.random.default_rng(0)
    empty = jnp.zeros(())
    film = Recording(
        *(empty,) * 3,
        image=jnp.asarray(rng.integers(256, size=(FILMS, MOMENTS, 32, 32, 4)), jnp.uint8),
        visual_code=empty,
        proprio=jnp.asarray(rng.normal(size=(FILMS, MOMENTS, 15)), jnp.float32),
        touch_N=jnp.asarray(rng.normal(size=(FILMS, MOMENTS, 2, 3)), jnp.float32),
        sound=jnp.asarray(rng.uniform(0, 9, (FILMS, MOMENTS, 32)), jnp.float32),
        position_m=empty,
        quaternion=empty,
        velocity_m_s=empty,
        broken=empty,
        finite=empty,
    )
    return modules, params, film


def test_windows_by_hand():
    track = jnp.arange(1.0, 4.0).reshape(1, 3, 1)
    out = training.windows(track, 2)[0, ..., 0]
    np.testing.assert_array_equal(out, [[0, 1], [1, 2], [2, 3]])


def test_a_state_knows_the_past_alone(small):
    modules, params, film = small
    states = jax.jit(lambda p, f: training.states(modules, p, f))
    before = states(params, film)
    assert before.shape == (FILMS, MOMENTS, 512)
    later = jax.tree.map(lambda x: x, film)
    later = later.replace(sound=film.sound.at[:, 5:].set(1.0), image=film.image.at[:, 5:].set(9))
    after = states(params, later)
    np.testing.assert_allclose(after[:, :5], before[:, :5], atol=1e-5)
    assert float(jnp.abs(after[:, 5] - before[:, 5]).max()) > 0.05


def test_what_is_absent_is_not_attended_to():
    codes = {n: jax.random.normal(jax.random.key(i), (3, 256)) for i, n in enumerate(SENSES)}
    model = Fusion(width=16)
    params = model.init(jax.random.key(9), codes)
    full = model.apply(params, codes)
    for gone in SENSES:
        present = {n: jnp.full(3, n != gone) for n in SENSES}
        rest = {n: c for n, c in codes.items() if n != gone}
        left_out = model.apply(params, rest)
        wild = {**codes, gone: 1e3 * codes[gone]}
        np.testing.assert_allclose(model.apply(params, wild, present), left_out, atol=1e-5)
        assert float(jnp.abs(left_out - full).max()) > 0.05
    none = model.apply(params, codes, dict.fromkeys(SENSES, jnp.zeros(3, bool)))
    assert np.isfinite(none).all()
    with pytest.raises(ValueError, match="known are vision"):
        model.apply(params, {"smell": codes["touch"]})
    with pytest.raises(ValueError, match="senses"):
        model.apply(params, {})


def test_one_sense_always_stays():
    there = np.stack(list(training.missing_some(jax.random.key(0), 4000, 0.5).values()), -1)
    assert there.any(-1).all()
    # half stay by themselves, and the one drawn of four always does: 1/2 + 1/4 * 1/2
    np.testing.assert_allclose(there.mean(0), 0.625, atol=0.03)
    assert np.stack(list(training.missing_some(jax.random.key(0), 50, 0.0).values())).all()


def test_principal_numbers_are_half_whitened():
    rng = np.random.default_rng(0)
    code = jnp.asarray(rng.normal(size=(50, 8, 12)) * 2.0 ** -np.arange(12), jnp.float32)
    out = np.asarray(training._principal(code, 4)).reshape(-1, 4)
    spread = out.std(0)
    np.testing.assert_allclose(np.mean(spread**2), 1.0, rtol=1e-3)
    np.testing.assert_allclose(spread[1:] / spread[:-1], np.sqrt(2.0), rtol=0.15)


def test_only_the_fusion_moves(small):
    """No gradient of what the fusion learns reaches an encoder, and no byte of one changes."""
    modules, params, film = small
    before = fusion.digest(params)
    settings = training.Settings(width=16, window=5, steps=20, batch=8, principal=8)

    def learn(encoders):
        codes = training.codes(modules, encoders, film)
        met, losses, _ = training.learn_fusion(settings, jax.random.key(1), modules.fusion, codes)
        return losses.sum(), (met, losses)

    encoders = {n: params[n] for n in SENSES}
    blind = {n: p for n, p in encoders.items() if n != "vision"}
    codes = training.codes(modules, encoders, film)
    met, losses, _ = training.learn_fusion(settings, jax.random.key(1), modules.fusion, codes)
    assert losses[-5:].mean() < losses[:5].mean()
    after = fusion.digest({**params, "fusion": met})
    assert [before[n] == after[n] for n in SENSES] == [True] * 4
    assert before["fusion"] != after["fusion"]
    slopes = jax.grad(lambda b: learn({**encoders, **b})[0])(blind)
    assert all(float(jnp.abs(x).max()) == 0.0 for x in jax.tree.leaves(slopes))


def test_body_senses_learn_to_foresee(small):
    modules, _, film = small
    settings = training.Settings(window=5, steps=60, batch=16)
    _, losses, _ = training.learn_body(
        settings, jax.random.key(0), "proprio", modules.proprio, film.proprio
    )
    assert losses[-10:].mean() < 0.8 * losses[:3].mean()


def test_fusion_file_stands_alone(small, tmp_path):
    modules, params, film = small
    run = types.SimpleNamespace(workdir=tmp_path, config={}, write_arrays=_write)
    stacked = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), params)
    path = _weights.save_fusion(run, modules, stacked, 32, [0, 1])
    loaded, stored = _weights.load_fusion(path)
    of_seed = jax.tree.map(lambda x: x[0], stored)
    assert fusion.digest(of_seed) == fusion.digest(params)
    np.testing.assert_array_equal(
        training.states(loaded, of_seed, film), training.states(modules, params, film)
    )
    with pytest.raises(_config.BadInput, match="is no file"):
        _weights.load_fusion(tmp_path / "none.npz")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(_config.BadInput, match="holds no trained fusion"):
        _weights.load_fusion(path)


def _write(path, arrays):
    np.savez(path, **{name: np.asarray(x) for name, x in arrays.items()})


def _scores(**changes):
    level = dict.fromkeys(SENSES, 0.5) | {"all codes": 0.8, "fused": 0.8, "undropped": 0.8}
    level |= {f"fused without {n}": 0.7 for n in SENSES}
    level |= {f"undropped without {n}": 0.4 for n in SENSES}
    rng = np.random.default_rng(0)
    return {n: v + 0.01 * rng.normal(size=(SEEDS, 2, 5)) for n, v in (level | changes).items()}


def _passed(scores, unchanged=True):
    same = np.full((SEEDS, len(SENSES)), unchanged)
    return {c["name"]: c["passed"] for c in _fusion_report.claims(scores, same)["criteria"]}


def test_a_good_fusion_passes_every_criterion():
    passed = _passed(_scores())
    assert len(passed) == 12
    assert all(passed.values())


def test_a_worse_fusion_fails():
    assert not _passed(_scores(vision=0.9))["fused_above_best_sense"]
    assert not _passed(_scores(touch=0.9))["friction_above_best_sense"]
    assert not _passed(_scores(fused=-5.0, vision=-1.0))["fused_above_best_sense_novel"]
    assert not _passed(_scores(**{"fused without audio": 0.2}))["without_audio"]
    assert not _passed(_scores(), unchanged=False)["encoders_unchanged"]


def test_report_shows_every_figure(tmp_path):
    config = _config.load("configs/fusion.py:quick")
    claims = _fusion_report.claims(_scores(), np.ones((SEEDS, 4), bool))
    result = results.build("x", seeds=[0, 1, 2, 3], config_hash="0" * 16, wall_s=1.0, **claims)
    losses = dict.fromkeys(("losses", "losses.proprio", "losses.touch"), np.ones((SEEDS, 200)))
    run = types.SimpleNamespace(workdir=tmp_path)
    _fusion_report.write(config, run, _scores(), losses, result)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 6


def test_bad_configs_are_refused():
    fusion.check(_config.load("configs/fusion.py:quick"))
    for name, value, words in (
        ("interactions_a", "20", "160 or more"),
        ("dropout", "1.0", "below 1"),
        ("window", "0", "1 or more"),
        ("audio", "nowhere.npz", "is no file"),
    ):
        bad = _config.load("configs/fusion.py:quick")
        _config.override(bad, name, value)
        with pytest.raises(_config.BadInput, match=words):
            fusion.check(bad)
