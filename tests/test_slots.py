"""The slot bank: its statistics by hand, its encoder's symmetry, and what opens a slot."""

# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import special_ortho_group

from nsca_jax.models import rotation
from nsca_jax.models import slots as slots_lib

ACTIONS, CHANNELS, FREE = 3, 2, 4


@pytest.fixture(scope="module")
def bank():
    return slots_lib.SlotBank(ACTIONS, CHANNELS, free=FREE, width=16, hidden=4)


@pytest.fixture(scope="module")
def acts():
    rng = np.random.default_rng(0)
    return slots_lib.Acts(
        jnp.asarray(rng.integers(0, ACTIONS, (5, 6))),
        jnp.asarray(rng.uniform(0.5, 1.5, (5, 6)), jnp.float32),
        jnp.asarray(rng.normal(size=(5, 6, CHANNELS)), jnp.float32),
    )


@pytest.fixture(scope="module")
def params(bank, acts):
    known = jnp.zeros((5, len(slots_lib.KNOWN)))
    return bank.init(jax.random.key(0), acts, jnp.ones((5, 6)), known, jnp.ones(FREE))["params"]


def _encode(bank, params, acts, seen, is_open):
    known = jnp.zeros((5, len(slots_lib.KNOWN)))
    return bank.apply({"params": params}, acts, seen, known, is_open, method="encode")


def test_order_does_not_matter_and_what_is_not_seen_has_no_influence(bank, params, acts):
    seen = jnp.ones((5, 6)).at[:, 4:].set(0.0)
    first = _encode(bank, params, acts, seen, jnp.ones(FREE))
    order = jnp.array([3, 1, 0, 2, 4, 5])
    turned = jax.tree.map(lambda x: x[:, order], acts)
    np.testing.assert_allclose(
        _encode(bank, params, turned, seen, jnp.ones(FREE)).mean, first.mean, atol=1e-5
    )
    unseen = acts.replace(outcome=acts.outcome.at[:, 4:].set(9.0))
    np.testing.assert_array_equal(
        _encode(bank, params, unseen, seen, jnp.ones(FREE)).mean, first.mean
    )
    changed = acts.replace(outcome=acts.outcome.at[:, 0].set(9.0))
    other = _encode(bank, params, changed, seen, jnp.ones(FREE)).mean
    assert np.abs(other - first.mean).max() > 1e-2


def test_a_closed_slot_is_the_prior(bank, params, acts):
    slots = _encode(bank, params, acts, jnp.ones((5, 6)), jnp.array([1.0, 0.0, 1.0, 0.0]))
    assert np.all(slots.mean[:, 1::2] == 0)
    assert np.all(slots_lib.kl(slots)[:, 1::2] == 0)
    assert np.all(slots_lib.kl(slots)[:, ::2] > 0)
    assert np.all(slots_lib.activation(slots)[1::2] == 0)


def test_a_shut_gate_hides_a_slot_from_that_cell_alone(bank, params, acts):
    told = jnp.asarray(np.random.default_rng(1).normal(size=(5, len(slots_lib.KNOWN) + FREE)))
    moved = told.at[:, -1].add(3.0)
    gates = jnp.ones((ACTIONS, CHANNELS, told.shape[1])).at[1, 0, -1].set(0.0)

    def decode(slots):
        return bank.apply({"params": params}, slots, gates, acts, method="decode")[0]

    change = np.abs(np.asarray(decode(moved) - decode(told)))
    shut = np.asarray(acts.action) == 1
    assert np.all(change[shut][:, 0] == 0)
    assert np.all(change[shut][:, 1] > 0)
    assert np.all(change[~shut] > 0)


def test_kl_and_activation_by_hand():
    mean = jnp.array([[1.0, 0.0], [-1.0, 0.0]])
    log_variance = jnp.log(jnp.array([[0.25, 1.0], [0.25, 1.0]]))
    slots = slots_lib.Slots(jnp.zeros((2, 9)), mean, log_variance)
    np.testing.assert_allclose(slots_lib.activation(slots), [0.8, 0.0])
    by_hand = 0.5 * (0.25 + 1.0 - 1.0 - np.log(0.25))
    np.testing.assert_allclose(slots_lib.kl(slots), [[by_hand, 0.0]] * 2, rtol=1e-6)


