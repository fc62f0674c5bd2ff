"""Text as n-grams, InfoNCE by hand, words that attach to what was felt, and what is claimed."""

# pyright: reportArgumentType=false
# (made-up records stand for a run's)

import functools
import types as python_types
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _config, _words_report, _words_world
from experiments import words as experiment
from nsca_jax import types
from nsca_jax.evaluation import words as score
from nsca_jax.grounding import words as words_lib
from nsca_jax.models import slots as slots_lib
from nsca_jax.training import words


def test_ngrams_are_the_word_and_its_pieces():
    assert words_lib.ngrams("Wee!") == ["<wee>", "<we", "wee", "ee>", "<wee", "wee>"]


def test_embeddings_are_the_same_everywhere_and_of_length_one():
    one, two = words_lib.embed(["heavy", "look, a heavy one"], 64)
    again = np.zeros(64)
    for piece in words_lib.ngrams("heavy"):
        code = zlib.crc32(piece.encode())
        again[(code >> 1) % 64] += 1 if code & 1 else -1
    np.testing.assert_allclose(one, again / np.linalg.norm(again), rtol=1e-6)
    assert np.linalg.norm(two) == pytest.approx(1.0)


def test_forms_of_a_word_are_nearer_than_other_words():
    hard, harder, soft, unyielding = words_lib.embed(["hard", "harder", "soft", "unyielding"])
    assert hard @ harder > 0.3
    assert abs(hard @ soft) < 0.2
    assert abs(hard @ unyielding) < 0.2


def test_a_text_without_letters_is_refused():
    with pytest.raises(ValueError, match="nothing to hear"):
        words_lib.embed(["heavy", "..."])


def test_info_nce_is_the_mean_of_both_cross_entropies():
    s = np.array([[2.0, 0.5, -1.0], [0.0, 1.0, 0.3], [0.2, -0.7, 0.1]])
    rows = -np.diag(s) + np.log(np.exp(s).sum(1))
    columns = -np.diag(s) + np.log(np.exp(s).sum(0))
    loss = words_lib.info_nce(jnp.asarray(s), jnp.ones(3))
    assert float(loss) == pytest.approx((rows + columns).mean() / 2, rel=1e-5)
    assert float(words_lib.info_nce(jnp.zeros((5, 5)), jnp.ones(5))) == pytest.approx(np.log(5))


def test_padding_changes_nothing_in_info_nce():
    s = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3)))
    padded = jnp.full((5, 5), 7.0).at[:3, :3].set(s)
    counts = jnp.array([1.0, 1, 1, 0, 0])
    assert float(words_lib.info_nce(padded, counts)) == pytest.approx(
        float(words_lib.info_nce(s, jnp.ones(3))), rel=1e-5
    )
    assert float(words_lib.info_nce(padded, jnp.zeros(5))) == 0.0


def test_nearest_is_by_direction():
    names = jnp.array([[1.0, 0.0], [0.0, 1.0]])
    things = jnp.array([[0.8, 0.6], [-0.6, 0.8]])
    np.testing.assert_array_equal(words_lib.nearest(things, names), [0, 1])


def _talk(dealt: bool):
    """600 interactions, two things felt, four words for their ends; some utterances are wrong."""
    rng = np.random.default_rng(0)
    felt = rng.normal(size=(600, 2))
    axis = np.abs(felt).argmax(1)
    meant = 2 * axis + (felt[np.arange(600), axis] > 0)
    said = np.where(rng.random(600) < 0.1, rng.integers(0, 4, 600), meant)
    said[rng.random(600) < 0.4] = -1
    state = np.concatenate([felt, np.ones((600, 1))], 1)
    return (rng.permutation(state) if dealt else state), said, state, meant


@pytest.mark.parametrize("dealt", [False, True])
def test_words_attach_to_what_was_felt_and_to_nothing_dealt(dealt):
    heard, said, state, meant = _talk(dealt)
    texts = jnp.asarray(words_lib.embed(["light", "heavy", "dull", "bouncy"]))
    settings = words.Settings(embedding=8, batch=32, steps=400)
    align = jax.jit(functools.partial(words.align, settings))
    params, losses, _ = align(jax.random.key(0), jnp.asarray(heard), jnp.asarray(said), texts)
    answers = np.asarray(words.name(settings, params, jnp.asarray(state), texts))
    right = (answers == meant).mean()
    assert np.isfinite(losses).all()
    assert right < 0.5 if dealt else right > 0.9


