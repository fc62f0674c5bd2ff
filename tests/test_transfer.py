"""Skill, baselines and claims' figures against hand-worked arrays."""

# flax dataclasses have `replace`, and Linen applies to one array, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import types
from nsca_jax.evaluation import babbling_claims, transfer
from nsca_jax.evaluation.babbling_claims import Stage
from nsca_jax.grounding import table
from nsca_jax.models import dynamics
from nsca_jax.training import babbling, experience, learner
from tests import lab

# pyright: reportAttributeAccessIssue=false
# (a struct's replace)

G = 9.81


def outcomes(n=8, **parts):
    """[n, O] of noise, with some parts replaced."""
    vector = jnp.asarray(np.random.default_rng(0).normal(size=(n, dynamics.OUTCOMES)), jnp.float32)
    split = dynamics.split_outcome(vector) | {k: jnp.asarray(v) for k, v in parts.items()}
    return jnp.concatenate([split[name] for name in dynamics.OUTCOME_SIZES], -1)


def test_skill_is_one_where_perfect_and_nought_for_the_mean():
    target = outcomes()
    perfect = transfer.modality_skill(target, target)
    mean = transfer.modality_skill(jnp.broadcast_to(target.mean(0), target.shape), target)
    for name in transfer.MODALITIES:
        assert perfect[name] == 1.0
        assert mean[name] == pytest.approx(0.0, abs=1e-5)
    assert transfer.overall(perfect) == 1.0


def test_skill_by_hand():
    """Broken 0, 0, 1, 1 has variance 1/4; predicted 1/2, 0, 1, 1 its MSE is 1/16."""
    target = outcomes(4, broken=[[0.0], [0.0], [1.0], [1.0]])
    guess = outcomes(4, broken=[[0.5], [0.0], [1.0], [1.0]])
    skill = transfer.modality_skill(guess, target)
    assert skill["broken"] == pytest.approx(1 - (1 / 16) / (1 / 4))
    assert transfer.overall(skill) == pytest.approx((4 + 0.75) / 5)


def test_pose_pools_displacement_and_rotation():
    target = outcomes()
    parts = dynamics.split_outcome(target)
    guess = outcomes(rotation=jnp.broadcast_to(parts["rotation"].mean(0), (8, 3)))
    skill = transfer.modality_skill(guess, target)
    assert skill["pose"] == pytest.approx(0.5, abs=1e-5)  # three dimensions of 1, three of 0
    assert skill["sound"] == 1.0


def test_dimensions_without_variance_are_left_out():
    silent = np.random.default_rng(1).normal(size=(8, types.SOUND_BANDS))
    silent[:, 4:] = 2.0
    target = outcomes(sound=silent.astype(np.float32))
    wrong = silent.copy()
    wrong[:, 4:] = -50.0  # however wrong there
    assert transfer.modality_skill(outcomes(sound=wrong.astype(np.float32)), target)["sound"] == 1.0
    wrong[:, :2] = silent[:, :2].mean(0)  # two of the four that vary
    skill = transfer.modality_skill(outcomes(sound=wrong.astype(np.float32)), target)
    assert skill["sound"] == pytest.approx(0.5, abs=1e-5)


def test_per_dimension_averages_to_one_minus_skill():
    target = outcomes()
    guess = target + 0.3
    expected = 1 - jnp.mean(transfer.per_dimension(guess, target), 0)
    sound = dynamics.split_outcome(expected)["sound"].mean()
    assert transfer.modality_skill(guess, target)["sound"] == pytest.approx(float(sound), rel=1e-5)


def course(seconds=1.0):
    """A course of `seconds`; the ballistic predictor asks only how long it lasted."""
    empty: Any = np.zeros((round(seconds / experience.CONTROL_DT_S) + 1, 1, 12))
    return experience.Course(empty, empty, empty, empty, empty)


def test_ballistic_ends_where_a_thrown_stone_meets_the_table():
    velocity = np.array([[0.5, 0, 0], [0, -0.2, 2.0], [1.0, 1.0, 0], [0, 0, 0]])
    floor = np.array([-0.3, -0.1, 0.0, -0.02])
    end = transfer.ballistic(course(), velocity, floor)
    fall = np.sqrt(2 * 0.3 / G)
    rise = 2.0 / G + np.sqrt(2 * (0.1 + 0.5 * 2.0**2 / G) / G)  # up to the apex, down to the table
    expected = [[0.5 * fall, 0, -0.3], [0, -0.2 * rise, -0.1], [0, 0, 0], [0, 0, -0.02]]
    np.testing.assert_allclose(end, expected, atol=1e-6)


