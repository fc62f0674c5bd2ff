"""Every training loop: a NaN among one seed's data freezes that seed, and no other notices."""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _parts, _run
from nsca_jax.models import adaptive, fusion, proprio, vision
from nsca_jax.models import foresight as foresight_lib
from nsca_jax.models import slots as slots_lib
from nsca_jax.models import temporal as temporal_lib
from nsca_jax.priors import figures, visual
from nsca_jax.reports import results
from nsca_jax.sensors import camera
from nsca_jax.training import (
    audio,
    consolidation,
    exploring,
    faults,
    foresight,
    imitation,
    ppo,
    readout,
    slot_bank,
    temporal,
    trust,
    words,
)
from nsca_jax.training import fusion as fusing
from nsca_jax.training import vision as seeing
from nsca_jax.worlds import rooms
from tests import test_consolidation, test_ppo

SEEDS, STEPS, ROWS = 3, 12, 12
KEY = jax.random.key(0)


def drawn(*shape):
    return jax.random.normal(KEY, shape)


# Of one seed: data [ROWS, ...], of which the test poisons a part -> (what was learnt, its faults).


def hears(sound):
    params, _, fault = audio.learn(audio.Settings(width=8, steps=STEPS, batch=4), KEY, sound)
    return params, fault


def sees(responses):
    eye = vision.VisionEncoder(visual.Innate(gabor=False), width=4)
    pixels = jnp.zeros((ROWS, 2, 64, 64), jnp.uint8)
    looks, pairs = seeing.Looks(pixels, responses), jnp.stack([jnp.arange(ROWS - 1)] * 2, 1)
    init, learn = seeing.make_learner(eye, seeing.Settings(batch=4, steps=STEPS))
    state, _ = learn(init(KEY, looks), looks, pairs, STEPS)
    return (state.params, state.head), state.moments


def feels(touch):
    settings = fusing.Settings(window=3, steps=STEPS, batch=4)
    params, _, fault = fusing.learn_body(settings, KEY, "touch", proprio.TouchEncoder(), touch)
    return params, fault


def fuses(code):
    settings = fusing.Settings(steps=STEPS, batch=4, principal=4)
    codes = dict.fromkeys(fusion.SENSES, code)
    params, _, fault = fusing.learn_fusion(settings, KEY, fusion.Fusion(width=8), codes)
    return params, fault


def names(state):
    settings = words.Settings(embedding=4, batch=4, steps=STEPS)
    said = jnp.arange(ROWS) % 3
    params, _, fault = words.align(settings, KEY, state, said, drawn(3, 5))
    return params, fault


def reads(looks):
    settings = readout.ReadOutSettings(properties=1, members=2, width=4, batch=4, steps=STEPS)
    level = jnp.zeros((ROWS, 1), jnp.int32)
    state, _ = readout.learn(settings, KEY, looks, level, level == 0)
    return state.params, state.fault


def imitates(meant):
    settings = imitation.Settings(width=8, members=2, steps=STEPS, batch=4, foresight=1.0)
    seen = drawn(ROWS, 36)
    rows = imitation.Rows(seen, seen, seen, meant, meant, jnp.zeros(ROWS, jnp.int32))
    used = jnp.ones(ROWS)
    params, _, fault = imitation.adapt(
        settings, KEY, None, imitation.open_eye(rows, used), rows, used
    )
    return params, fault


def goes_on(place):
    still = jnp.zeros((ROWS, 41))
    of = temporal.Tracks(
        senses=jnp.zeros((ROWS, 41, 4)), place_m=place, size_m=still, seen=still == 0,
        body=jnp.zeros((ROWS, 41, temporal_lib.BODY)), skill=jnp.zeros(ROWS, jnp.int32),
        parameters=jnp.zeros((ROWS, 4)),
    )  # fmt: skip
    model = temporal_lib.TemporalModel(4, 4, 8)
    init, learn = temporal.make_learner(
        model, temporal.Settings(steps=STEPS, batch=4), camera.Camera(), 5
    )
    learner, _ = learn(init(KEY, of, jnp.arange(ROWS)), KEY, of, STEPS)
    return learner.params, learner.optimiser


