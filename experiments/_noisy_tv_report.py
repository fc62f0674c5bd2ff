"""What the noisy TV experiment claims, and its page."""

import numpy as np

from nsca_jax.evaluation import monitors, tv
from nsca_jax.reports import figures_curiosity, html, results
from nsca_jax.training import exploring
from nsca_jax.worlds import rooms

Records = dict[str, dict[str, exploring.Diary]]  # signal -> world -> arrays [S, episodes, ...]
DEFAULT = "gamma_progress"
RIVALS = ("prediction_error", "count", "disagreement")
CONTROLS = {"fading": "count"}  # elsewhere RIVALS[0], which noise that fades lets go by itself
RATIO, SEEDS, LEARNABILITY, COVERAGE, ERROR = 0.2, 0.9, 0.1, 1.0, 1.3
LABELS = {
    "gamma_progress": "γ-progress, bound",
    "gamma_unbounded": "γ-progress, no bound",
    "windowed_progress": "windowed progress",
    "prediction_error": "prediction error",
    "count": "count",
    "rnd": "RND",
    "disagreement": "disagreement",
    "ama": "AMA",
}
ROOM_NAMES = ["hall", "clock", "long clock", "driven", "TV"]


def claims(records: Records) -> dict:
    """`criteria`, `n_failed_seeds`, `baselines` and `effect_sizes` of the result."""
    kinds = [kind for kind in rooms.TV_KINDS if kind != "none" and kind in records[DEFAULT]]
    return {
        "criteria": [
            *(item for kind in kinds for item in _withstands(records, kind)),
            *(_falls(records, rival) for rival in RIVALS),
        ],
        "n_failed_seeds": int(_failed(records).sum()),
        "baselines": _baselines(records),
        "effect_sizes": _effects(records, kinds),
    }


def watch(config, records: Records) -> monitors.Reading:
    """Does the default signal still find new cells, in all its worlds together?"""
    whole = ~_failed(records)
    cells = np.concatenate([diary.cells[whole] for diary in records[DEFAULT].values()])
    return monitors.discovery_stalled(
        cells,
        np.full_like(cells, config.life.steps),
        rooms.CELLS,
        "a smaller config.life.bound or config.life.boredom",
    )


def write(config: dict, run, records: Records, result: dict) -> None:
    """Writes figures/ and report.html."""
    figures = run.workdir / "figures"
    passed = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        "A TV that cannot be learnt",
        "One agent walks a floor with three rooms to learn and a television. What it is curious "
        f"of decides whether it gets stuck. {passed} of {len(result['criteria'])} criteria hold "
        f"over {len(result['seeds'])} seeds.",
        result["criteria"],
        [_tables(figures, records), _over_time(figures, records), _whereabouts(figures, records)],
        config,
        result["versions"],
        result["monitors"],
    )


def measures(records: Records, signal: str, world: str) -> dict[str, np.ndarray]:
    """One number a seed [S] each; `error_ratio` only where a life without a TV stands beside."""
    diary = records[signal][world]
    out = {
        "visit_ratio": tv.visit_ratio(diary.watched),
        "occupancy": tv.occupancy(diary.watched),
        "learnability": diary.learnability[:, -1],
        "coverage": diary.cells[:, -1] / rooms.CELLS,
        "error": diary.error[:, -1],
    }
    if "none" in records[signal]:
        without = records[signal]["none"].error
        out["error_ratio"] = tv.error_ratio(diary.error, without)
    return out


def _withstands(records: Records, kind: str) -> list[dict]:
    """The six demands on the default signal before one kind of TV."""
    mine = measures(records, DEFAULT, kind)
    control = CONTROLS.get(kind, RIVALS[0])
    theirs = measures(records, control, kind) if kind in records.get(control, {}) else None
    uniform = rooms.uniform_rate(kind)

    def against(values):
        """The control's mean, where it lived in this world."""
        return None if theirs is None else (LABELS[control], float(np.nanmean(values(theirs))))

    return [
        _criterion(
            f"{kind}_visits",
            f"TV '{kind}': visits of the second half over those of the first",
            mine["visit_ratio"],
            (RATIO, "<="),
            against(lambda of: of["visit_ratio"]),
        ),
        _criterion(
            f"{kind}_seeds",
            f"TV '{kind}': share of seeds whose visits fall to less than a fifth",
            mine["visit_ratio"] < RATIO,
            (SEEDS, ">="),
            against(lambda of: of["visit_ratio"] < RATIO),
        ),
        _criterion(
            f"{kind}_learnability",
            f"TV '{kind}': learnability of the TV's cells and actions at the end",
            mine["learnability"],
            (LEARNABILITY, "<="),
        ),
        _criterion(
            f"{kind}_occupancy",
            f"TV '{kind}': share of the second half's steps before it, under the uniform rate",
            mine["occupancy"],
            (uniform, "<="),
        ),
        _criterion(
            f"{kind}_coverage",
            f"TV '{kind}': share of the cells that were visited",
            mine["coverage"],
            (COVERAGE, ">="),
        ),
        _criterion(
            f"{kind}_error",
            f"TV '{kind}': final held-out error over the same seed's without a TV (goal 1.1)",
            mine["error_ratio"],
            (ERROR, "<="),
        ),
    ]


