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
from nsca_jax.priors import figures
from nsca_jax.training import foresight

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
        np.testing.assert_array_equal(said[3], 0)


@functools.partial(jax.jit, static_argnums=1)
def perceive(films, naming=1):
    return jax.vmap(lambda film: figures.percept(film, naming))(films)


def test_a_percept_tells_where_things_are_and_how_near():
    films = [[picture(red=place)] for place in ((20, 30), (45, 40), (39, 40), None)]
    things, near = (np.asarray(x)[:, 0] for x in jax.tree.leaves(perceive(jnp.array(films), 1)))
    red, yellow, *others = things[0]
    np.testing.assert_allclose(
        red[figures.X : figures.Y + 1], [20 / 32 - 1, 30 / 32 - 1], atol=0.01
    )
    np.testing.assert_allclose(yellow[1:3], [50 / 32 - 1, 40 / 32 - 1], atol=0.01)
    np.testing.assert_allclose(red[figures.SIZE], 8 / 64, atol=0.01)
    np.testing.assert_array_equal(others, 0)
    np.testing.assert_allclose(near[0], 0, atol=1e-3)
    assert near[1, 0] > 0.8  # the squares overlap
    reaches = len(figures.REACHES_px)
    assert (np.diff(near[1, :reaches]) >= 0).all()
    assert near[2, 0] < 0.05 < 0.5 < near[2, 2]  # three pixels between them
    np.testing.assert_array_equal(things[3, figures.RED], 0)
    np.testing.assert_array_equal(near[3], 0)


def test_red_treads_on_yellow_with_its_foot_alone_though_it_covers_it():
    empty, film = picture(red=None), [picture(red=(50, y)) for y in (38, 40, 34)]
    near = np.asarray(perceive(jnp.array([[empty, *film]]), 1).near)[0, :, -2:]
    np.testing.assert_allclose(near[0], 0, atol=1e-6)
    assert (near[1] > 0.9).all()  # stands on it, and hides most of it
    assert (near[2] > 0.5).all()  # its foot on the nearer edge
    before = np.asarray(perceive(jnp.array([[picture(red=(50, 46))]]), 1).near)[0, 0]
    assert before[0] > 0.5  # in front of it: near in the picture
    np.testing.assert_allclose(before[-2:], 0, atol=1e-6)
    ball = np.zeros((1, 64, 64), np.float32)
    down, across = np.mgrid[:64, :64]
    ball[0][np.hypot(down - 30, across - 30) < 8] = 1
    beside = np.zeros_like(ball)
    beside[0, 28:34, 36:44] = 1  # behind its waist, not beneath it
    low, whole = np.asarray(figures.treading(jnp.array(ball), jnp.array(beside)))[0]
    assert low < 0.01 < 0.5 < whole


def test_light_tells_its_side():
    image = picture(yellow=None)
    image[26:34, 16:20] *= 1.2
    image[26:34, 20:24] *= 0.8
    other = perceive(jnp.array([[image], [image[::-1]], [np.rot90(image)]]), 1).things
    red = np.asarray(other)[:, 0, figures.RED]
    lit = red[:, [figures.LIGHT_ACROSS, figures.LIGHT_DOWN]]
    assert lit[0, 0] < -0.05
    np.testing.assert_allclose(lit[1], lit[0], atol=1e-4)
    np.testing.assert_allclose(lit[2], [0, -lit[0, 0]], atol=1e-4)
    np.testing.assert_allclose(red[:, figures.TONE], red[0, figures.TONE], atol=1e-5)


def test_other_things_keep_their_names_and_mirrors_turn_them():
    film = np.stack([picture(), picture()])
    film[0, 10:20, 10:16], film[1, 10:20, 14:20] = (0.1, 0.7, 0.4), (0.1, 0.7, 0.4)
    film[:, 40:44, 10:16] = (0.2, 0.2, 0.8)
    things = np.asarray(perceive(jnp.array([film]), 1).things)[0]
    green, blue = things[:, 2], things[:, 3]  # the larger one first
    np.testing.assert_allclose(green[:, figures.X], [13 / 32 - 1, 17 / 32 - 1], atol=0.01)
    np.testing.assert_allclose(blue[0], blue[1], atol=1e-6)
    np.testing.assert_array_equal(things[:, 4:], 0)
    turned = np.asarray(perceive(jnp.array([film[:, :, ::-1]]), 1).things)[0]
    mirrored = figures.mirrored(figures.Percept(jnp.array(things), jnp.zeros(3))).things
    np.testing.assert_allclose(turned, mirrored, atol=1e-4)


