"""Scores of disentanglement, on hand-made slots."""

import numpy as np
import pytest

from nsca_jax.evaluation import disentanglement as score


@pytest.fixture
def truth():
    return np.random.default_rng(0).normal(size=(400, 3))


def test_a_permuted_signed_copy_scores_one(truth):
    spare = np.random.default_rng(1).normal(size=(400, 2)) * 1e-3
    slots = np.concatenate([spare, -2 * truth[:, [2, 0, 1]]], 1)
    matched = score.match(score.correlations(slots, truth))
    assert matched.slot.tolist() == [3, 4, 2]
    np.testing.assert_allclose(matched.r, 1.0)
    assert matched.rival.max() < 0.2
    parts = score.dci(slots, truth)
    assert parts.disentanglement > 0.9
    assert parts.completeness > 0.9
    assert parts.informativeness > 0.99


def test_rotated_slots_are_informative_and_not_disentangled(truth):
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    matched = score.match(score.correlations(truth @ turn, truth))
    assert matched.r.mean() < 0.9
    assert matched.rival.max() > 0.4
    parts = score.dci(truth @ turn, truth)
    assert parts.informativeness > 0.99
    assert parts.disentanglement < 0.6


def test_correlations_by_hand():
    slots = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]])
    truth = np.array([[-1.0], [-2.0], [-3.0], [-5.0]])
    r = score.correlations(slots, truth)
    np.testing.assert_allclose(r[0, 0], 6.5 / np.sqrt(5 * 8.75))
    assert r[1, 0] == 0.0  # never varies


def test_one_slot_serves_one_property():
    """Greedy choice would give slot 0 to property 1, and leave 0.1 for property 0."""
    matched = score.match(np.array([[0.8, 0.9], [0.1, 0.7]]))
    assert matched.slot.tolist() == [0, 1]
    assert matched.r.tolist() == [0.8, 0.7]
    assert matched.rival.tolist() == [0.9, 0.1]


def test_a_closed_slot_finds_nothing():
    r = np.array([[0.9, 0.0, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 0.5]])
    assert score.found(r, np.array([0.9, 0.2, 0.9])) == 1


def test_one_slot_is_found_for_one_property_and_gives_way_to_another():
    r = np.array([[0.9, 0.8, 0.0], [0.7, 0.1, 0.0], [0.0, 0.7, 0.0]])
    assert score.found(r[:1], np.ones(1)) == 1
    assert score.found(r[:2], np.ones(2)) == 2  # the first slot leaves the property it fits best
    assert score.found(r, np.ones(3)) == 2


def test_what_cannot_be_scored_is_refused(truth):
    with pytest.raises(ValueError, match="never varies"):
        score.correlations(truth, np.ones((400, 1)))
    with pytest.raises(ValueError, match="finite"):
        score.correlations(truth * np.nan, truth)
