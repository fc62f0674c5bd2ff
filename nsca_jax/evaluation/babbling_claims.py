"""What babbling must show: the figures of each arm, and what they are compared with."""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax import types
from nsca_jax.evaluation import stats, transfer
from nsca_jax.models import dynamics
from nsca_jax.training import babbling, experience
from nsca_jax.types import PROPERTIES


@dataclasses.dataclass
class Stage:
    """What all arms share: the bodies, their names and the held-out interactions.

    Objects are numbered Set A first, then the distractor if there is one, then Set B.
    """

    body: experience.Body
    names: tuple[str, ...]
    known: int  # objects that are explored: Set A and the distractor
    count_a: int
    count_b: int
    held_a: transfer.HeldOut
    held_b: transfer.HeldOut

    @property
    def first_b(self) -> int:
        """Number of Set B's first object."""
        return self.known


def record(settings: babbling.BabbleSettings, stage: Stage, state, scores: dict) -> dict:
    """One arm's figures as plain arrays, seeds first: what the claims and the report need."""
    out = {"visits": np.asarray(state.visits), "bad_worlds": np.asarray(state.bad_worlds)}
    out["broken_promises"] = np.asarray(state.broken_promises)
    out["failed"] = np.asarray(state.learner.optimiser.fault) >= 0
    for part, score in scores.items():
        out[f"overall_{part}"] = np.asarray(score.overall)
        out[f"position_error_{part}"] = np.asarray(score.position_error_m)
        out[f"coverage_{part}"] = np.asarray(score.coverage)
        out[f"trust_{part}"] = np.asarray(score.trust)
        out[f"prior_error_{part}"] = np.asarray(score.prior_error)
        out[f"blind_error_{part}"] = np.asarray(score.blind_error)
        for modality in transfer.MODALITIES:
            out[f"skill_{part}_{modality}"] = np.asarray(score.skill[modality])
    regions = stage.count_a * len(types.SKILLS) * settings.bins
    out["region_error"] = np.asarray(scores["a"].region_error)[:, :regions]
    seeds = range(settings.seeds)
    for name, tables in (("table", state.table), ("shuffled", state.shuffled)):
        pairs = [transfer.grounding(jax.tree.map(lambda x, s=s: x[s], tables)) for s in seeds]
        out[f"{name}_a"] = np.stack([v for v, _ in pairs])[:, : stage.count_a]
        out[f"{name}_a_known"] = np.stack([k for _, k in pairs])[:, : stage.count_a]
    pairs = [_novel_table(stage, s, settings.seeds) for s in seeds]
    out["table_b"] = np.stack([v for v, _ in pairs])
    out["table_b_known"] = np.stack([k for _, k in pairs])
    return out


def baselines(stage: Stage) -> dict:
    """Figures of the predictors without learning, one number each, on both held-out sets."""
    out = {}
    for name, held in (("a", stage.held_a), ("b", stage.held_b)):
        skill = _persistence_skill(held.rows)
        out[f"persistence_{name}"] = {m: float(v) for m, v in skill.items()}
        end = ballistic_end(stage, held)
        miss = np.asarray(held.rows.motion[:, -1, :3]) - end
        out[f"ballistic_{name}_m"] = float(np.mean(np.linalg.norm(miss, axis=-1)))
    return out


@jax.jit
def _persistence_skill(rows: types.Interaction) -> dict[str, jax.Array]:
    """By modality, and overall."""
    target = dynamics.outcome_vector(rows.outcome)
    skill = transfer.modality_skill(transfer.persistence(rows), target)
    return {**skill, "overall": transfer.overall(skill)}


def ballistic_end(stage: Stage, held: transfer.HeldOut) -> np.ndarray:
    """End displacement [n, 3] m of the ballistic predictor, given the true rest height."""
    rest = np.asarray(stage.body.scene.rest_height_m)[np.asarray(held.rows.object_id)]
    floor = rest - held.course.qpos[0, :, 2]
    return transfer.ballistic(held.course, np.array(held.course.velocity_m_s), floor)


def spearmans(stage: Stage, record: dict, table: str, part: str) -> np.ndarray:
    """Spearman of each property's estimates with the truth: [S, 5].

    Objects whose property the agent never found out count as its smallest estimate, so that
    ignorance is never a gain; fragility is judged over breakable objects. NaN where fewer than
    three objects can be judged.
    """
    properties = jax.tree.map(np.asarray, stage.body.scene.properties)
    truth = transfer.true_properties(properties)
    first, count = (0, stage.count_a) if part == "a" else (stage.first_b, stage.count_b)
    truth = truth[first : first + count]
    values, known = record[f"{table}_{part}"], record[f"{table}_{part}_known"]
    out = np.zeros((values.shape[0], len(PROPERTIES)))
    for p in range(len(PROPERTIES)):
        judged = np.isfinite(truth[:, p])
        if judged.sum() < 3:
            out[:, p] = np.nan
            continue
        for s in range(values.shape[0]):
            lowest = values[s, known[s, :, p], p].min(initial=0.0) - 1.0
            guess = np.where(known[s, :, p], values[s, :, p], lowest)
            told = np.ptp(guess[judged]) > 0  # one guess for all ranks nothing
            out[s, p] = stats.spearman(guess[judged], truth[judged, p]) if told else 0.0
    return out


def distractor_shares(stage: Stage, visits: np.ndarray) -> np.ndarray:
    """The distractor's share of the interactions in each third of the run: [S, 3]."""
    seeds, periods, _ = visits.shape
    by_object = visits.reshape(seeds, periods, stage.known, -1).sum(-1)
    thirds = by_object.reshape(seeds, 3, periods // 3, stage.known).sum(2)
    return thirds[..., -1] / np.maximum(thirds.sum(-1), 1)


def hardest_third_skill(mine: np.ndarray, region_errors: list[np.ndarray]) -> np.ndarray:
    """Skill [S] of region errors `mine` [S, R] on the third of the regions that is hardest.

    For a seed, hardness is the mean error of all arms over the *other* seeds, so that no seed's
    own luck selects the regions on which it is judged. With one seed it is that seed's own.
    """
    pooled = np.mean(region_errors, 0)
    seeds, regions = mine.shape
    out = np.zeros(seeds)
    for s in range(seeds):
        others = np.delete(pooled, s, 0) if seeds > 1 else pooled
        hardest = np.argsort(-others.mean(0))[: regions // 3]
        out[s] = 1.0 - mine[s, hardest].mean()
    return out


def _novel_table(stage: Stage, seed: int, seeds: int):
    """Estimates of Set B by seed `seed`, from its own share of the evaluation interactions."""
    n = stage.held_b.rows.object_id.shape[0]
    block = n // seeds
    rows = jax.tree.map(lambda x: x[seed * block : (seed + 1) * block], stage.held_b.rows)
    table = transfer.table_of(rows, stage.first_b, stage.count_b)
    return transfer.grounding(jax.tree.map(jnp.asarray, table))
