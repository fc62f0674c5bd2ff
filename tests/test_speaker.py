"""The speaker names what stands out, slips and keeps silent as often as told; random things fit."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from nsca_jax import objects
from nsca_jax.types import PROPERTIES, SHAPES, SKILLS
from nsca_jax.worlds import household, speaker


@pytest.fixture(scope="module")
def document():
    with open("configs/speaker.yaml", encoding="utf-8") as file:
        return yaml.safe_load(file)


@pytest.fixture(scope="module")
def lexicon(document):
    return speaker.lexicon(document)


def test_it_names_the_property_that_stands_out_among_those_shown(lexicon):
    index = {name: i for i, name in enumerate(lexicon.names)}
    thing = jnp.array([1.5, -2.0, 0.3, 3.0, -0.9])  # hard, light, bouncy, rather fragile
    said = [int(speaker.salient(lexicon, thing, jnp.int32(a))) for a in range(len(SKILLS))]
    wanted = {"drop": "bouncy", "strike": "light", "push": "light", "lift": "light"}
    assert said == [index[wanted[skill]] for skill in SKILLS]


def test_it_is_silent_where_nothing_stands_out_or_two_do(lexicon):
    strike = jnp.int32(SKILLS.index("strike"))
    usual = jnp.full(len(PROPERTIES), 0.9 * lexicon.stands_out)
    close = jnp.array([2.0, 2.0 + 0.5 * lexicon.lead, 0.0, 0.0, 0.0])
    for thing in (usual, close):
        assert int(speaker.salient(lexicon, thing, strike)) == speaker.SILENT


def test_it_slips_and_keeps_silent_as_often_as_told(lexicon):
    name = jnp.full(20_000, 3)
    speech = speaker.speak(lexicon, jax.random.key(0), name, 0.4, 0.25)
    spoken = np.asarray(speech.name) != speaker.SILENT
    assert spoken.mean() == pytest.approx(0.4, abs=0.02)
    assert (np.asarray(speech.name)[spoken] != 3).mean() == pytest.approx(0.25, abs=0.02)
    assert ((np.asarray(speech.utterance) >= 0) == spoken).all()
    silent = speaker.speak(lexicon, jax.random.key(0), jnp.full(9, speaker.SILENT), 1.0, 1.0)
    assert (np.asarray(silent.utterance) == speaker.SILENT).all()


def test_an_utterance_holds_a_synonym_of_the_name_that_is_meant(lexicon):
    name = jnp.arange(200) % len(lexicon.names)
    speech = speaker.speak(lexicon, jax.random.key(1), name, 1.0, 0.0)
    texts = lexicon.utterances()
    ways = {texts[u] for u in np.asarray(speech.utterance)}
    assert len(ways) > 60
    for meant, said in zip(np.asarray(speech.name), np.asarray(speech.utterance), strict=True):
        assert any(word in texts[said] for word in lexicon.heard[meant])


def test_words_kept_back_are_never_said(lexicon):
    kept = {*lexicon.form, *lexicon.word}
    words = {w for text in lexicon.utterances() for w in text.replace(",", " ").split()}
    assert not kept & words
    assert lexicon.kept_carrier not in lexicon.carriers


def test_impressions_are_monotone_in_the_truth():
    low = jnp.array([1e4, 0.1, 0.02, -0.5, 0.1])
    for p in range(len(PROPERTIES)):
        two = jnp.stack([low, low.at[p].multiply(1.5 if low[p] > 0 else 0.5)])
        seen = np.asarray(speaker.impression(two))
        assert seen[1, p] > seen[0, p], PROPERTIES[p]
    never = speaker.impression(low.at[4].set(jnp.inf)[None])
    assert np.isfinite(never).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("lead"), "exactly the fields"),
        (lambda d: d["names"].pop("weight"), "names: needs exactly"),
        (lambda d: d["names"]["weight"]["high"].pop("form"), "heard, form, word"),
        (lambda d: d["names"]["weight"]["high"]["heard"].append("stout"), "as many synonyms"),
        (lambda d: d["names"]["weight"]["high"].update(word="light"), "differ"),
        (lambda d: d["carriers"]["heard"].append("what"), "one {}"),
        (lambda d: d["names"]["weight"]["high"].update(heard="heavy"), "needs a list of words"),
        (lambda d: d["names"].update(weight="heavy"), "the name of weight: needs exactly"),
        (lambda d: d["carriers"]["heard"].append("{} {x}"), "one {}"),
        (lambda d: d["shown"]["lift"].append("colour"), "'colour' is not one of hardness"),
        (lambda d: d.update(lead=float("nan")), "lead must be standard deviations"),
        (lambda d: d["shown"].pop("lift"), "have shown: needs exactly"),
    ],
)
def test_a_bad_lexicon_is_refused_in_one_sentence(document, change, words):
    bad = copy.deepcopy(document)
    change(bad)
    with pytest.raises(ValueError, match=words):
        speaker.lexicon(bad)


def test_random_things_lie_within_what_objects_may_be():
    things = jax.device_get(household.draw(jax.random.key(3), 2000))
    for field, (low, high) in objects.RANGES.items():
        values = np.asarray(getattr(things, field))
        if field == "fragility_Ns":
            assert 0.4 < np.isinf(values).mean() < 0.6
            values = values[np.isfinite(values)]
        assert values.min() >= low, field
        assert values.max() <= high, field
    for number, shape in enumerate(SHAPES):
        size = things.size_m[things.shape == number]
        for column, (_, (low, high)) in enumerate(objects.SIZES[shape]):
            assert size[:, column].min() >= low
            assert size[:, column].max() <= high
        assert (size[:, len(objects.SIZES[shape]) :] == 0).all()


def test_random_things_tell_hardness_from_weight_and_bounce():
    things = household.draw(jax.random.key(4), 2000)
    columns = [jnp.log(things.contact_stiffness), jnp.log(things.mass_kg), things.damping_ratio]
    r = np.corrcoef(np.stack(columns))
    assert np.abs(r[np.triu_indices(3, 1)]).max() < 0.1
