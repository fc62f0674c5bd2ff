"""What the Physion experiment claims, and its page."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from nsca_jax.data import physion
from nsca_jax.evaluation import physion as judge
from nsca_jax.evaluation import stats
from nsca_jax.reports import figures_physion, html, results
from nsca_jax.training import foresight
from nsca_jax.worlds.physion_like import scenarios

NEEDED = 0.75
ARMS = {
    "grown, imagined": "observed and imagined",
    "grown, observed": "observed alone",
    "fresh, observed": "untrained, observed",
    "fresh, imagined": "untrained, observed and imagined",
}
EXAMPLES = 1  # trials of each scenario in the picture


class Found(NamedTuple):
    """All that the run came to."""

    seen: dict[str, dict[str, np.ndarray]]  # split -> columns of trials
    loss: np.ndarray  # [S, chunks of steps]
    answers: dict[str, np.ndarray]  # arm/right [S, N], arm/chosen [S], arm/train [S]
    still: dict[str, np.ndarray]
    oracle: dict[str, np.ndarray]  # empty for Physion itself

    def right(self, arm: str) -> np.ndarray:
        """[S, N] whether each seed answered each test trial rightly."""
        return self.answers[f"{arm}/right"]

    def mean(self, arm: str) -> np.ndarray:
        """[S] mean accuracy over scenarios."""
        return judge.mean_accuracy(self.right(arm), self.seen["test"]["scenario"])

    def table(self, right: np.ndarray) -> np.ndarray:
        """[..., scenarios] accuracy."""
        return judge.by_scenario(right, self.seen["test"]["scenario"], len(physion.SCENARIOS))


def dataset(config) -> str:
    """What the trials are, by name."""
    if config.data:
        return "Physion"
    return f"physion_like {scenarios.VERSION} ({scenarios.fingerprint()})"


def claims(config, found: Found) -> dict:
    """What `run.result` takes but the seeds."""
    failed = ~np.isfinite(found.loss).all(1)
    ours, rivals = found.mean("grown, imagined"), {arm: found.mean(arm) for arm in ARMS}
    table = [
        (
            "mean_accuracy",
            f"Contact foretold on {dataset(config)}, mean over scenarios (chance 0.5)",
            ours, NEEDED, ("untrained, observed", rivals["fresh, observed"]), False,
        ),
        (
            "over_observed",
            "Accuracy with imagined moments minus the same encoder without; the whole 95 % interval"
            " above 0",
            ours - rivals["grown, observed"], 0.0, None, True,
        ),
        (
            "over_untrained",
            "Accuracy with imagined moments minus an untrained encoder; the whole 95 % interval"
            " above 0",
            ours - rivals["fresh, observed"], 0.0, None, True,
        ),
    ]  # fmt: skip
    test = found.seen["test"]
    baselines = {
        "dataset": dataset(config),
        "arms": {title: _mean_se(rivals[arm][~failed]) for arm, title in ARMS.items()},
        "commoner label": judge.base_rate(test["label"], test["scenario"]),
        "last observed picture": float(np.nanmean(found.table(found.still["right"])[0])),
        **({"noisy simulator": float(found.oracle["accuracy"].mean())} if found.oracle else {}),
        "gain over observed, 95 % over other trials and seeds": list(gain(found)),
        "published, on Physion itself": judge.PUBLISHED,
        "trials": {split: len(rows["label"]) for split, rows in found.seen.items()},
        "trials left out": {
            split: sum(len(rows[k]) for k in ("skipped", "missing", "excluded"))
            for split, rows in found.seen.items()
        },
    }
    effects = {
        f"against {title}": results.effect_size(ours[~failed], rivals[arm][~failed])
        for arm, title in ARMS.items()
        if arm != "grown, imagined"
    }
    return {
        "criteria": [_criterion(failed, *row) for row in table],
        "n_failed_seeds": int(failed.sum()),
        "baselines": baselines,
        "effect_sizes": effects,
    }


def gain(found: Found) -> tuple[float, float]:
    """95 % interval of what imagination adds, over test trials and seeds drawn anew."""
    return judge.gain_interval(
        found.right("grown, imagined"),
        found.right("grown, observed"),
        found.seen["test"]["scenario"],
    )


def write(config, run, found: Found, result: dict, folder: Path) -> None:
    """Writes figures/ and report.html."""
    passed = sum(item["passed"] for item in result["criteria"])
    figures_folder = run.workdir / "figures"
    html.write_report(
        run.workdir / "report.html",
        "Will they touch?",
        "A film is broken off; will its red thing come to touch the yellow one? A world model that "
        "learnt from films without labels imagines how it goes on, and a linear read-out answers. "
        f"The films are {dataset(config)}. {passed} of {len(result['criteria'])} criteria hold over"
        f" {len(result['seeds'])} seeds.",
        result["criteria"],
        [
            _scenes(figures_folder, config, found, folder),
            _accuracy(figures_folder, config, found, result),
            _foreseen(figures_folder, found),
            _losses(found),
        ],
        config.to_dict(),
        result["versions"],
    )


def _scenes(folder: Path, config, found: Found, data: Path) -> html.Section:
    rows = {}
    test = found.seen["test"]
    for number, name in enumerate(physion.SCENARIOS):
        picked = np.flatnonzero(test["scenario"] == number)[:EXAMPLES]
        for row in picked:
            word = "contact" if test["label"][row] else "none"
            rows[f"{name}: {word}"] = test["looks"][row]
    made = (
        ""
        if config.data
        else "The scenes are simulated in MuJoCo and seen by the project's own ray caster: other "
        "objects, another engine and another eye than Physion's, hence another name. Each starts to"
        " move shortly before it is broken off; contact before that is ruled out; half of the "
        "labelled trials end in contact. What is drawn was fixed before any model was judged, and "
        "the model was made on other draws (version 1) than those it is judged on."
    )
    picture = figures_physion.filmstrips(folder / "scenes.png", rows)
    return html.Section(
        "What is seen",
        "The moments observed of a test trial of each scenario, a tenth of a second apart.\n\n"
        + made,
        [(picture, "Red: the target. Yellow: the zone.")],
    )


def _accuracy(folder: Path, config, found: Found, result: dict) -> html.Section:
    lines = {title: found.table(found.right(arm)) for arm, title in ARMS.items()}
    single = {"last observed picture": found.table(found.still["right"])[0]}
    if found.oracle:
        single["noisy simulator"] = found.oracle["accuracy"]
    picture = figures_physion.accuracy(
        folder / "accuracy.png", physion.SCENARIOS, lines, single, NEEDED
    )
    low, high = gain(found)
    gained = result["criteria"][1]["mean"]
    told = [_row(title, table.mean(0)) for title, table in lines.items()]
    told += [_row(title, values) for title, values in single.items()]
    published = ", ".join(f"{name} {value:.3f}" for name, value in judge.PUBLISHED.items())
    where = (
        "The noisy simulator knows the true state at the last observed frame, up to a centimetre "
        "and a twentieth of the velocities, and the physics: an upper line. "
        if found.oracle
        else ""
    )
    return html.Section(
        "What it takes",
        "One read-out over all scenarios, as the official evaluation has it: frozen features of the"
        " observed part, standardised, logistic regression, C by cross-validation; accuracies are "
        f"averaged over scenarios without weights. {where}"
        "The last observed picture is its pixels and colours' places alone.\n\n"
        + "\n\n".join(told)
        + f"\n\nWhat imagination adds: {gained:+.3f} in the mean over seeds; "
        f"over other test trials and other seeds, 95 %: {low:+.3f} to {high:+.3f}.\n\n"
        f"Published on Physion itself{'' if config.data else ', not comparable'}: {published}.",
        [(picture, "Accuracy by scenario; bars are means over seeds, dots are seeds.")],
    )


def _foreseen(folder: Path, found: Found) -> html.Section:
    test = found.seen["test"]
    nearest = found.answers["peak"][0, :, 0]
    picture = figures_physion.foreseen(
        folder / "foreseen.png", nearest, test["label"], test["scenario"], physion.SCENARIOS
    )
    return html.Section(
        "What is foreseen",
        "The first seed's imagination: how near red and yellow come at most in the picture within "
        f"{foresight.IMAGINED} imagined moments, before any label is given, by how the trial ends.",
        [(picture, "Dots are test trials.")],
    )


def _losses(found: Found) -> html.Section:
    lines = [
        f"{split}: {len(rows['label'])} trials read; {len(rows['skipped'])} broken, "
        f"{len(rows['missing'])} missing, {len(rows['excluded'])} left out for their glitches."
        for split, rows in found.seen.items()
    ]
    broken = [str(name) for rows in found.seen.values() for name in rows["skipped"][:20]]
    return html.Section("What was read", "\n\n".join(lines + broken))


def _row(title: str, values: np.ndarray) -> str:
    parts = [
        f"{name} {value:.2f}"
        for name, value in zip(physion.SCENARIOS, values, strict=True)
        if np.isfinite(value)
    ]
    return f"{title}: {np.nanmean(values):.3f} ({', '.join(parts)})."


def _criterion(failed, name, claim, per_seed, needed, control, by_interval) -> dict:
    values = [None if bad else float(v) for v, bad in zip(per_seed, failed, strict=True)]
    rival = None if control is None else (control[0], float(np.mean(control[1][~failed])))
    return results.criterion(
        name, claim, values, needed, ">=", control=rival, by_interval=by_interval
    )


def _mean_se(values: np.ndarray) -> list[float | None]:
    interval = stats.mean_interval(values)
    return [interval.mean, interval.se]
