"""The world of hidden properties: its laws, its noise and its control."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.worlds import hidden_properties as world


def _expected(action, **changed):
    """Outcome of one action on an object with all properties .5, and usual weight; q = 1.2."""
    truth = [changed.get(name, 0.5) for name in world.PROPERTIES]
    sensed = jnp.array([[changed.get("weight", 0.0), changed.get("size", 0.0)]])
    acted = jnp.array([[world.ACTIONS.index(action)]])
    return np.asarray(world.expected(jnp.array([truth]), sensed, acted, jnp.array([[1.2]])))[0, 0]


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("drop", [0.6, 0, 0, 0.6, 1.2, 0]),
        ("press", [0, 0.6, 0, 0, 0.6, 0]),
        ("hold", [0, 0.6, 0.6, 0, 1.0, 0]),
        ("induce", [0, 0, 1.1, 0, 0.6, 0]),
        ("snap", [0, 0.6, 0, 0.6, 0.5, 0]),
    ],
)
def test_laws_by_hand(action, wanted):
    np.testing.assert_allclose(_expected(action), wanted, rtol=1e-5)


def test_every_property_shows_in_two_actions_and_every_action_shows_two():
    shows = np.array(
        [
            [not np.allclose(_expected(a), _expected(a, **{p: 0.9})) for p in world.PROPERTIES]
            for a in world.ACTIONS
        ]
    )
    assert (shows.sum(0) == 2).all()
    assert (shows.sum(1) == 2).all()
    assert len({tuple(row) for row in shows}) == 5
    assert not any(np.any(_expected(a) != _expected(a, size=2.0)) for a in world.ACTIONS)


def test_correlation_and_noise_are_as_asked():
    laws = world.laws(jax.random.key(0), 0.5, False, 0.1)
    met = world.sample(jax.random.key(1), laws, 4000, 3)
    r = np.corrcoef(np.asarray(met.truth).T)
    np.testing.assert_allclose(r[~np.eye(5, dtype=bool)], 0.5, atol=0.06)
    clean = world.expected(met.truth, met.sensed, met.action, met.intensity)
    spread = np.std(np.asarray(met.outcome - clean), (0, 1))
    np.testing.assert_allclose(spread, [0.1] * 5 + [1.0], rtol=0.05)


def test_mixing_turns_the_true_channels_alone():
    laws = world.laws(jax.random.key(3), 0.0, True, 0.1)
    mixing = np.asarray(laws.mixing)
    np.testing.assert_allclose(mixing @ mixing.T, np.eye(6), atol=1e-5)
    np.testing.assert_array_equal(mixing[5], np.eye(6)[5])
    assert (np.abs(mixing[:5, :5]) > 0.01).mean() > 0.8


def test_standardised_outcomes_have_no_usual_part():
    laws = world.laws(jax.random.key(0), 0.0, False, 0.1)
    met = world.sample(jax.random.key(1), laws, 300, 10)
    z = np.asarray(world.standardise(world.usual(met), met))
    for action in range(5):
        rows = z[np.asarray(met.action) == action]
        np.testing.assert_allclose(rows.mean(0), 0.0, atol=1e-4)
        np.testing.assert_allclose(rows.std(0), 1.0, atol=1e-3)


def test_shuffling_keeps_the_interactions_and_loses_the_objects():
    laws = world.laws(jax.random.key(0), 0.0, False, 0.05)
    met = world.sample(jax.random.key(1), laws, 400, 10)
    dealt = world.shuffle(jax.random.key(2), met)
    assert sorted(np.ravel(met.intensity)) == sorted(np.ravel(dealt.intensity))
    for part, low, high in ((met, 0.6, 1.0), (dealt, 0.0, 0.2)):
        held = np.asarray(part.action == world.ACTIONS.index("hold"))
        heat = np.asarray(part.outcome[..., 2])
        temperature = np.broadcast_to(np.asarray(part.truth)[:, 2:3], heat.shape)
        r = abs(np.corrcoef(heat[held], temperature[held])[0, 1])
        assert low <= r <= high