def test_ballistic_in_mid_air_when_time_is_up():
    end = transfer.ballistic(course(0.2), np.array([[1.0, 0, 1.0]]), np.array([-5.0]))
    np.testing.assert_allclose(end, [[0.2, 0, 0.2 - 0.5 * G * 0.04]], atol=1e-6)


def interactions(n: int, objects: int) -> types.Interaction:
    """Plain rows [n] over objects 0 .. objects - 1, all measured."""
    row = jax.tree.map(lambda x: jnp.zeros((n, *x.shape), x.dtype), babbling._example())
    measured = np.random.default_rng(2).normal(1.0, 0.3, (n, 5))
    return row.replace(
        object_id=jnp.arange(n) // 2 % objects,
        measured=jnp.asarray(np.abs(measured), jnp.float32),
        measured_ok=jnp.ones((n, 5), bool),
    )


def test_persistence_says_that_nothing_changes():
    rows = interactions(3, 1)
    spawn = rows.spawn.replace(
        touch_N=jnp.full((3, 2, 3), -2.0), visual_code=jnp.full((3, types.VISUAL_CODE), 0.4)
    )
    said = dynamics.split_outcome(transfer.persistence(rows.replace(spawn=spawn)))
    expected = {"displacement": 0, "rotation": 0, "sound": 0, "broken": 0, "touch": 2, "image": 0.4}
    for name, value in expected.items():
        np.testing.assert_allclose(said[name], value)


def test_the_prior_alone_is_right_of_what_falls_and_wrong_of_what_rises():
    """Of things .3 m above the table; statistics that change nothing."""
    small = learner.LearnerSettings(members=2, width=8, blocks=1, latent=8)
    newborn = jax.jit(lambda key: learner.init(small, key))(jax.random.key(0))
    errors = jax.jit(lambda rows: transfer.prior_errors(small, newborn, rows))
    rows = interactions(3, 1)
    code = jnp.zeros((3, types.VISUAL_CODE)).at[:, dynamics.CENTROID_Z].set(0.34)
    spawn = rows.spawn.replace(visual_code=code.at[:, dynamics.SPREAD_Z].set(0.02))
    fall, speed = -0.5 * G * 0.2**2, -G * 0.2
    motion = jnp.zeros_like(rows.motion).at[..., 2].set(jnp.array([fall] + 4 * [-0.3]))
    motion = motion.at[:, 0, 8].set(speed)
    prior, blind = errors(rows.replace(spawn=spawn, motion=motion))
    assert prior < 1e-10
    assert blind == pytest.approx((fall**2 + speed**2 + 4 * 0.09) / motion[0].size, rel=1e-5)
    prior, blind = errors(rows.replace(spawn=spawn, motion=-motion))
    assert prior > 2 * blind


def test_an_interaction_never_remembers_itself():
    """Changing one row's measures changes others' memory input, not its own."""
    n, objects, row = 24, 3, 7
    rows = interactions(n, objects)
    reference = transfer.table_of(rows, 0, objects)
    before = transfer.crossed_memory(rows, 0, objects, reference, 24)
    changed = rows.replace(measured=rows.measured.at[row].add(5.0))
    after = transfer.crossed_memory(changed, 0, objects, reference, 24)
    np.testing.assert_array_equal(after[row], before[row])
    others = np.flatnonzero(np.asarray(rows.object_id == rows.object_id[row]))
    same_half = others[others % 2 == row % 2]
    np.testing.assert_array_equal(after[same_half], before[same_half])
    other_half = others[others % 2 != row % 2]
    assert (np.abs(after - before)[other_half, :4] > 0).any()
    elsewhere = np.flatnonzero(np.asarray(rows.object_id != rows.object_id[row]))
    np.testing.assert_array_equal(after[elsewhere], before[elsewhere])


