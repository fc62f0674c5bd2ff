"""What the slot discovery experiment claims, and its page."""

import numpy as np

from nsca_jax.evaluation import disentanglement as score
from nsca_jax.evaluation import monitors
from nsca_jax.models.slots import KNOWN
from nsca_jax.reports import figures_slots, html, results
from nsca_jax.training import slot_bank
from nsca_jax.worlds.hidden_properties import ACTIONS, CHANNELS, PROPERTIES, SENSED

Records = dict[str, dict[str, np.ndarray]]  # condition -> arrays that lead with seeds
TITLES = {
    "independent": "independent properties",
    "correlated": "correlated properties",
    "mixed": "densely mixed channels",
    "untrained_independent": "untrained bank",
}


def claims(records: Records) -> dict:
    """What `run.result` takes but the seeds."""
    figures = {name: measures(record) for name, record in records.items()}
    failed = np.any([np.isnan(f["mcc"]) for f in figures.values()], axis=0)
    ours, none = (figures[c]["mcc"][~failed] for c in ("independent", "untrained_independent"))
    effect = results.effect_size(ours, none) if len(ours) > 1 else None
    return {
        "criteria": _criteria(figures),
        "n_failed_seeds": int(failed.sum()),
        "baselines": {
            name: {k: _mean_se(v) for k, v in figure.items()} for name, figure in figures.items()
        },
        "effect_sizes": {"trained against untrained, MCC": effect},
        "monitors": [
            monitors.slot_collapse(
                records[condition]["mean"],
                records[condition]["activation"] > score.ACTIVE,
                "a larger config.likeness_price",
            )._replace(name=f"slot_collapse, {TITLES[condition]}")
            for condition in ("independent", "correlated", "mixed")
        ],
    }


