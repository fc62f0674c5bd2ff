"""What the Meta-World experiment claims, and its page."""

# pyright: reportArgumentType=false, reportOperatorIssue=false
# (a criterion's further arguments; a mean is never None)

from typing import Any, NamedTuple

import numpy as np

from experiments import _metaworld_arms as arms
from nsca_jax.evaluation import metaworld as benchmark
from nsca_jax.reports import figures_metaworld, html, results
from nsca_jax.training import imitation

NEEDED = 0.85


class Seen(NamedTuple):
    """All that the run came to."""

    found: dict[tuple[str, int], dict[str, np.ndarray]]  # (arm, shots) -> success, steps [S, T, G]
    shown: imitation.Rows  # [S, T, L]
    trunks: dict[str, dict[str, np.ndarray]]  # of arms.TRUNKS -> what pretraining gave

    def of_tasks(self, arm: str, shots: int) -> np.ndarray:
        """[S, T] share of the goals reached."""
        return np.nanmean(self.found[arm, shots]["success"], 2)

    def success(self, arm: str, shots: int) -> np.ndarray:
        """[S] share of the goals reached, tasks weighted alike."""
        return self.of_tasks(arm, shots).mean(1)


def claims(config, seen: Seen) -> dict[str, Any]:
    """What `run.result` takes but the seeds."""
    broken = _broken(seen)
    main = config.main
    rows = [
        (
            f"success_at_{main}",
            f"Goals reached on the five test tasks after {main} demonstrations of each, goal "
            f"hidden, {config.judged} undemonstrated goals a task; control: cloning from scratch",
            seen.success("agent", main),
            NEEDED,
            {"control": ("cloning from scratch", _finished(seen.success("cloning", main), broken))},
        )
    ]
    rows += [
        (
            f"gain_at_{shots}",
            f"The same over cloning from scratch, from the same {shots} demonstration(s), paired "
            "by seed; the whole 95 % interval above 0",
            seen.success("agent", shots) - seen.success("cloning", shots),
            0.0,
            {"by_interval": True},
        )
        for shots in config.shots
    ]
    criteria = [
        results.criterion(
            name,
            claim,
            [None if bad else float(v) for v, bad in zip(values, broken, strict=True)],
            needed,
            ">=",
            **more,
        )
        for name, claim, values, needed, more in rows
    ]
    ours = seen.success("agent", main)[~broken]
    return {
        "criteria": criteria,
        "n_failed_seeds": int(broken.sum()),
        "baselines": {
            f"{arm}, {shots} shown": {
                **{
                    _short(task): _mean_se(seen.of_tasks(arm, shots)[:, t])
                    for t, task in enumerate(benchmark.TEST)
                },
                "all": _mean_se(seen.success(arm, shots)),
            }
            for arm, shots in seen.found
        },
        "effect_sizes": {
            f"agent against {arm}, {main} shown": results.effect_size(
                ours, seen.success(arm, main)[~broken]
            )
            for arm in (*arms.LEARNT, *arms.UNLEARNT)
            if arm != "agent"
        },
    }


def write(config, run, seen: Seen, result: dict[str, Any]) -> None:
    """Writes figures/ and report.html."""
    passed = sum(item["passed"] for item in result["criteria"])
    folder = run.workdir / "figures"
    html.write_report(
        run.workdir / "report.html",
        "Meta-World, few-shot",
        "A trunk is pretrained on ML10's ten training tasks; each test task is learnt from a few "
        "successful demonstrations of the scripted expert and judged on goals that were not "
        f"demonstrated. The goal is hidden; an episode lasts {benchmark.HORIZON} steps and the "
        "official success flag counts whenever it is raised, which ends it. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        [_shots(folder, config, seen), _tasks(folder, config, seen), _protocol(config, seen)],
        config.to_dict(),
        result["versions"],
    )


def _shots(folder, config, seen: Seen) -> html.Section:
    lines = {
        arm: np.stack([seen.success(arm, n) for n in config.shots], 1) for arm in arms.FOLLOWED
    }
    points = {arm: seen.success(arm, config.main) for arm in arms.UNLEARNT}
    picture = figures_metaworld.by_shots(
        folder / "by_shots.png", config.shots, lines, points, config.main, NEEDED
    )
    return html.Section(
        "How many demonstrations it takes",
        "Cloning starts from nothing and sees the raw readings; both learn from the very same "
        "demonstrations and are judged on the same goals.",
        [(picture, "Mean over seeds; whiskers are 95 % intervals.")],
    )


def _tasks(folder, config, seen: Seen) -> html.Section:
    shown = {
        _short(task): {
            arm: seen.of_tasks(arm, config.main)[:, t] for arm in (*arms.LEARNT, *arms.UNLEARNT)
        }
        for t, task in enumerate(benchmark.TEST)
    }
    picture = figures_metaworld.by_task(folder / "by_task.png", shown)
    gains = []
    for arm in arms.LEARNT:
        if arm != "agent":
            lost = seen.success("agent", config.main) - seen.success(arm, config.main)
            mean, se = _mean_se(lost)
            spread = "" if se is None else f" ± {100 * se:.1f}"
            gains.append(f"Agent minus {arm}: {100 * mean:.1f}{spread} points.")
    return html.Section(
        f"What it is made of, {config.main} demonstrations",
        "Each arm but the first lacks one thing. " + " ".join(gains),
        [(picture, "Whiskers are 95 % intervals over seeds.")],
    )


def _protocol(config, seen: Seen) -> html.Section:
    of = np.asarray(seen.shown.of)
    lengths = [(of == k).sum(-1) for k in range(config.shots[-1])]
    steps = seen.found["agent", config.main]["steps"]
    return html.Section(
        "Protocol",
        "Seed s has the goals of ML10(seed=s): the first n that the expert reaches are "
        f"demonstrated, with noise {config.noise:g} on its actions ({np.mean(lengths):.0f} steps "
        f"on average), and {config.judged} of those behind them (behind the {config.main}th, where "
        "n is less) judge, or as many as there are. All seeds "
        f"share the {config.shown_training} demonstrations of each training task "
        f"(ML10(seed={config.goals_training})). The agent took {np.nanmean(steps):.0f} steps an "
        "episode. This is imitation: the benchmark's own meta-learning evaluation, "
        "which adapts by reward, is another protocol, and its figures are not comparable.",
    )


def _broken(seen: Seen) -> np.ndarray:
    """[S] whether a seed's learning came to something that is not a number, in any arm."""
    errors = [part["errors"] for part in seen.found.values() if "errors" in part]
    bad = [~np.isfinite(x).reshape(len(x), -1).all(1) for x in errors]
    bad += [~np.isfinite(t["errors"]).reshape(len(bad[0]), -1).all(1) for t in seen.trunks.values()]
    return np.any(bad, axis=0)


def _finished(values: np.ndarray, broken: np.ndarray) -> float:
    return float(values[~broken].mean())


def _short(task: str) -> str:
    return task.removesuffix("-v3")


def _mean_se(values: np.ndarray) -> list[float | None]:
    spread = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return [float(values.mean()), spread]
