"""Physion's object-contact read-out: will the red thing touch the yellow one?

As the official evaluation does it (Bear et al. 2021 and its edition 1.5): features of the observed
part, frozen; one classifier over all scenarios, standardised, logistic regression with an L2
penalty whose C is chosen by stratified 5-fold cross-validation; accuracy a scenario, and their
unweighted mean. On the host, in numpy.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

PENALTIES = (1e-6, 1e-5, 0.01, 0.1, 1.0, 5.0, 10.0, 20.0)
FOLDS, FOLD_SEED = 5, 42
CUTOFF, CUTOFF_COLLIDE = 45, 15  # the last observed frame, at 30 Hz
# Accuracy on Physion itself, published: other scenes than physion_like's
PUBLISHED = {
    "humans, mean of eight scenarios (Bear et al. 2021)": 0.747,
    "DPI-Net on true particles (Bear et al. 2021)": 0.752,
    "best model on pixels (Bear et al. 2021)": 0.603,
    "SlotFormer, on pixels (Wu et al. 2023)": 0.671,
}


class Answer(NamedTuple):
    """What a read-out said of N test trials."""

    right: np.ndarray  # [N] bool
    chosen: float  # C
    train: float  # accuracy on what it was fitted to


def cutoff(scenario: str) -> int:
    """The last frame of a scenario that may be observed."""
    return CUTOFF_COLLIDE if scenario == "collide" else CUTOFF


def read_out(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
) -> Answer:
    """Fits features [M, ...] to labels [M] of 0 and 1, and asks of [N, ...].

    Raises:
        ValueError: a feature that is not finite, or a class with fewer rows than folds.
    """
    train_x, test_x = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (train_x, test_x))
    for x in (train_x, test_x):
        if not np.isfinite(x).all():
            raise ValueError("a read-out needs finite features")
    if np.bincount(np.asarray(train_y), minlength=2).min() < FOLDS:
        raise ValueError(f"a read-out needs {FOLDS} rows or more of each label")
    pipeline = Pipeline(
        [("scaler", StandardScaler()), ("classifier", LogisticRegression(max_iter=20_000))]
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=FOLD_SEED)
    search: Any = GridSearchCV(pipeline, {"classifier__C": list(PENALTIES)}, cv=folds)
    with threadpool_limits(1):  # products this small are the slower for being shared
        search.fit(train_x, train_y)
    return Answer(
        search.predict(test_x) == np.asarray(test_y),
        float(search.best_params_["classifier__C"]),
        float(search.score(train_x, train_y)),
    )


def by_scenario(right: np.ndarray, scenario: np.ndarray, scenarios: int) -> np.ndarray:
    """[scenarios] accuracy in each of trials [..., N]; NaN in one without trials."""
    out = np.full((*right.shape[:-1], scenarios), np.nan)
    for number in np.unique(scenario):
        out[..., number] = right[..., scenario == number].mean(-1)
    return out


def mean_accuracy(right: np.ndarray, scenario: np.ndarray) -> np.ndarray:
    """[...] the unweighted mean over the scenarios that occur."""
    return by_scenario(right, scenario, int(scenario.max()) + 1)[..., np.unique(scenario)].mean(-1)


def base_rate(label: np.ndarray, scenario: np.ndarray) -> float:
    """Mean over scenarios of the share of the commoner label in each."""
    shares = [label[scenario == s].mean() for s in np.unique(scenario)]
    return float(np.mean([max(share, 1 - share) for share in shares]))


def gain_interval(
    treated: np.ndarray, control: np.ndarray, scenario: np.ndarray, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the gain in mean accuracy over other test trials and other seeds.

    `treated` and `control` are answers [S, N], right or not; seeds and, within each scenario,
    trials are drawn anew, both arms by the same draw (stratified bootstrap).
    """
    rng = np.random.default_rng(seed)
    gain = treated.astype(float) - control.astype(float)
    rows = [np.flatnonzero(scenario == s) for s in np.unique(scenario)]
    out = np.empty(draws)
    for i in range(draws):
        seeds = rng.integers(len(gain), size=len(gain))
        picked = gain[seeds]
        out[i] = np.mean([picked[:, rng.choice(r, len(r))].mean() for r in rows])
    low, high = np.quantile(out, [0.025, 0.975])
    return float(low), float(high)
