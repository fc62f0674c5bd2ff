"""The criteria of babbling, decided by the arms' records. Thresholds are the plan's."""

import numpy as np

from nsca_jax.evaluation import babbling_claims as claims_lib
from nsca_jax.evaluation import stats
from nsca_jax.reports import results
from nsca_jax.types import PROPERTIES

GROUNDED = {"a": 0.9, "b": 0.8}
SET_NAME = {"a": "Set A", "b": "Set B"}
TRANSFER, BALLISTIC, DISTRACTOR = 0.9, 0.5, 0.2
WHOLE = "the whole 95 % interval above 0"


def decide(config, stage, records: dict) -> tuple[list[dict], dict, dict]:
    """(criteria, baselines, effect sizes) from the records of the arms that ran."""
    base = claims_lib.baselines(stage)
    main = records["competence"]
    criteria = [*_prediction(config, base, main, records), *transfer(main)]
    criteria += _open_loop(base, main)
    criteria += _grounding(stage, main)
    if stage.known > stage.count_a:
        criteria += _distractor(stage, records)
    effects = {}
    for name, claim, mine, rival in _comparisons(stage, records):
        gain, size = stats.differences(mine, rival), results.effect_size(mine, rival)
        criteria.append(
            results.criterion(name, f"{claim}; {WHOLE}", gain, 0.0, ">=", by_interval=True)
        )
        effects[name] = size
    return criteria, base, effects


def drop_failed(records: dict[str, dict]) -> list[int]:
    """Takes the seeds that broke off in any arm out of every arm's record; returns them."""
    failed = np.flatnonzero(np.any([record["failed"] for record in records.values()], axis=0))
    for arm, record in records.items():
        records[arm] = {name: np.delete(value, failed, 0) for name, value in record.items()}
    return failed.tolist()


def _prediction(config, base, main, records) -> list[dict]:
    rival = ("persistence", base["persistence_a"]["overall"])
    if "no_action" in records:
        rival = ("dynamics without actions", float(records["no_action"]["overall_a"].mean()))
    return [
        results.criterion(
            "skill_set_a",
            "Predicts held-out interactions with Set A from the spawn's senses, skill and "
            "parameters; skill = 1 - MSE / variance",
            main["overall_a"],
            config.skill_threshold,
            ">=",
            control=rival,
        )
    ]


def transfer(record, name: str = "set_b", called: str = "Set B", control=None) -> list[dict]:
    """Skill on a set never met over skill on Set A, without and with the agent's own table.

    `control`: the name and value of what must not reach the threshold at first sight.
    """
    claim = f"Skill on {called}, never met, over skill on Set A; {{}}"
    return [
        results.criterion(
            f"transfer_{name}",
            claim.format("at first sight, from the spawn alone"),
            record["overall_b"] / record["overall_a"],
            TRANSFER,
            ">=",
            control=control,
        ),
        results.criterion(
            f"transfer_{name}_with_memory",
            claim.format("with the agent's own table of both sets, weights untouched"),
            record["overall_b_memory"] / record["overall_a_memory"],
            TRANSFER,
            ">=",
        ),
    ]


def _open_loop(base, main) -> list[dict]:
    return [
        results.criterion(
            "open_loop_position",
            "End position on Set B after a whole interaction, error over that of the ballistic "
            "predictor",
            main["position_error_b"] / base["ballistic_b_m"],
            BALLISTIC,
            "<=",
        )
    ]


def _grounding(stage, main) -> list[dict]:
    out = []
    shuffled = claims_lib.spearmans(stage, main, "shuffled", "a")
    for part, threshold in GROUNDED.items():
        found = claims_lib.spearmans(stage, main, "table", part)
        for p, name in enumerate(PROPERTIES):
            if np.isnan(found[:, p]).any():  # a set of one's own, with too few breakable things
                continue
            heard = part == "a" and name == "hardness"
            rival = ("shuffled sound", float(shuffled[:, p].mean())) if heard else None
            claim = f"Own estimates of {name} on {SET_NAME[part]} rank as the truth (Spearman)"
            out.append(
                results.criterion(
                    f"grounding_{name}_{part}", claim, found[:, p], threshold, ">=", control=rival
                )
            )
    return out


def _distractor(stage, records) -> list[dict]:
    ratios = {arm: _distractor_ratio(stage, records[arm]) for arm in records}
    rival = ("raw prediction error", float(ratios["error"].mean())) if "error" in records else None
    return [
        results.criterion(
            "distractor_share",
            "The noisy object's share of interactions in the last third over that in the first",
            ratios["competence"],
            DISTRACTOR,
            "<=",
            control=rival,
        )
    ]


def _distractor_ratio(stage, record) -> np.ndarray:
    shares = claims_lib.distractor_shares(stage, record["visits"])
    return shares[:, 2] / np.maximum(shares[:, 0], 1e-9)


def _comparisons(stage, records):
    """(name, claim, ours [S], rival's [S]) of every rival that learnt, paired by seed."""
    main = records["competence"]
    if "random" in records:
        errors = [main["region_error"], records["random"]["region_error"]]
        yield (
            "competence_over_random",
            "Skill on the hardest third of the regions, competence-driven minus random, at equal "
            "interactions",
            *(claims_lib.hardest_third_skill(e, errors) for e in errors),
        )
    if "no_action" in records:
        yield (
            "action_over_none",
            "Skill on Set A, of dynamics that see the action minus those that do not",
            main["overall_a"],
            records["no_action"]["overall_a"],
        )
        heard, dealt = (
            claims_lib.spearmans(stage, main, name, "a")[:, PROPERTIES.index("hardness")]
            for name in ("table", "shuffled")
        )
        claim = "Own estimates of hardness on Set A (Spearman), of true sound minus shuffled"
        yield "sound_over_shuffled", claim, heard, dealt
    if "error" in records and stage.known > stage.count_a:
        yield (
            "error_seeks_noise",
            "The noisy object's last share over its first, under raw prediction error minus ours",
            _distractor_ratio(stage, records["error"]),
            _distractor_ratio(stage, main),
        )
