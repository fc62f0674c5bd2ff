"""What the ablation claims, its tables of effects, and its page."""

from typing import Any

import numpy as np

from experiments import _run
from experiments._ablate_facts import Comparison, Facts, Holm, compare, corrected
from nsca_jax.evaluation import comparisons, stats
from nsca_jax.evaluation.ablation import FULL, SHAM
from nsca_jax.models import dynamics
from nsca_jax.priors import physics
from nsca_jax.reports import figures_ablation, html, results
from nsca_jax.reports.plain import plain


def claims(all_facts: list[Facts]) -> dict[str, Any]:
    """What `run.result` takes but the seeds."""
    out: dict[str, Any] = {"criteria": [], "baselines": {}, "effect_sizes": {}}
    bad = []
    for facts in all_facts:
        found = {c: compare(facts, c) for c in facts.ablated}
        holm = corrected(found)
        out["criteria"] += [_criterion(facts, c, holm[c]) for c in facts.ablated]
        out["baselines"][facts.world] = _baselines(facts)
        out["baselines"][f"{facts.world}, comparisons"] = {
            c: _effects(found[c], holm[c]) for c in facts.ablated
        }
        out["effect_sizes"] |= {
            f"{facts.world}, {c}, d {kind}": None if effect is None else effect.value
            for c in facts.ablated
            for kind, effect in (("paired", found[c].paired), ("pooled", found[c].pooled))
        }
        bad += [np.isnan(facts.area(c)) for c in facts.records]
    return out | {"n_failed_seeds": int(np.any(bad, axis=0).sum())}


def _criterion(facts: Facts, condition: str, holm: Holm) -> dict:
    """The whole interval, as wide as Holm's correction asks, above 0; the sham's must not be."""
    sham = stats.finished(facts.lost(SHAM))[0]
    wide = stats.mean_interval(sham, holm.confidence) if len(sham) > 1 else None
    off = facts.words.off[condition]
    return results.criterion(
        f"{facts.world}_{condition}",
        f"Area under the learning curve ({', '.join(facts.tasks)}), full agent minus the one "
        f"without {off}; lower end of the interval at Holm's confidence of {holm.confidence:.4f}",
        [None if np.isnan(x) else float(x) for x in facts.lost(condition)],
        0.0,
        ">=",
        control=None if wide is None else ("the full agent, drawn again", float(wide.low or 0.0)),
        by_interval=True,
        confidence=holm.confidence,
    )


def _baselines(facts: Facts) -> dict:
    """Means ± SE by condition, n and failed seeds beside, and the predictor without learning."""
    out: dict[str, Any] = {
        name: dict(zip(facts.tasks, skill.tolist(), strict=True))
        for name, skill in facts.baseline.items()
    }
    for c in facts.records:
        figures = {
            "area": facts.area(c),
            **{end.caption: facts.end(c, end.record) for end in facts.words.ends},
            "seconds of a seed": facts.records[c]["seconds"],
        }
        out[c] = {name: stats.summarise(x)._asdict() for name, x in figures.items()}
        area = facts.areas(c)[np.isfinite(facts.area(c))]
        if len(area) > 1:
            iqm = stats.interquartile_mean
            out[c]["area"]["interquartile_mean"] = iqm(area)
            out[c]["area"]["iqm_ci95"] = stats.bootstrap_interval(area, iqm)
    return out


def _effects(of: Comparison, holm: Holm) -> dict:
    named = {k: None if v is None else v._asdict() for k, v in of._asdict().items()}
    return named | {"holm": holm._asdict()}


def per_seed(all_facts: list[Facts], seeds: list[int]) -> dict:
    """World -> condition -> seed -> its figures; null for a seed that failed."""
    return {
        facts.world: {
            c: {
                str(seed): None
                if np.isnan(facts.area(c)[row])
                else {
                    "area": facts.area(c)[row],
                    "area_by_task": dict(zip(facts.tasks, facts.areas(c)[row], strict=True)),
                    facts.words.unit: facts.interactions,
                    **{
                        name: values[row]
                        for name, values in facts.records[c].items()
                        if np.isfinite(values[row]).all()
                    },
                }
                for row, seed in enumerate(seeds)
            }
            for c in facts.records
        }
        for facts in all_facts
    }


def write(config, run, seeds: list[int], all_facts: list[Facts], result: dict) -> None:
    """Writes seeds.json, figures/ and report.html."""
    _run.write_json(run.workdir / "seeds.json", plain(per_seed(all_facts, seeds)))
    passed = sum(item["passed"] for item in result["criteria"])
    sections = []
    for facts in all_facts:
        sections += _sections(run.workdir / "figures", facts)
    html.write_report(
        run.workdir / "report.html",
        "Ablation",
        "One mechanism of the agent at a time is switched off, and all live through the same "
        f"stream with the same budget. {passed} of {len(result['criteria'])} mechanisms are worth "
        f"something there, over {len(seeds)} seeds ({result['n_failed_seeds']} failed). Score is "
        f"{'; '.join(facts.words.score for facts in all_facts)}. The measure is the area under its "
        "learning curve.",
        result["criteria"],
        sections,
        config,
        result["versions"],
    )


