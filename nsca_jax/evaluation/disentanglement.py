"""How well free slots stand for true properties, one each; on the host, in numpy.

Shapes: N objects, F slots, P properties, F >= P.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from sklearn import config_context
from sklearn.linear_model import LassoCV

FOUND = 0.6  # |r| from which a slot stands for a property
ACTIVE = 0.5  # activation from which a slot is open


class Match(NamedTuple):
    """One-to-one assignment of slots to properties by |r|."""

    slot: np.ndarray  # [P] int, the slot that stands for each property
    r: np.ndarray  # [P] |r| with it; their mean is the mean correlation coefficient, MCC
    rival: np.ndarray  # [P] the slot's largest |r| with any other property


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness, each at most 1: Eastwood & Williams."""

    disentanglement: float
    completeness: float
    informativeness: float


def correlations(slots_NxF: np.ndarray, truth_NxP: np.ndarray) -> np.ndarray:
    """|Pearson r| [F, P]; 0 where a slot never varies.

    Raises:
        ValueError: a property that never varies, or a value that is not finite.
    """
    slots, truth = np.float64(slots_NxF), np.float64(truth_NxP)
    if not (np.isfinite(slots).all() and np.isfinite(truth).all()):
        raise ValueError("correlations need finite values")
    if (np.ptp(truth, 0) == 0).any():
        raise ValueError("a property that never varies correlates with nothing")
    a, b = slots - slots.mean(0), truth - truth.mean(0)
    norm = np.linalg.norm(a, axis=0)[:, None] * np.linalg.norm(b, axis=0)
    return np.abs(a.T @ b) / np.where(norm > 0, norm, np.inf)


def match(r_FxP: np.ndarray) -> Match:
    """The assignment with the largest summed |r| (Hungarian algorithm)."""
    slot, column = linear_sum_assignment(-r_FxP)
    slot = slot[np.argsort(column)]
    own = np.arange(r_FxP.shape[1])
    others = np.where(np.eye(len(own), dtype=bool), 0.0, r_FxP[slot])
    return Match(slot, r_FxP[slot, own], others.max(1))


def found(r_FxP: np.ndarray, activation_F: np.ndarray) -> int:
    """How many properties can have an open slot of their own with |r| above FOUND.

    The largest matching of such pairs (Hopcroft & Karp 1973): one slot counts for one property.
    """
    pairs = (r_FxP > FOUND) & (activation_F > ACTIVE)[:, None]
    return int(np.sum(maximum_bipartite_matching(csr_array(pairs)) >= 0))


def dci(slots_NxF: np.ndarray, truth_NxP: np.ndarray) -> DCI:
    """DCI by lasso: Eastwood & Williams (2018). Odd objects train the read-out, even ones judge it.

    The importance of a slot for a property is the size of its weight on standardised slots.
    """
    slots, truth = _standard(slots_NxF), _standard(truth_NxP)
    importance = np.zeros((slots.shape[1], truth.shape[1]))
    error = np.zeros(truth.shape[1])
    for p in range(truth.shape[1]):
        with config_context(assume_finite=True, skip_parameter_validation=True):
            fit = LassoCV(cv=5, alphas=30).fit(slots[1::2], truth[1::2, p])
        importance[:, p] = np.abs(fit.coef_)
        error[p] = np.mean((fit.predict(slots[::2]) - truth[::2, p]) ** 2)
    by_slot = 1 - _entropy(importance, 1)
    share = importance.sum(1) / max(importance.sum(), 1e-12)
    completeness = float(np.mean(1 - _entropy(importance, 0)))
    return DCI(float(by_slot @ share), completeness, float(1 - error.mean()))


def _entropy(importance: np.ndarray, axis: int) -> np.ndarray:
    """Entropy along `axis`, in units of its largest value; 1 where nothing is important."""
    total = importance.sum(axis, keepdims=True)
    uniform = np.full_like(importance, 1 / importance.shape[axis])
    p = np.where(total > 0, importance / np.where(total > 0, total, 1), uniform)
    logs = np.log(np.where(p > 0, p, 1))
    return -np.sum(p * logs, axis) / np.log(importance.shape[axis])


def _standard(x: np.ndarray) -> np.ndarray:
    centred = np.asarray(x, np.float64) - np.mean(x, 0, np.float64)
    spread = centred.std(0)
    return centred / np.where(spread > 0, spread, 1)
