"""The eye: shapes, what is switched off, a file of eyes; and that it learns to see."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportIndexIssue=false

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _encoders
from experiments._config import BadInput
from nsca_jax.models import vision
from nsca_jax.priors import visual

BLIND = visual.Innate(False, False, False)
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 4), np.uint8)


@pytest.mark.parametrize("innate", [visual.Innate(), BLIND, visual.Innate(depth=False)])
def test_a_code_for_every_picture(innate):
    eye = vision.VisionEncoder(innate)
    params = eye.init(jax.random.key(0), PICTURES[0])
    codes = eye.apply(params, PICTURES.reshape(1, 3, 32, 32, 4))
    assert codes.shape == (1, 3, vision.CODE)
    np.testing.assert_allclose(codes[0, 1], eye.apply(params, PICTURES[1]), atol=1e-4)


def test_an_eye_without_priors_learns_as_many_filters():
    def channels(innate):
        params = vision.VisionEncoder(innate).init(jax.random.key(0), PICTURES[0])["params"]
        return params["cell"]["kernel"].shape

    assert channels(visual.Innate()) == channels(BLIND) == channels(visual.Innate(gabor=False))


def test_cells_first_is_the_same_eye():
    eye = vision.VisionEncoder()
    params = eye.init(jax.random.key(0), PICTURES[0])
    cells = eye.cells(PICTURES)
    np.testing.assert_allclose(
        eye.apply(params, *cells, method="encode"), eye.apply(params, PICTURES), atol=1e-5
    )


def test_eyes_come_back_from_their_file(tmp_path):
    eye = vision.VisionEncoder(visual.Innate(gabor=False), width=4)
    params = jax.vmap(eye.init, (0, None))(jax.random.split(jax.random.key(0), 2), PICTURES[0])
    written = {}
    run = types.SimpleNamespace(
        workdir=tmp_path, config={"a": 1}, write_arrays=lambda path, x: written.update(x)
    )
    path = _encoders.save_vision(run, eye, params, 32, [0, 1])
    np.savez(path, **written)
    again, loaded = _encoders.load_vision(path)
    assert again == eye
    assert jax.tree.structure(loaded) == jax.tree.structure(params)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool(jnp.all(a == b)), loaded, params)))


def test_a_missing_or_foreign_file_of_eyes_is_told_in_a_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"python -m experiments\.vision"):
        _encoders.load_vision(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(BadInput, match="holds no trained eye"):
        _encoders.load_vision(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(BadInput, match="holds no trained eye"):
        _encoders.load_vision(tmp_path / "text.npz")