def _rows(things=6, count=8, seed=0) -> words.Rows:
    rng = np.random.default_rng(seed)
    draw = lambda *tail: jnp.asarray(rng.normal(size=(things, count, *tail)), jnp.float32)  # noqa: E731
    outcome = types.Outcome(
        draw(3), draw(3), jnp.abs(draw(types.SOUND_BANDS)), jnp.abs(draw(2, 3)),
        (draw() > 1).astype(jnp.float32), draw(types.VISUAL_CODE),
    )  # fmt: skip
    skill = jnp.asarray(np.tile(np.arange(4), (things, count // 4)), jnp.int32)
    return words.Rows(
        skill,
        jnp.clip(draw(4), -1, 1),
        outcome,
        jnp.abs(draw(5)),
        draw(5) > -1,
        jnp.ones((things, count), bool),
    )


def test_outcomes_are_in_standard_deviations_from_what_the_skill_usually_does():
    rows = _rows(60)
    felt = words.feel(words.usual(rows), rows)
    for a in range(4):
        mine = np.asarray(felt.acts.outcome)[np.asarray(rows.skill) == a]
        np.testing.assert_allclose(mine.mean(0), 0.0, atol=0.05)
        spread = mine.std(0)
        assert ((spread > 0.8) & (spread < 1.1) | (spread == 0)).all()
    bounce = words.CHANNELS.index("bounce")
    assert (np.asarray(felt.acts.outcome)[..., bounce][np.asarray(rows.skill) != 0] == 0).all()


def test_a_state_knows_nothing_of_what_is_still_to_come():
    rows = _rows()
    later = jax.tree.map(lambda x: x.at[:, 5:].set(x[::-1, 5:]), rows)
    norm = words.usual(rows)
    bank = slots_lib.SlotBank(4, len(words.CHANNELS), free=3, width=8, hidden=2)
    one, two = words.feel(norm, rows), words.feel(norm, later)
    is_open = jnp.ones(3)
    seen = jnp.ones(rows.skill.shape)
    params = bank.init(jax.random.key(0), one.acts, seen, one.known()[:, -1], is_open)["params"]
    first, second = (words.states(bank, params, is_open, felt) for felt in (one, two))
    np.testing.assert_allclose(first[:, :5], second[:, :5], atol=1e-5)
    assert np.abs(first[:, -1] - second[:, -1]).max() > 1e-2


def test_dealing_keeps_the_skills_of_a_moment_and_gives_away_the_rest():
    rows = _rows(40)
    dealt = words.deal(jax.random.key(1), rows)
    for i in range(rows.skill.shape[1]):
        before, after = np.asarray(rows.measured[:, i]), np.asarray(dealt.measured[:, i])
        np.testing.assert_array_equal(np.sort(before, 0), np.sort(after, 0))
        assert (before == after).all(1).mean() < 0.3


def test_each_skill_has_places_of_its_own():
    gates = jnp.zeros((4, 2, len(slots_lib.KNOWN) + 2)).at[1, 0, -1].set(0.5)
    state = jnp.arange(1.0, words.TABLE + 3)
    active = np.asarray(words.active(gates, state, jnp.int32(1))).reshape(4, -1)
    assert (active[[0, 2, 3]] == 0).all()
    np.testing.assert_allclose(active[1, : words.TABLE], state[: words.TABLE])
    np.testing.assert_allclose(active[1, words.TABLE :], [0.0, 0.5 * float(state[-1]), 1.0])


def test_scores_by_hand():
    right = np.array([[0, 2], [1, -1], [0, 2]])
    answer = np.array([[0, 2], [0, 0], [1, 2]])
    assert score.accuracy(answer, right) == pytest.approx(3 / 5)
    assert score.balanced(answer, right) == pytest.approx((0.5 + 0 + 1) / 3)
    said = np.array([[1, 2], [1, 2], [0, -1]])
    assert score.chance(said, right, 3) == pytest.approx((1 + 2) / 5)
    np.testing.assert_array_equal(
        score.confusion(answer, right, 3), [[1, 1, 0], [1, 0, 0], [0, 0, 2]]
    )
    with pytest.raises(ValueError, match="nothing"):
        score.accuracy(answer, np.full((3, 2), -1))


def _seen(config, share_right: dict[str, float]):
    """Made-up answers of every arm; elsewhere what the skill alone tells, name 2 x skill."""
    rng = np.random.default_rng(0)
    lexicon = _words_world.read_lexicon(config)
    right = rng.integers(0, 8, (3, 40, 4))
    guess = np.broadcast_to(2 * np.arange(4), right.shape)
    records = {}
    for name in experiment.conditions(config):
        hit = rng.random(right.shape) < share_right.get(name, 0.9)
        answer = np.where(hit, right, guess)
        records[name] = {f"answer/{kind}": answer for kind in _words_report.KINDS}
        records[name] |= {
            "right": right,
            "said": np.broadcast_to(2 * np.arange(4), (3, 50, 4)),
            "utterances": np.full(3, 100),
            "loss": np.ones((3, 5)),
            "faults": np.full(3, "", "<U40"),
        }
    things = python_types.SimpleNamespace(names_b=tuple(f"thing {i}" for i in range(30)))
    bank = {"faults": np.full(3, ""), "activation": np.array([[0.9, 0.9, 0.0]] * 3)}
    states = {"babbling/train": rng.normal(size=(3, 50, 1, words.TABLE + 3))}
    return _words_report.Seen(things, lexicon, None, bank, states, records)


def _passed(**share_right):
    config = _config.load("configs/words.py:quick")
    seen = _seen(config, {"dealt": 0.0, "nothing": 0.0} | share_right)
    return {c["name"]: c["passed"] for c in _words_report.claims(config, seen)["criteria"]}


def test_claims_pass_where_they_should_and_only_there():
    assert all(_passed().values())
    assert not _passed(babbling=0.6)["named_on_set_b"]
    assert not _passed(dealt=0.9)["named_on_set_b"]
    assert not _passed(dealt=0.2)["dealt_to_others"]
    assert not _passed(nothing=0.2)["without_babbling"]
    assert not _passed(babbling=0.0)["without_babbling"]


def test_a_failed_seed_is_counted_and_never_averaged():
    config = _config.load("configs/words.py:quick")
    seen = _seen(config, {"dealt": 0.0, "nothing": 0.0})
    seen.records["table"]["faults"][1] = "the loss was not finite"
    claims = _words_report.claims(config, seen)
    assert claims["n_failed_seeds"] == 1
    assert claims["criteria"][0]["per_seed"][1] is None


def test_slots_that_say_the_same_are_reported():
    config = _config.load("configs/words.py:quick")
    seen = _seen(config, {"dealt": 0.0, "nothing": 0.0})
    assert not _words_report.claims(config, seen)["monitors"][0].alarm
    free = seen.states["babbling/train"][..., words.TABLE :]
    free[..., 2] = free[..., 0]  # closed
    assert not _words_report.claims(config, seen)["monitors"][0].alarm
    free[..., 1] = -free[..., 0]
    assert _words_report.claims(config, seen)["monitors"][0].alarm


def test_bad_configs_are_refused():
    experiment.check(_config.load("configs/words.py:quick"))
    for name, value, told in (
        ("interactions", "10", "multiple of 4"),
        ("met", "60", "less than"),
        ("bank_steps", "550", "multiple of 100"),
        ("wrong", "1.5", "from 0 to 1"),
        ("examples", "0", "1 or more"),
        ("describer", "oracle", "one of statistical, endpoint"),
        ("speaker", "configs/nowhere.yaml", "cannot be read"),
        ("speaker", "configs/objects_set_a.yaml", "no lexicon"),
        ("objects_b", "configs/nowhere.yaml", "cannot be read"),
    ):
        bad = _config.load("configs/words.py:quick")
        _config.override(bad, name, value)
        with pytest.raises((_config.BadInput, ValueError), match=told):
            experiment.check(bad)
