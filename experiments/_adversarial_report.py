"""What the adversarial experiment claims, and its page."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.evaluation import poison
from nsca_jax.reports import figures_robustness, html, results
from nsca_jax.robustness import detection

DROPOUT = ("black", "dead red", "dead green", "dead blue", "dead depth")
STRANGE = ("recoloured", "Set B")


class Facts(NamedTuple):
    """All that was measured: S seeds, n looks, P properties."""

    levels: poison.Levels  # [S]
    object_id: np.ndarray  # [S, n] of the looks that were attacked
    records: Mapping[str, Mapping[str, np.ndarray]]  # name -> answer, surprise, disagreement, looks
    eps: int  # of the criteria, in 1/255


def suspicion(record: Mapping[str, np.ndarray]) -> np.ndarray:
    """[S, n] the larger of the two, in units of its limit."""
    return np.maximum(record["surprise"], record["disagreement"])


def refused(record: Mapping[str, np.ndarray]) -> np.ndarray:
    """[S, n] bool: what the guard holds back."""
    return np.asarray(detection.uncertain(jnp.asarray(suspicion(record))))


def flipped(facts: Facts, name: str) -> np.ndarray:
    """[S, n, P] bool: read-outs that differ from those of the same looks left alone."""
    return facts.records[name]["answer"] != facts.records["clean"]["answer"]


def poisoned(facts: Facts, name: str, guarded: bool) -> np.ndarray:
    """[2, S] percent of what the table, and semantic memory, say of objects that is another level.

    Every look has been attacked.
    """
    record = facts.records[name]
    held = refused(record) if guarded else np.zeros(facts.object_id.shape, bool)
    shares = _spoilt(
        jax.tree.map(jnp.asarray, facts.levels),
        facts.object_id,
        facts.records["clean"]["answer"],
        record["answer"],
        held,
    )
    return 100.0 * np.asarray(shares)


def agreement(facts: Facts, shift: int = 0) -> np.ndarray:
    """[S] percent of clean read-outs that say what the agent's own table says of the object.

    `shift` compares with the object so many places on: the control.
    """
    out = []
    answers = facts.records["clean"]["answer"]
    for level, known, ids, answer in zip(
        facts.levels.level, facts.levels.known, facts.object_id, answers, strict=True
    ):
        row = (ids + shift) % len(level)
        out.append(100.0 * np.mean((answer == level[row])[known[row]]))
    return np.array(out)


def claims(facts: Facts) -> dict:
    """`criteria`, `baselines` and `effect_sizes` of the result."""
    attack = f"PGD {facts.eps}"
    flips = {n: _percent(flipped(facts, n)) for n in (attack, "random signs")}
    (table, memory), (open_table, open_memory) = (poisoned(facts, attack, g) for g in (True, False))
    refusals = {n: _percent(refused(r)) for n, r in facts.records.items()}
    criteria = [
        results.criterion(
            "looks_tell_properties",
            "Read-outs of clean looks that say what the agent's own table says (percent)",
            agreement(facts),
            80,
            ">=",
            ("table rows of other objects", float(agreement(facts, 7).mean())),
        ),
        results.criterion(
            "attack_flips_undefended",
            f"PGD-20 of {facts.eps}/255 flips undefended property read-outs (percent)",
            flips[attack],
            80,
            ">=",
            ("random signs of that size", float(flips["random signs"].mean())),
        ),
        results.criterion(
            "guarded_table_stays_clean",
            "Entries of the grounding table poisoned with the guard on, every look of every "
            "object attacked (percent)",
            table,
            5,
            "<=",
            ("no guard", float(open_table.mean())),
        ),
        results.criterion(
            "guarded_memory_stays_clean",
            "Facts of semantic memory's prototypes, as objects recall them, poisoned with the "
            "guard on, every look of every object attacked (percent)",
            memory,
            5,
            "<=",
            ("no guard", float(open_memory.mean())),
        ),
        results.criterion(
            "clean_looks_pass",
            "Clean looks, never trained or calibrated on, that the guard refuses (percent)",
            refusals["clean"],
            5,
            "<=",
            ("the attacked looks", float(refusals[attack].mean())),
        ),
        results.criterion(
            "dropout_is_refused",
            "Looks refused when the sensor fails: the worst of a black image and one dead channel "
            "(percent)",
            np.min([refusals[n] for n in DROPOUT], 0),
            95,
            ">=",
            ("clean looks", float(refusals["clean"].mean())),
        ),
    ]
    effects = {
        "poisoned entries: no guard against guard": results.effect_size(open_table, table),
        "poisoned facts: no guard against guard": results.effect_size(open_memory, memory),
    }
    return {"criteria": criteria, "baselines": _baselines(facts), "effect_sizes": effects}


def write(config: dict, run, facts: Facts, result: dict) -> None:
    """Writes figures/ and report.html."""
    folder = run.workdir / "figures"
    told = result["baselines"]
    suspicions = {n: suspicion(r).ravel() for n, r in facts.records.items()}
    gallery = ["clean", f"PGD {facts.eps}", *_adaptive(facts)[-1:], "recoloured", "Set B"]
    looks = {n: facts.records[n]["looks"][:, ..., :3] for n in gallery}
    curve = {
        n: [told[f"PGD {size}"][key][0] for size in _sizes(facts)]
        for n, key in (
            ("read-outs flipped", "flipped"),
            ("looks refused", "refused"),
            ("entries poisoned, no guard", "poisoned_unguarded"),
            ("entries poisoned, guard on", "poisoned"),
        )
    }
    sections = [
        html.Section(
            "What attacks do",
            "Every look of every object is attacked, and the table starts empty: an entry is "
            "poisoned if it says another level than the same looks say unattacked. Semantic "
            "memory starts empty too, and objects of the same levels share a prototype: a fact is "
            "poisoned if an object recalls it at another level.\n\n" + _sizes_text(facts, told),
            [
                (
                    figures_robustness.attack_curve(folder / "sizes.png", _sizes(facts), curve),
                    "PGD-20 by its size, means of the seeds.",
                ),
                (
                    figures_robustness.looks(folder / "looks.png", looks),
                    f"Looks of the first seed: as they are, attacked within {facts.eps}/255, and "
                    "of objects never met.",
                ),
            ],
        ),
        html.Section(
            "What the guard sees",
            "Suspicion is the larger of surprise (the look less its reconstruction) and "
            "disagreement of the ensemble, in units of the limits set on clean looks. Above 1 a "
            "look is uncertain, and its answers enter neither the table nor semantic memory.",
            [
                (
                    figures_robustness.suspicions(folder / "suspicion.png", suspicions),
                    "All looks of all seeds: 5th to 95th percentile, and the median.",
                )
            ],
        ),
        html.Section("An attacker that knows the guard", _adaptive_text(facts, told)),
        html.Section("Looks from elsewhere", _strange_text(facts, told)),
    ]
    passed = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        "Looks meant to mislead",
        "An agent reads properties off single looks, and a guard keeps out what it does not "
        f"believe. {passed} of {len(result['criteria'])} criteria hold over "
        f"{len(result['seeds'])} seeds.",
        result["criteria"],
        sections,
        config,
        result["versions"],
    )


@jax.jit
@jax.vmap
def _spoilt(levels, ids, before, after, held):
    """Shares of the table and of semantic memory."""

    def share(write, say):
        clean = write(levels, ids, before, jnp.zeros_like(held))
        attacked = write(levels, ids, after, held)
        return jnp.mean(poison.poisoned(say(levels, clean), say(levels, attacked)))

    return (
        share(poison.enter, poison.table_levels),
        share(poison.remember, poison.recalled_levels),
    )


def _baselines(facts: Facts) -> dict:
    """[mean, standard error] in percent, over seeds, of every way of misleading."""
    out = {}
    for name, record in facts.records.items():
        row = {
            "refused": refused(record),
            "refused_by_surprise": record["surprise"] > 1.0,
            "refused_by_disagreement": record["disagreement"] > 1.0,
        }
        out[name] = {key: _mean_se(_percent(value)) for key, value in row.items()}
        if name not in STRANGE:
            flips = flipped(facts, name)
            out[name]["flipped"] = _mean_se(_percent(flips))
            believed = flips & ~refused(record)[..., None]
            out[name]["flipped_and_believed"] = _mean_se(_percent(believed))
            for guarded, ending in ((True, ""), (False, "_unguarded")):
                table, memory = poisoned(facts, name, guarded)
                out[name][f"poisoned{ending}"] = _mean_se(table)
                out[name][f"memory_poisoned{ending}"] = _mean_se(memory)
        else:
            clean = facts.records["clean"]
            out[name]["suspicion_auroc"] = _mean_se(100.0 * _auroc(clean, record))
    out["clean"]["agrees_with_table"] = _mean_se(agreement(facts))
    return out


def _auroc(clean, strange) -> np.ndarray:
    """[S] chance that a strange look is more suspicious than a clean one."""
    return np.mean(suspicion(strange)[:, :, None] > suspicion(clean)[:, None, :], (1, 2))


def _adaptive(facts: Facts) -> list[str]:
    return [name for name in facts.records if name.startswith("adaptive")]


def _sizes(facts: Facts) -> list[int]:
    names = [name.removeprefix("PGD ") for name in facts.records if name.startswith("PGD ")]
    return sorted(int(name) for name in names if name.isdigit())


def _sizes_text(facts: Facts, told: dict) -> str:
    """The guard's blind side in words: the size that poisons the most with the guard on."""
    worst = max(_sizes(facts), key=lambda size: told[f"PGD {size}"]["poisoned"][0])
    row = told[f"PGD {worst}"]
    return (
        f"Of the sizes tried, {worst}/255 poisons the most entries with the guard on: "
        f"{row['poisoned'][0]:.1f} %, and {row['memory_poisoned'][0]:.1f} % of facts recalled, "
        f"with {row['refused'][0]:.1f} % of looks refused. A change small enough to hide beside "
        "what the reconstruction misses anyway is not noticed."
    )


