"""Linear read-outs of frozen features: how much of the truth they tell; on the host, in numpy.

A read-out is ridge regression on standardised features. Its penalty is chosen by cross-validation
over whole groups (interactions) of the training part, so that the frames of one film never stand on
both sides. Labels are truth: a read-out scores features and trains nothing else.

Shapes: S seeds, N rows, D features, P targets, C classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PENALTIES = np.logspace(-4, 4, 17)  # times D: the mean square of a row of standardised features
FOLDS = 5
SPREAD_FLOOR = 0.1  # of the features' mean spread: one that hardly varied must not speak loudest


class Probe(NamedTuple):
    """A fitted read-out: (x - mean) / scale @ weight + bias."""

    mean: np.ndarray  # [D]
    scale: np.ndarray  # [D]
    weight: np.ndarray  # [D, P]
    bias: np.ndarray  # [P]
    penalty: np.ndarray  # [P]


def fit(
    x_NxD: np.ndarray,
    y_NxP: np.ndarray,
    group_N: np.ndarray,
    weight_N: np.ndarray | None = None,
    together: bool = False,
) -> Probe:
    """Ridge regression; `weight_N` weighs rows, `together` chooses one penalty for all targets.

    Raises:
        ValueError: a value that is not finite, unequal lengths, or fewer than two groups.
    """
    x, y = np.asarray(x_NxD, np.float64), np.asarray(y_NxP, np.float64)
    if not (len(x) == len(y) == len(group_N)):
        raise ValueError(f"a probe needs equal lengths: {len(x)}, {len(y)} and {len(group_N)}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a probe needs finite features and targets")
    share = np.ones(len(x)) if weight_N is None else np.asarray(weight_N, np.float64)
    share = share / share.sum()
    mean, bias = share @ x, share @ y
    variance = share @ (x - mean) ** 2
    scale = np.sqrt(variance + SPREAD_FLOOR**2 * variance.mean()) + 1e-12
    root = np.sqrt(len(x) * share)[:, None]
    rows, target = root * (x - mean) / scale, root * (y - bias)
    penalties = PENALTIES * x.shape[1]
    basis, power = _principal(rows)
    error_LxP = _left_out(basis, power, target, fold_of(group_N), penalties)
    if together:
        error_LxP = np.repeat(error_LxP.mean(1, keepdims=True), y.shape[1], 1)
    penalty = penalties[error_LxP.argmin(0)]
    alpha = basis @ ((basis.T @ target) / (power[:, None] + penalty))
    return Probe(mean, scale, rows.T @ alpha, bias, penalty)


def predict(probe: Probe, x_NxD: np.ndarray) -> np.ndarray:
    """[N, P]."""
    return (np.asarray(x_NxD, np.float64) - probe.mean) / probe.scale @ probe.weight + probe.bias


def fit_classes(x_NxD: np.ndarray, label_N: np.ndarray, classes: int, group_N) -> Probe:
    """A ridge classifier: regression on one-hot labels, in which every class weighs the same.

    A class that the rows lack is never answered.
    """
    label = np.asarray(label_N)
    count = np.bincount(label, minlength=classes)
    return fit(x_NxD, np.eye(classes)[label], group_N, 1.0 / count[label], together=True)


def classify(probe: Probe, x_NxD: np.ndarray) -> np.ndarray:
    """[N] the class of the largest answer."""
    return predict(probe, x_NxD).argmax(1)


def r2(truth_NxP: np.ndarray, said_NxP: np.ndarray) -> np.ndarray:
    """[P] 1 - squared error / variance; below 0 for a read-out worse than the mean.

    Raises:
        ValueError: a target that never varies.
    """
    variance = np.var(truth_NxP, 0, dtype=np.float64)
    if (variance == 0).any():
        raise ValueError("R^2 of a target that never varies is not defined")
    return 1.0 - np.mean((truth_NxP - said_NxP) ** 2, 0, dtype=np.float64) / variance


def balanced_accuracy(label_N: np.ndarray, said_N: np.ndarray) -> float:
    """Mean over the classes in `label_N` of the share recognised; chance is 1 / their number."""
    return float(np.mean([np.mean(said_N[label_N == c] == c) for c in np.unique(label_N)]))


class Rows(NamedTuple):
    """Features and truth of one part of one seed."""

    x: np.ndarray  # [N, D]
    targets: np.ndarray  # [N, P] to regress on
    label: np.ndarray  # [N] int class
    group: np.ndarray  # [N] int, the interaction


def read_out(train: Rows, test: Rows, classes: int) -> np.ndarray:
    """[P + 1]: R^2 of each target, then balanced accuracy of the class, on `test`."""
    regression = fit(train.x, train.targets, train.group)
    classifier = fit_classes(train.x, train.label, classes, train.group)
    told = r2(test.targets, predict(regression, test.x))
    return np.append(told, balanced_accuracy(test.label, classify(classifier, test.x)))


def read_outs(train: Sequence[Rows], test: Sequence[Rows], classes: int) -> np.ndarray:
    """[S, P + 1] `read_out` of every seed."""
    return np.stack([read_out(*rows, classes) for rows in zip(train, test, strict=True)])


def effective_rank(codes_NxD: np.ndarray) -> float:
    """exp of the entropy of the singular values' shares, from 1 (collapsed) to min(N, D).

    Roy and Vetterli (2007); as a measure of collapse, of codes that are not centred, Garrido et
    al. (2023), "RankMe". NaN where a code is not finite.
    """
    if not np.isfinite(codes_NxD).all():
        return float("nan")
    values = np.linalg.svd(np.asarray(codes_NxD, np.float64), compute_uv=False)
    share = values / values.sum()
    return float(np.exp(-np.sum(share * np.log(share + 1e-12))))


def fold_of(group_N: np.ndarray) -> np.ndarray:
    """[N] the fold, of at most FOLDS, in which each row is left out; a group stays whole.

    Raises:
        ValueError: fewer than two groups.
    """
    groups, number = np.unique(group_N, return_inverse=True)
    if len(groups) < 2:
        raise ValueError("cross-validation needs two groups or more")
    return number % min(FOLDS, len(groups))


def _principal(rows_NxD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors [N, R] and squared singular values [R], by the smaller Gram matrix."""
    n, d = rows_NxD.shape
    if n <= d:
        power, basis = np.linalg.eigh(rows_NxD @ rows_NxD.T)
        return basis, np.maximum(power, 0.0)
    power, axes = np.linalg.eigh(rows_NxD.T @ rows_NxD)
    kept = power > 1e-10 * power[-1]
    return rows_NxD @ axes[:, kept] / np.sqrt(power[kept]), power[kept]


def _left_out(basis, power, target_NxP, fold_N, penalties_L) -> np.ndarray:
    """[L, P] mean squared error of each fold predicted from the others, in closed form.

    Ridge predicts H y; without fold F it misses F by (I - H_FF)^-1 (y - H y)_F.
    """
    error = np.zeros((len(penalties_L), target_NxP.shape[1]))
    inside = basis.T @ target_NxP
    for i, penalty in enumerate(penalties_L):
        shrink = power / (power + penalty)
        missed = target_NxP - basis @ (shrink[:, None] * inside)
        for fold in np.unique(fold_N):
            part = fold_N == fold
            hat = (basis[part] * shrink) @ basis[part].T
            error[i] += np.sum(np.linalg.solve(np.eye(len(hat)) - hat, missed[part]) ** 2, 0)
    return error / len(target_NxP)
