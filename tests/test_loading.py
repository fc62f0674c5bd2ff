"""nsca_jax.load: pure functions and parameters from a file."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nsca_jax
from experiments import _encoders, _weights, babble, pretrained
from nsca_jax import checkpoint, loading, types
from nsca_jax.evaluation import transfer
from nsca_jax.models import audio, dynamics, vision
from nsca_jax.training import fusion, recording

SHIPPED = "pretrained/babbling.npz"


@pytest.fixture(scope="module")
def acts():
    """Six acts on things that do not exist, with plausible senses."""
    key = jax.random.key(3)
    spawn = types.Observation(
        image=jnp.zeros((6, 32, 32, 4), jnp.uint8),
        visual_code=0.1 * jax.random.uniform(key, (6, types.VISUAL_CODE)),
        shape_code=jax.random.uniform(key, (6, types.SHAPE_CODE)),
        touch_N=jax.random.normal(key, (6, 2, 3)),
        proprio=0.1 * jax.random.normal(key, (6, 3 * types.JOINTS)),
    )
    skill = jnp.arange(6) % len(types.SKILLS)
    return spawn, skill, jax.random.uniform(key, (6, 4), minval=-1, maxval=1)


def test_the_shipped_model_predicts_what_its_learner_does(acts):
    model, params = nsca_jax.load(SHIPPED)
    spawn, skill, parameters = acts
    foreseen = jax.jit(model.predict)(params, spawn, skill, parameters)
    assert foreseen.motion.shape == (6, types.KNOTS, types.MOTION)
    assert foreseen.outcome.touch_peak_N.shape == (6, 2, 3)
    assert foreseen.outcome_std.broken.shape == (6,)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(foreseen))
    assert float(foreseen.motion_std.min()) > 0
    rows = _rows(*acts)
    config = babble._launch._config.config_dict.ConfigDict(pretrained.read_header(SHIPPED))
    settings = babble.settings_of(config, "competence", 21)
    state = babble.load_learner(settings, SHIPPED)
    nothing = jnp.zeros((6, dynamics.MEMORY))
    mean, std = jax.jit(transfer.open_loop, static_argnums=0)(
        settings.learner, state, rows, nothing
    )
    np.testing.assert_allclose(foreseen.motion[..., :3], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(foreseen.motion_std[..., :3], std, rtol=1e-5, atol=1e-6)


def _rows(spawn, skill, parameters):
    """The acts as interactions of whose course nothing is known."""
    nothing = [jnp.zeros((6, n)) for n in (3, 3, types.SOUND_BANDS, 6, 1, types.VISUAL_CODE)]
    return types.Interaction(
        object_id=skill,
        skill=skill,
        parameters=parameters,
        spawn=spawn,
        motion=jnp.zeros((6, types.KNOTS, types.MOTION)),
        outcome=types.Outcome(*nothing),
        measured=jnp.zeros((6, 5)),
        measured_ok=jnp.zeros((6, 5), bool),
        contact=jnp.ones(6, bool),
        finite=jnp.ones(6, bool),
    )


def test_what_is_remembered_changes_what_is_foreseen(acts):
    model, params = nsca_jax.load(SHIPPED)
    predict = jax.jit(model.predict)
    blank = predict(params, *acts)
    remembered = predict(params, *acts, memory=jnp.ones((6, dynamics.MEMORY)))
    assert float(jnp.abs(blank.outcome.sound - remembered.outcome.sound).max()) > 1e-3


def test_a_model_is_static_and_its_parameters_are_a_tree():
    model, params = nsca_jax.load(SHIPPED)
    assert hash(model) == hash(nsca_jax.load(SHIPPED)[0])
    doubled = jax.tree.map(lambda leaf: 2 * leaf, params)
    assert jax.tree.structure(doubled) == jax.tree.structure(params)


class FakeRun:
    """As much of a run as writes weights."""

    def __init__(self, folder):
        self.workdir, self.config = folder, {"seeds": 2}

    def write_arrays(self, path, arrays):
        """The arrays by name, as a run writes them."""
        checkpoint.write_arrays(path, arrays)


def stacked(init, *example):
    """Two seeds' fresh parameters."""
    both = jax.jit(jax.vmap(lambda key: init(key, *example)))
    return both(jax.random.split(jax.random.key(0)))


