"""Episodic memory: likeness, withheld senses, recency, and who gives way when it is full."""

# pyright cannot count starred arguments.
# pyright: reportCallIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.memory import episodic

STEADY = episodic.Recency(0.0, 100.0)
YES = jnp.array(True)


def _filled(keys_NxD, capacity, surprise=None, seed=0, times=None):
    """Episodes 0 .. N - 1 written in order; content is the episode's number."""
    n = len(keys_NxD)
    surprise = jnp.ones(n) if surprise is None else jnp.asarray(surprise)
    times = jnp.arange(n) if times is None else jnp.asarray(times)
    rows = jnp.asarray(keys_NxD), jnp.arange(n), surprise, times
    draws = jax.random.split(jax.random.key(seed), n)

    def take(held, row):
        *row, draw = row
        return episodic.write(held, *row, draw, YES), None

    empty = episodic.init(jnp.zeros((), jnp.int32), capacity, rows[0].shape[1])
    return jax.lax.scan(take, empty, (*rows, draws))[0]


def test_cosine_by_hand():
    held = _filled([[1.0, 0.0], [1.0, 1.0], [0.0, -2.0]], 4)
    slots, scores = episodic.read(held, jnp.array([3.0, 0.0]), jnp.ones(2, bool), 3, STEADY, k=4)
    np.testing.assert_array_equal(held.content[slots[:3]], [0, 1, 2])
    np.testing.assert_allclose(scores, [1.0, 0.5 + 0.5 / 2**0.5, 0.5, 0.0], atol=1e-6)


def test_a_withheld_sense_counts_on_neither_side():
    """The second number is withheld: it must not matter, in the cue or in any key's length."""
    held = _filled([[1.0, 50.0, 1.0], [1.0, 0.0, 0.9]], 2)
    given = jnp.array([True, False, True])
    for withheld in (0.0, -7.0, 1e6):
        slots, scores = episodic.read(held, jnp.array([2.0, withheld, 2.0]), given, 2, STEADY, k=2)
        np.testing.assert_array_equal(held.content[slots], [0, 1])
        np.testing.assert_allclose(scores[0], 1.0, atol=1e-6)


def test_recency_by_hand():
    """Half of the score fades with a half-life of 10: a twin of age 20 scores 5/8."""
    held = _filled([[1.0], [1.0]], 2, times=[0, 20])
    slots, scores = episodic.read(
        held, jnp.ones(1), jnp.ones(1, bool), 20, episodic.Recency(0.5, 10.0), k=2
    )
    np.testing.assert_array_equal(held.content[slots], [1, 0])
    np.testing.assert_allclose(scores, [1.0, 0.5 + 0.5 / 4], rtol=1e-6)
    twins = episodic.read(held, jnp.ones(1), jnp.ones(1, bool), 20, STEADY, k=2)[1]
    np.testing.assert_allclose(twins, 1.0, rtol=1e-6)


def test_nothing_comes_to_mind_of_an_empty_memory():
    empty = episodic.init(jnp.zeros(()), 3, 2)
    _, score = episodic.read(empty, jnp.ones(2), jnp.ones(2, bool), 0, STEADY)
    assert score[0] == 0.0
    assert not episodic.sample(empty, jax.random.key(0), 5)[1].any()


def test_the_latest_episode_is_always_held_and_an_invalid_one_never():
    held = _filled(np.eye(9), 4)
    assert 8 in held.content
    after = episodic.write(
        held, jnp.ones(9), jnp.int32(77), 1e9, 9, jax.random.key(1), jnp.array(False)
    )
    np.testing.assert_array_equal(after.content, held.content)


@pytest.mark.parametrize("surprise", [0.0, np.inf])
def test_a_surprise_of_any_size_fills_a_slot(surprise):
    """A lot that overflows would look like a free slot."""
    empty = episodic.init(jnp.zeros(()), 2, 1)
    held = episodic.write(empty, jnp.ones(1), 1.0, surprise, 0, jax.random.key(0), YES)
    assert int(held.held.sum()) == 1


def _shares(surprise):
    """How often each of 40 episodes is among the 10 held, over 400 memories."""
    run = jax.jit(jax.vmap(lambda seed: _filled(jnp.zeros((40, 1)), 10, surprise, seed).content))
    held = np.asarray(run(jnp.arange(400)))
    return np.stack([(held == i).any(1).mean() for i in range(40)])


def test_eviction_blind_to_surprise_is_a_fair_sample_of_all_that_happened():
    share = _shares(jnp.ones(40))
    assert abs(share[:20].mean() - share[20:39].mean()) < 0.03
    assert abs(share[:39].mean() - 0.25) < 0.02


def test_the_surprising_is_kept():
    """Every fourth episode surprises six times as much; blind eviction is the control."""
    loud = np.arange(40) % 4 == 0
    share = _shares(jnp.where(loud, 6.0, 1.0))
    assert share[loud][:9].mean() > 2.5 * share[~loud][:29].mean()
    blind = _shares(jnp.ones(40))
    assert blind[loud][:9].mean() < 1.3 * blind[~loud][:29].mean()


def test_sampling_is_from_what_is_held():
    held = _filled(np.eye(3), 5)
    slots, valid = episodic.sample(held, jax.random.key(3), 200)
    assert valid.all()
    assert set(np.asarray(held.content[slots])) == {0, 1, 2}
    assert held.held[slots].all()
