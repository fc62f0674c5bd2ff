"""What the slot discovery experiment claims, from made-up banks, its page, and a short training."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _config, _slot_discovery_report, slot_discovery
from nsca_jax.evaluation import monitors
from nsca_jax.models import slots as slots_lib
from nsca_jax.reports import results
from nsca_jax.training import slot_bank

SEEDS, OBJECTS, LOOKS = 3, 200, 4


def _record(noise=0.1, mix=0.0, active=5, rho=0.0, seed=0):
    """A bank whose first five slots follow the properties, up to noise and a neighbour's share."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(SEEDS, OBJECTS, 1))
    own = rng.normal(size=(SEEDS, OBJECTS, 5))
    truth = np.sqrt(rho) * shared + np.sqrt(1 - rho) * own
    mean = np.zeros((SEEDS, OBJECTS, 16))
    mean[..., :5] = truth + mix * np.roll(truth, 1, -1) + noise * rng.normal(size=truth.shape)
    activation = np.tile(np.where(np.arange(16) < active, 0.9, 0.0), (SEEDS, 1))
    return {
        "mean": mean,
        "truth": truth,
        "activation": activation,
        "gates": np.full((SEEDS, 5, 6, 25), 0.5),
        "explained": np.ones((SEEDS, 6)),
        "entangled": mean,
        "opened": np.tile(np.arange(16) < active, (SEEDS, LOOKS, 1)),
        "activation_trace": np.tile(activation[:, None], (1, LOOKS, 1)),
        "surprise": np.ones((SEEDS, LOOKS)),
    }


def _records():
    return {
        "independent": _record(),
        "correlated": _record(rho=0.5),
        "mixed": _record(),
        "shuffled": _record(noise=100.0, active=0),
        **{f"untrained_{world}": _record(noise=3.0, active=0) for world in slot_discovery.WORLDS},
    }


def _passed(records):
    claims = _slot_discovery_report.claims(records)
    return {c["name"]: c["passed"] for c in claims["criteria"]}


def test_good_banks_pass_every_criterion():
    passed = _passed(_records())
    assert len(passed) == 8
    assert all(passed.values())


@pytest.mark.parametrize(
    ("condition", "worse", "criterion"),
    [
        ("independent", _record(active=4), "slots_found"),
        ("independent", _record(noise=0.5), "mcc_independent"),
        ("independent", _record(mix=0.5), "next_best"),
        ("independent", _record(active=7), "no_more_slots"),
        ("correlated", _record(noise=0.8, rho=0.5), "mcc_correlated"),
        ("mixed", _record(noise=0.8), "mcc_mixed"),
        ("shuffled", _record(active=1), "shuffled_opens_none"),
        ("untrained_independent", _record(active=0), "untrained_finds_none"),
        ("untrained_independent", _record(active=0), "slots_found"),
        ("untrained_independent", _record(), "mcc_independent"),
        ("untrained_correlated", _record(), "mcc_correlated"),
        ("untrained_mixed", _record(), "mcc_mixed"),
    ],
)
def test_a_worse_bank_or_a_control_that_succeeds_fails(condition, worse, criterion):
    assert not _passed({**_records(), condition: worse})[criterion]


def _twins(x, axis):
    """The first two free slots along the axis made the same."""
    rows, first = np.arange(x.shape[axis]), x.shape[axis] - slots_lib.FREE
    rows[first + 1] = first
    return jnp.take(x, rows, axis)


def test_twins_that_go_on_saying_the_same_are_reported():
    """Two hidden properties, and two slots born as copies: nothing but the price of their likeness
    has each tell its own.
    """
    shape, rng = (OBJECTS, 6), np.random.default_rng(0)
    outcome = rng.normal(size=(OBJECTS, 1, 2)) + 0.2 * rng.normal(size=(*shape, 2))
    acts = slots_lib.Acts(
        jnp.zeros(shape, jnp.int32), jnp.ones(shape), jnp.asarray(outcome, jnp.float32)
    )
    known = jnp.zeros((OBJECTS, len(slots_lib.KNOWN)))
    bank = slots_lib.SlotBank(1, 2, width=12, hidden=3)

    def live(price):
        settings = slot_bank.Settings(
            steps=600, look_every=600, open_until=0.0, turn=1.0, ripen=6000, likeness_price=price
        )
        init, learn, *_ = slot_bank.make_learner(bank, settings)
        state = init(jax.random.key(0), acts, known)
        params = dict(state.params)
        for name, axis in (("mean", -1), ("log_variance", -1), ("read", -2)):
            params[name] = jax.tree.map(lambda x, axis=axis: _twins(x, axis), params[name])
        state = state.replace(params=params, opened=state.opened.at[:2].set(0))
        _, seen = learn(state, acts, known, jnp.float32(1.0))
        return seen.slots.mean, seen.activation > slots_lib.ACTIVE

    prices = jnp.array([0.0, slot_bank.Settings().likeness_price])
    mean, active = jax.device_get(jax.jit(jax.vmap(live))(prices))
    assert active[:, :2].all()
    alike, apart = (
        monitors.slot_collapse(mean[[n]], active[[n]], "a larger price") for n in range(2)
    )
    assert alike.alarm
    assert not apart.alarm
    assert apart.value is not None
    assert apart.value < 0.5


