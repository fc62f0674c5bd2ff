"""Every condition of the ablation switches one real mechanism off, and no other.

The loop draws from recordings of made-up interactions here, so that nothing of physics is compiled.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import types
from nsca_jax.continual import ewc
from nsca_jax.evaluation import ablation, transfer
from nsca_jax.memory import replay
from nsca_jax.models import dynamics
from nsca_jax.sim import env, skills
from nsca_jax.sim import scene as scene_lib
from nsca_jax.training import babbling, experience, learner
from tests import bits, lab

OBJECTS, SEEDS, WORLDS, RECORDED = 4, 2, 8, 6
TASKS = len(ablation.TASKS)
FULL = babbling.BabbleSettings(
    learner=learner.LearnerSettings(
        members=1, width=8, blocks=1, latent=4, batch=8, total_updates=64
    ),
    objects=OBJECTS,
    seeds=SEEDS,
    worlds=WORLDS,
    updates=2,
    random_iterations=2,
    iterations=32,
    capacity=WORLDS * 32,
    window=8,
    warmup=2,
    slow_every=2,
    stages=2,
    stiffness=10.0,
    recent=16,
)
OTHERS = [c for c in ablation.CONDITIONS if c not in (ablation.FULL, ablation.SHAM)]


def made_up(seed: int, regions: int = FULL.regions, each: int = RECORDED) -> types.Interaction:
    """Rows [regions, each] whose outcomes follow from object and skill, with noise."""
    random = np.random.default_rng(seed)
    example = jax.tree.map(np.asarray, babbling._example())
    rows = jax.tree.map(
        lambda x: (
            random.normal(size=(regions, each, *x.shape)).astype(np.float32)
            if x.dtype == np.float32
            else np.zeros((regions, each, *x.shape), x.dtype)
        ),
        example,
    )
    region = np.arange(regions)[:, None] * np.ones((1, each), int)
    thing, skill, _ = jax.device_get(
        babbling.choose.region_parts(jnp.asarray(region, jnp.int32), FULL.bins)
    )
    moved = rows.outcome.displacement_m * 0.1 + (thing - 0.3 * skill)[..., None]
    return jax.tree.map(
        jnp.asarray,
        rows.replace(
            object_id=thing,
            skill=skill,
            finite=np.ones((regions, each), bool),
            contact=np.ones((regions, each), bool),
            measured=np.abs(rows.measured),
            measured_ok=np.ones((regions, each, 5), bool),
            outcome=rows.outcome.replace(displacement_m=moved.astype(np.float32)),
        ),
    )


@pytest.fixture(scope="module")
def recording():
    return experience.Recording(made_up(0))


make_train = functools.cache(babbling.make_train)  # one compile a condition
HALF = 16  # iterations of a stage, and of every call


def start(settings):
    init, chunk = make_train(settings)
    keys = jax.vmap(jax.random.key)(jnp.arange(SEEDS))
    return jax.jit(init)(keys), chunk


@pytest.mark.parametrize("condition", OTHERS)
def test_a_condition_switches_one_thing(condition):
    settings = ablation.switch(FULL, condition)
    flat = [dataclasses.asdict(s) for s in (FULL, settings)]
    flat = [{k: v for k, v in f.items() if k != "learner"} | f["learner"] for f in flat]
    assert sum(flat[0][name] != flat[1][name] for name in flat[0]) == 1


@pytest.mark.slow
@pytest.mark.guard
def test_each_switch_changes_the_program(recording):
    texts, keys = {}, jax.vmap(jax.random.key)(jnp.arange(SEEDS))
    for condition in (ablation.FULL, *OTHERS):
        init, chunk = make_train(ablation.switch(FULL, condition))
        texts[condition] = chunk.lower(recording, jax.eval_shape(init, keys), 1).as_text()
    del texts["without_forced_interaction"]  # that one draws from another recording: see below
    assert len(set(texts.values())) == len(texts)


def test_the_sham_is_the_full_agent():
    assert ablation.switch(FULL, ablation.SHAM) == ablation.switch(FULL, ablation.FULL) == FULL
    with pytest.raises(KeyError):
        ablation.switch(FULL, "without_gravity")


@pytest.fixture(scope="module")
def lived(recording):
    """State of the full agent after each of its two stages, and what it chose."""
    state, chunk = start(FULL)
    settle = babbling.make_settle(FULL)
    half, first = chunk(recording, state, HALF)
    half = settle(half)
    kept = bits.on_host(half)
    whole, second = chunk(recording, half, HALF)
    whole = bits.on_host(whole)
    return kept, whole, jax.device_get((first["region"], second["region"]))


def test_objects_come_in_stages(lived):
    each = FULL.regions // OBJECTS
    keys = jax.vmap(jax.random.key)(jnp.arange(SEEDS))
    for seed in range(SEEDS):
        met = []
        for iteration, regions in zip((0, 16), lived[2], strict=True):
            here = set(np.asarray(babbling.present(FULL, keys[seed], iteration)).tolist())
            assert set((regions[:, seed] // each).ravel().tolist()) == here
            met.append(here)
        assert met[0] | met[1] == set(range(OBJECTS))
        assert not met[0] & met[1]


def test_what_was_learnt_is_stiff_at_the_boundary_alone(lived):
    half, whole, _ = lived
    for leaf in jax.tree.leaves(half.stiff.precision):
        assert (leaf >= 0).all()
    total = [np.sum([x.sum() for x in jax.tree.leaves(s.stiff.precision)]) for s in (half, whole)]
    assert total[0] > 0
    assert total[0] == total[1]


def test_ewc_holds_parameters_back(recording, lived):
    """The second stage moves what mattered in the first the less, the stiffer it is."""
    half, whole, _ = lived
    state, chunk = start(FULL)
    state = babbling.make_settle(FULL)(chunk(recording, state, HALF)[0])
    stiffer = jax.tree.map(lambda x: 1000.0 * x, state.stiff.precision)
    state = state.replace(stiff=state.stiff.replace(precision=stiffer))
    held = bits.on_host(chunk(recording, state, HALF)[0]).learner.params
    left = [float(ewc.penalty(half.stiff, params)) for params in (held, whole.learner.params)]
    assert left[0] < 0.3 * left[1]


@pytest.mark.slow
@pytest.mark.guard
def test_without_memory_nothing_old_is_replayed(recording):
    """Rows older than `recent` may be spoilt without any effect; with memory they matter."""
    for condition, same in (("without_memory", True), (ablation.FULL, False)):
        settings = ablation.switch(FULL, condition)
        ends = []
        for spoil in (False, True):
            state, chunk = start(settings)
            state, _ = chunk(recording, state, HALF)
            if spoil:
                age = (state.buffer.next - 1 - jnp.arange(settings.capacity)) % settings.capacity
                old = jnp.zeros(settings.capacity, bool).at[age[settings.recent :]].set(True)
                rows = jax.tree.map(
                    lambda x, old=old: jnp.where(old.reshape(-1, *[1] * (x.ndim - 1)), 0, x).astype(
                        x.dtype
                    ),
                    state.buffer.rows,
                )
                state = state.replace(buffer=state.buffer.replace(rows=rows))
            state, _ = chunk(recording, state, HALF)
            ends.append(bits.on_host(state).learner.params)
        equal = all(map(np.array_equal, *map(jax.tree.leaves, ends)))
        assert equal == same


def test_without_memory_no_table_is_asked(lived):
    table = jax.tree.map(lambda x: jnp.asarray(x[0]), lived[1].table)
    things = jnp.arange(OBJECTS)
    assert jnp.abs(babbling.own_memory(FULL, table, things)).sum() > 0
    off = ablation.switch(FULL, "without_memory")
    assert jnp.abs(babbling.own_memory(off, table, things)).sum() == 0


@pytest.mark.slow
@pytest.mark.guard
def test_without_curiosity_all_regions_are_as_likely(recording, lived):
    state, chunk = start(ablation.switch(FULL, "without_curiosity"))
    for _ in range(2):
        state, _ = chunk(recording, state, HALF)
    both = {ablation.FULL: lived[1].visits, "without_curiosity": np.asarray(state.visits)}
    visits = {condition: of.sum((0, 1)) for condition, of in both.items()}
    spread = {c: v.std() for c, v in visits.items()}
    assert spread["without_curiosity"] < 1.5 * np.sqrt(visits[ablation.FULL].mean())
    assert spread[ablation.FULL] > 1.3 * spread["without_curiosity"]


def test_without_slots_there_is_no_bottleneck():
    states = {c: start(ablation.switch(FULL, c))[0] for c in (ablation.FULL, "without_slots")}
    names = {c: set(s.learner.params["params"]) for c, s in states.items()}
    gone = names[ablation.FULL] - names["without_slots"]
    assert gone == {"SoundHead_0", "TouchHead_0"}


def test_without_priors_a_newborn_expects_the_mean():
    """Neither falls nor persists what no network has learnt; with priors it does both."""
    off = ablation.switch(FULL, "without_priors")
    rows = jax.tree.map(lambda x: x[:, 0], made_up(1))
    memory = jnp.zeros((rows.skill.shape[0], dynamics.MEMORY))
    for settings in (FULL, off):
        state = learner.init(settings.learner, jax.random.key(0))
        out = learner.predict(settings.learner, state.params, state.statistics, rows, memory)
        look = out.outcome_mean[0, :, -types.VISUAL_CODE :]
        fall = out.motion_mean[0, :, :, 2]
        told = [float(jnp.abs(x).max()) for x in (look, fall)]
        assert (min(told) > 0) if settings is FULL else (max(told) == 0)
        assert (float(out.weight.min()) > 0.8) == (settings is FULL)


def test_recall_draws_from_the_region_alone(recording):
    region = jnp.array([3, 3, 7, 0, 3, 3])
    rows = experience.recall(recording, jax.random.split(jax.random.key(1), 6), region)
    np.testing.assert_array_equal(rows.object_id, recording.rows.object_id[region, 0])
    for row, place in zip(np.asarray(rows.parameters), np.asarray(region), strict=True):
        assert (np.asarray(recording.rows.parameters[place]) == row).all(-1).any()


def test_the_last_rows_are_the_recent_ones():
    buffer = replay.init({"x": jnp.zeros(())}, 12, 1, 4)
    for block in range(4):  # wraps around: 0..3 are gone
        x = 4.0 * block + jnp.arange(4.0)[:, None]
        buffer = replay.add(buffer, {"x": x}, jnp.ones((4, 1), bool))
    rows, valid = replay.sample(buffer, jax.random.split(jax.random.key(0), 1), 200, recent=6)
    assert valid.all()
    assert set(np.asarray(rows["x"]).ravel().tolist()) == set(range(10, 16))


@pytest.fixture(scope="module")
def bench():
    rows = jax.tree.map(
        lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), made_up(2, each=2)
    )
    return ablation.Bench(ablation.judged(rows), ablation.judged(rows))


def test_judged_interactions_go_task_by_task(bench):
    want = np.repeat([types.SKILLS.index(task) for task in ablation.TASKS], 2 * OBJECTS * FULL.bins)
    np.testing.assert_array_equal(bench.known.skill, want)


def test_judge_agrees_with_the_score_that_babbling_has(recording, lived, bench):
    state, chunk = start(FULL)
    state, _ = chunk(recording, state, HALF)
    told = ablation.judge(FULL, state, bench, TASKS)
    memory = jax.vmap(lambda t: babbling.own_memory(FULL, t, bench.known.object_id))(state.table)
    region = jnp.zeros(bench.known.skill.shape[0], jnp.int32)
    theirs = transfer.score(FULL.learner, state.learner, bench.known, region, memory)
    np.testing.assert_allclose(told["skill"].mean(1), theirs.overall, rtol=1e-4)
    assert (told["weight"] >= 0.3).all()


def test_knowing_the_task_alone_is_worth_what_tasks_differ_in(bench):
    skill = np.asarray(ablation.by_task_mean(bench.known, TASKS))
    assert (skill > 0).all()
    assert (skill < 0.6).all()


@pytest.fixture(scope="module")
def scene():
    return scene_lib.build(lab.properties(4))


def test_a_hand_that_starts_astray_is_clear_of_its_object(scene):
    keys = jax.random.split(jax.random.key(0), 400)
    skill = jnp.arange(400) % 4
    reset = jax.vmap(lambda k, s: env.reset(scene, 0, s, jnp.zeros(4), jnp.zeros(2), k))
    worlds = reset(keys, skill)
    np.testing.assert_allclose(worlds.qpos[:, 2], scene.rest_height_m[0], atol=1e-6)
    assert (worlds.qvel[:, :6] == 0).all()
    away = np.linalg.norm(worlds.qpos[:, 7:9] - worlds.qpos[:, :2], axis=-1)
    forced = jax.vmap(lambda s: env.reset(scene, 0, s, jnp.zeros(4), jnp.zeros(2)))(skill)
    touching = np.linalg.norm(forced.qpos[:, 7:9] - forced.qpos[:, :2], axis=-1)
    push = np.asarray(skill) == skills.PUSH
    assert away[push].min() > touching[push].min() - 1e-3
    assert away.max() < touching[push].max() + skills.ASTRAY_M + 0.1
    bearing = np.arctan2(worlds.qpos[:, 8] - worlds.qpos[:, 1], worlds.qpos[:, 7])
    assert np.histogram(bearing, 4, (-np.pi, np.pi))[0].min() > 60


@pytest.mark.slow
def test_forced_interactions_meet_and_others_most_often_do_not():
    body = experience.make_body(lab.properties(4))
    camera = experience.camera_lib.Camera(width=8, height=8)
    met = {}
    for forced in (True, False):
        rows = transfer.collect(
            body, camera, jax.random.key(0), 0, 4, 8, 2, 256, experience.NO_NOISE, forced
        ).rows
        met[forced] = np.asarray(rows.contact)
        if not forced:
            assert not met[forced][np.asarray(rows.skill) == skills.DROP].any()
            assert not np.asarray(rows.measured_ok)[~met[forced]][:, [0, 1, 3, 4]].any()
    assert met[True].mean() > 0.95
    assert met[False].mean() < 0.3
