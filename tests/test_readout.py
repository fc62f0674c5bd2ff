"""Reading properties off looks, and the looks' reconstruction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.models import vision
from nsca_jax.training import readout

SETTINGS = readout.ReadOutSettings(
    properties=2, levels=3, members=2, width=16, code=32, steps=600, batch=32
)


def _looks(rows):
    """16 x 16 looks of a bright square; its colour is the first property, its depth the second."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, (rows, 2)).astype(np.int32)
    looks = np.full((rows, 16, 16, 4), 100, np.uint8)
    for look, (colour, depth), (x, y) in zip(looks, level, rng.integers(0, 10, (rows, 2))):  # noqa: B905
        look[x : x + 6, y : y + 6, colour] = 220
        look[x : x + 6, y : y + 6, 3] = 40 + 80 * depth
    return jnp.asarray(looks), jnp.asarray(level)


@pytest.fixture(scope="module")
def learnt():
    looks, level = _looks(300)
    known = jnp.ones_like(level, bool).at[:, 1].set(False)
    learn = jax.jit(lambda key, *data: readout.learn(SETTINGS, key, *data))
    state, losses = learn(jax.random.key(0), looks[:200], level[:200], known[:200])
    read = jax.vmap(lambda look: readout.read(SETTINGS, state, look / 255.0))
    probs, residual = read(looks[200:])
    return state, losses, probs, residual, looks[200:], level[200:]


def test_it_learns_what_is_known_and_nothing_else(learnt):
    _, losses, probs, _, _, level = learnt
    right = jnp.mean(jnp.argmax(jnp.mean(probs, 1), -1) == level, 0)
    assert right[0] > 0.9
    assert right[1] < 0.65
    assert losses[-10:].mean() < 0.5 * losses[:10].mean()


def test_it_reconstructs_more_than_the_usual_look(learnt):
    state, _, _, residual, looks, _ = learnt
    departure = looks / 255.0 - state.usual
    assert jnp.mean(residual**2) < 0.6 * jnp.mean(departure**2)


def test_members_start_apart(learnt):
    _, _, probs, _, _, _ = learnt
    np.testing.assert_allclose(probs.sum(-1), 1.0, rtol=1e-5)
    assert jnp.abs(probs[:, 0] - probs[:, 1]).max() > 1e-3


def test_joined_patches_are_what_was_split():
    image = jax.random.normal(jax.random.key(0), (2, 16, 24, 4))
    blocks = vision.split_patches(image, 8)
    np.testing.assert_array_equal(vision.join_patches(blocks, 8, 16, 24), image)