def test_the_reports_monitor_tells_which_slots_copy_each_other():
    records = _records()
    alarms = {m.name: m.alarm for m in _slot_discovery_report.claims(records)["monitors"]}
    assert not any(alarms.values())
    records["mixed"]["mean"][..., 1] = -records["mixed"]["mean"][..., 0]
    alarms = {m.name: m.alarm for m in _slot_discovery_report.claims(records)["monitors"]}
    assert alarms["slot_collapse, densely mixed channels"]
    assert sum(alarms.values()) == 1


def test_a_failed_seed_is_counted_and_never_averaged():
    records = _records()
    records["mixed"]["mean"][1] = np.nan
    claims = _slot_discovery_report.claims(records)
    assert claims["n_failed_seeds"] == 1
    mixed = next(c for c in claims["criteria"] if c["name"] == "mcc_mixed")
    assert mixed["per_seed"][1] is None


def test_report_shows_every_figure(tmp_path):
    records = _records()
    claims = _slot_discovery_report.claims(records)
    result = results.build("x", seeds=[0, 1, 2], config_hash="0" * 16, wall_s=1.0, **claims)
    run = types.SimpleNamespace(workdir=tmp_path)
    _slot_discovery_report.write({"steps": 400}, run, records, result)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for title in ("What was found", "How slots open", "What each outcome reads", "All scores"):
        assert title in page
    assert page.count("data:image/png") == 4
    assert "slot_collapse, independent properties" in page


def test_bad_configs_are_refused():
    config = _config.load("configs/slot_discovery.py:quick")
    slot_discovery.check(config)
    for name, value, words in (
        ("steps", "450", "multiple of 100"),
        ("correlation", "1.0", "below 1"),
        ("objects", "10", "50 or more"),
        ("likeness_price", "-1.0", "0 or more"),
    ):
        bad = _config.load("configs/slot_discovery.py:quick")
        _config.override(bad, name, value)
        with pytest.raises(_config.BadInput, match=words):
            slot_discovery.check(bad)


def test_the_bank_gets_senses_and_standardised_outcomes_and_not_the_truth():
    told = slot_discovery.experience((500, 10), 0.07, jnp.int32(3), 0.0, False, False)
    acts, known, truth = told[0]
    weight = slots_lib.KNOWN.index("weight")
    others = np.delete(np.asarray(known), [weight, slots_lib.KNOWN.index("size")], 1)
    assert np.all(others == 0)
    assert np.std(known[:, weight]) > 0.5
    np.testing.assert_allclose(np.std(acts.outcome, (0, 1)), 1.0, atol=0.01)
    r = np.corrcoef(np.asarray(known[:, weight]), np.asarray(truth).T)[0, 1:]
    assert np.abs(r).max() < 0.25


def test_a_slot_opens_for_one_hidden_property_and_none_for_noise():
    """One action whose outcome shows one property: a few hundred steps suffice."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 100, 1))
    noise = rng.normal(size=(2, 100, 6, 1))
    outcome = np.stack([truth[0][:, None] + 0.2 * noise[0], noise[1]])
    shape = (2, 100, 6)
    acts = slots_lib.Acts(
        jnp.zeros(shape, jnp.int32), jnp.ones(shape), jnp.asarray(outcome, jnp.float32)
    )
    known = jnp.zeros((2, 100, len(slots_lib.KNOWN)))
    bank = slots_lib.SlotBank(1, 1, free=3, width=12, hidden=3)
    settings = slot_bank.Settings(steps=600, open_until=0.6, ripen=200, patience=200)
    init, learn, _, look = slot_bank.make_learner(bank, settings)
    state = jax.vmap(init)(jax.vmap(jax.random.key)(jnp.arange(2)), acts, known)
    learn = jax.jit(jax.vmap(learn, (0, 0, 0, None)))
    for _ in range(6):
        state, _ = learn(state, acts, known, jnp.float32(1.0))
    seen = jax.vmap(look, (0, 0, 0, None))(state, acts, known, 100)
    opened = np.asarray(state.opened < slots_lib.CLOSED).sum(1)
    assert opened[0] >= 1
    assert opened[1] == 0
    active = np.asarray(seen.activation[0])
    assert (active > 0.5).sum() == 1
    slot = np.asarray(seen.slots.mean[0])[:, active.argmax()]
    assert abs(np.corrcoef(slot, truth[0, :, 0])[0, 1]) > 0.95
