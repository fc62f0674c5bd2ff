"""What the memory experiment claims, and its page."""

from typing import NamedTuple

import numpy as np

from nsca_jax.evaluation import memory as judge
from nsca_jax.evaluation import monitors, stats, transfer
from nsca_jax.reports import figures_continual, figures_memory, html, results

Record = dict[str, np.ndarray]
LABELS = {
    "memory": "memory, whole",
    "plain": "plain training",
    "no_replay": "without replay",
    "no_ewc": "without EWC",
    "no_prototypes": "without prototypes",
    "even_eviction": "eviction blind to surprise",
    "prototypes_alone": "prototypes alone",
    "too_stiff": "EWC far too stiff",
}
ABLATED = ("no_replay", "no_ewc", "no_prototypes", "even_eviction")
CUES = {  # of judge.CUES: what is given
    "look": "the look alone, before any act",
    "colour": "the look's colour alone",
    "form": "the look's form alone",
    "eyes shut": "sound and touch, eyes shut",
    "sound": "sound alone",
    "touch": "touch alone",
    "ears shut": "look and touch, ears shut",
    "hands off": "look and sound, hands off",
    "all senses": "all senses",
}


class Facts(NamedTuple):
    """What was measured. Records lead with seeds; see experiments/memory.py."""

    sets: list[str]
    things: int
    episodes: int
    records: dict[str, Record]

    def skill(self, arm: str) -> np.ndarray:
        """[S, T, T] mean over modalities."""
        return self.records[arm]["skill"][..., 0]

    def right(self, memory: str, cue: str) -> np.ndarray:
        """[S] share of right answers, over all sets."""
        number = list(judge.CUES).index(cue)
        return self.records["memory"][memory][:, number].mean(-1)

    @property
    def failed(self) -> np.ndarray:
        """[S] seeds of which an arm that claims are made of broke off."""
        bad = [~np.isfinite(r["skill"]).all((1, 2, 3)) for r in self.records.values()]
        return np.any(bad, axis=0)


def claims(facts: Facts) -> dict:
    """What `run.result` takes but the seeds."""
    lost = {arm: judge.forgotten(facts.skill(arm)) for arm in facts.records}
    fine = ~facts.failed
    return {
        "criteria": _criteria(facts, lost),
        "n_failed_seeds": int(facts.failed.sum()),
        "baselines": _baselines(facts, lost),
        "effect_sizes": {
            f"share forgotten: {LABELS[arm]} against the whole": results.effect_size(
                lost[arm][fine], lost["memory"][fine]
            )
            for arm in ("plain", *ABLATED)
        },
        "monitors": [
            monitors.ewc_too_strong(
                facts.skill("memory"), facts.skill("plain"), "a smaller config.memory.stiffness"
            )
        ],
    }


def write(config: dict, run, facts: Facts, result: dict) -> None:
    """Writes figures/ and report.html."""
    folder = run.workdir / "figures"
    passed = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        "Memory",
        f"An agent babbles with {', then '.join(facts.sets)}, and learns to foresee what comes of "
        "it, from the present things alone. Episodic memory replays what happened, semantic memory "
        "tells what a thing that is looked at is like, and EWC stiffens what mattered. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        [_forgetting(folder, facts), _parts(facts, folder), _recall(folder, facts)],
        config,
        result["versions"],
        result["monitors"],
    )


def _criteria(facts: Facts, lost: dict[str, np.ndarray]) -> list[dict]:
    first, last = facts.sets[0], facts.sets[-1]
    free = judge.learnt_last(facts.skill("plain"))
    learnt = {a: judge.learnt_last(facts.skill(a)) / free for a in ("memory", "too_stiff")}
    helped = _average(facts.skill("memory")) - _average(facts.skill("no_prototypes"))
    chance = f"chance {1 / facts.things:.3f}"
    return [
        _criterion(
            "forgets_little",
            f"Share of the skill on {first} that is lost when all sets are learnt",
            lost["memory"],
            (0.1, "<="),
            ("plain training", lost["plain"]),
        ),
        _criterion(
            "learns_the_last",
            f"Skill on {last} when they are learnt, of plain training's",
            learnt["memory"],
            (0.9, ">="),
            ("EWC far too stiff", learnt["too_stiff"]),
        ),
        _criterion(
            "episode_from_look",
            f"The look alone brings an episode of the right thing to mind ({chance})",
            facts.right("episodes", "look"),
            (0.9, ">="),
            ("shuffled memory", facts.right("episodes, shuffled", "look")),
        ),
        _criterion(
            "prototype_from_look",
            f"The look alone brings the right thing's prototype to mind ({chance})",
            facts.right("prototypes", "look"),
            (0.9, ">="),
            ("shuffled memory", facts.right("prototypes, shuffled", "look")),
        ),
        _criterion(
            "prototypes_help",
            "Skill over all sets at the end, with what prototypes tell less without; the whole "
            "95 % interval above 0",
            helped,
            (0.0, ">="),
            by_interval=True,
        ),
    ]


def _criterion(name, claim, per_seed, needed, control=None, by_interval=False) -> dict:
    """A failed seed is written as None; a control is judged by the mean of its finished seeds."""
    values = [float(v) if np.isfinite(v) else None for v in per_seed]
    rival = (control[0], float(np.nanmean(control[1]))) if control else None
    return results.criterion(name, claim, values, *needed, control=rival, by_interval=by_interval)


