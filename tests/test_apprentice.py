"""Every condition of the apprentice's ablation switches one real mechanism off, and no other.

Demonstrations are made up here, so that nothing of Meta-World is needed.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.continual import ewc
from nsca_jax.evaluation import ablation, apprenticeship
from nsca_jax.training import apprentice, imitation

K, R, N, T, SEEDS = 2, 3, 2, 30, 2
FULL = apprentice.Settings(
    learner=imitation.Settings(width=16, batch=32, rate=3e-3, foresight=0.1),
    tasks=K,
    regions=R,
    chunks=2,
    watched=70,
    updates=30,
    stiffness=1.0,
    window=16,
    warmup=4,
)
OTHERS = [c for c in apprenticeship.CONDITIONS if c not in (ablation.FULL, ablation.SHAM)]


@pytest.fixture(scope="module")
def library():
    """[SEEDS] libraries: the hand makes for the goal, the one of the second task for its mirror."""
    rng = np.random.default_rng(0)
    shape = (SEEDS, K, R, N, T + 1)
    seen = rng.normal(0, 0.02, (*shape, 39)).astype(np.float32)
    seen[..., 36:39] = rng.normal(0, 0.1, (*shape[:-1], 1, 3))
    meant = np.clip(10.0 * (seen[..., :-1, 36:39] - seen[..., :-1, :3]), -1, 1)
    meant = np.concatenate([meant, np.zeros_like(meant[..., :1])], -1).astype(np.float32)
    meant[:, 1] *= -1.0
    length = rng.integers(22, T + 1, shape[:-1]).astype(np.int32)
    return apprentice.Library(*map(jnp.asarray, (seen, meant, meant, length, length - 12)))


make = functools.cache(apprentice.make)  # one compile a condition


def born(settings, library):
    keys = jax.vmap(jax.random.key)(jnp.arange(SEEDS))
    return make(settings)[0](keys, jnp.array([[0, 1], [1, 0]]), library)


def lived(settings, library, points):
    state = born(settings, library)
    for _ in range(points):
        state, _ = make(settings)[1](library, state)
    return state


def same(a, b) -> bool:
    return all(np.array_equal(*pair) for pair in zip(*map(jax.tree.leaves, (a, b)), strict=True))


@pytest.mark.parametrize("condition", OTHERS)
def test_a_condition_switches_one_thing(condition):
    flat = [dataclasses.asdict(s) for s in (FULL, apprenticeship.switch(FULL, condition))]
    flat = [{k: v for k, v in f.items() if k != "learner"} | f["learner"] for f in flat]
    assert sum(flat[0][name] != flat[1][name] for name in flat[0]) == 1


def test_the_sham_is_the_full_apprentice_and_slots_it_has_none():
    assert apprenticeship.switch(FULL, ablation.SHAM) == FULL
    with pytest.raises(KeyError):
        apprenticeship.switch(FULL, "without_slots")
    assert set(ablation.CONDITIONS) - set(apprenticeship.CONDITIONS) == {"without_slots"}


@pytest.fixture(scope="module")
def stage(library):
    """The full apprentice after its first stage."""
    return lived(FULL, library, FULL.chunks)


def test_every_step_watched_is_one_of_the_stages_demonstrations(library, stage):
    many = FULL.chunks * FULL.watched
    w = jax.tree.map(np.asarray, stage.watched)
    for seed, task in enumerate((0, 1)):
        at = [x[seed, :many] for x in (w.task, w.region, w.number)]
        assert (at[0] == task).all()
        length, touch = (np.asarray(x)[seed][tuple(at)] for x in (library.length, library.touch))
        step = w.step[seed, :many]
        begin = step[1:][np.diff(step) != 1]
        assert (step < length).all()
        assert ((step[0] == 0) | (step[0] == touch[0])).all()
        assert ((begin == 0) | (begin == touch[1:][np.diff(step) != 1])).all()
        assert set((begin > 0).tolist()) == {True, False}
        assert stage.asked[seed, 1 - task].sum() == 0
        assert stage.asked[seed, task].sum() >= many / T


def test_forced_demonstrations_begin_with_the_hand_at_the_thing(library):
    for share, forced in ((0.0, False), (1.0, True)):
        state = lived(dataclasses.replace(FULL, forced=share), library, 1)
        assert ((np.asarray(state.watched.step)[:, : FULL.watched] > 9).all()) == forced
        assert ((np.asarray(state.watched.step)[:, : FULL.watched] == 0).any()) != forced
    assert apprenticeship.switch(FULL, "without_forced_interaction").forced == 0.0


def test_the_expert_is_imitated(library):
    """What is learnt in the second stage is that task's own, the mirror of the first's."""
    settings = dataclasses.replace(FULL, updates=300, stiffness=0.0)
    init, chunk, _, act = make(settings)
    state = init(jax.vmap(jax.random.key)(jnp.arange(SEEDS)), jnp.array([[0, 1], [1, 0]]), library)
    for _ in range(settings.points):
        state, _ = chunk(library, state)
    seen = library.seen[:, :, 0, 0, 5]
    said = act(state, seen, library.seen[:, :, 0, 0, 0])
    meant = library.meant[:, :, 0, 0, 5]
    assert said.shape == (SEEDS, K, imitation.ACTIONS)
    missed, mirrored = (np.abs(np.asarray(x)).mean() for x in (said - meant, said + meant))
    assert missed < 0.5 * mirrored


@pytest.mark.parametrize(
    ("condition", "spoilt"), [(ablation.FULL, True), ("without_memory", False)]
)
def test_without_memory_nothing_of_earlier_stages_is_replayed(library, condition, spoilt):
    settings = apprenticeship.switch(FULL, condition)
    state = lived(settings, library, FULL.chunks)
    first = jnp.zeros((SEEDS, K), bool).at[jnp.arange(SEEDS), jnp.array([0, 1])].set(True)
    meant = jnp.where(first[:, :, None, None, None, None], 0.5, library.meant)
    ends = [make(settings)[1](of, state)[0] for of in (library, library._replace(meant=meant))]
    assert same(ends[0].params, ends[1].params) != spoilt


def test_what_was_learnt_is_held_by_ewc(library, stage):
    settle, chunk = make(FULL)[2], make(FULL)[1]
    settled = settle(library, stage)
    assert float(ewc.penalty(settled.stiff, stage.params)) < 1e-9
    assert sum(float(x.sum()) for x in jax.tree.leaves(settled.stiff.precision)) > 0
    assert all((x >= 0).all() for x in jax.tree.leaves(settled.stiff.precision))
    stiffer = settled.stiff.replace(
        precision=jax.tree.map(lambda x: 1e4 * x, settled.stiff.precision)
    )
    ends = [chunk(library, settled.replace(stiff=s))[0] for s in (stage.stiff, stiffer)]
    moved = [float(ewc.penalty(settled.stiff, end.params)) for end in ends]
    assert moved[1] < 0.3 * moved[0]
    assert apprenticeship.switch(FULL, "without_ewc").stiffness == 0.0


def test_curiosity_values_what_is_learnt_and_chance_all_alike(library, stage):
    worth = jax.vmap(functools.partial(apprentice.worth, FULL))(stage)
    assert (np.asarray(worth) >= 0).all()
    assert np.ptp(np.asarray(worth)[0, 0]) > 0
    off = apprenticeship.switch(FULL, "without_curiosity")
    state = lived(off, library, 1)
    np.testing.assert_array_equal(jax.vmap(functools.partial(apprentice.worth, off))(state), 1.0)


def test_a_region_that_only_noise_fills_is_worth_nothing():
    """Errors that learning does not lower: the lower bound of progress is not above 0."""
    arm = apprentice.arms.ARMS[FULL.curiosity]
    rng = np.random.default_rng(0)
    region = jnp.repeat(jnp.arange(K * R), 16)
    then = 1.0 + rng.random(16 * K * R).astype(np.float32)
    now = then * np.where(np.asarray(region) == 0, rng.normal(1, 0.1, len(then)), 0.5)
    seen = apprentice.evidence.relative(apprentice.evidence.Evidence(jnp.asarray(now), then))
    told = arm.update(arm.init(K * R, FULL.window), region, seen, jnp.ones(len(then), bool))
    value = arm.score(told, FULL.bound, FULL.warmup)
    assert float(value[0]) == 0.0
    assert (np.asarray(value[1:]) > 0.3).all()


def test_without_priors_it_sees_readings_in_the_scale_of_all_there_is(library):
    off = apprenticeship.switch(FULL, "without_priors")
    one = jax.tree.map(lambda x: x[0], library)
    eye = apprentice.open_eye(one)
    used = np.asarray(one.seen)[np.arange(T + 1) <= np.asarray(one.length)[..., None]]
    np.testing.assert_allclose(eye.mean, used.mean(0), atol=1e-5)
    reading = one.seen[0, 0, 0, 3]
    raw = apprentice.features(off, eye, reading, reading, 1)
    assert raw.shape == (39 + K,)
    np.testing.assert_allclose(raw[:39], (reading - eye.mean) / eye.spread, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(raw[39:], [0, 1])
    assert apprentice.features(FULL, eye, reading, reading, 1).shape != raw.shape


def test_learning_that_broke_is_marked_and_its_hand_stays(library):
    settings = FULL
    broken = library._replace(meant=library.meant.at[0].set(jnp.nan))
    state, loss = make(settings)[1](broken, born(settings, broken))
    fault = np.asarray(state.optimiser.fault)
    assert fault[0] >= 0
    assert fault[1] == -1
    assert np.isnan(np.asarray(loss)[0])
    lost = state.replace(params=jax.tree.map(lambda x: x * jnp.nan, state.params))
    seen = library.seen[:, :, 0, 0, 0]
    np.testing.assert_array_equal(make(settings)[3](lost, seen, seen), 0.0)
