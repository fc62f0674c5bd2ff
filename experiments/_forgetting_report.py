"""What the forgetting experiment claims, and its page."""

import numpy as np

from nsca_jax.evaluation import forgetting, monitors
from nsca_jax.reports import figures_continual, html, results

Records = dict[str, dict[str, np.ndarray]]  # sequence -> method -> R [S, T, T]; joint [S, 1, T]
NEEDED = {  # sequence -> methods that its criteria compare
    "permuted": ("plain", "ewc", "ewc_stiff", "kfac", "joint"),
    "rotated": ("plain", "kfac"),
    "classes": ("ewc", "kfac", "ewc_replay"),
}
LOST = 40  # percent right on the first task up to which plain training has forgotten it
LABELS = {
    "plain": "plain training",
    "ewc": "EWC, diagonal",
    "ewc_stiff": "EWC, far too stiff",
    "ewc_online": "EWC, online",
    "kfac": "EWC, K-FAC",
    "si": "synaptic intelligence",
    "l2": "L2",
    "agem": "A-GEM",
    "replay": "replay",
    "ewc_replay": "EWC and replay",
    "joint": "joint training",
}
TEXTS = {  # sequence -> its title and text
    "permuted": (
        "Five permuted tasks",
        "All ten digits, the pixels shuffled anew for each task.",
    ),
    "rotated": (
        "Five rotated tasks",
        "All ten digits, turned by 30 degrees more for each task.",
    ),
    "halves": (
        "Two halves",
        "Digits 0 to 4, then 5 to 9 on the same five labels. The tasks contradict each other, and "
        "every method pays.",
    ),
    "classes": (
        "Class-incremental",
        "Two new digits a task, told apart among all ten. A penalty on weights alone is known to "
        "fail here; remembered examples must carry.",
    ),
    "permuted_ten": ("Ten permuted tasks", "Twice as many, with strengths of their own."),
    "rotated_ten": ("Ten rotated tasks", "The arc of the five in ten even steps."),
}


def claims(records: Records) -> dict:
    """What `run.result` takes but the seeds."""
    return {
        "criteria": [
            *_permuted(records["permuted"]),
            *_rotated(records["rotated"]),
            *_classes(records["classes"]),
        ],
        "n_failed_seeds": int(_failed(records).sum()),
        "baselines": _baselines(records),
        "effect_sizes": _effects(records),
        "monitors": [
            monitors.ewc_too_strong(
                of[method],
                of["plain"],
                f"a smaller config.strength.{name}.{method}",
            )._replace(name=f"ewc_too_strong, {TEXTS[name][0].lower()}: {LABELS[method]}")
            for name, of in records.items()
            for method in ("ewc", "kfac")
            if "plain" in of and method in of
        ],
    }


def write(config: dict, run, records: Records, result: dict) -> None:
    """Writes figures/ and report.html."""
    sections = []
    for name, matrices in records.items():
        measures = {LABELS[m]: _measures(matrix) for m, matrix in matrices.items()}
        figures = run.workdir / "figures"
        bars = figures_continual.method_bars(figures / f"{name}.png", measures, "percent")
        shown = [m for m in ("plain", "ewc", "kfac", "ewc_replay") if m in matrices]
        squares = figures_continual.accuracy_matrices(
            figures / f"{name}-matrix.png", {LABELS[m]: matrices[m] for m in shown}
        )
        pictures = [
            (bars, "Accuracy when all tasks are learnt; whiskers hold 95 % of the seeds."),
            (squares, "Accuracy on each task after each task, mean of the seeds."),
        ]
        sections.append(html.Section(*TEXTS[name], pictures))
    sections.append(html.Section("Two tasks", _two_tasks_text(records)))
    passed = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        "Forgetting",
        "One network with one head learns task after task from real handwritten digits. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        sections,
        config,
        result["versions"],
        result["monitors"],
    )


def _permuted(of: dict) -> list[dict]:
    plain, ewc, kfac, joint = (of[m] for m in ("plain", "ewc", "kfac", "joint"))
    lost = {m: forgetting.last(plain) - forgetting.last(of[m]) for m in ("ewc", "ewc_stiff")}
    behind = {m: forgetting.average(joint) - forgetting.average(of[m]) for m in ("ewc", "kfac")}
    return [
        _criterion(
            "plain_forgets_permuted",
            "Five permuted tasks: plain training loses the first (percent right at the end)",
            forgetting.first(plain),
            (LOST, "<="),
        ),
        _criterion(
            "ewc_keeps_first_permuted",
            "Five permuted tasks: diagonal EWC keeps the first (percent right at the end)",
            forgetting.first(ewc),
            (70, ">="),
            ("plain training", forgetting.first(plain)),
        ),
        _criterion(
            "ewc_learns_last_permuted",
            "Five permuted tasks: points by which plain training learns the last better than EWC",
            lost["ewc"],
            (5, "<="),
            ("EWC, far too stiff", lost["ewc_stiff"]),
        ),
        _criterion(
            "kfac_near_joint_permuted",
            "Five permuted tasks: average points that K-FAC EWC is behind joint training",
            behind["kfac"],
            (2, "<="),
            ("EWC, diagonal", behind["ewc"]),
        ),
        _criterion(
            "kfac_forgets_little_permuted",
            "Five permuted tasks: points that K-FAC EWC forgets of a task, on average",
            forgetting.forgetting(kfac),
            (5, "<="),
            ("plain training", forgetting.forgetting(plain)),
        ),
    ]


