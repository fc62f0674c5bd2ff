"""What the temporal experiment claims, and its page."""

from typing import Any

import numpy as np

from nsca_jax.evaluation import monitors, planning
from nsca_jax.priors.physics import WEIGHT_FLOOR
from nsca_jax.reports import figures, figures_temporal, html, results
from nsca_jax.training.temporal import HORIZONS
from nsca_jax.types import SKILL_PARAMETERS, SKILLS

Records = dict[str, dict[str, np.ndarray]]
ARMS = {"prior": "with innate physics", "none": "without"}
VELOCITIES = ("constant velocity", "last velocity")
TRIES = (1, 4, 16)  # real random pushes, of which the best counts
TO_CM = 100.0


def claims(config, records: Records) -> dict[str, Any]:
    """What `run.result` takes but the seeds."""
    failed = _failed(records)
    distance = distances(records["plans"])
    criteria = [
        *_errors(records, failed),
        *_uncertainty(records["prior"], failed),
        *_planning(distance, failed),
    ]
    ours, none = (records[arm]["error_m"][~failed] for arm in ("prior", "none"))
    sizes = {
        f"innate physics against none, {h} steps ahead": results.effect_size(none[:, k], ours[:, k])
        for k, h in enumerate(HORIZONS)
        if len(ours) > 1
    }
    sizes["planned against random pushes"] = results.effect_size(
        distance["random, 1 try"][~failed], distance["planned"][~failed]
    )
    return {
        "criteria": criteria,
        "n_failed_seeds": int(failed.sum()),
        "baselines": _baselines(records, distance, failed),
        "effect_sizes": sizes,
        "monitors": [_watch(records, failed)],
    }


def _watch(records: Records, failed: np.ndarray) -> monitors.Reading:
    """Is innate physics trusted where a thing that stays where it was would be nearer the truth?"""
    prior = records["prior"]
    return monitors.prior_holds_on(
        prior["weight"][~failed].mean(-1),
        float(prior["prior_error"][~failed].mean()),
        float(records["rivals"]["persistence_squared"].mean()),
        WEIGHT_FLOOR,
        "a larger config.prior_price",
    )


