"""Sequences of tasks from 1,797 real handwritten digits, 8x8 pixels, that scikit-learn ships.

(Alpaydin & Kaynak 1998, UCI.) Every split holds as many images of each digit, so that a task with
fewer digits, repeated a whole number of times, has the shape of a task with all of them.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from sklearn import datasets

SIDE = 8
CLASSES = 10
TRAIN_PER_CLASS = 140
TEST_PER_CLASS = 34  # with the former: as many as the rarest digit has


class Tasks(NamedTuple):
    """T tasks, learnt one after the other; N = 1400 training and M = 340 test images each."""

    x_TxNxD: np.ndarray  # float32 in [0, 1], D = 64 pixels row by row
    y_TxN: np.ndarray  # int32
    x_test_TxMxD: np.ndarray
    y_test_TxM: np.ndarray


def permuted(seed: int, tasks: int) -> Tasks:
    """All ten digits; each task but the first shuffles the pixels in its own way."""
    rng = np.random.default_rng(seed)
    train, test = _split(rng)
    orders = [np.arange(SIDE**2), *(rng.permutation(SIDE**2) for _ in range(tasks - 1))]
    return _stack([(_reorder(train, order), _reorder(test, order)) for order in orders])


def rotated(seed: int, degrees: tuple[float, ...]) -> Tasks:
    """All ten digits, turned by so many degrees in each task (bilinear, cut at the border)."""
    train, test = _split(np.random.default_rng(seed))
    return _stack([(_turn(train, angle), _turn(test, angle)) for angle in degrees])


def halves(seed: int) -> Tasks:
    """Two tasks, digits 0 to 4 and then 5 to 9, on the same five labels: they contradict."""
    parts = _split(np.random.default_rng(seed))
    of_task = [[_only(part, range(first, first + 5)) for part in parts] for first in (0, 5)]
    return _stack([tuple((x, y % 5) for x, y in pair) for pair in of_task])


def class_incremental(seed: int, per_task: int = 2) -> Tasks:
    """`per_task` new digits a task, told apart among all ten; it must divide 10.

    Raises:
        ValueError: it does not.
    """
    if per_task < 1 or CLASSES % per_task:
        raise ValueError(f"{per_task} digits a task do not divide the {CLASSES}")
    parts = _split(np.random.default_rng(seed))
    firsts = range(0, CLASSES, per_task)
    return _stack([tuple(_only(p, range(f, f + per_task)) for p in parts) for f in firsts])


Part = tuple[np.ndarray, np.ndarray]  # images [n, 64], labels [n]


def _split(rng: np.random.Generator) -> tuple[Part, Part]:
    """Training and test images, equally many of each digit, in random order."""
    data, target = datasets.load_digits(return_X_y=True)
    images, labels = np.asarray(data / 16.0, np.float32), np.asarray(target, np.int32)
    rows = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(CLASSES)]
    until = TRAIN_PER_CLASS + TEST_PER_CLASS
    train = rng.permutation(np.concatenate([r[:TRAIN_PER_CLASS] for r in rows]))
    test = rng.permutation(np.concatenate([r[TRAIN_PER_CLASS:until] for r in rows]))
    return (images[train], labels[train]), (images[test], labels[test])


def _reorder(part: Part, order: np.ndarray) -> Part:
    return part[0][:, order], part[1]


def _turn(part: Part, degrees: float) -> Part:
    square = part[0].reshape(-1, SIDE, SIDE)
    turned = ndimage.rotate(square, degrees, axes=(2, 1), reshape=False, order=1)
    return np.clip(turned, 0.0, 1.0).reshape(len(square), -1), part[1]


def _only(part: Part, digits: range) -> Part:
    """The images of these digits, repeated to the number of all."""
    images, labels = part
    chosen = np.isin(labels, list(digits))
    times = CLASSES // len(digits)
    return np.tile(images[chosen], (times, 1)), np.tile(labels[chosen], times)


def _stack(pairs: list) -> Tasks:
    train, test = zip(*pairs, strict=True)
    return Tasks(*(np.stack(part) for half in (train, test) for part in zip(*half, strict=True)))
