"""What the hearing phase claims, and its page."""

import numpy as np

from experiments import _senses
from nsca_jax.reports import figures_audio, html, results

Scores = dict[str, np.ndarray]  # what is read -> [S, 2 protocols, (hardness, material)]
WITHIN, NOVEL = 0, 1
READ = {"hardness": 0, "material": 1}
PROTOCOLS = {"": WITHIN, "_novel": NOVEL}
WORDS = {
    WITHIN: "read-out labelled on Set B, judged on other interactions with it",
    NOVEL: "read-out labelled on Set A alone, judged on Set B's new things",
}
MEASURES = {"hardness": "hardness, R²", "material": "material, balanced accuracy"}
CHANCE = 1 / 6
ALLOWED = 0.05  # above chance, for sounds that tell nothing


def claims(scores: Scores) -> dict:
    """What `run.result` takes but the seeds."""
    criteria, effects = [], {}
    for suffix, protocol in PROTOCOLS.items():
        for name in ("material", "hardness"):
            ear, rival, eye = _pair(scores, name, protocol)
            criteria.append(
                _above(
                    f"{name}_above_vision{suffix}",
                    name,
                    protocol,
                    "the ear",
                    ear,
                    rival,
                    eye,
                    scores,
                )
            )
            effects[f"ear against {eye}, {name}{suffix}"] = _effect(ear, rival)
    for suffix, protocol in PROTOCOLS.items():
        for name in ("material", "hardness"):
            _, rival, eye = _pair(scores, name, protocol)
            both = scores[f"ear and {eye}"][:, protocol, READ[name]]
            criteria.append(
                _above(
                    f"{name}_with_vision{suffix}",
                    name,
                    protocol,
                    f"ear and {eye}",
                    both,
                    rival,
                    eye,
                )
            )
            effects[f"ear and eye against {eye}, {name}{suffix}"] = _effect(both, rival)
    criteria += _chance(scores)
    learnt, fresh = (scores[n][:, NOVEL, READ["hardness"]] for n in ("ear", "unlearnt ear"))
    criteria.append(
        results.criterion(
            "hardness_above_unlearnt_novel",
            f"{MEASURES['hardness']}: ear minus the same ear before it learnt; {WORDS[NOVEL]}",
            learnt - fresh,
            0.0,
            ">=",
            by_interval=True,
        )
    )
    effects["learnt against unlearnt ear, hardness_novel"] = _effect(learnt, fresh)
    return {
        "criteria": criteria,
        "baselines": {
            name: {
                f"{read}{suffix}": float(x[:, protocol, column].mean())
                for read, column in READ.items()
                for suffix, protocol in PROTOCOLS.items()
            }
            for name, x in scores.items()
        },
        "effect_sizes": effects,
    }


def write(config, run, scores: Scores, losses, example, result: dict) -> None:
    """Writes figures/ and report.html."""
    passed = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        "Hearing",
        "An ear learns from the sounds of impacts, without labels, to tell what two "
        "handfuls of one interaction's impacts share. Linear read-outs of its code are judged "
        f"on Set B, which it never heard. {passed} of {len(result['criteria'])} criteria hold over "
        f"{len(result['seeds'])} seeds.",
        result["criteria"],
        [
            _read(run.workdir / "figures", scores),
            _learning(run.workdir / "figures", losses),
            _heard(run.workdir / "figures", config, example),
        ],
        config.to_dict(),
        result["versions"],
    )


def _pair(scores: Scores, name: str, protocol: int) -> tuple[np.ndarray, np.ndarray, str]:
    """The ear's scores [S], those of the better eye, and which that is."""
    eyes = [eye for eye in ("innate eye", "trained eye") if eye in scores]
    eye = max(eyes, key=lambda e: scores[e][:, protocol, READ[name]].mean())
    ear, rival = (scores[n][:, protocol, READ[name]] for n in ("ear", eye))
    return ear, rival, eye


def _above(key, name, protocol, who, ours, rival, eye, scores=None) -> dict:
    control = None
    if scores is not None:
        dealt = scores["shuffled ear"][:, protocol, READ[name]]
        control = ("shuffled sounds", float((dealt - rival).mean()))
    return results.criterion(
        key,
        f"{MEASURES[name]}: {who} minus {eye} alone, the better eye; {WORDS[protocol]}",
        ours - rival,
        0.0,
        ">=",
        control=control,
        by_interval=True,
    )


def _chance(scores: Scores) -> list[dict]:
    """Sounds dealt to other interactions, and silence, tell nothing of the material."""
    out = []
    for who, key in (("shuffled ear", "shuffled_at_chance"), ("silent ear", "silence_at_chance")):
        for suffix, protocol in PROTOCOLS.items():
            true = scores["ear"][:, protocol, READ["material"]]
            out.append(
                results.criterion(
                    key + suffix,
                    f"{MEASURES['material']}, {who}, chance 0.167; {WORDS[protocol]}",
                    scores[who][:, protocol, READ["material"]],
                    CHANCE + ALLOWED,
                    "<=",
                    control=("true sounds", float(true.mean())),
                )
            )
    return out


def _effect(ours: np.ndarray, rival: np.ndarray) -> float | None:
    return results.effect_size(ours, rival) if len(ours) > 1 else None


def _read(folder, scores: Scores) -> html.Section:
    names = [n for n in scores if n != "silent ear"]
    pictures = [
        (
            figures_audio.read_outs(
                folder / f"{name}.png",
                {n: scores[n][:, :, column] for n in names},
                ("labelled on Set B", "labelled on Set A alone"),
                MEASURES[name],
            ),
            f"{MEASURES[name]}: dots are seeds, bars their mean.",
        )
        for name, column in READ.items()
    ]
    text = (
        "The eye's rivals: the innate code of figure and colours, averaged over the interaction, "
        "and the trained eye's code where one is given. A material's look goes with its physics in "
        "these sets, so that colour alone tells much."
    )
    return html.Section("What the ear and the eye tell", text, pictures)


def _learning(folder, losses: np.ndarray) -> html.Section:
    picture = figures_audio.courses(folder / "losses.png", losses)
    return html.Section(
        "Learning", "", [(picture, "Loss of each seed; the thick line is their mean.")]
    )


def _heard(folder, config, example) -> html.Section:
    things = _senses.load(config)[1].names
    loud = example["sound"].sum((1, 2))
    shown = [int(np.argmax(np.where(example["thing"] == i, loud, -1))) for i in range(len(things))]
    picture = figures_audio.spectra(folder / "spectra.png", example["sound"][shown], things)
    return html.Section(
        "What is heard", "", [(picture, "The loudest interaction with each thing of Set B.")]
    )
