"""What the Procgen experiment claims, and its page. S seeds, G games."""

from typing import Any

import numpy as np

from nsca_jax.evaluation import procgen, stats
from nsca_jax.reports import figures_procgen, html, results

TITLES = {
    "random": "random actions",
    "ppo": "PPO",
    "shuffled": "advantages dealt to other moments",
    "priors": "PPO with innate filters",
    "curiosity": "PPO with curiosity",
    "world_model": "PPO with a world model",
    "all": "PPO with all three",
}
LEVELS = {"train": "levels learnt from", "test": "all levels"}
PUBLISHED = {"levels learnt from": 0.475, "all levels": 0.354}  # Cobbe et al.: mean of 16 games
POINTS = 25  # of a learning curve
Records = dict[str, dict[str, dict[str, np.ndarray]]]  # [arm][game][what]: [S, ...]


def claims(config, records: Records) -> dict[str, Any]:
    """What `run.result` takes but the seeds."""
    found = scores(config, records)
    failed = np.any([np.isnan(one[k]).any(1) for one in found.values() for k in LEVELS], axis=0)
    overall = {arm: {k: v.mean(1) for k, v in one.items()} for arm, one in found.items()}
    gain = overall["ppo"]["train"] - overall["random"]["train"]
    control = (overall["shuffled"]["train"] - overall["random"]["train"])[~failed]
    low = stats.mean_interval(control).low if len(control) else None
    rival = (f"{TITLES['shuffled']}, lower end", 0.0 if low is None else low)
    claim = (
        "PPO's finished players on the levels that they learnt from, normalised return above that "
        "of random actions; the whole 95 % interval above 0"
    )
    values = [None if bad else float(v) for v, bad in zip(gain, failed, strict=True)]
    criterion = results.criterion(
        "ppo_over_random", claim, values, 0.0, ">=", rival, by_interval=True
    )
    published = {"PPO, published": PUBLISHED} if len(config.games) == len(procgen.EASY) else {}
    return {
        "criteria": [criterion],
        "n_failed_seeds": int(failed.sum()),
        "baselines": {
            TITLES[arm]: {LEVELS[k]: summary(v[~failed]) for k, v in one.items()}
            for arm, one in found.items()
        }
        | published
        | {"gain over PPO": gains(overall, failed)},
        "effect_sizes": {
            f"{TITLES[arm]} against PPO, {LEVELS[k]}": results.effect_size(
                overall[arm][k][~failed], overall["ppo"][k][~failed]
            )
            for arm in added(overall)
            for k in LEVELS
        },
    }


def scores(config, records: Records) -> dict[str, dict[str, np.ndarray]]:
    """[arm][train or test]: normalised returns [S, G], means over worlds and episodes."""
    return {
        arm: {
            kind: np.stack(
                [
                    procgen.normalised(games[game][kind], game, config.mode).mean((1, 2))
                    for game in config.games
                ],
                1,
            )
            for kind in LEVELS
        }
        for arm, games in records.items()
    }


def summary(score_SxG: np.ndarray) -> dict[str, Any]:
    """Mean and interquartile mean over seeds and games, with stratified bootstrap intervals."""
    if not len(score_SxG):
        return {"mean": None, "interquartile mean": None}
    both = {"mean": np.mean, "interquartile mean": stats.interquartile_mean}
    out: dict[str, Any] = {name: float(of(score_SxG)) for name, of in both.items()}
    if len(score_SxG) > 1:
        out |= {
            f"{name}, 95 %": list(stats.bootstrap_interval(score_SxG, of))
            for name, of in both.items()
        }
    return out


def gains(overall, failed: np.ndarray) -> dict[str, Any]:
    """Each addition's [mean, low, high] over PPO, paired by seed; None where seeds are too few."""
    out: dict[str, Any] = {}
    for arm in added(overall):
        for kind, levels in LEVELS.items():
            pair = overall[arm][kind][~failed], overall["ppo"][kind][~failed]
            gain = stats.paired_interval(*pair) if len(pair[0]) else None
            out[f"{TITLES[arm]}, {levels}"] = gain and [gain.mean, gain.low, gain.high]
    return out


