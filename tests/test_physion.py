"""Physion's read-out, the innate percepts, and a model that foresees them."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nsca_jax.evaluation import physion as judge
from nsca_jax.models import foresight as model_lib
from nsca_jax.models import vision as eyes
from nsca_jax.priors import figures
from nsca_jax.training import foresight
from nsca_jax.training import vision as looking

RED, YELLOW, GREEN, GREY = (0.8, 0.1, 0.1), (0.9, 0.8, 0.1), (0.1, 0.7, 0.4), (0.6, 0.6, 0.6)


def picture(red=(20, 30), yellow=(50, 40), side=64, half=4):
    """A grey picture with a red and a yellow square about (x, y)."""
    image = np.tile(np.float32(GREY), (side, side, 1))
    for place, colour in ((yellow, YELLOW), (red, RED)):
        if place is not None:
            x, y = place
            image[y - half : y + half, x - half : x + half] = colour
    return image


def test_the_read_out_is_the_official_one():
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal((200, 12)), rng.standard_normal(200)
    y = (x[:, 0] + noise > 0).astype(int)
    answer = judge.read_out(x[:120], y[:120], x[120:], y[120:])
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=20000))
    grid = {"logisticregression__C": [1e-6, 1e-5, 0.01, 0.1, 1, 5, 10, 20]}
    official = GridSearchCV(pipeline, grid, cv=StratifiedKFold(5, shuffle=True, random_state=42))
    official.fit(x[:120], y[:120])
    np.testing.assert_array_equal(answer.right, official.predict(x[120:]) == y[120:])
    assert answer.chosen == official.best_params_["logisticregression__C"]
    assert answer.right.mean() > 0.6
    shuffled = judge.read_out(x[:120], rng.permutation(y[:120]), x[120:], y[120:])
    assert shuffled.right.mean() < 0.65


def test_the_read_out_refuses_what_is_not_finite_or_too_little():
    x, y = np.zeros((20, 2)), np.arange(20) % 2
    with pytest.raises(ValueError, match="finite"):
        judge.read_out(x * np.nan, y, x, y)
    with pytest.raises(ValueError, match="5 rows or more"):
        judge.read_out(x, y * (np.arange(20) < 4), x, y)


def test_scenarios_weigh_the_same_whatever_their_size():
    right = np.array([[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0, 1, 1]], bool)
    scenario = np.array([0, 0, 0, 0, 0, 0, 2, 2])
    np.testing.assert_allclose(judge.mean_accuracy(right, scenario), [0.5, 0.75])
    table = judge.by_scenario(right, scenario, 3)
    np.testing.assert_allclose(table[:, [0, 2]], [[1, 0], [0.5, 1]])
    assert np.isnan(table[:, 1]).all()
    label = np.array([1, 1, 1, 0, 0, 0, 1, 1])
    assert judge.base_rate(label, scenario) == 0.75


def test_the_gain_over_other_trials_is_wider_than_nothing_and_covers_the_mean():
    rng = np.random.default_rng(1)
    scenario = np.repeat([0, 1], 100)
    control = rng.random((4, 200)) < 0.6
    better = control | (rng.random((4, 200)) < 0.5)
    low, high = judge.gain_interval(better, control, scenario, draws=300)
    assert 0 < low < better.mean() - control.mean() < high
    low, high = judge.gain_interval(control, control, scenario, draws=50)
    assert low == high == 0


def test_cutoffs():
    assert (judge.cutoff("collide"), judge.cutoff("roll")) == (15, 45)


def test_colours_are_told_apart_in_light_and_shade():
    for light in (1.0, 0.6, 0.35):
        said = np.asarray(figures.membership(jnp.array([RED, YELLOW, GREEN, GREY]) * light))
        np.testing.assert_allclose(said[:3], np.eye(3), atol=0.1)
        np.testing.assert_allclose(said[3], 0, atol=0.05)


def test_a_percept_tells_where_figures_are_and_how_near():
    tell = jax.jit(figures.percept)
    seen = np.asarray(tell(picture(red=(20, 30))))
    red, yellow, other = seen[:15].reshape(3, 5)
    np.testing.assert_allclose(red[1:3], [20 / 32 - 1, 30 / 32 - 1], atol=0.01)
    np.testing.assert_allclose(yellow[1:3], [50 / 32 - 1, 40 / 32 - 1], atol=0.01)
    np.testing.assert_allclose(red[0], 8 / 64, atol=0.01)
    np.testing.assert_allclose(other, 0)
    np.testing.assert_allclose(seen[figures.NEAR], 0, atol=1e-3)
    near = np.asarray(tell(picture(red=(45, 40))))[figures.NEAR]  # the squares overlap
    assert near[0] > 0.8
    assert (np.diff(near) >= 0).all()
    close = np.asarray(tell(picture(red=(39, 40))))[figures.NEAR]  # three pixels between them
    assert close[0] < 0.05 < 0.5 < close[2]
    np.testing.assert_allclose(np.asarray(tell(picture(red=None)))[:5], 0)


def moving_films(count, seed):
    """Red squares that pass a yellow one at even speed, some of them over it."""
    rng = np.random.default_rng(seed)
    speed, height = rng.uniform(0.4, 1.4, count), rng.integers(14, 52, count)
    pictures = np.stack(
        [
            [picture((int(8 + v * t), int(y)), (48, 32)) for t in range(40)]
            for v, y in zip(speed, height, strict=True)
        ]
    )
    percept = jax.jit(figures.percept)(pictures)
    small = (pictures.reshape(count, 40, 32, 2, 32, 2, 3).mean((3, 5)) * 255).astype(np.uint8)
    looks = jax.jit(functools.partial(looking.look, EYE))(small)
    return foresight.Films(percept, looks.pixels, looks.responses)


EYE = eyes.VisionEncoder(patch=8, width=4, code=8)


def test_what_moves_evenly_is_foreseen_after_learning():
    model = model_lib.Foresight(EYE, width=24)
    init, learn = foresight.make_learner(model, foresight.Settings(batch=16, steps=150, latest=8))
    films = moving_films(24, 0)
    keys = jax.vmap(jax.random.key)(jnp.arange(2))
    newborn = jax.jit(jax.vmap(init, (0, None)))(keys, films)
    many = jax.jit(jax.vmap(functools.partial(learn, steps=150), (0, 0, None)))
    grown, loss = many(newborn, keys, films)
    assert loss.shape == (2, 150)
    assert np.isfinite(loss).all()
    assert (loss[:, -20:].mean(1) < loss[:, :5].mean(1)).all()
    other = moving_films(8, 1)
    begun = jax.tree.map(lambda x: x[:, 2:8], other)  # nothing else is let in
    tell = jax.jit(jax.vmap(functools.partial(foresight.features, model), (0, None)))
    came = other.percept[:, 7 + 2 * np.arange(1, 9), figures.X]
    errors = []
    for learner in (newborn, grown):
        observed, imagined, future = tell(learner.params, begun)
        assert observed.shape[:2] == imagined.shape[:2] == (2, 8)
        assert np.isfinite(observed).all()
        assert np.isfinite(imagined).all()
        error = jnp.abs(future.mean[:, :, :8, figures.X] - came).mean((1, 2))
        errors.append(np.asarray(error))
    still = np.abs(other.percept[:, 7, figures.X][:, None] - came).mean()
    assert (errors[1] < 0.5 * still).all()
    assert (errors[1] < errors[0]).all()