def _sections(folder, facts: Facts) -> list[html.Section]:
    conditions = [c for c in facts.records if c != FULL]
    curves = {c: facts.curves(c) for c in conditions}
    lost = {c: stats.finished(facts.lost(c))[0] for c in conditions}
    areas = figures_ablation.forest(folder / f"{facts.world}_areas.png", lost)
    lines = figures_ablation.curves(
        folder / f"{facts.world}_curves.png",
        facts.interactions,
        curves,
        facts.curves(FULL),
        facts.stages,
        facts.words.unit,
    )
    failed = [f"{job} failed: {why}." for job, why in facts.failed.items()]
    return [
        *_priors(folder, facts),
        html.Section(
            f"What each mechanism is worth: {', '.join(facts.tasks)}",
            f"{facts.words.stream} The sham is the full agent with other draws: what chance makes "
            "of a comparison.\n\n" + "\n\n".join(failed),
            [
                (areas, "Dots are seeds, bars 95 % intervals, before Holm's correction."),
                (lines, "Bands are 95 % intervals of the mean; lines part the stages."),
            ],
            table=table_of_areas(facts),
        ),
        html.Section(
            f"Effect sizes and tests: {', '.join(facts.tasks)}",
            "The full agent against each condition. d paired: mean over deviation of the "
            "differences by seed; d pooled: of two samples; both with 95 % intervals by noncentral "
            f"t. p is Holm's over the {len(facts.ablated)} conditions. Probability of improvement: "
            "that a full agent's area beats another's, mean over tasks, stratified bootstrap.",
            table=table_of_effects(facts),
        ),
    ]


def _priors(folder, facts: Facts) -> list[html.Section]:
    """The plan's two figures, where the agent without priors was asked for."""
    bare = "without_priors"
    if bare not in facts.records:
        return []
    agents = {"with priors": FULL, "without priors": bare}
    panels = {"mean over tasks": {name: facts.curves(c) for name, c in agents.items()}}
    for number, task in enumerate(facts.tasks):
        panels[task] = {name: facts.scores(c)[..., number] for name, c in agents.items()}
    known = facts.baseline[facts.words.level]
    levels = {"mean over tasks": float(known.mean())}
    levels |= dict(zip(facts.tasks, known.tolist(), strict=True))
    efficiency = figures_ablation.efficiency(
        folder / f"{facts.world}_efficiency.png",
        facts.interactions,
        panels,
        levels,
        facts.words.level,
        facts.words.unit,
    )
    caption = f"Score: {facts.words.score}; bands are 95 % intervals of the mean."
    title = f"Sample efficiency: {', '.join(facts.tasks)}"
    return [html.Section(title, "", [(efficiency, caption)]), *_trust(folder, facts)]


def _trust(folder, facts: Facts) -> list[html.Section]:
    """How the trust in a prior goes, where there is a prior that is trusted by degrees."""
    if "weight" not in facts.records[FULL]:
        return []
    weight = facts.records[FULL]["weight"]
    start = float(physics.prior_weight(np.float32(dynamics.RAW0)))  # pyright: ignore
    picture = figures_ablation.trust(
        folder / f"{facts.world}_weight.png", facts.updates, weight, start
    )
    end = stats.summarise(weight[:, -1])
    told = f"Trust starts at {start:.2f} and ends at {_number(end.mean)} ± {_number(end.se)}."
    caption = "Mean trust over the held-out interactions; thin lines are seeds."
    return [html.Section("Trust in the priors", told, [(picture, caption)])]


def table_of_areas(facts: Facts) -> list[list[str]]:
    """Heads, then a row a condition."""
    rows = [
        ["Condition", "Area, mean ± SE", "Area, IQM (95 %)",
         *(end.head for end in facts.words.ends), "s a seed", "n (failed)"]
    ]  # fmt: skip
    for c, of in _baselines(facts).items():
        if c in facts.baseline:
            continue
        area = of["area"]
        iqm = area.get("interquartile_mean")
        rows.append(
            [
                c,
                f"{_number(area['mean'])} ± {_number(area['se'])}",
                "–" if iqm is None else _interval(iqm, *area["iqm_ci95"]),
                *(_number(of[end.caption]["mean"]) for end in facts.words.ends),
                _number(of["seconds of a seed"]["mean"]),
                f"{area['n']} ({area['failed']})",
            ]
        )
    return rows


def table_of_effects(facts: Facts) -> list[list[str]]:
    """Heads, then a row a condition; the sham, which is no part of the family, last."""
    found = {c: compare(facts, c) for c in facts.ablated}
    holm = corrected(found)
    rows = [
        ["Condition", "Full minus it (95 %)", "d paired", "d pooled", "paired p, Holm",
         "Welch's t (df)", "Welch's p, Holm", "P(improvement)"]
    ]  # fmt: skip
    for c in (*facts.ablated, SHAM):
        of = found.get(c) or compare(facts, c)
        lost = stats.summarise(facts.lost(c))
        p = holm.get(c)
        rows.append(
            [
                c,
                _interval(lost.mean, lost.low, lost.high),
                _effect(of.paired),
                _effect(of.pooled),
                "–" if p is None else _p(p.paired_p),
                "–" if of.welch is None else f"{of.welch.t:.2f} ({of.welch.df:.1f})",
                "–" if p is None else _p(p.welch_p),
                _effect(of.improvement),
            ]
        )
    return rows


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _interval(value, low, high) -> str:
    return f"{_number(value)} ({_number(low)} … {_number(high)})"


def _effect(of: comparisons.Effect | None) -> str:
    return "–" if of is None else f"{of.value:.2f} ({of.low:.2f} … {of.high:.2f})"


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"