def test_copies_are_penalised_and_moderate_correlations_are_free():
    a, b = np.random.default_rng(0).normal(size=(2, 5000))
    for other, wanted in ((a, 0.5), (-a, 0.5), (b, 0.0), (0.5 * a + 0.87 * b, 0.0)):
        means = jnp.asarray(np.stack([a, other], 1), jnp.float32)
        alike = slots_lib.likeness(slots_lib.Slots(means, means, means))
        np.testing.assert_allclose(alike, wanted, atol=0.01)


def test_hard_concrete_gates_agree_with_their_formulas():
    logits = jnp.array([[[-3.0, 0.0, 2.0]]])
    draws = np.asarray(slots_lib.sampled_gates(jax.random.key(0), logits, 40_000))[:, 0, 0]
    assert draws.min() == 0.0
    assert draws.max() == 1.0
    chance = np.asarray(slots_lib.gate_chance(logits))[0, 0]
    np.testing.assert_allclose((draws > 0).mean(0), chance, atol=0.01)
    read = np.asarray(slots_lib.slot_chance(jnp.tile(logits, (2, 1, 1))))
    np.testing.assert_allclose(read, 1 - (1 - chance) ** 2, rtol=1e-5)


def test_errors_that_persist_surprise_and_noise_does_not():
    rng = np.random.default_rng(0)
    action = jnp.asarray(rng.integers(0, ACTIONS, (300, 8)))
    noise = rng.normal(size=(300, 8, CHANNELS))
    quiet = slots_lib.surprise(jnp.asarray(noise), action, ACTIONS)
    assert np.abs(quiet).max() < 4
    own = rng.normal(size=(300, 1)) * (np.asarray(action) == 1)
    noise[..., 0] += own
    loud = np.array(slots_lib.surprise(jnp.asarray(noise), action, ACTIONS))
    assert loud[1, 0] > 8
    loud[1, 0] = 0
    assert np.abs(loud).max() < 4


def test_surprise_by_hand():
    """Two objects, twice the same action: errors 1, 1 and -1, -1: (1 + 1) / sqrt(1 + 1)."""
    residual = jnp.array([[[1.0], [1.0]], [[-1.0], [-1.0]]])
    score = slots_lib.surprise(residual, jnp.zeros((2, 2), int), 1)
    np.testing.assert_allclose(score, [[np.sqrt(2)]], rtol=1e-5)


@pytest.mark.parametrize(
    ("opened", "active", "persists", "wanted"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], True, [1, 0, 0, 0]),  # the first closed one
        ([9, 5, 0, 0], [0.9, 0.9, 0, 0], True, [0, 0, 1, 0]),  # no open one is idle
        ([9, 5, 0, 0], [0.9, 0.9, 0, 0], False, [0, 0, 0, 0]),  # nothing to explain
        ([9, 95, 0, 0], [0.9, 0.1, 0, 0], True, [0, 0, 0, 0]),  # a young one is still idle
        ([9, 5, 0, 0], [0.9, 0.1, 0, 0], True, [0, 1, 0, 0]),  # an old idle one opens anew
        ([9, 5, 5, 5], [0.9, 0.9, 0.9, 0.9], True, [0, 0, 0, 0]),  # none is left
    ],
)
def test_what_opens_a_slot(opened, active, persists, wanted):
    steps = jnp.where(jnp.array(opened) == 0, slots_lib.CLOSED, jnp.array(opened))
    fresh = slots_lib.open_next(steps, 100, jnp.array(active), jnp.array(persists), 50)
    assert fresh.astype(int).tolist() == wanted


def test_aim_by_hand():
    """Errors persist most in action 1, channel 0; objects are off by what they missed there."""
    z = jnp.array([[1.0, 2.0], [9.0, 0.0], [-9.0, 3.0]])
    residual = jnp.array(
        [[[5.0, 1.0], [2.0, 1.0], [3.0, 1.0]], [[7.0, 7.0], [8.0, 8.0], [9.0, 9.0]]]
    )
    worst, off = slots_lib.aim(z, residual, jnp.array([[0, 1, 1], [0, 0, 2]]))
    np.testing.assert_array_equal(worst, [[0, 0], [1, 0], [0, 0]])
    np.testing.assert_array_equal(off, [5.0, 0.0])


