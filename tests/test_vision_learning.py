"""Learning to see: the losses fall, and without what forbids it codes collapse."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.evaluation import probes
from nsca_jax.models import vision
from nsca_jax.priors import visual
from nsca_jax.training import vision as learning

EYE = vision.VisionEncoder(visual.Innate(gabor=False), width=4)
SETTINGS = learning.Settings(batch=32, steps=80, learning_rate=3e-3)
FILMS, MOMENTS = 20, 4


@pytest.fixture(scope="module")
def looks():
    """Bright squares that move one pixel a moment, elsewhere and of another colour in each film."""
    rng = np.random.default_rng(0)
    image = np.full((FILMS, MOMENTS, 32, 32, 4), 60, np.uint8)
    for film in range(FILMS):
        (x, y), colour = rng.integers(2, 22, 2), rng.integers(100, 255, 4)
        for t in range(MOMENTS):
            image[film, t, y : y + 6, x + t : x + t + 6] = colour
    flat = jnp.asarray(image.reshape(-1, 32, 32, 4))
    keys = jax.random.split(jax.random.key(0), 2)
    return jax.jit(
        lambda x: learning.look(EYE, jax.vmap(learning.relight, (0, None), 1)(keys, x), 40)
    )(flat)


def _pairs():
    first = np.arange(FILMS * MOMENTS).reshape(FILMS, MOMENTS)[:, :-1].ravel()
    return jnp.asarray(np.stack([first, first + 1], 1))


def _learn(looks, settings):
    init, learn = learning.make_learner(EYE, settings)
    state, said = jax.jit(learn, static_argnums=3)(
        init(jax.random.key(1), looks), looks, _pairs(), settings.steps
    )
    cells = looks.pixels[:, 0], looks.responses[:, 0]
    return said, np.asarray(EYE.apply(state.params, *cells, method="encode")), state


def test_losses_fall_and_temporal_consistency_alone_collapses(looks):
    said, codes, state = _learn(looks, SETTINGS)
    assert said["nt_xent"][-10:].mean() < 0.6 * said["nt_xent"][:3].mean()
    assert int(state.step) == SETTINGS.steps
    alone, collapsed, _ = _learn(looks, dataclasses.replace(SETTINGS, nt_xent=0.0, vicreg=0.0))
    assert alone["temporal"][-1] < 0.02
    assert probes.effective_rank(collapsed) < 0.5 * probes.effective_rank(codes)


def test_a_stopped_run_goes_on_as_an_unbroken_one(looks):
    settings = dataclasses.replace(SETTINGS, steps=6)
    init, learn = learning.make_learner(EYE, settings)
    start = init(jax.random.key(1), looks)
    whole, _ = learn(start, looks, _pairs(), 6)
    half, _ = learn(start, looks, _pairs(), 3)
    again, _ = learn(half, looks, _pairs(), 3)
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(again.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_relight_keeps_place_and_barely_touches_depth():
    image = np.full((4, 8, 8, 4), 100, np.uint8)
    image[:, 2:4, 2:4, :3] = 200
    lit = np.asarray(learning.relight(jax.random.key(0), jnp.asarray(image))).astype(float)
    assert (lit[:, 2:4, 2:4, :3].mean((1, 2)) > lit[:, 5:, 5:, :3].mean((1, 2)) + 15).all()
    assert np.abs(lit[..., 3] - 100).max() < 8
    assert np.ptp(lit[..., 5:, 5:, 0].mean((1, 2))) > 5  # every picture has its own light


def test_an_eye_without_filters_looks_too():
    blind = vision.VisionEncoder(visual.Innate(False, False, False))
    seen = learning.look(blind, jnp.zeros((3, 2, 32, 32, 4), jnp.uint8))
    assert seen.responses.shape == (3, 2, 64, 0)
    assert seen.pixels.shape == (3, 2, 64, 64)