def _falls(records: Records, rival: str) -> dict:
    """A control must not leave the TV, whichever is on: the median over the kinds."""
    ratios = [tv.visit_ratio(of.watched) for kind, of in records[rival].items() if kind != "none"]
    return _criterion(
        f"control_{rival}_fails",
        f"Curious of {LABELS[rival]}, the agent does not withdraw from the TV: visits of the "
        f"second half over those of the first, median of {len(ratios)} kinds of TV",
        np.median(ratios, axis=0),
        (RATIO, ">="),
    )


def _criterion(name, claim, per_seed, needed, control=None) -> dict:
    """A failed seed is written as None."""
    values = [float(v) if np.isfinite(v) else None for v in per_seed]
    return results.criterion(name, claim, values, *needed, control=control)


def _baselines(records: Records) -> dict:
    """[mean, standard error] of every measure, signal and world."""
    return {
        signal: {
            world: {k: _mean_se(v) for k, v in measures(records, signal, world).items()}
            for world in of
        }
        for signal, of in records.items()
    }


def _mean_se(values: np.ndarray) -> list[float | None]:
    finished = values[np.isfinite(values)]
    if not finished.size:
        return [None, None]
    spread = float(finished.std(ddof=1) / np.sqrt(finished.size)) if finished.size > 1 else None
    return [float(finished.mean()), spread]


def _effects(records: Records, kinds: list[str]) -> dict:
    """Cohen's d of the visit ratio against every other signal, paired by seed."""
    return {
        f"{kind}: {DEFAULT} against {signal}, visit_ratio": results.effect_size(
            tv.visit_ratio(records[DEFAULT][kind].watched), tv.visit_ratio(of[kind].watched)
        )
        for kind in kinds
        for signal, of in records.items()
        if signal != DEFAULT and kind in of and not _failed(records).any()
    }


def _failed(records: Records) -> np.ndarray:
    """[S] seeds of which any life has a number that is not finite."""
    bad = [
        ~np.isfinite(diary.error).all(1) | ~np.isfinite(diary.learnability).all(1)
        for of in records.values()
        for diary in of.values()
    ]
    return np.any(bad, axis=0)


def _tables(figures, records: Records) -> html.Section:
    """All signals by all worlds."""

    def table(name, threshold, title):
        rows = {}
        for signal, of in records.items():
            worlds = [w for w in rooms.TV_KINDS if w in of and w != "none"]
            found = {w: measures(records, signal, w) for w in worlds}
            rows[LABELS[signal]] = {
                w: float(np.nanmean(m[name])) for w, m in found.items() if name in m
            }
        file = figures / f"{name}.png"
        return figures_curiosity.signal_table(file, rows, threshold, title)

    return html.Section(
        "Every signal before every TV",
        "Green cells are below the threshold. Few visits alone prove nothing: who flees all that "
        "is hard stays away from the TV too, which is why the error counts as well, and who "
        "never came to the TV cannot fall to a fifth of it. Each kind's control is prediction "
        "error, save where the noise fades and lets it go by itself: there it is count.",
        [
            (table("visit_ratio", RATIO, "TV visits: second half / first half"), "Needs < 0.2."),
            (
                table("error_ratio", ERROR, "Final error / without a TV"),
                "Error on held-out steps of the three rooms, over that of the same signal and seed "
                "where there is no TV. Needs ≤ 1.3.",
            ),
            (
                table("error", rooms.EYE_NOISE**2 * 3, "Final held-out error"),
                f"Mean squared; {rooms.EYE_NOISE**2:g} of it is the eye's noise. Green is below "
                "three times that.",
            ),
            (
                table("occupancy", rooms.uniform_rate("noise"), "Second half before the TV"),
                "Share of steps; green is below that of a walker to whom all cells are alike.",
            ),
        ],
    )


def _over_time(figures, records: Records) -> html.Section:
    shown = [s for s in (DEFAULT, *RIVALS) if s in records]
    worlds = [w for w in rooms.TV_KINDS if w != "none"]
    panels = {
        world: {LABELS[s]: records[s][world].watched for s in shown if world in records[s]}
        for world in worlds
    }
    levels = {world: rooms.uniform_rate(world) for world in worlds}
    file = figures_curiosity.lives(
        figures / "visits.png", panels, levels, "share of steps at the TV"
    )
    caption = (
        "Mean of the seeds; the band holds 95 % of them. Dashed: a walker to whom all cells and "
        "actions are alike."
    )
    return html.Section("Through a life", "", [(file, caption)])


def _whereabouts(figures, records: Records) -> html.Section:
    shares = {
        LABELS[signal]: of["noise"].rooms[:, of["noise"].rooms.shape[1] // 2 :].mean((0, 1))
        for signal, of in records.items()
        if "noise" in of
    }
    file = figures_curiosity.whereabouts(figures / "rooms.png", shares, ROOM_NAMES)
    caption = "Where the second half is spent when the TV shows noise; the rooms have 25 cells."
    return html.Section("Where it goes", "", [(file, caption)])
