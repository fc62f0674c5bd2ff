"""Semantic memory: joining, founding, merging, forgetting, and what a cue brings to mind."""

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.memory import semantic

RULES = semantic.Rules(radius=1.0, merge=0.5, least=3, patience=100, floor=0.01)
BY = jnp.array([True, True, False])
YES = jnp.array(True)


def _take(held, keys, facts=None, found=None, times=None, by=BY, rules=RULES):
    n = len(keys)
    facts = jnp.zeros((n, 1)) if facts is None else jnp.asarray(facts)
    found = jnp.ones((n, 1), bool) if found is None else jnp.asarray(found)
    times = jnp.arange(n) if times is None else jnp.asarray(times)
    return semantic.consolidate(
        held, jnp.asarray(keys), facts, found, times, jnp.ones(n, bool), by, rules
    )


def test_count_mean_variance_and_facts_by_hand():
    """Two episodes at 0 and .4: mean .2, squared deviations .08; the second found the fact out."""
    keys = [[0.0, 0.0, 5.0], [0.4, 0.0, 9.0]]
    held = _take(semantic.init(4, 3, 1), keys, [[7.0], [3.0]], [[False], [True]], [10, 20])
    np.testing.assert_allclose(held.count, [2, 0, 0, 0])
    np.testing.assert_allclose(held.mean[0], [0.2, 0.0, 7.0], rtol=1e-6)
    np.testing.assert_allclose(held.m2[0], [0.08, 0.0, 8.0], rtol=1e-5)
    np.testing.assert_allclose([held.fact_mean[0, 0], held.fact_count[0, 0]], [3.0, 1.0])
    assert held.last[0] == 20


def test_moments_are_those_of_numpy_after_a_merger():
    """Two founded 1.1 apart, drawn together by what joins them, end as one."""
    places = [-0.55, 0.55] + [-0.2] * 8 + [0.2] * 8
    keys = np.stack([places, np.zeros(18), np.arange(18.0)], 1)
    facts = np.random.default_rng(0).normal(size=(18, 1))
    founded = _take(semantic.init(5, 3, 1), keys[:2], facts[:2])
    assert int(founded.known.sum()) == 2
    apart = RULES._replace(radius=0.5)
    held = _take(founded, keys[2:], facts[2:], rules=apart)
    assert int(held.known.sum()) == 1
    at = int(jnp.argmax(held.count))
    np.testing.assert_allclose(held.mean[at], keys.mean(0), atol=1e-5)
    np.testing.assert_allclose(held.m2[at] / 18, keys.var(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(held.fact_mean[at], facts.mean(0), atol=1e-5)


def test_what_is_far_founds_and_what_does_not_tell_things_apart_is_ignored():
    held = _take(semantic.init(4, 3, 1), [[0, 0, 0.0], [0, 0, 99.0], [0, 3, 0.0]])
    np.testing.assert_allclose(held.count, [2, 1, 0, 0])


def test_distinct_prototypes_do_not_merge():
    held = _take(semantic.init(4, 3, 1), [[0, 0, 0.0], [1.2, 0, 0.0]] * 5)
    np.testing.assert_allclose(held.count, [5, 5, 0, 0])


def test_when_full_the_slightest_and_stalest_gives_way():
    keys = [[0, 0, 0.0], [0, 0, 0.0], [3, 0, 0.0], [6, 0, 0.0], [9, 0, 0.0]]
    held = _take(semantic.init(3, 3, 1), keys)
    assert sorted(np.asarray(held.mean[:, 0])) == [0.0, 6.0, 9.0]


def test_the_slight_is_forgotten_after_a_while_and_the_well_known_never():
    held = _take(semantic.init(4, 3, 1), [[0, 0, 0.0]] * 3 + [[5, 0, 0.0]], times=[1, 2, 3, 4])
    assert int(held.known.sum()) == 2
    soon = _take(held, [[9, 0, 0.0]], times=[100])
    assert int(soon.known.sum()) == 3
    late = _take(held, [[9, 0, 0.0]], times=[105])
    assert sorted(np.asarray(late.mean[late.known][:, 0])) == [0.0, 9.0]


def test_an_invalid_episode_changes_nothing():
    held = _take(semantic.init(4, 3, 1), [[0, 0, 0.0]])
    args = (jnp.ones(3), jnp.zeros(1), jnp.ones(1, bool), 5)
    after = semantic.write(held, *args, jnp.array(False), BY, RULES)
    for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(held), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_cue_is_judged_by_what_varies_little():
    """Both means are as far from the cue; the number that varies within the first says less."""
    rng = np.random.default_rng(1)
    wide = np.c_[rng.normal(0, 0.3, 30), rng.normal(0, 0.01, 30), np.zeros(30)]
    tight = np.c_[rng.normal(3, 0.01, 30), rng.normal(0, 0.01, 30), np.zeros(30)]
    rules = RULES._replace(floor=1e-4)
    held = _take(semantic.init(4, 3, 1), np.concatenate([wide, tight]), rules=rules)
    assert int(held.known.sum()) == 2
    place, nats = semantic.read(held, jnp.array([1.5, 0.0, 0.0]), jnp.ones(3, bool), rules)
    assert held.mean[place, 0] < 1.0
    assert np.isfinite(nats)


def test_a_withheld_number_does_not_matter_and_nothing_known_is_no_answer():
    held = _take(semantic.init(4, 3, 1), [[0, 0, 0.0]] * 4 + [[4, 0, 0.0]] * 4)
    given = jnp.array([True, False, False])
    answers = [
        semantic.read(held, jnp.array([3.9, x, -x]), given, RULES)[0] for x in (0.0, 50.0, -1e4)
    ]
    assert {float(held.mean[a, 0]) for a in answers} == {4.0}
    assert semantic.read(semantic.init(4, 3, 1), jnp.ones(3), given, RULES)[1] == -jnp.inf


def test_consolidation_maps_over_seeds():
    keys = jnp.stack([jnp.zeros((6, 3)), 5.0 * jnp.arange(18.0).reshape(6, 3)])
    one = lambda k: _take(semantic.init(8, 3, 1), k)  # noqa: E731
    held = jax.jit(jax.vmap(one))(keys)
    np.testing.assert_array_equal(held.known.sum(-1), [1, 6])