def _rotated(of: dict) -> list[dict]:
    first = {m: forgetting.first(of[m]) for m in ("plain", "kfac")}
    return [
        _criterion(
            "plain_forgets_rotated",
            "Five rotated tasks: plain training loses the first (percent right at the end)",
            first["plain"],
            (LOST, "<="),
        ),
        _criterion(
            "kfac_keeps_first_rotated",
            "Five rotated tasks: K-FAC EWC keeps the first (percent right at the end)",
            first["kfac"],
            (90, ">="),
            ("plain training", first["plain"]),
        ),
    ]


def _classes(of: dict) -> list[dict]:
    average = {m: forgetting.average(of[m]) for m in ("ewc", "kfac", "ewc_replay")}
    alone = max(("ewc", "kfac"), key=lambda m: np.nanmean(average[m]))
    return [
        _criterion(
            "ewc_alone_fails_classes",
            "Class-incremental: EWC alone fails (average percent right at the end)",
            average["ewc"],
            (50, "<="),
        ),
        _criterion(
            "ewc_with_replay_classes",
            "Class-incremental: EWC with a small replay carries (average percent right at the end)",
            average["ewc_replay"],
            (85, ">="),
            (f"the better without replay: {LABELS[alone]}", average[alone]),
        ),
    ]


def _criterion(name, claim, per_seed, needed, control=None) -> dict:
    """A failed seed is written as None; a control is judged by the mean of its finished seeds."""
    values = [float(v) if np.isfinite(v) else None for v in per_seed]
    rival = (control[0], float(np.nanmean(control[1]))) if control else None
    return results.criterion(name, claim, values, *needed, control=rival)


def _measures(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """First task, last task, average (and forgetting, where the tasks came one by one), [S]."""
    several = matrix.shape[1] > 1
    names = {"first": "first task", "last": "last task", "average": "average"}
    out = {label: forgetting.MEASURES[name](matrix) for name, label in names.items()}
    return out | ({"forgetting": forgetting.forgetting(matrix)} if several else {})


def _baselines(records: Records) -> dict:
    """[mean, standard error] of every measure, method and sequence; the two-task forms too."""
    two = {
        f"{name}_two": {m: forgetting.prefix(of[m], 2) for m in of if m != "joint"}
        for name, of in records.items()
        if name in ("permuted", "rotated")
    }
    return {
        name: {
            method: {k: _mean_se(v) for k, v in _measures(matrix).items()}
            for method, matrix in of.items()
        }
        for name, of in {**records, **two}.items()
    }


def _effects(records: Records) -> dict:
    """Cohen's d of the average accuracy against plain training, paired by seed."""
    out = {}
    fine = ~_failed(records)
    for name, of in records.items():
        for method in set(of) & {"ewc", "kfac", "si", "replay", "ewc_replay"}:
            if "plain" in of:
                pair = forgetting.average(of[method])[fine], forgetting.average(of["plain"])[fine]
                out[f"{name}: {method} against plain, average"] = results.effect_size(*pair)
    return out


def _two_tasks_text(records: Records) -> str:
    baselines = _baselines(records)
    pairs = {"permuted": "permuted_two", "rotated": "rotated_two", "halves": "halves"}
    kept = {
        form: {m: v["first task"][0] for m, v in baselines[name].items() if m != "joint"}
        for form, name in pairs.items()
        if name in baselines
    }
    said = [
        f"{form}: " + ", ".join(f"{LABELS[m]} {v:.1f}" for m, v in of.items())
        for form, of in kept.items()
    ]
    plain = {form: of["plain"] for form, of in kept.items() if "plain" in of}
    less, more = (
        ", ".join(f"{form} {v:.1f}" for form, v in plain.items() if (v > LOST) == above) or "none"
        for above in (True, False)
    )
    return (
        "The plan's form, one task and then another: percent right on the first at the end. "
        + "; ".join(said)
        + ".\n\nThe plan supposed that plain training falls to about 30 after two tasks. Above "
        f"{LOST}, where it forgets less than that: {less}. Not above: {more}. Hence the claims "
        "stand on five tasks."
    )


def _mean_se(values: np.ndarray) -> list[float | None]:
    finished = values[np.isfinite(values)]
    if not finished.size:
        return [None, None]
    spread = float(finished.std(ddof=1) / np.sqrt(finished.size)) if finished.size > 1 else None
    return [float(finished.mean()), spread]


def _failed(records: Records) -> np.ndarray:
    """[S] seeds of which any method broke off."""
    bad = [~np.isfinite(matrix).all((1, 2)) for of in records.values() for matrix in of.values()]
    return np.any(bad, axis=0)
