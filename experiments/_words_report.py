"""What the words experiment claims, and its page."""

import os
from typing import Any, NamedTuple

import numpy as np

from experiments import _words_world
from experiments._config import BadInput
from nsca_jax import types
from nsca_jax.evaluation import monitors
from nsca_jax.evaluation import words as score
from nsca_jax.grounding import describe
from nsca_jax.models.slots import ACTIVE
from nsca_jax.reports import figures_words, html, results
from nsca_jax.training import words
from nsca_jax.worlds import speaker

NEEDED = 0.8
TOLERATED = 0.05  # accuracy above chance that still counts as chance
TITLES = {
    "babbling": "babbling and words",
    "dealt": "outcomes dealt to other things",
    "nothing": "no babbling",
    "table": "grounding table alone",
    "free": "free slots alone",
    "untrained": "free slots, untrained bank",
    "set_a": "words for Set A alone",
}
KINDS = {
    "name": "the name by itself",
    "carrier": "in a phrase never heard",
    "form": "an unheard form of a word",
    "word": "an unheard word",
}


class Seen(NamedTuple):
    """All that the run came to."""

    things: _words_world.Things
    lexicon: speaker.Lexicon
    met: _words_world.Met
    bank: dict[str, Any]
    states: dict[str, np.ndarray]
    records: dict[str, dict[str, np.ndarray]]  # arm -> arrays that lead with seeds

    @property
    def novel(self) -> int:
        """How many of the things asked about are Set B's; they come first."""
        return len(self.things.names_b)


def claims(config, seen: Seen) -> dict:
    """What `run.result` takes but the seeds."""
    figures = {name: measures(seen, record) for name, record in seen.records.items()}
    chance = _chance(config, seen)
    ours = figures["babbling"]["accuracy"]
    failed = np.any([x["faults"] != "" for x in (seen.bank, *seen.records.values())], axis=0)
    gap = {name: figures[name]["accuracy"] - chance for name in ("babbling", "nothing", "dealt")}
    one = 1 / len(seen.lexicon.names)
    table = [
        (
            "named_on_set_b",
            "Set B, never met and never named: the name that the speaker would give, chosen among "
            f"all {len(seen.lexicon.names)} (chance {one:.2f}; for whoever knows the skill alone, "
            f"{chance.mean():.2f})",
            ours, (NEEDED, ">="), ("outcomes dealt to other things", figures["dealt"]["accuracy"]),
        ),
        (
            "without_babbling",
            "The same words without babbling: accuracy above what the skill alone tells",
            gap["nothing"], (TOLERATED, "<="), ("with babbling", gap["babbling"]),
        ),
        (
            "dealt_to_others",
            "The same with outcomes dealt to other things: accuracy above what the skill tells",
            gap["dealt"], (TOLERATED, "<="), ("true outcomes", gap["babbling"]),
        ),
    ]  # fmt: skip
    effect = results.effect_size(ours[~failed], figures["dealt"]["accuracy"][~failed])
    return {
        "criteria": [_criterion(failed, *row) for row in table],
        "n_failed_seeds": int(failed.sum()),
        "baselines": {
            "chance": {"of all names": one, "knowing the skill": _mean_se(chance)},
            **{
                name: {k: _mean_se(v) for k, v in figure.items()}
                for name, figure in figures.items()
            },
        },
        "effect_sizes": {"true outcomes against dealt ones": effect},
        "monitors": [
            monitors.slot_collapse(
                seen.states["babbling/train"][~failed, :, -1, words.TABLE :],
                seen.bank["activation"][~failed] > ACTIVE,
                "a larger config.likeness_price",
            )
        ],
    }


