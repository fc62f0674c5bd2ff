"""A speaker beside the agent: names what stands out of the thing in an interaction.

It knows the truth and the agent hears its words alone. Of the properties that the skill brings out
it names the one furthest from usual, if that stands out at all; often it says nothing, and now and
then a wrong name. A name is said by one of its synonyms, in a carrier phrase.

Shapes: N things, P properties, A skills; names are numbered 2 p for the low and 2 p + 1 for the
high end of property p.
"""

# pyright takes jnp functions to return one array or a tuple.
# pyright: reportArgumentType=false

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.types import PROPERTIES, SKILLS

SILENT = -1
_BRACES = re.compile("[{}]")
ENDS = ("low", "high")
NEVER_BREAKS_m_s = 3.5  # landing speed beyond any that the agent brings about
HARDNESS, WEIGHT, SIZE, ELASTICITY, FRAGILITY = range(len(PROPERTIES))


class Lexicon(NamedTuple):
    """What the speaker says and when; text, and no meaning."""

    heard: tuple[tuple[str, ...], ...]  # per name, its synonyms; the first is the name
    form: tuple[str, ...]  # per name, kept back: another form of one of these
    word: tuple[str, ...]  # per name, kept back: an unrelated word
    carriers: tuple[str, ...]  # each with one {}
    kept_carrier: str
    shown: np.ndarray  # [A, P] bool: the skill brings the property out
    stands_out: float
    lead: float

    @property
    def names(self) -> tuple[str, ...]:
        """The 2 P names."""
        return tuple(words[0] for words in self.heard)

    def utterances(self) -> tuple[str, ...]:
        """All that may be said while the agent babbles; see `Speech`."""
        return tuple(
            carrier.format(word)
            for words in self.heard
            for word in words
            for carrier in self.carriers
        )

    def said_as(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """One text a name: `words` in the carrier that was kept back."""
        return tuple(self.kept_carrier.format(word) for word in words)


class Speech(NamedTuple):
    """What was said, over interactions [...]."""

    utterance: jax.Array  # int32, row of `Lexicon.utterances`, or SILENT
    name: jax.Array  # int32, the name meant by it, a wrong one included; SILENT


def lexicon(document: Any) -> Lexicon:
    """Reads a lexicon out of plain values (configs/speaker.yaml); ValueError in one sentence."""
    _need(document, ("names", "carriers", "shown", "stands_out", "lead"), "a speaker")
    _need(document["names"], PROPERTIES, "a speaker's names")
    for name in PROPERTIES:
        _need(document["names"][name], ENDS, f"the name of {name}")
    entries = [
        _entry(document["names"][name][end], name, end) for name in PROPERTIES for end in ENDS
    ]
    heard = tuple(tuple(entry["heard"]) for entry in entries)
    if len({len(words) for words in heard}) != 1:
        raise ValueError("every name of a speaker needs as many synonyms as the others")
    carriers = document["carriers"]
    _need(carriers, ("heard", "kept_back"), "a speaker's carriers")
    for carrier in (*_words(carriers["heard"], "carriers heard"), carriers["kept_back"]):
        if not isinstance(carrier, str) or [*_BRACES.findall(carrier)] != ["{", "}"]:
            raise ValueError(f"a speaker's carrier needs one {{}}, and {carrier!r} has not")
    _need(document["shown"], SKILLS, "what skills have shown")
    for skill in SKILLS:
        if strange := set(_words(document["shown"][skill], f"shown {skill}")) - set(PROPERTIES):
            raise ValueError(
                f"shown {skill}: {min(strange)!r} is not one of {', '.join(PROPERTIES)}"
            )
    shown = [[name in document["shown"][skill] for name in PROPERTIES] for skill in SKILLS]
    out = Lexicon(
        heard,
        tuple(entry["form"] for entry in entries),
        tuple(entry["word"] for entry in entries),
        tuple(carriers["heard"]),
        carriers["kept_back"],
        np.array(shown),
        _deviations(document, "stands_out"),
        _deviations(document, "lead"),
    )
    words = [word for words in (*heard, out.form, out.word) for word in words]
    if len(set(words)) < len(words):
        raise ValueError("a speaker's words must differ from each other")
    return out


def _need(value: Any, fields: Sequence[str], what: str) -> None:
    if not isinstance(value, Mapping) or set(value) != set(fields):
        raise ValueError(f"{what}: needs exactly the fields {', '.join(fields)}")


def _words(value: Any, what: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(x, str) for x in value):
        raise ValueError(f"a speaker's {what}: needs a list of words")
    return value


def _entry(entry: Any, name: str, end: str) -> Mapping[str, Any]:
    what = f"the {end} end of {name}"
    _need(entry, ("heard", "form", "word"), what)
    _words(entry["heard"], f"words heard for {what}")
    _words([entry["form"], entry["word"]], f"form and word for {what}")
    return entry


def _deviations(document: Mapping[str, Any], name: str) -> float:
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 100:
        raise ValueError(
            f"a speaker's {name} must be standard deviations, 0 or more, got {value!r}"
        )
    return float(value)


def impression(truth_NxP: jax.Array) -> jax.Array:
    """[N, P] the truth as a person would order it: ratios for all but the bounce.

    Args:
        truth_NxP: stiffness, mass (kg), size (m), minus the damping ratio, impulse that breaks
            (N s), in the order of PROPERTIES.
    """
    stiffness, mass, size, livelihood, impulse = jnp.asarray(truth_NxP).T
    bounce = jnp.exp(jnp.pi * livelihood * jax.lax.rsqrt(1.0 - livelihood**2))
    breaks_at = jnp.minimum(impulse / (mass * (1.0 + bounce)), NEVER_BREAKS_m_s)
    logs = [jnp.log(stiffness), jnp.log(mass), jnp.log(size)]
    return jnp.stack([*logs, bounce, jnp.log(breaks_at)], -1)


def striking(impression_NxP: jax.Array, usual_MxP: jax.Array) -> jax.Array:
    """[N, P] standard deviations from the usual thing, given the things that the speaker knows."""
    return (impression_NxP - jnp.mean(usual_MxP, 0)) / jnp.std(usual_MxP, 0)


def salient(lexicon: Lexicon, striking_xP: jax.Array, skill: jax.Array) -> jax.Array:
    """[...] int32 the name for what stands out in an interaction; SILENT where nothing does.

    Args:
        striking_xP: [..., P] of the thing. skill: [...] int32.
    """
    shown = jnp.asarray(lexicon.shown)[skill]
    size = jnp.where(shown, jnp.abs(striking_xP), 0.0)
    best = jnp.argmax(size, -1)
    first, second = jnp.max(size, -1), jnp.sort(size, -1)[..., -2]
    high = jnp.take_along_axis(striking_xP, best[..., None], -1)[..., 0] > 0
    speaks = (first >= lexicon.stands_out) & (first - second >= lexicon.lead)
    return jnp.where(speaks, 2 * best + high, SILENT)


def speak(lexicon: Lexicon, key: jax.Array, name: jax.Array, share: float, wrong: float) -> Speech:
    """Says the names [...], in part of the interactions and not always the right one.

    Args:
        share: of the interactions in which the speaker speaks at all, in [0, 1].
        wrong: share of what is said that is any other name, in [0, 1].
    """
    speaks_key, wrong_key, other_key, word_key = jax.random.split(key, 4)
    count, said = len(lexicon.heard), len(lexicon.heard[0]) * len(lexicon.carriers)
    slip = jax.random.bernoulli(wrong_key, wrong, name.shape)
    other = (name + jax.random.randint(other_key, name.shape, 1, count)) % count
    meant = jnp.where(slip, other, name)
    way = jax.random.randint(word_key, name.shape, 0, said)
    speaks = jax.random.bernoulli(speaks_key, share, name.shape) & (name != SILENT)
    return Speech(jnp.where(speaks, meant * said + way, SILENT), jnp.where(speaks, meant, SILENT))
