"""The tasks: real, balanced, apart, and what they say they are."""

import numpy as np
import pytest

from nsca_jax.data import digits


def _rows(x):
    return {row.tobytes() for row in x}


def test_permuted_tasks_hold_the_same_pixels_in_another_order():
    tasks = digits.permuted(0, 3)
    assert tasks.x_TxNxD.shape == (3, 1400, 64)
    assert tasks.x_test_TxMxD.shape == (3, 340, 64)
    np.testing.assert_array_equal(np.sort(tasks.x_TxNxD[2]), np.sort(tasks.x_TxNxD[0]))
    assert (tasks.x_TxNxD[2] != tasks.x_TxNxD[0]).any(1).mean() > 0.99
    assert np.bincount(tasks.y_TxN[0]).tolist() == [140] * 10
    assert tasks.x_TxNxD.min() >= 0
    assert tasks.x_TxNxD.max() <= 1


def test_training_and_test_images_are_apart():
    tasks = digits.permuted(0, 1)
    assert not _rows(tasks.x_TxNxD[0]) & _rows(tasks.x_test_TxMxD[0])


def test_seeds_split_and_permute_differently_and_repeatably():
    one, other, again = (digits.permuted(seed, 2).x_TxNxD for seed in (0, 1, 0))
    assert (one != other).any()
    np.testing.assert_array_equal(one, again)


def test_quarter_turn_is_exact():
    tasks = digits.rotated(0, (0.0, 90.0))
    square = tasks.x_TxNxD.reshape(2, -1, 8, 8)
    turned = np.rot90(square[0], -1, axes=(1, 2))
    other = np.rot90(square[0], 1, axes=(1, 2))
    error = min(np.abs(square[1] - t).max() for t in (turned, other))
    assert error < 1e-5


def test_halves_share_five_labels():
    tasks = digits.halves(0)
    assert tasks.y_TxN.shape == (2, 1400)
    assert set(tasks.y_TxN[1]) == {0, 1, 2, 3, 4}
    assert not _rows(tasks.x_TxNxD[0]) & _rows(tasks.x_TxNxD[1])


def test_class_incremental_repeats_two_digits():
    tasks = digits.class_incremental(0)
    assert tasks.y_TxN.shape == (5, 1400)
    assert set(tasks.y_TxN[3]) == {6, 7}
    assert len(_rows(tasks.x_TxNxD[3])) <= 280
    assert np.bincount(tasks.y_test_TxM[3]).tolist() == [0] * 6 + [170, 170]
    with pytest.raises(ValueError, match="3 digits a task"):
        digits.class_incremental(0, 3)