def _baselines(facts: Facts, lost: dict[str, np.ndarray]) -> dict:
    """[mean, standard error] of every measure; ablations as differences paired by seed."""
    whole = facts.records["memory"]
    return {
        "skill": {
            arm: {
                "share of the first set forgotten": _mean_se(lost[arm]),
                "last set when learnt": _mean_se(judge.learnt_last(facts.skill(arm))),
                **{
                    f"{name} at the end": _mean_se(facts.skill(arm)[:, -1, i])
                    for i, name in enumerate(facts.sets)
                },
            }
            for arm in facts.records
        },
        "first set by modality, after it and at the end": {
            arm: {
                name: [_mean_se(record["skill"][:, i, 0, 1 + m])[0] for i in (0, -1)]
                for m, name in enumerate(transfer.MODALITIES)
            }
            for arm, record in facts.records.items()
        },
        "right thing brought to mind": {
            memory: {cue: _mean_se(facts.right(memory, cue)) for cue in judge.CUES}
            for memory in whole
            if memory.startswith(("episodes", "prototypes"))
        },
        "right episode from a look, by set": {
            memory: {
                name: _mean_se(whole[memory][:, list(judge.CUES).index("look"), i])
                for i, name in enumerate(facts.sets)
            }
            for memory in ("episodes", "episodes, no recency")
        },
        "episodes held": facts.episodes,
        "prototypes held": _mean_se(whole["known"].astype(float)),
        "chance": 1 / facts.things,
    }


def _forgetting(folder, facts: Facts) -> html.Section:
    shown = ("memory", "plain", "no_replay", "no_prototypes")
    return html.Section(
        "What is forgotten",
        "Skill is 1 - MSE / variance on held-out interactions with a set; 0 is as good as its "
        "mean, and below 0 worse. The grey bar marks the set just learnt.",
        [
            (
                figures_memory.skill_by_set(
                    folder / "skill.png", {LABELS[a]: facts.skill(a) for a in shown}, facts.sets
                ),
                "Mean skill; whiskers hold 95 % of the seeds.",
            )
        ],
    )


def _parts(facts: Facts, folder) -> html.Section:
    percent = {
        LABELS[arm]: {
            "forgotten": 100 * judge.forgotten(facts.skill(arm)),
            **{name: 100 * facts.skill(arm)[:, -1, i] for i, name in enumerate(facts.sets)},
        }
        for arm in facts.records
        if arm != "too_stiff"
    }
    picture = figures_continual.method_bars(folder / "parts.png", percent, "percent")
    return html.Section(
        "Each part off",
        f"Share of the skill on {facts.sets[0]} that is forgotten, and skill on each set when all "
        "are learnt. Each part is told by what its lack changes, paired by seed; EWC also where "
        "nothing is replayed.\n\n"
        + "\n\n".join(
            [
                *(_change(facts, arm, "memory") for arm in ABLATED),
                _change(facts, "prototypes_alone", "no_replay"),
            ]
        ),
        [(picture, "Means of the seeds; whiskers hold 95 % of them.")],
    )


def _change(facts: Facts, arm: str, other: str) -> str:
    """One sentence: what an arm has over another, with intervals."""
    fine = ~facts.failed
    skill = [facts.skill(a)[fine] for a in (arm, other)]
    if not fine.any():
        return f"{LABELS[arm]}: no seed finished."
    mine, theirs = skill
    lost = stats.paired_interval(100 * judge.forgotten(mine), 100 * judge.forgotten(theirs))
    gain = stats.paired_interval(100 * _average(mine), 100 * _average(theirs))
    return (
        f"{LABELS[arm]}, against {LABELS[other]}: {lost.mean:+.1f} points forgotten"
        f"{_bounds(lost)}, {gain.mean:+.1f} points of skill over all sets{_bounds(gain)}."
    )


def _recall(folder, facts: Facts) -> html.Section:
    names = ("episodes", "prototypes", "episodes, shuffled")
    shares = {m: {text: facts.right(m, cue) for cue, text in CUES.items()} for m in names}
    whole = facts.records["memory"]
    look = list(judge.CUES).index("look")
    told = [
        f"{name} {100 * np.mean(whole['episodes'][:, look, i]):.1f} with and "
        f"{100 * np.mean(whole['episodes, no recency'][:, look, i]):.1f} without recency"
        for i, name in enumerate(facts.sets)
    ]
    return html.Section(
        "What comes to mind",
        f"Cues are held-out interactions with all {facts.things} things, of which some senses are "
        f"withheld. Of {len(facts.sets)} sets' interactions {facts.episodes} episodes are held; "
        f"{np.mean(whole['known']):.0f} prototypes, formed without labels, stand for "
        f"them and answer a cue by as many comparisons instead of {facts.episodes}.\n\n"
        f"Recency trades old for new. Right episodes from a look, percent: {'; '.join(told)}.",
        [
            (
                figures_memory.retrieval(folder / "recall.png", shares, 1 / facts.things),
                "Mean of the seeds; whiskers hold 95 % of them.",
            )
        ],
    )


def _average(skill_SxTxT: np.ndarray) -> np.ndarray:
    """[S] skill over all sets at the end."""
    return skill_SxTxT[:, -1].mean(-1)


def _bounds(interval: stats.Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f" ({interval.low:+.1f} … {interval.high:+.1f})"


def _mean_se(values: np.ndarray) -> list[float | None]:
    finished = values[np.isfinite(values)]
    if not finished.size:
        return [None, None]
    spread = float(finished.std(ddof=1) / np.sqrt(finished.size)) if finished.size > 1 else None
    return [float(finished.mean()), spread]