def added(overall) -> list[str]:
    """The arms that add something to PPO."""
    return [arm for arm in overall if arm not in ("random", "ppo", "shuffled")]


def write(config, run, records: Records, result: dict[str, Any]) -> None:
    """Writes figures/ and report.html."""
    passed = sum(item["passed"] for item in result["criteria"])
    folder = run.workdir / "figures"
    html.write_report(
        run.workdir / "report.html",
        "Procgen",
        f"{', '.join(config.games)}, {config.mode}: {config.levels} levels to learn from, all "
        f"levels to be judged on, {config.steps:,} steps a seed. Returns are normalised: 0 is a "
        "trivial policy's, 1 the greatest possible. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        [
            _learning(folder, config, records),
            _finished(folder, config, records, result),
            _added(result),
        ],
        config.to_dict(),
        result["versions"],
    )


def _learning(folder, config, records: Records) -> html.Section:
    charts = []
    for game in config.games:
        played = {
            TITLES[arm]: binned(procgen.normalised(games[game]["curve"], game, config.mode))
            for arm, games in records.items()
            if arm != "random"
        }
        points = next(iter(played.values())).shape[1]
        steps = (np.arange(points) + 0.5) / points * config.steps
        random = procgen.normalised(records["random"][game]["train"], game, config.mode).mean()
        picture = folder / f"learning_{game}.png"
        figures_procgen.curves(picture, steps, played, float(random))
        charts.append((picture, f"{game}: episodes that ended while learning. Thin: seeds."))
    return html.Section("Learning", "", charts)


def _finished(folder, config, records: Records, result) -> html.Section:
    found = {
        TITLES[arm]: {LEVELS[k]: v.mean(1) for k, v in one.items()}
        for arm, one in scores(config, records).items()
    }
    picture = figures_procgen.scores(folder / "scores.png", found)
    lines = []
    for title in found:
        for levels, told in result["baselines"][title].items():
            if told["mean"] is not None:
                lines.append(
                    f"{title}, {levels}: mean {told['mean']:.3f}{_interval(told.get('mean, 95 %'))}"
                    f", interquartile mean {told['interquartile mean']:.3f}"
                    f"{_interval(told.get('interquartile mean, 95 %'))}."
                )
    return html.Section(
        "What the finished players reach",
        "Intervals are by stratified bootstrap over seeds.\n\n" + "\n\n".join(lines),
        [(picture, "Mean over the games; dots are seeds.")],
    )


def _added(result) -> html.Section:
    lines = []
    for name, gain in result["baselines"]["gain over PPO"].items():
        if gain is None:
            continue
        mean, low, high = gain
        verdict = "no interval" if low is None else _verdict(low, high)
        lines.append(
            f"{name}: {mean:+.3f}{_interval(None if low is None else (low, high))}, {verdict}."
        )
    return html.Section(
        "What is added to PPO",
        "Innate filters enter as first channels; curiosity pays for errors of foresight where "
        "levels are still being learnt; the world model asks the latent to foretell the next one. "
        "Budget and tuning are PPO's. Differences are paired by seed, with Student's interval.\n\n"
        + "\n\n".join(lines or ["No such arm was run."]),
    )


def binned(curve_SxU: np.ndarray) -> np.ndarray:
    """[S, at most POINTS] means of stretches of updates; NaN where no episode ended."""
    parts = np.array_split(curve_SxU, min(POINTS, curve_SxU.shape[1]), axis=1)
    known = [np.isfinite(p) for p in parts]
    counts = [np.maximum(k.sum(1), 1) for k in known]
    return np.stack(
        [
            np.where(k.any(1), np.where(k, p, 0.0).sum(1) / n, np.nan)
            for p, k, n in zip(parts, known, counts, strict=True)
        ],
        1,
    )


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "a gain"
    return "a loss" if high < 0 else "neither gain nor loss is certain"


def _interval(bounds) -> str:
    return "" if bounds is None else f" ({bounds[0]:.3f} … {bounds[1]:.3f})"