def distances(plans: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Mean final distance (m) of every way to choose a push: [S] where seeds choose, else [1].

    A seed's random push is one of the real tries, another for each seed and task; the best of k is
    the expected best of k of them. `oracle` is the best of all tries, as a perfect simulator would
    choose among them.
    """
    target = plans["target_m"]
    tried = np.sort(planning.distance_m(plans["random_end_m"], target[:, None]), -1)  # [W, M]
    seeds, (tasks, tries) = len(plans["planned_end_m"]), tried.shape
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, tries, (seeds, tasks))
    out = {
        "planned": planning.distance_m(plans["planned_end_m"], target).mean(-1),
        "imagined end of it": planning.distance_m(plans["planned_imagined_m"], target).mean(-1),
        "straight at the target": np.atleast_1d(
            planning.distance_m(plans["straight_end_m"], target).mean()
        ),
        "random, 1 try": tried[np.arange(tasks), drawn].mean(-1),
    }
    for k in TRIES[1:]:
        out[f"random, best of {k}"] = np.atleast_1d(best_of(tried, k).mean())
    out["oracle, best of all"] = np.atleast_1d(tried[:, 0].mean())
    out["shuffled dynamics"] = planning.distance_m(plans["shuffled_end_m"], target).mean(-1)
    out["left where it lay"] = np.atleast_1d(planning.distance_m(plans["place_m"], target).mean())
    return out


def best_of(tried: np.ndarray, k: int) -> np.ndarray:
    """[W] expected least of k draws without replacement from each sorted row [W, M]."""
    most = tried.shape[1]
    weight = np.zeros(most)
    left = 1.0
    for i in range(most - k + 1):  # the smallest is rank i: none before it was drawn
        chance = k / (most - i)
        weight[i] = left * chance
        left *= 1.0 - chance
    return tried @ weight


def write(config, run, filmed, records: Records, result: dict[str, Any]) -> None:
    """Writes figures/ and report.html."""
    folder = run.workdir / "figures"
    passed = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        "What comes next",
        "A causal model filters what was sensed of an interaction and rolls it forward, open loop. "
        "It learns from the agent's own senses of Set A; the truth scores it on Set B. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        [
            _ahead(folder, records),
            _paths(folder, filmed, records),
            _trust(folder, records),
            _pushes(folder, config, records),
        ],
        config.to_dict(),
        result["versions"],
        result["monitors"],
    )


def _failed(records: Records) -> np.ndarray:
    """[S] seeds of which any figure is not finite."""
    parts = [records[arm]["error_m"] for arm in ARMS] + [records["prior"]["rank"]]
    return np.asarray(~np.isfinite(np.concatenate(parts, -1)).all(-1))


def _values(per_seed: np.ndarray, failed: np.ndarray) -> list[float | None]:
    return [None if bad else float(v) for v, bad in zip(per_seed, failed, strict=True)]


def _errors(records: Records, failed) -> list[dict]:
    ours, none = records["prior"]["error_m"], records["none"]["error_m"]
    still = records["rivals"]["persistence"]
    fast = np.min([records["rivals"][name] for name in VELOCITIES], 0)
    out = []
    for k, h in enumerate(HORIZONS):
        for name, what, rival in (
            ("persistence", "persistence's", still[k]),
            ("velocity", "that of constant velocity, the better of two", fast[k]),
            ("no_prior", "that of the same model without innate physics", none[:, k]),
        ):
            out.append(
                results.criterion(
                    f"below_{name}_{h}",
                    f"Error of the place {h} control steps ahead on Set B: cm below {what}; the "
                    "whole 95 % interval above 0",
                    _values(TO_CM * (rival - ours[:, k]), failed),
                    0.0,
                    ">=",
                    by_interval=True,
                )
            )
    return out


def _uncertainty(record, failed) -> list[dict]:
    coverage, rank = record["coverage"].mean(-1), record["rank"].mean(-1)
    said = "Share of Set B inside the 90 % band, all horizons"
    return [
        results.criterion("coverage_least", said, _values(coverage, failed), 0.85, ">="),
        results.criterion("coverage_most", said, _values(coverage, failed), 0.95, "<="),
        results.criterion(
            "uncertainty_predicts_error",
            "Spearman of predicted spread and error among windows of one horizon, mean of horizons",
            _values(rank, failed),
            0.5,
            ">=",
        ),
    ]


def _planning(distance, failed) -> list[dict]:
    random = distance["random, 1 try"]
    control = (random / distance["shuffled dynamics"])[~failed]
    return [
        results.criterion(
            "planning",
            "Final distance from the target of a random push over that of the push chosen by "
            "imagination, in the real world",
            _values(random / distance["planned"], failed),
            2.0,
            ">=",
            control=("shuffled dynamics", float(control.mean())),
        )
    ]


def _baselines(records: Records, distance, failed) -> dict[str, Any]:
    ahead = [f"{h} steps" for h in HORIZONS]

    def row(values):
        return dict(zip(ahead, np.asarray(values, float).tolist(), strict=True))

    out: dict[str, Any] = {
        f"error_m, {name}": row(records["rivals"][name])
        for name in ("persistence", *VELOCITIES, "ballistic")
    }
    for arm, title in ARMS.items():
        record = records[arm]
        for name in ("error_m", "in_view_m", "coverage", "rank", "senses", "senses_persistence"):
            out[f"{name}, {title}"] = row(record[name][~failed].mean(0))
        for number, skill in enumerate(SKILLS):
            out[f"error_m, {skill}, {title}"] = row(record["by_skill_m"][~failed, number].mean(0))
    out["trust in innate physics"] = float(records["prior"]["weight"][~failed].mean())
    out["band widened by"] = row(records["prior"]["scale"][~failed].mean(0)[np.array(HORIZONS) - 1])
    out["distance_m"] = {name: float(np.mean(v)) for name, v in distance.items()}
    return out


def _ahead(folder, records: Records) -> html.Section:
    learnt = {title: records[arm]["error_m"] for arm, title in ARMS.items()}
    skills = {
        skill: {title: records[arm]["by_skill_m"][:, k] for arm, title in ARMS.items()}
        for k, skill in enumerate(SKILLS)
    }
    rivals = {name: records["rivals"][name] for name in ("persistence", *VELOCITIES, "ballistic")}
    picture = figures_temporal.horizon_curves(
        folder / "ahead.png", HORIZONS, learnt, rivals, skills
    )
    return html.Section(
        "How far ahead",
        "After a short history the act goes on unseen. The place is learnt from the seen centroid, "
        "set back by what a ball of that size has between its surface and its middle, and scored "
        "against the true centre, in view or not.",
        [(picture, "Whiskers hold 95 % of the seeds.")],
    )


def _paths(folder, filmed, records: Records) -> html.Section:
    row, now = records["rivals"]["row"], records["rivals"]["now"]
    picked = [np.flatnonzero((filmed["skill"][row] == k) & (now == now[0]))[2] for k in range(4)]
    at = np.array(HORIZONS)
    mean = records["prior"]["shown_m"][picked][:, at - 1]
    spread = records["prior"]["shown_spread_m"][picked][:, at - 1]
    angle = np.pi * filmed["parameters"][row[picked], SKILL_PARAMETERS.index("direction")]
    angle[SKILLS.index("lift")] = 0.0
    share = np.stack([np.cos(angle), np.sin(angle)], -1)[:, None] ** 2  # of each axis along x
    along = np.sqrt((share * spread[..., :2] ** 2).sum(-1))
    across = np.sqrt((share[..., ::-1] * spread[..., :2] ** 2).sum(-1))
    spread = np.stack([along, across, spread[..., 2]], -1)
    true = filmed["position_m"][row[picked][:, None], now[picked][:, None] + at]
    picture = figures.trajectories(
        folder / "paths.png", true, mean, spread, records["rivals"]["ballistic_m"][picked], SKILLS
    )
    return html.Section(
        "Paths",
        "One interaction of each skill, seen from the side. Ellipses hold 90 %, as widened by the "
        "objects of Set A that were kept aside.",
        [(picture, f"{', '.join(map(str, HORIZONS))} control steps ahead; one seed.")],
    )


def _trust(folder, records: Records) -> html.Section:
    prior = records["prior"]
    picture = figures_temporal.calibration(
        folder / "calibration.png",
        HORIZONS,
        {title: records[arm]["coverage"] for arm, title in ARMS.items()},
        prior["rank"],
    )
    return html.Section(
        "How sure",
        "Every seed keeps some objects of Set A aside and widens its band until it holds 90 % of "
        "what it senses of them; Set B is neither.",
        [(picture, "Shaded: 85 to 95 %. Whiskers hold 95 % of the seeds.")],
    )


def _pushes(folder, config, records: Records) -> html.Section:
    plans, distance = records["plans"], distances(records["plans"])
    bars = figures_temporal.push_bars(folder / "pushes.png", distance)
    each = config.tasks

    def split(x):
        return x.reshape(-1, each, 2)

    plan = figures_temporal.push_map(
        folder / "map.png",
        split(plans["place_m"]),
        split(plans["target_m"]),
        split(plans["planned_imagined_m"][0]),
        split(plans["planned_end_m"][0]),
        [str(name) for name in plans["names"]],
    )
    return html.Section(
        "Choosing a push",
        "A novel object lies on the table, and a target 6 to 20 cm from it. From one look the "
        f"agent imagines {config.candidates} pushes, then as many around the best, "
        f"{config.rounds} rounds, and carries the best one out. A random push is a real one; the "
        "best of k real ones is what trying k times and keeping the best would give. Straight at "
        "the target, at the speed that takes the hand there, is what geometry knows without "
        "learning.",
        [
            (bars, "Dots are seeds."),
            (plan, "One seed, from above; lines join where an object lay and where it came."),
        ],
    )
