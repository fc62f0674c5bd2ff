"""The guard: its two suspicions by hand, its promise on clean rows, and what it keeps out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.evaluation import poison
from nsca_jax.grounding import table as table_lib
from nsca_jax.robustness import detection


def _clean(key, rows):
    """Residuals [rows, 64] and disagreements [rows] of a made-up sensor."""
    key_r, key_d = jax.random.split(key)
    return 0.02 * jax.random.normal(key_r, (rows, 64)), jax.random.exponential(key_d, (rows,))


def test_surprise_by_hand():
    """(log(1 + 1) + log(1 + 9)) / 2."""
    value = detection.surprise(jnp.array([0.1, 0.3]), jnp.array([0.1, 0.1]))
    np.testing.assert_allclose(value, (np.log(2) + np.log(10)) / 2, rtol=1e-6)


def test_disagreement_is_nothing_among_equals_and_log_l_among_opposites():
    equals = jnp.tile(jnp.array([0.2, 0.3, 0.5]), (4, 2, 1))
    np.testing.assert_allclose(detection.disagreement(equals), 0.0, atol=1e-6)
    opposites = jnp.eye(3)[:, None, :]
    np.testing.assert_allclose(detection.disagreement(opposites), np.log(3), rtol=1e-6)


def test_disagreement_of_certain_members_has_a_finite_gradient():
    grad = jax.grad(detection.disagreement)(jnp.eye(3)[:, None, :])
    assert np.isfinite(grad).all()


def test_calibration_holds_on_clean_rows_and_notices_small_noise_everywhere():
    detector = detection.calibrate(*_clean(jax.random.key(0), 800), rate=0.05)
    residual, apart = _clean(jax.random.key(1), 4000)
    limits = detector.surprise_limit, detector.disagreement_limit

    def refused(residual):
        surprise = jax.vmap(detection.surprise, (0, None))(residual, detector.spread) / limits[0]
        return float(detection.uncertain(jnp.maximum(surprise, apart / limits[1])).mean())

    assert 0.03 < refused(residual) < 0.07
    assert refused(residual + 0.04 * jnp.sign(residual)) > 0.99


def test_limits_are_order_statistics():
    """Of 9 rows at rate 0.4 each suspicion may refuse 2 of 10: the limit is the eighth."""
    apart = jnp.array([9.0, 1, 2, 3, 4, 5, 6, 7, 8])
    detector = detection.calibrate(jnp.ones((9, 4)), apart, 0.4)
    assert detector.disagreement_limit == 8.0


def test_too_few_clean_rows_cannot_bound_the_rate():
    with pytest.raises(ValueError, match="20 clean observations cannot bound"):
        detection.calibrate(*_clean(jax.random.key(0), 20), rate=0.05)


def test_what_is_no_number_is_uncertain():
    np.testing.assert_array_equal(
        detection.uncertain(jnp.array([0.5, 1.0, 1.5, jnp.nan])), [False, False, True, True]
    )


def test_guard_keeps_uncertain_rows_out_of_the_table():
    ok = jnp.ones((3, 5), bool).at[2, 0].set(False)
    uncertain = jnp.array([False, True, False])
    held = detection.guard(ok, uncertain)
    np.testing.assert_array_equal(held.sum(1), [5, 0, 4])
    measured = jnp.array([1.0, 100.0, 3.0])[:, None] * jnp.ones((3, 5))
    table = table_lib.update(
        table_lib.init(1), jnp.zeros(3, jnp.int32), measured, held, jnp.zeros(3)
    )
    values, _ = table_lib.estimate(table)
    np.testing.assert_allclose(values[0, :4], [1.0, 2.0, 2.0, 2.0])


def _levels():
    """Six objects whose four measures are 0 .. 5: levels 0 0 1 1 2 2."""
    measured = jnp.tile(jnp.arange(6.0)[:, None], (1, 5))
    ok = jnp.ones((6, 5), bool).at[5, 1].set(False)
    table = table_lib.update(table_lib.init(6), jnp.arange(6), measured, ok, jnp.zeros(6))
    return poison.levels(table, 3)


def test_levels_cut_known_objects_evenly():
    levels = _levels()
    np.testing.assert_array_equal(levels.level[:, 0], [0, 0, 1, 1, 2, 2])
    np.testing.assert_allclose(levels.centre[0], [0.5, 2.5, 4.5])
    np.testing.assert_array_equal(levels.known[:, 1], [True] * 5 + [False])
    np.testing.assert_array_equal(levels.level[:5, 1], [0, 0, 1, 1, 2])  # of five that are known


def test_a_flipped_answer_poisons_an_entry_unless_the_guard_holds_it():
    levels, ids = _levels(), jnp.arange(6)
    flipped = levels.level.at[3, 0].set(2).at[4, 2].set(0)
    believed = jnp.zeros(6, bool)

    def said(answer, uncertain):
        return poison.table_levels(levels, poison.enter(levels, ids, answer, uncertain))

    def spoilt(uncertain):
        return poison.poisoned(said(levels.level, believed), said(flipped, uncertain))

    np.testing.assert_array_equal(np.argwhere(spoilt(believed)), [[3, 0], [4, 2]])
    np.testing.assert_array_equal(np.argwhere(spoilt(believed.at[3].set(True))), [[4, 2]])


def test_objects_of_the_same_levels_share_a_prototype_and_its_facts():
    """0 and 1, 2 and 3; but not 4 and 5, of which one lacks a level."""
    levels = _levels()
    held = poison.remember(levels, jnp.arange(6), levels.level, jnp.zeros(6, bool))
    np.testing.assert_allclose(held.count, [2, 2, 1, 1, 0, 0])
    np.testing.assert_allclose(held.fact_mean[:3, 0], [0.5, 2.5, 4.5])
    level, known = poison.recalled_levels(levels, held)
    np.testing.assert_array_equal(level, levels.level)
    assert known.all()


def test_a_flipped_answer_poisons_what_its_kind_recalls_unless_the_guard_holds_it():
    """Objects 2 and 3 are one kind. Told 2.5, 4.5 and 4.5, it recalls 3.8, which is nearer 4.5."""
    levels, ids = _levels(), jnp.array([0, 1, 2, 3, 3, 4, 5])
    right = levels.level[ids]
    flipped = right.at[3:5, 0].set(2).at[5, 2].set(0)
    believed = jnp.zeros(7, bool)

    def spoilt(uncertain):
        held = [poison.remember(levels, ids, *x) for x in ((right, believed), (flipped, uncertain))]
        return poison.poisoned(*(poison.recalled_levels(levels, x) for x in held))

    np.testing.assert_array_equal(np.argwhere(spoilt(believed)), [[2, 0], [3, 0], [4, 2]])
    np.testing.assert_array_equal(np.argwhere(spoilt(believed.at[3:5].set(True))), [[4, 2]])


def test_a_kind_whose_every_look_is_uncertain_is_not_remembered():
    levels, uncertain = _levels(), jnp.arange(6) < 2
    held = poison.remember(levels, jnp.arange(6), levels.level, uncertain)
    assert held.count.sum() == 4
    _, known = poison.recalled_levels(levels, held)
    np.testing.assert_array_equal(known.all(1), ~uncertain)
    nothing = poison.remember(levels, jnp.arange(6), levels.level, jnp.ones(6, bool))
    assert not poison.recalled_levels(levels, nothing)[1].any()