def test_a_fresh_slot_speaks_of_what_is_missed_and_touches_no_other(params):
    rng = np.random.default_rng(3)
    gist = jnp.asarray(rng.normal(2.0, 1.0, (300, 16)), jnp.float32)
    off = 4.0 * gist[:, 3] + 7.0 + jnp.asarray(rng.normal(size=300), jnp.float32)
    which, worst = jnp.arange(FREE) == 2, jnp.zeros((ACTIONS, CHANNELS)).at[1, 0].set(1.0)
    fresh = slots_lib.reseeded(params, jax.random.key(5), which, worst, gist, off)
    said = gist @ fresh["mean"]["kernel"][:, 2] + fresh["mean"]["bias"][2]
    assert np.corrcoef(said, off)[0, 1] > 0.95
    np.testing.assert_allclose([float(said.mean()), float(said.std())], [0.0, 1.0], atol=1e-3)
    read = np.asarray(fresh["read"])
    here = len(slots_lib.KNOWN) + 2
    assert np.argwhere(read[:, :, here].any(-1)).tolist() == [[1, 0]]
    for new, old, axis in ((fresh["mean"]["kernel"], params["mean"]["kernel"], 1),
                           (read, params["read"], 2)):  # fmt: skip
        others = np.arange(new.shape[axis]) != (2 if axis == 1 else here)
        np.testing.assert_array_equal(
            np.compress(others, new, axis), np.compress(others, old, axis)
        )


def test_rotation_finds_sparse_loadings():
    rng = np.random.default_rng(0)
    sparse = rng.normal(size=(20, 2, 3)) * (np.arange(20)[:, None] % 3 == np.arange(3))[:, None]
    mix = np.eye(4)
    mix[:3, :3] = special_ortho_group.rvs(3, random_state=1)
    loadings = np.concatenate([sparse, np.zeros((20, 2, 1))], -1) @ mix
    used = jnp.array([True, True, True, False])
    turn = rotation.simple_structure(jax.random.key(0), jnp.asarray(loadings, jnp.float32), used)
    np.testing.assert_allclose(np.linalg.norm(turn, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(turn[3], np.eye(4)[3])
    turned = np.abs(loadings @ np.linalg.inv(turn)).sum(1)[:, :3]
    turned /= turned.sum(1, keepdims=True)
    assert turned.max(1).min() > 0.9
    assert np.abs(loadings).sum(1).max(1).min() > 0
    assert len(set(turned[:3].argmax(1))) == 3


def test_turning_the_bank_keeps_its_predictions(bank, params, acts):
    """Slots turn, and what passes their gates turns back: nothing else changes."""
    logits = 3.0 * jax.random.normal(jax.random.key(2), params["gate_logits"].shape)
    assert 0.2 < np.mean(slots_lib.expected_gates(logits) == 0) < 0.8
    params = {**params, "gate_logits": logits}
    every, known = jnp.ones(FREE, bool), jnp.zeros((5, len(slots_lib.KNOWN)))
    turned, remain = slots_lib.turned(
        params, jax.random.key(1), every, jnp.zeros((5, FREE)), jnp.array(False)
    )
    assert remain.all()

    def predict(p):
        return bank.apply({"params": p}, acts, jnp.ones((5, 6)), known, jnp.ones(FREE))[0]

    before = _encode(bank, params, acts, jnp.ones((5, 6)), jnp.ones(FREE)).mean
    after = _encode(bank, turned, acts, jnp.ones((5, 6)), jnp.ones(FREE)).mean
    assert np.abs(before - after).max() > 1e-2
    np.testing.assert_allclose(predict(turned), predict(params), atol=1e-4)


def test_a_slot_that_others_tell_is_folded_into_them():
    """Of four slots the third is the first two's sum, and the fourth is not in use."""
    rng = np.random.default_rng(3)
    mean = rng.normal(size=(500, FREE))
    mean[:, 2] = mean[:, 0] - 2.0 * mean[:, 1]
    loud = rng.normal(size=(ACTIONS, CHANNELS, FREE, 2))
    used = jnp.array([True, True, True, False])
    shares, _ = slots_lib.told_by_others(jnp.asarray(mean), used)
    assert np.all(np.asarray(shares)[:3] > 0.99)
    after, remain = slots_lib.folded(jnp.asarray(loud), jnp.asarray(mean), used)
    assert remain.sum() == 2
    assert not remain[3]
    told = np.einsum("ns,acsh->nach", mean[:, :3], loud[:, :, :3])
    still = np.einsum("ns,acsh->nach", mean * np.asarray(remain), after)
    np.testing.assert_allclose(still, told, atol=0.02 * np.abs(told).max())
    apart = jnp.asarray(rng.normal(size=(500, FREE)))
    same, remain = slots_lib.folded(jnp.asarray(loud), apart, used)
    np.testing.assert_array_equal(remain, used)
    np.testing.assert_allclose(same, loud, rtol=1e-6)