def measures(record: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every score of a condition, [S] each; NaN where a seed is not finite."""
    truth, activation = record["truth"], record["activation"]
    rows = [_seed_measures(*one) for one in zip(record["mean"], truth, activation, strict=True)]
    out = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    if "entangled" in record:
        pairs = zip(record["entangled"], truth, strict=True)
        out["mcc_before_turn"] = np.array([_mcc(*pair) for pair in pairs])
    return out


def write(config: dict, run, records: Records, result: dict) -> None:
    """Writes figures/ and report.html."""
    passed = sum(item["passed"] for item in result["criteria"])
    folder = run.workdir / "figures"
    html.write_report(
        run.workdir / "report.html",
        "Slot discovery",
        "Objects differ in five properties that no sense shows. A bank of 16 free slots learns to "
        "foresee what comes of acting on them, without labels. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        [
            _found(folder, records),
            _opening(folder, config, records),
            _reading(folder, records),
            _scores(result),
        ],
        config,
        result["versions"],
        result["monitors"],
    )


def _mcc(mean: np.ndarray, truth: np.ndarray) -> float:
    if not np.isfinite(mean).all():
        return float("nan")
    return float(score.match(score.correlations(mean, truth)).r.mean())


def _seed_measures(mean: np.ndarray, truth: np.ndarray, activation: np.ndarray) -> dict:
    if not (np.isfinite(mean).all() and np.isfinite(activation).all()):
        names = ("found", "followed", "mcc", "rival", "largest_rival", "active", *score.DCI._fields)
        return dict.fromkeys(names, float("nan"))
    r = score.correlations(mean, truth)
    matched = score.match(r)
    return {
        "found": float(score.found(r, activation)),
        "followed": float(score.found(r, np.ones(len(r)))),  # by a slot, active or not
        "mcc": float(matched.r.mean()),
        "rival": float(matched.rival.mean()),
        "largest_rival": float(matched.rival.max()),
        "active": float((activation > score.ACTIVE).sum()),
        **score.dci(mean, truth)._asdict(),
    }


def _criteria(of: dict[str, dict[str, np.ndarray]]) -> list[dict]:
    ours, none = of["independent"], of["untrained_independent"]
    most = len(PROPERTIES) + 1
    table = [
        ("slots_found", "Hidden properties that an open free slot of their own follows (|r| > .6)",
         ours["found"], (5, ">="), ("untrained bank, any slot", none["followed"])),
        ("mcc_independent", "Independent properties: mean |r| of a property with its slot (MCC)",
         ours["mcc"], (0.94, ">="), ("untrained bank", none["mcc"])),
        ("next_best", "Independent properties: a slot's largest |r| with any other property, mean",
         ours["rival"], (0.3, "<="), None),
        ("no_more_slots", "Open free slots, of 16, for five properties",
         ours["active"], (most, "<="), None),
        ("mcc_correlated", "Properties correlated by .5: MCC",
         of["correlated"]["mcc"], (0.9, ">="),
         ("untrained bank", of["untrained_correlated"]["mcc"])),
        ("mcc_mixed", "Every channel mixes all that an action brings out: MCC",
         of["mixed"]["mcc"], (0.9, ">="),
         ("untrained bank", of["untrained_mixed"]["mcc"])),
        ("shuffled_opens_none", "Outcomes dealt to other objects: open free slots",
         of["shuffled"]["active"], (0, "<="), ("true outcomes", ours["active"])),
        ("untrained_finds_none", "Properties that any slot of an untrained bank follows (|r| > .6)",
         none["followed"], (0, "<="), ("trained bank", ours["found"])),
    ]  # fmt: skip
    return [_criterion(*row) for row in table]


def _criterion(name, claim, per_seed, needed, control) -> dict:
    """A failed seed is written as None; a control is judged by the mean of its finished seeds."""
    values = [float(v) if np.isfinite(v) else None for v in per_seed]
    rival = (control[0], float(np.nanmean(control[1]))) if control else None
    return results.criterion(name, claim, values, *needed, control=rival)


def _found(folder, records: Records) -> html.Section:
    squares = {TITLES[c]: _square(records[c]) for c in TITLES if c in records}
    record = records["independent"]
    shown = _finite_seeds(record)[0]
    truth, mean = record["truth"][shown], record["mean"][shown]
    matched = score.match(score.correlations(mean, truth))
    return html.Section(
        "What was found",
        "Slots are assigned to properties one to one, on objects that the bank never learnt from. "
        "The properties score it; it never sees them.",
        [
            (
                figures_slots.correlation_matrices(folder / "found.png", squares, PROPERTIES),
                "|r| of each property's slot with every property, mean of the seeds.",
            ),
            (
                figures_slots.slot_scatter(
                    folder / "scatter.png",
                    truth,
                    mean[:, matched.slot],
                    matched.r,
                    PROPERTIES,
                ),
                "Held-out objects of one seed.",
            ),
        ],
    )


def _opening(folder, config: dict, records: Records) -> html.Section:
    record = records["independent"]
    looks = record["surprise"].shape[1]
    in_use = (record["activation_trace"] > score.ACTIVE).sum(-1)
    settings = slot_bank.Settings()
    return html.Section(
        "How slots open",
        "All slots are closed at first. One more opens whenever errors about the same object agree "
        "with each other, which noise does not, and no open slot is idle. Later each must pay for "
        "what it says.",
        [
            (
                figures_slots.openings(
                    folder / "openings.png",
                    config["steps"] * (1 + np.arange(looks)) / looks,
                    record["opened"].sum(-1),
                    in_use,
                    record["surprise"],
                    len(PROPERTIES),
                    settings.persistent,
                ),
                "Independent properties; thin lines are seeds.",
            )
        ],
    )


def _reading(folder, records: Records) -> html.Section:
    record = records["independent"]
    shown = []
    known = [KNOWN.index(name) for name in SENSED]
    for seed in _finite_seeds(record):
        matched = score.match(score.correlations(record["mean"][seed], record["truth"][seed]))
        shown.append(record["gates"][seed][..., [*known, *(matched.slot + len(KNOWN))]])
    picture = figures_slots.gate_map(
        folder / "gates.png", np.mean(shown, 0), ACTIONS, CHANNELS, (*SENSED, *PROPERTIES)
    )
    return html.Section(
        "What each outcome reads",
        "A gate that does not pay for itself shuts. `hiss` is noise alone, and size matters to "
        "nothing here.",
        [(picture, "Gates from known slots (weight, size) and from the slot of each property.")],
    )


def _scores(result: dict) -> html.Section:
    lines = []
    for name, figures in result["baselines"].items():
        told = ", ".join(f"{k} {v[0]:.3g}" for k, v in figures.items() if v[0] is not None)
        lines.append(f"{name}: {told}.")
    return html.Section("All scores", "Means of the seeds.\n\n" + "\n\n".join(lines))


def _square(record: dict[str, np.ndarray]) -> np.ndarray:
    out = []
    for seed in _finite_seeds(record):
        r = score.correlations(record["mean"][seed], record["truth"][seed])
        out.append(r[score.match(r).slot])
    return np.mean(out, 0)


def _finite_seeds(record: dict[str, np.ndarray]) -> np.ndarray:
    return np.flatnonzero(np.isfinite(record["mean"]).all((1, 2)))


def _mean_se(values: np.ndarray) -> list[float | None]:
    finished = values[np.isfinite(values)]
    if not finished.size:
        return [None, None]
    spread = float(finished.std(ddof=1) / np.sqrt(finished.size)) if finished.size > 1 else None
    return [float(finished.mean()), spread]