def test_memory_of_novel_objects_is_standardised_by_the_known_ones():
    rows = interactions(24, 3)
    reference = transfer.table_of(rows, 0, 3)
    novel = rows.replace(object_id=rows.object_id + 100)
    shifted = transfer.crossed_memory(novel, 100, 3, reference, 24)
    np.testing.assert_array_equal(shifted, transfer.crossed_memory(rows, 0, 3, reference, 24))
    assert (shifted[:, 5:] <= 1).all()
    assert shifted[:, 5:9].all()  # hardness to elasticity are known


def stage(**changes) -> Stage:
    """Four objects and a radio, without held-out interactions."""
    truth = lab.properties(
        5,
        mass_kg=[0.1, 0.2, 0.4, 0.8, 1.6],
        damping_ratio=[0.1, 0.2, 0.3, 0.4, 0.5],
        contact_stiffness=[1e4, 2e4, 3e4, 4e4, 5e4],
        size_m=[(r, 0, 0) for r in (0.02, 0.03, 0.035, 0.04, 0.045)],
        fragility_Ns=[0.1, 0.2, 0.3, np.inf, np.inf],
    )
    body: Any = type("Body", (), {"scene": type("Scene", (), {"properties": truth})})
    nothing = cast(Any, None)
    return dataclasses.replace(Stage(body, ("",) * 5, 5, 4, 0, nothing, nothing), **changes)


def test_true_properties_in_the_order_of_the_table():
    truth = transfer.true_properties(stage().body.scene.properties)
    assert truth.shape == (5, len(types.PROPERTIES))
    np.testing.assert_allclose(truth[0, :2], [1e4, 0.1])
    assert truth[0, 2] == pytest.approx(0.02 * (4 / 3 * np.pi) ** (1 / 3))
    np.testing.assert_allclose(truth[:, 3], [-0.1, -0.2, -0.3, -0.4, -0.5])  # dull is not elastic
    np.testing.assert_array_equal(truth[3:, 4], np.inf)


def test_what_was_never_found_out_is_no_gain():
    """Two seeds: one knows all, in order; the other takes the largest for the smallest."""
    truth = transfer.true_properties(stage().body.scene.properties)[:4]
    values = np.stack([np.where(np.isfinite(truth), truth, 7.0)] * 2)
    known = np.ones((2, 4, 5), bool)
    known[1, 3, 1] = False  # of weight: ranks 2, 3, 4, 1 against 1, 2, 3, 4
    record = {"table_a": values, "table_a_known": known}
    rho = babbling_claims.spearmans(stage(), record, "table", "a")
    np.testing.assert_allclose(rho[0], 1.0)  # fragility over the three that break
    assert rho[1, 1] == pytest.approx(1 - 6 * (1 + 1 + 1 + 9) / (4 * 15))


def test_distractor_shares_by_thirds():
    """Five objects of two regions, six periods; the radio gets 8 of 10, 2 of 10, none."""
    visits = np.zeros((1, 6, 10), int)
    visits[0, :2, 8] = 4  # two periods of four in one of its regions
    visits[0, :2, 0] = 1
    visits[0, 2:4, 9] = 1
    visits[0, 2:4, 3] = 4
    visits[0, 4:, 1] = 3
    np.testing.assert_allclose(babbling_claims.distractor_shares(stage(), visits), [[0.8, 0.2, 0]])


def test_the_hardest_third_is_chosen_by_the_other_seeds():
    """Three regions, two seeds: each seed is judged where the other one found it hard."""
    mine = np.array([[0.9, 0.1, 0.2], [0.3, 0.4, 0.8]])
    rival = np.array([[0.9, 0.3, 0.2], [0.1, 0.2, 0.6]])
    skill = babbling_claims.hardest_third_skill(mine, [mine, rival])
    np.testing.assert_allclose(skill, [1 - 0.2, 1 - 0.3])
    harder = mine.copy()
    harder[0] = [0.1, 9.0, 0.2]  # one's own misfortune moves nobody's own choice
    skill = babbling_claims.hardest_third_skill(harder, [harder, rival])
    np.testing.assert_allclose(skill, [1 - 0.2, 1 - 0.4])


def test_grounding_reads_a_table():
    values, known = transfer.grounding(table.init(4))
    assert values.shape == known.shape == (4, 5)
    assert not known.any()