def measures(seen: Seen, record: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every score of an arm, [S] each."""
    b, rest = np.s_[:, : seen.novel], np.s_[:, seen.novel :]
    right = record["right"]
    out = {
        "accuracy": _each(score.accuracy, record["answer/name"][b], right[b]),
        "balanced": _each(score.balanced, record["answer/name"][b], right[b]),
        "held-out random things": _each(score.accuracy, record["answer/name"][rest], right[rest]),
        "utterances": record["utterances"].astype(float),
    }
    for kind in ("carrier", "form", "word"):
        out[KINDS[kind]] = _each(score.accuracy, record[f"answer/{kind}"][b], right[b])
    return out


def write(config, run, seen: Seen, result: dict) -> None:
    """Writes figures/ and report.html."""
    passed = sum(item["passed"] for item in result["criteria"])
    folder = run.workdir / "figures"
    html.write_report(
        run.workdir / "report.html",
        "Words",
        "While the agent babbles, a speaker now and then names what stands out of the thing. Then "
        "the agent meets things that it never met, in silence, and chooses the name among all. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        [
            _naming(folder, seen),
            _arms(folder, config, seen),
            _sweeps(folder, config, seen),
            _unheard(seen, result),
            _slots(config, seen),
        ],
        config.to_dict(),
        result["versions"],
        result["monitors"],
    )


def _naming(folder, seen: Seen) -> html.Section:
    record = seen.records["babbling"]
    b = np.s_[:, : seen.novel]
    names = seen.lexicon.names
    counts = score.confusion(record["answer/name"][b], record["right"][b], len(names))
    picture = figures_words.confusion(folder / "confusion.png", counts, names)
    lines = []
    for o, thing in enumerate(seen.things.names_b):
        told = []
        for a, skill in enumerate(types.SKILLS):
            right, answer = record["right"][0, o, a], record["answer/name"][:, o, a]
            if right >= 0:
                share = float((answer == right).mean())
                told.append(f"{skill} {names[right]} ({100 * share:.0f} %)")
        lines.append(f"{thing}: {', '.join(told) or 'nothing stands out'}.")
    return html.Section(
        "What Set B is called",
        "What the speaker would say of each thing in each skill, and the share of the seeds that "
        "say it too.\n\n" + "\n\n".join(lines),
        [(picture, "Answers of all seeds on Set B.")],
    )


def _arms(folder, config, seen: Seen) -> html.Section:
    shown = {
        title: measures(seen, seen.records[name])["accuracy"] for name, title in TITLES.items()
    }
    chance = float(_chance(config, seen).mean())
    picture = figures_words.arms(folder / "arms.png", shown, chance, NEEDED)
    return html.Section(
        "What it takes",
        "Every arm hears the same words and is asked the same. Without babbling, or with outcomes "
        "dealt to other things, only the skill tells anything about the name. The table is the "
        "agent's own grounding table: most of what a word needs stands there, and free slots by "
        "themselves say little.",
        [(picture, "Accuracy on Set B; dots are seeds.")],
    )


def _sweeps(folder, config, seen: Seen) -> html.Section:
    def line(kind: str, extra) -> tuple[list[float], np.ndarray]:
        usual = float(config[kind])
        at = sorted({usual, *(float(x) for x in extra)})
        rows = [seen.records["babbling" if x == usual else f"{kind} {x:g}"] for x in at]
        return at, np.stack([measures(seen, r)["accuracy"] for r in rows], 1)

    lines = {
        "share of interactions spoken in": line("share", config.shares),
        "share of wrong utterances": line("wrong", config.wrongs),
    }
    return html.Section(
        "Less speech, and worse",
        "",
        [(figures_words.sweeps(folder / "sweeps.png", lines, NEEDED), "Thin lines are seeds.")],
    )


def _unheard(seen: Seen, result: dict) -> html.Section:
    figures = measures(seen, seen.records["babbling"])
    figures["the name by itself"] = figures["accuracy"]
    told = [f"{title}: {np.nanmean(figures[title]):.2f}." for title in KINDS.values()]
    return html.Section(
        "Words never heard",
        "Letters are all that links a text to another: another form of a word is understood as far "
        "as it shares letters with it, and a word of other letters is not.\n\n" + " ".join(told),
    )


def _slots(config, seen: Seen) -> html.Section:
    describer = describer_of(config)
    lines = [f"{name}: {said}." for name, said in descriptions(config, seen, describer).items()]
    return html.Section(
        "Slots described afterwards",
        f"The {config.examples} things of the first seed that fill each slot most, by how their "
        f"own outcomes depart from the usual ({config.describer} describer).\n\n"
        + "\n\n".join(lines),
    )


def describer_of(config) -> describe.Describer:
    """The describer that the config names; a key is taken from DESCRIBER_KEY, if that is set."""
    if config.describer == "statistical":
        return describe.statistical
    where = describe.Endpoint(config.endpoint, config.model)
    return describe.endpoint(where, os.environ.get("DESCRIBER_KEY", ""))


def descriptions(config, seen: Seen, describer: describe.Describer) -> dict[str, str]:
    """Slot -> what it stands for, in the first seed; raises BadInput where the describer fails."""
    state = seen.states["babbling/train"][0, :, -1]
    rows = seen.met.train
    skill, raw = np.asarray(rows.skill[0]), np.asarray(words.outcomes(rows)[0])
    names, columns = [], []
    for a, act in enumerate(types.SKILLS):
        taken = skill == a
        total = np.where(taken[..., None], raw, 0.0).sum(1)
        columns.append(total / np.maximum(taken.sum(1), 1)[:, None])
        names += [f"{act}: {channel}" for channel in words.CHANNELS]
    outcome = np.concatenate(columns, 1)
    slots = {f"table, {name}": i for i, name in enumerate(types.PROPERTIES)}
    used = np.flatnonzero(seen.bank["activation"][0] > ACTIVE)
    slots |= {f"free slot {number + 1}": words.TABLE + number for number in used}
    out = {}
    try:
        for name, column in slots.items():
            for end, sign in (("most", 1), ("least", -1)):
                examples = describe.top_examples(
                    sign * state[:, column], outcome, names, config.examples
                )
                out[f"{name}, {end}"] = describer(examples)
    except describe.DescriberError as error:
        raise BadInput(f"config.endpoint: {error}") from error
    return out


def _chance(config, seen: Seen) -> np.ndarray:
    """[S] accuracy on Set B of whoever knows the skill alone (evaluation/words.py)."""
    record = seen.records["babbling"]
    right, said = record["right"][:, : seen.novel], record["said"]
    names = len(seen.lexicon.names)
    return np.array([score.chance(s, r, names) for s, r in zip(said, right, strict=True)])


def _each(of, answer: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.array([of(a, r) for a, r in zip(answer, right, strict=True)])


def _criterion(failed, name, claim, per_seed, needed, control) -> dict:
    """A failed seed is written as None; a control is judged by the mean of its finished seeds."""
    values = [None if bad else float(v) for v, bad in zip(per_seed, failed, strict=True)]
    rival = (control[0], float(np.mean(control[1][~failed])))
    return results.criterion(name, claim, values, *needed, control=rival)


def _mean_se(values: np.ndarray) -> list[float | None]:
    spread = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return [float(values.mean()), spread]