def test_an_eye_of_any_seed(tmp_path):
    eye, look = vision.VisionEncoder(), jnp.ones((2, 32, 32, 4), jnp.uint8)
    params = stacked(eye.init, look[0])
    _encoders.save_vision(FakeRun(tmp_path), eye, params, 32, [0, 1])
    for seed in (0, 1):
        model, own = nsca_jax.load(tmp_path / "encoder.npz", seed)
        truth = eye.apply(jax.tree.map(lambda leaf: leaf[seed], params), look)  # noqa: B023
        np.testing.assert_array_equal(model.encode(own, look), truth)
    with pytest.raises(checkpoint.CheckpointError, match="seed 2 is not one of its 2"):
        nsca_jax.load(tmp_path / "encoder.npz", 2)


def test_an_ear(tmp_path):
    ear, sound = audio.AudioEncoder(width=16), jnp.ones((3, 25, types.SOUND_BANDS))
    params = stacked(ear.init, sound[0])
    _weights.save_audio(FakeRun(tmp_path), 16, params, [0, 1])
    model, own = nsca_jax.load(tmp_path / "ear.npz", seed=1)
    truth = ear.apply(jax.tree.map(lambda leaf: leaf[1], params), sound)
    np.testing.assert_array_equal(model.encode(own, sound), truth)


def test_all_senses_and_their_fusion(tmp_path):
    eye, ear = vision.VisionEncoder(), audio.AudioEncoder(width=16)
    modules = fusion.make_modules(eye, ear, 32, 4)
    params = stacked(lambda key: fusion.init(modules, key, 32))
    _weights.save_fusion(FakeRun(tmp_path), modules, params, 32, [0, 1])
    model, own = nsca_jax.load(tmp_path / "fusion.npz")
    sensed = {
        "image": jnp.ones((2, 5, 32, 32, 4), jnp.uint8),
        "sound": jnp.ones((2, 5, types.SOUND_BANDS)),
        "proprio": jnp.ones((2, 5, 15)),
        "touch_N": jnp.ones((2, 5, 2, 3)),
    }
    nothing = {field.name: jnp.zeros((2, 5)) for field in dataclasses.fields(recording.Recording)}
    film = recording.Recording(**nothing | sensed)
    first = jax.tree.map(lambda leaf: leaf[0], params)
    both = jax.jit(lambda own, first: (model.states(own, film), model.states(first, film)))
    state, truth = both(own, first)
    assert state.shape == (2, 5, 512)
    np.testing.assert_array_equal(state, truth)


def test_a_temporal_model(tmp_path):
    config = {"latent": 8, "width": 16, "seeds": 2, "state": "innate", "moments": 40}
    header = {"experiment": "temporal", "arm": "prior", "config": config}
    network, template, seeds = loading.MAKERS["temporal"](header)
    assert seeds == 2
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: rng.normal(size=(2, *leaf.shape)).astype(leaf.dtype), template
    )
    checkpoint.save_weights(tmp_path / "temporal.npz", params, header)
    model, own = nsca_jax.load(tmp_path / "temporal.npz", seed=1)
    assert model == network
    for leaf, whole in zip(jax.tree.leaves(own), jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(leaf, whole[1])


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        nsca_jax.load(tmp_path / "none.npz")
    other = tmp_path / "other.npz"
    other.write_bytes(b"no weights")
    with pytest.raises(checkpoint.CheckpointError, match="damaged"):
        nsca_jax.load(other)
    checkpoint.save_weights(other, {"w": np.ones(1)}, {"experiment": "balloon", "config": {}})
    with pytest.raises(
        checkpoint.CheckpointError, match="made by 'balloon', not by babble, vision"
    ):
        nsca_jax.load(other)
    small = {"experiment": "babble", "config": {"learner": {"width": 8}}}
    checkpoint.save_weights(other, {"w": np.ones(1)}, small)
    with pytest.raises(checkpoint.CheckpointError, match="does not fit"):
        nsca_jax.load(other)
