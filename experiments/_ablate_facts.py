"""What was measured of an ablation, and how its conditions compare."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nsca_jax.evaluation import comparisons, stats
from nsca_jax.evaluation.ablation import FULL, SHAM

Record = dict[str, np.ndarray]
ALPHA = 0.05  # of the family of comparisons


class End(NamedTuple):
    """A figure at the end of a life: what it is, its record, and the head of its column."""

    caption: str
    record: str
    head: str


class Words(NamedTuple):
    """How a report tells of a world."""

    unit: str  # of a learning curve's axis
    score: str  # what a learning curve is of
    stream: str  # how life goes there
    level: str  # the baseline that a figure shows
    ends: tuple[End, ...]
    off: Mapping[str, str]  # condition -> what it lacks


class Facts(NamedTuple):
    """What was measured in one world. Records lead with seeds; NaN is a seed that failed."""

    world: str
    tasks: list[str]
    interactions: np.ndarray  # [P]
    updates: np.ndarray  # [P] gradient steps
    records: dict[str, Record]  # by condition
    baseline: dict[str, np.ndarray]  # name -> [tasks]
    failed: dict[str, str]  # job -> why
    words: Words
    stages: int

    @property
    def ablated(self) -> list[str]:
        return [c for c in self.records if c not in (FULL, SHAM)]

    def scores(self, condition: str) -> np.ndarray:
        """[S, P, tasks] `skill`, where less than 0 counts as 0; NaN for a failed seed."""
        record = self.records[condition]
        told = np.concatenate([record["skill"], record["loss"][..., None]], -1)
        fine = np.isfinite(told).all((1, 2), keepdims=True)
        return np.where(fine, np.clip(record["skill"], 0.0, 1.0), np.nan)

    def curves(self, condition: str) -> np.ndarray:
        """[S, P] mean over tasks."""
        return self.scores(condition).mean(-1)

    def areas(self, condition: str) -> np.ndarray:
        """[S, tasks] height of the learning curve, mean over interactions."""
        return stats.learning_area(self.interactions, np.swapaxes(self.scores(condition), 1, 2))

    def area(self, condition: str) -> np.ndarray:
        """[S] the measure that is claimed of."""
        return self.areas(condition).mean(-1)

    def end(self, condition: str, name: str) -> np.ndarray:
        """[S] a figure of the last point, or of the whole life."""
        record = self.records[condition][name]
        last = record if record.ndim == 1 else record[:, -1]
        last = last.mean(-1) if last.ndim == 2 else last
        return np.where(np.isnan(self.area(condition)), np.nan, last)

    def lost(self, condition: str) -> np.ndarray:
        """[S] the full agent's area minus the condition's, paired by seed."""
        return self.area(FULL) - self.area(condition)


class Comparison(NamedTuple):
    """The full agent against one condition; None where fewer than two seeds tell."""

    paired: comparisons.Effect | None
    pooled: comparisons.Effect | None
    paired_t: comparisons.Test | None
    welch: comparisons.Test | None
    improvement: comparisons.Effect | None


def compare(facts: Facts, condition: str) -> Comparison:
    """Effect sizes and tests of the areas, over the seeds that finished."""
    full, other = facts.area(FULL), facts.area(condition)
    both = np.isfinite(full - other)
    if both.sum() < 2 or np.ptp((full - other)[both]) == 0:
        return Comparison(None, None, None, None, None)
    mine, theirs = stats.finished(full)[0], stats.finished(other)[0]
    by_task = {c: facts.areas(c)[np.isfinite(facts.area(c))] for c in (FULL, condition)}
    return Comparison(
        comparisons.paired_effect(full[both], other[both]),
        comparisons.cohens_d(mine, theirs),
        comparisons.paired_t(full[both], other[both]),
        comparisons.welch(mine, theirs),
        comparisons.probability_of_improvement(by_task[FULL], by_task[condition]),
    )


class Holm(NamedTuple):
    """What the family makes of one comparison."""

    paired_p: float
    welch_p: float
    confidence: float  # at which an interval of the paired difference decides alike


def corrected(found: dict[str, Comparison]) -> dict[str, Holm]:
    """Holm's correction over all conditions; one that cannot be compared has p = 1."""
    paired = [1.0 if c.paired_t is None else c.paired_t.p for c in found.values()]
    welch = [1.0 if c.welch is None else c.welch.p for c in found.values()]
    rows = zip(
        comparisons.holm(paired),
        comparisons.holm(welch),
        comparisons.holm_confidence(paired, ALPHA),
        strict=True,
    )
    return {c: Holm(*map(float, row)) for c, row in zip(found, rows, strict=True)}