def foresees(near):
    things = jnp.abs(drawn(ROWS, 16, figures.THINGS, figures.MOMENTS))
    films = figures.Percept(things, near)
    settings = foresight.Settings(batch=4, steps=STEPS, latest=8)
    init, learn = foresight.make_learner(foresight_lib.Foresight(width=4), settings)
    learner, _ = learn(init(KEY, films), KEY, films, STEPS)
    return learner.params, learner.optimiser


def discovers(outcome):
    shape = outcome.shape[:2]
    acts = slots_lib.Acts(jnp.zeros(shape, jnp.int32), jnp.ones(shape), outcome)
    known = jnp.zeros((ROWS, len(slots_lib.KNOWN)))
    settings = slot_bank.Settings(steps=2 * STEPS, batch=4, look_every=STEPS)
    init, learn, turn, _ = slot_bank.make_learner(
        slots_lib.SlotBank(1, 1, free=2, width=4, hidden=2), settings
    )
    state, _ = learn(init(KEY, acts, known), acts, known, jnp.float32(1.0))
    state, _ = learn(turn(state, acts, known), acts, known, jnp.float32(1.0))
    return (state.params, state.opened), state.moments


def trusts(y):
    """The poisoned row comes as the seventh."""
    net = adaptive.AdaptivePrior((4,))
    sample = lambda t: trust.Batch(jnp.ones((1, 2)), jnp.zeros((1, 1)), y[t][None])  # noqa: E731
    pace = trust.Pace(decay=0.1)
    state, _ = trust.learn(net, trust.init(net, KEY, (2,), 1), sample, STEPS, pace)
    return state.params, state.optimiser


def explores(pictures):
    settings = exploring.ExploreSettings(
        episodes=1, steps=60, width=4, updates=1, batch=4, tests=4, members=2
    )
    newborn = exploring.born(settings.width, settings.members, KEY)
    life = exploring._begin(settings, newborn, exploring.Lot(jnp.int32(0), jnp.int32(0), 3.0))
    life = life.replace(world=life.world.replace(pictures=pictures[0]))
    life, _ = exploring._episode(settings, life)
    return life.params, life.optimiser


def plays(reward):
    init, act, update = ppo.make_player(test_ppo.SMALL)
    state = init(KEY)
    image = jnp.zeros((32, 8, 8, 3), jnp.uint8)
    moments = [act(state.params, jax.random.fold_in(KEY, t), image) for t in range(9)]
    seen, action, chance, value = jax.tree.map(lambda *x: jnp.stack(x), *moments)
    action, chance = action[:-1], chance[:-1]
    done, region = jnp.zeros((8, 32), bool), jnp.zeros((8, 32), jnp.int32)
    state, _ = update(state, ppo.Rollout(seen, action, chance, value, reward, done, region))
    return state.params, state.optimiser


LOOPS = {
    hears: jnp.abs(drawn(ROWS, 6, 32)),
    sees: drawn(ROWS, 2, 64, 6).astype(jnp.float16),
    feels: drawn(ROWS, 9, 6),
    fuses: drawn(ROWS, 9, 256),
    names: drawn(ROWS, 6),
    reads: jnp.abs(drawn(ROWS, 16, 16, 4)),
    imitates: drawn(ROWS, 4),
    goes_on: jnp.abs(drawn(ROWS, 41, 3)),
    foresees: jnp.abs(drawn(ROWS, 16, figures.NEARNESSES)),
    discovers: drawn(ROWS, 6, 1),
    trusts: drawn(ROWS, 1),
    explores: None,
    plays: drawn(8, 32),
}


def poisoned(data):
    """The same for every seed, then with NaN for the middle one's seventh row, or its last."""
    sick = data.at[min(6, len(data) - 1)].set(jnp.nan)
    return tuple(jnp.stack([data, middle, data]) for middle in (data, sick))