def moving_films(count, seed):
    """Red squares that pass a yellow one at even speed, some of them over it."""
    rng = np.random.default_rng(seed)
    speed, height = rng.uniform(0.4, 1.4, count), rng.integers(14, 52, count)
    pictures = [
        [picture((int(8 + v * t), int(y)), (48, 32)) for t in range(40)]
        for v, y in zip(speed, height, strict=True)
    ]
    return perceive(jnp.array(pictures), 1)


@pytest.mark.slow
def test_what_moves_evenly_is_foreseen_after_learning():
    model = model_lib.Foresight(width=16)
    settings = foresight.Settings(batch=16, steps=200, latest=8)
    init, learn = foresight.make_learner(model, settings)
    films = moving_films(24, 0)
    keys = jax.vmap(jax.random.key)(jnp.arange(2))
    newborn = jax.jit(jax.vmap(init, (0, None)))(keys, films)
    many = jax.jit(jax.vmap(functools.partial(learn, steps=200), (0, 0, None)))
    grown, loss = many(newborn, keys, films)
    assert loss.shape == (2, 200)
    assert np.isfinite(loss).all()
    assert (loss[:, -20:].mean(1) < loss[:, :5].mean(1)).all()
    other = moving_films(8, 1)
    begun = jax.tree.map(lambda x: x[:, 2:8], other)  # nothing else is let in
    tell = jax.jit(jax.vmap(functools.partial(foresight.features, model), (0, None)))
    imagine = jax.jit(jax.vmap(lambda params: model.apply(params, begun, foresight.IMAGINED)))
    ahead = 7 + model_lib.SPAN * np.arange(1, 7)
    came = other.things[:, ahead, figures.RED, figures.X]
    errors = []
    for learner in (newborn, grown):
        observed, imagined, peak = tell(learner.params, begun)
        assert observed.shape[:2] == imagined.shape[:2] == (2, 8)
        for told in (observed, imagined, peak):
            assert np.isfinite(told).all()
        red = imagine(learner.params).things[:, :, :6, figures.RED, figures.X]
        errors.append(np.asarray(jnp.abs(red - came).mean((1, 2))))
    still = np.abs(other.things[:, 7, figures.RED, figures.X][:, None] - came).mean()
    assert (errors[1] < 0.5 * still).all()
    assert (errors[1] < errors[0]).all()


def test_windows_say_what_came_and_are_turned_towards_yellow():
    films = moving_films(3, 2)
    of = foresight.window(films, jnp.array([1, 2]), jnp.array([5, 20]))
    np.testing.assert_array_equal(of.seen.near[1], films.near[2, 15:21])
    np.testing.assert_array_equal(of.things[0, 3], films.things[1, 5 + 4 * model_lib.SPAN])
    greatest = films.near[2, 15 : 20 + 2 * model_lib.SPAN + 1].max(0)
    np.testing.assert_array_equal(of.near[1, 1, figures.NEARNESSES :], greatest)
    assert of.valid[0].all()
    assert of.valid[1].sum() == (39 - 20) // model_lib.SPAN
    sides = np.ones(figures.MOMENTS)
    sides[list(figures.SIDED)] = -1
    np.testing.assert_array_equal(foresight.leftward(of.seen), [False, False])
    seen = foresight.mirror(of.seen, jnp.array([False, True]))
    np.testing.assert_array_equal(seen.things[1], of.seen.things[1] * sides)
    np.testing.assert_array_equal(foresight.leftward(seen), [False, True])
    turned = foresight.turned(of.replace(seen=seen, things=of.things.at[1].multiply(sides)))
    jax.tree.map(np.testing.assert_array_equal, turned, of)
    hidden = figures.Percept(seen.things.at[:, :, figures.YELLOW].set(0), seen.near)
    np.testing.assert_array_equal(foresight.leftward(hidden), False)


def test_features_are_the_same_in_a_mirror():
    model = model_lib.Foresight(width=8)
    seen = jax.tree.map(lambda x: x[:, 2:8], moving_films(3, 3))
    params = model.init(jax.random.key(0), seen, foresight.IMAGINED)
    told = foresight.features(model, params, seen)
    again = foresight.features(model, params, figures.mirrored(seen))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), told, again)