def _adaptive_text(facts: Facts, told: dict) -> str:
    said = [
        f"weight {name.removeprefix('adaptive ')}: flips {told[name]['flipped'][0]:.1f} % of "
        f"read-outs, {told[name]['refused'][0]:.1f} % of looks refused, "
        f"{told[name]['poisoned'][0]:.1f} % of entries poisoned, and "
        f"{told[name]['memory_poisoned'][0]:.1f} % of facts recalled"
        for name in _adaptive(facts)
    ]
    return (
        f"It climbs the same loss within {facts.eps}/255 less the detector's excess, times a "
        "weight, by gradients of both. As it is: "
        + "; ".join(said)
        + ".\n\nWhere many entries are poisoned, the guard stops those who do not know it, and "
        "those who do walk past: it is no proof against an attacker with its gradients."
    )


def _strange_text(facts: Facts, told: dict) -> str:
    rows = [
        f"{name}: {told[name]['refused'][0]:.1f} % refused, and more suspicious than a clean look "
        f"in {told[name]['suspicion_auroc'][0]:.1f} % of pairs"
        for name in STRANGE
    ]
    dropout = [f"{name} {told[name]['refused'][0]:.1f} %" for name in DROPOUT]
    return (
        "Objects never met are no attack, and refusing them is no duty; how often it happens: "
        + "; ".join(rows)
        + ".\n\nA failed sensor, refused: "
        + ", ".join(dropout)
        + "."
    )


def _percent(hits: np.ndarray) -> np.ndarray:
    return 100.0 * hits.reshape(len(hits), -1).mean(-1)


def _mean_se(values: np.ndarray) -> list[float | None]:
    spread = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else None
    return [float(values.mean()), spread]