def frozen_alone(good, bad, where=""):
    """What every loop must hold to: learnt and faults, without the NaN and with it."""
    for fine, hurt in zip(jax.tree.leaves(good[0]), jax.tree.leaves(bad[0]), strict=True):
        np.testing.assert_array_equal(hurt[::2], fine[::2])
        assert np.isfinite(hurt).all()
    assert faults.found(good[1]).tolist() == [""] * SEEDS
    told = faults.found(bad[1]).tolist()
    assert told[::2] == ["", ""]
    assert f"was not finite after {where}" in told[1]
    assert (np.asarray(bad[1].updates)[1] <= np.asarray(good[1].updates)[1]).all()


QUICK = (names, feels, trusts, discovers)  # the others compile for long
EVERY = [pytest.param(x, marks=() if x in QUICK else pytest.mark.slow) for x in LOOPS]


@pytest.mark.parametrize("loop", EVERY, ids=[x.__name__ for x in LOOPS])
def test_a_seed_at_fault_stops_and_the_others_keep_their_bits(loop):
    data = LOOPS[loop]
    if data is None:
        data = rooms.make(KEY, jnp.int32(0)).pictures[None]  # one row: no room is as it was
    learn = jax.jit(jax.vmap(loop))
    good, bad = (learn(x) for x in poisoned(data))
    frozen_alone(good, bad, "6 good" if loop is trusts else "")
    same = [np.array_equal(a[1], b[1]) for a, b in zip(*map(jax.tree.leaves, (good[0], bad[0])))]  # noqa: B905
    assert not all(same)


@pytest.mark.slow
def test_a_fault_outlives_the_set_of_objects_in_which_it_happened():
    """The optimiser begins anew with each set, and EWC pulls at whoever learns."""
    init, babble = consolidation.make_learner(test_consolidation.SMALL)
    kitchen, toys = (
        jax.tree.map(lambda x: jnp.stack([x] * SEEDS), test_consolidation._rows(first, first))
        for first in (0, 4)
    )
    sick = toys.outcome.sound.at[1, 6].set(jnp.nan)
    keys = jax.random.split(KEY, SEEDS)

    def live(*sets):
        agents, seen = init(keys, kitchen), []
        for rows in sets:
            agents = babble(agents, rows, test_consolidation._arm())
            seen.append(jax.device_get((agents.learner.params, agents.learner.optimiser)))
        return seen

    good = live(kitchen, toys, kitchen)
    bad = live(kitchen, toys.replace(outcome=toys.outcome.replace(sound=sick)), kitchen)
    frozen_alone(good[-1], bad[-1])
    for before, after in zip(*map(jax.tree.leaves, (bad[1][0], bad[2][0])), strict=True):
        np.testing.assert_array_equal(after[1], before[1])


def test_a_run_tells_counts_and_keeps_the_faults_of_its_parts(tmp_path, capsys):
    run = _run.Run("vision", tmp_path, {"seeds": 3})
    found = np.array(["", "the loss was not finite after 5 good updates", ""])
    for _ in range(2):  # learnt, then read back
        part = _parts.once(run, "eye", lambda: {"faults": found, "skill": np.arange(3.0)})
    assert capsys.readouterr().err.count("eye, seed 1 has stopped learning: the loss was not") == 1
    assert run.failed == {1: "eye: the loss was not finite after 5 good updates"}
    np.testing.assert_array_equal(run.without_failed(part["skill"]), [0.0, 2.0])
    item = results.criterion("skill", "claim", [0.0, 2.0], 0.0, ">=")
    result = run.result(results.with_failed([item], run.failed), [0, 1, 2])
    assert result["n_failed_seeds"] == 1
    assert not result["passed"]
    assert result["criteria"][0]["per_seed"] == [0.0, None, 2.0]
    with pytest.raises(faults.FaultError, match=r"seed 0: ear: x; seed 1: eye: .*; seed 2"):
        run.tell_faults("ear", np.array(["x", "", "z"]))
