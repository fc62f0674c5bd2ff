"""Four ways in which learning goes wrong unseen, each watched by a statistic of the run itself.

    failure                 statistic                                           what helps
    slots collapse          |r| between two open slots, over objects            diversity
    curiosity stalls        new regions per thousand interactions, while        a lower bound
                            regions are left unseen
    EWC is too strong       what a new task gains, of what plain training gains less strength
    the prior holds on      trust in a prior whose error is that of no          a dearer residual,
                            prediction at all                                   a later closing

An alarm fails no criterion: it says where to look, and which config field to turn. Seeds that broke
off are left out; the result counts them. On the host, in numpy; S seeds.
"""

from typing import NamedTuple

import numpy as np

SIMILAR = 0.8  # |r| from which open slots say the same
STALLED = 1.0  # new regions per thousand interactions
HINDERED = 0.8  # share of plain training's gain
TRUSTED = 0.7  # trust above which a prior rules
VIOLATED = 1.0  # prior's error over that of no prediction at all


class Reading(NamedTuple):
    """What a monitor saw."""

    name: str
    statistic: str  # in words
    value: float | None  # None where there was nothing to watch
    limit: float
    alarm: bool
    remedy: str  # the config field, and which way to turn it


def slot_collapse(mean_SxNxF: np.ndarray, open_SxF: np.ndarray, remedy: str) -> Reading:
    """Are open slots alike? Means of N objects; which of F slots are open.

    The value is the mean over seeds of the largest |r| between two open slots.
    """
    largest = []
    for mean_NxF, open_F in zip(mean_SxNxF, open_SxF, strict=True):
        slots = np.asarray(mean_NxF, np.float64)[:, np.asarray(open_F, bool)]
        if not (slots.size and np.isfinite(slots).all()):
            continue
        slots = slots[:, np.ptp(slots, axis=0) > 0]
        if slots.shape[1] > 1:
            r = np.abs(np.corrcoef(slots.T))
            largest.append(np.max(r[~np.eye(len(r), dtype=bool)]))
    value = float(np.mean(largest)) if largest else None
    return _reading(
        "slot_collapse",
        "largest |r| between two open slots, over objects",
        value,
        SIMILAR,
        value is not None and value > SIMILAR,
        remedy,
    )


def curiosity_stalled(visits_SxTxR: np.ndarray, remedy: str) -> Reading:
    """`discovery_stalled`, of the visits of R regions in T stretches of a run."""
    visits = np.asarray(visits_SxTxR)
    seen = (np.cumsum(visits, 1) > 0).sum(-1)
    return discovery_stalled(seen, visits.sum(-1), visits.shape[-1], remedy)


def discovery_stalled(
    seen_SxT: np.ndarray, spent_SxT: np.ndarray, regions: int, remedy: str
) -> Reading:
    """Does the agent still find what it has not seen? T stretches of a run.

    The value is that of the run's last quarter. It is no stall where so little is unseen that even
    to find all of it would not have reached the limit.

    Args:
        seen_SxT: regions ever seen, at the end of each stretch.
        spent_SxT: interactions in each stretch.
        regions: how many there are.
    """
    early = max(1, seen_SxT.shape[1] * 3 // 4)
    fresh = seen_SxT[:, -1] - seen_SxT[:, early - 1]
    spent = np.maximum(spent_SxT[:, early:].sum(1), 1)
    unseen = regions - seen_SxT[:, -1]
    value, missed = (float(np.mean(1000.0 * x / spent)) for x in (fresh, unseen))
    left = float(np.mean(unseen)) / regions
    return _reading(
        "curiosity_stalled",
        f"new regions per thousand interactions, {100 * left:.0f} % of regions still unseen",
        value,
        STALLED,
        value < STALLED <= value + missed,
        remedy,
    )


def ewc_too_strong(matrix_SxTxT: np.ndarray, plain_SxTxT: np.ndarray, remedy: str) -> Reading:
    """Are new tasks still learnt? Accuracies [after task, on task], with and without the penalty.

    The value is the gain on each new task while it is learnt, over that of plain training.
    """
    gain, free = (_gains(np.asarray(x, np.float64)) for x in (matrix_SxTxT, plain_SxTxT))
    fine = np.isfinite(gain + free).all(-1)
    gain, free = gain[fine].sum(), free[fine].sum()
    value = float(gain / free) if free > 0 else None
    return _reading(
        "ewc_too_strong",
        "accuracy gained on a new task, of what plain training gains",
        value,
        HINDERED,
        value is not None and value < HINDERED,
        remedy,
    )


def prior_holds_on(
    weight_S: np.ndarray, prior_error: float, blind_error: float, floor: float, remedy: str
) -> Reading:
    """Is a prior trusted that experience refutes?

    Args:
        weight_S: trust at the end of learning.
        prior_error: mean error of the prior's predictions, as learning counts it.
        blind_error: that of no prediction at all: the outcome's mean square, or log 2 of even odds.
        floor: the least trust; d weight / d raw = 1 - exp(-(weight - floor)), and 0 from weight 1
            on, is the statistic's gradient, told beside it: at 0 no error could move the trust.
    """
    violation = prior_error / max(blind_error, 1e-12)
    said = f"trust in a prior whose error is {violation:.2g} of that of no prediction"
    finite = np.asarray(weight_S, np.float64)[np.isfinite(weight_S)]
    if not finite.size:
        return _reading("prior_holds_on", said, None, TRUSTED, False, remedy)
    weight = float(np.mean(finite))
    slopes = np.where(finite < 1.0, -np.expm1(-np.maximum(finite - floor, 0.0)), 0.0)
    said += f" (its gradient {np.mean(slopes):.2g})"
    alarm = violation > VIOLATED and weight > TRUSTED
    return _reading("prior_holds_on", said, weight, TRUSTED, alarm, remedy)


def _gains(matrix_SxTxT: np.ndarray) -> np.ndarray:
    """[S, T - 1] accuracy on task t > 0 after it, less before it."""
    tasks = np.arange(1, matrix_SxTxT.shape[1])
    return matrix_SxTxT[:, tasks, tasks] - matrix_SxTxT[:, tasks - 1, tasks]


def _reading(name, statistic, value, limit, alarm, remedy) -> Reading:
    return Reading(name, statistic, value, float(limit), bool(alarm), remedy)
