"""What the fusion phase claims, and its page."""

import numpy as np

from experiments._senses import PROPERTIES
from nsca_jax.models.fusion import SENSES
from nsca_jax.reports import figures_audio, figures_fusion, html, results

Scores = dict[str, np.ndarray]  # what is read -> [S, 2 protocols, PROPERTIES]
WITHIN, NOVEL = 0, 1
PROTOCOLS = {"": WITHIN, "_novel": NOVEL}
WORDS = {
    WITHIN: "read-out labelled on Set B, judged on other interactions with it",
    NOVEL: "read-out labelled on Set A alone, judged on Set B's new things",
}


def claims(scores: Scores, unchanged: np.ndarray) -> dict:
    """What `run.result` takes but the seeds; `unchanged` [S, senses]: the encoders' bytes are."""
    criteria, effects = [], {}
    for suffix, protocol in PROTOCOLS.items():
        ours = mean_told(scores["fused"], protocol)
        best = max(SENSES, key=lambda n: mean_told(scores[n], protocol).mean())
        rival = mean_told(scores[best], protocol)
        criteria.append(
            _above(
                f"fused_above_best_sense{suffix}",
                f"Properties told, mean R²: the state minus {best}, the best sense; "
                f"{WORDS[protocol]}",
                ours - rival,
            )
        )
        effects[f"state against {best}{suffix}"] = _effect(ours, rival)
    for column, name in enumerate(PROPERTIES):
        told = {n: floored(scores[n])[:, NOVEL, column] for n in (*SENSES, "fused")}
        best = max(SENSES, key=lambda n, told=told: told[n].mean())
        criteria.append(
            _above(
                f"{name}_above_best_sense",
                f"{name.capitalize()}, R²: the state minus {best}, its best sense; {WORDS[NOVEL]}",
                told["fused"] - told[best],
            )
        )
    for gone in SENSES:
        ours, control = (loss_without(scores, who, gone) for who in ("fused", "undropped"))
        criteria.append(
            _above(
                f"without_{gone}",
                f"Loss of mean R² when {gone} goes missing, of a fusion that learnt with all "
                "senses always there, minus that of ours; the read-out is not fitted anew",
                control - ours,
            )
        )
        effects[f"dropout, without {gone}"] = _effect(control, ours)
    criteria.append(
        results.criterion(
            "encoders_unchanged",
            "Encoders, of four, whose bytes in fusion.npz are those that were frozen",
            unchanged.sum(1).astype(float),
            len(SENSES),
            ">=",
        )
    )
    return {
        "criteria": criteria,
        "baselines": {
            name: {
                f"{prop}{suffix}": float(x[:, protocol, column].mean())
                for column, prop in enumerate(PROPERTIES)
                for suffix, protocol in PROTOCOLS.items()
            }
            for name, x in scores.items()
        },
        "effect_sizes": effects,
    }


def floored(told: np.ndarray) -> np.ndarray:
    """R^2, 0 where a read-out is worse than the mean: it tells nothing."""
    return np.maximum(told, 0.0)


def mean_told(told: np.ndarray, protocol: int) -> np.ndarray:
    """[S] mean over the properties."""
    return floored(told)[:, protocol].mean(-1)


def loss_without(scores: Scores, who: str, gone: str) -> np.ndarray:
    """[S] mean R^2 that goes with the sense `gone`, within Set B."""
    return mean_told(scores[who], WITHIN) - mean_told(scores[f"{who} without {gone}"], WITHIN)


def write(config, run, scores: Scores, losses: dict[str, np.ndarray], result: dict) -> None:
    """Writes figures/ and report.html."""
    passed = sum(item["passed"] for item in result["criteria"])
    folder = run.workdir / "figures"
    html.write_report(
        run.workdir / "report.html",
        "Fusion",
        "What is seen, heard and felt meets in one state of 512 numbers. Encoders are frozen; the "
        "fusion learns, without labels, to tell what is missing and what comes next. Linear "
        "read-outs of the state at an interaction's end are judged on Set B. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        [_told(folder, scores), _missing(folder, scores), _learning(folder, losses)],
        config.to_dict(),
        result["versions"],
    )


def _above(name: str, claim: str, margin: np.ndarray) -> dict:
    return results.criterion(name, claim, margin, 0.0, ">=", by_interval=True)


def _effect(ours: np.ndarray, rival: np.ndarray) -> float | None:
    return results.effect_size(ours, rival) if len(ours) > 1 else None


def _told(folder, scores: Scores) -> html.Section:
    shown = {n: scores[n] for n in (*SENSES, "all codes", "undropped", "fused")}
    pictures = [
        (
            figures_fusion.table_of(
                folder / f"told{suffix}.png",
                {n: x[:, protocol].mean(0) for n, x in shown.items()},
                PROPERTIES,
            ),
            f"Means of the seeds; {WORDS[protocol]}.",
        )
        for suffix, protocol in PROTOCOLS.items()
    ]
    text = (
        "R² of five properties. `all codes` is the four codes side by side, twice as long as the "
        "state; `undropped` is the fusion that learnt with all senses always there."
    )
    return html.Section("What each sense tells, and the state", text, pictures)


def _missing(folder, scores: Scores) -> html.Section:
    losses = {
        who: np.stack([loss_without(scores, key, gone) for gone in SENSES], -1)
        for who, key in (("with dropout", "fused"), ("without dropout", "undropped"))
    }
    picture = figures_fusion.losses_without(folder / "missing.png", losses, SENSES)
    text = "The read-out was fitted with all senses there; lower is better."
    return html.Section("With a sense missing", text, [(picture, "Dots are seeds.")])


def _learning(folder, losses: dict[str, np.ndarray]) -> html.Section:
    names = {"losses": "fusion", "losses.proprio": "proprio", "losses.touch": "touch"}
    pictures = [
        (figures_audio.courses(folder / f"learning-{words}.png", losses[n]), f"Loss of {words}.")
        for n, words in names.items()
    ]
    return html.Section("Learning", "Thin lines are seeds, the thick one is their mean.", pictures)
