"""The compiled loop keeps its promises: one trace, the same bits, no truth, no poison.

One small program (two seeds of eight worlds, six objects and a radio) serves every test here.
"""

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import checkpoint, objects
from nsca_jax.curiosity import gamma_progress, recent_mean
from nsca_jax.evaluation import babbling_claims, stats, transfer
from nsca_jax.evaluation.babbling_claims import Stage
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sim import skills
from nsca_jax.training import babbling, experience, faults, learner
from tests import bits

NAMES = ("steel bearing", "glass marble", "oak peg", "clay ball", "foam cube", "clay tile")
RADIO = len(NAMES)
CHUNK, CHUNKS = 2, 3
SMALL = babbling.BabbleSettings(
    learner=learner.LearnerSettings(
        members=2, width=16, blocks=1, latent=8, batch=16, total_updates=12
    ),
    camera=camera_lib.Camera(width=16, height=16),
    objects=len(NAMES) + 1,
    seeds=2,
    worlds=8,
    updates=2,
    random_iterations=2,
    iterations=CHUNK * CHUNKS,
    capacity=8 * CHUNK * CHUNKS,
    window=8,
    warmup=2,
    slow_every=2,
)


class Loop:
    """The compiled loop, the bodies it acts with, and how often it was traced."""

    def __init__(self, body: experience.Body, names: tuple[str, ...]):
        self.body, self.names, self.traces = body, names, 0
        self.init, self._chunk = babbling.make_train(SMALL)

    @property
    def compiled(self) -> int:
        """Programs that XLA made of the chunk."""
        return self._chunk._cache_size()

    def start(self, *numbers: int) -> babbling.TrainState:
        """A fresh state; `numbers` name the seeds."""
        key = jax.random.key(0)
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.array(numbers))
        return jax.jit(self.init)(keys)

    def chunk(self, state, body=None):
        """(state, metrics) after CHUNK iterations; the state that is given is used up."""
        iterate = babbling._iterate

        def counted(*arguments):
            self.traces += 1
            return iterate(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(babbling, "_iterate", counted)
            return self._chunk(self.body if body is None else body, state, CHUNK)

    def run(self, state, body=None, chunks=CHUNKS):
        for _ in range(chunks):
            state, _ = self.chunk(state, body)
        return state


@pytest.fixture(scope="module")
def loop():
    known = objects.load("configs/objects_set_a.yaml")
    pick = np.array([known.names.index(name) for name in NAMES])
    some = known._replace(names=NAMES, properties=jax.tree.map(lambda x: x[pick], known.properties))
    everything = objects.concatenate([some, objects.load("configs/distractor.yaml")])
    return Loop(experience.make_body(everything.properties, RADIO), everything.names)


@pytest.fixture(scope="module")
def unbroken(loop):
    """The state after a whole run of seeds 0 and 1, on the host."""
    return bits.on_host(loop.run(loop.start(0, 1)))


def differing(one, other) -> list[str]:
    """Paths of the leaves whose bits differ."""
    pairs = jax.tree_util.tree_map_with_path(
        lambda path, a, b: None if a.tobytes() == b.tobytes() else jax.tree_util.keystr(path),
        bits.on_host(one),
        bits.on_host(other),
    )
    return jax.tree.leaves(pairs)


def test_one_trace_serves_the_whole_run(loop, unbroken):
    assert unbroken.iteration == CHUNK * CHUNKS
    assert loop.traces == loop.compiled == 1


def test_the_loop_does_what_it_counts(unbroken):
    """Every interaction is remembered, counted and learnt from, and nothing is not a number."""
    interactions = CHUNK * CHUNKS * SMALL.worlds
    np.testing.assert_array_equal(unbroken.visits.sum((1, 2)), interactions)
    np.testing.assert_array_equal(unbroken.bad_worlds, 0)
    assert unbroken.buffer.size == interactions
    assert unbroken.buffer.valid.all()
    counted = unbroken.learner.statistics.features.count  # frozen after the random phase
    np.testing.assert_array_equal(counted, SMALL.random_iterations * SMALL.worlds)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(unbroken.learner))
    assert (unbroken.table.count.sum((1, 2)) > interactions).all()  # two measures or more each
    assert differing(unbroken.learner.params, unbroken.slow)


def test_the_same_seed_gives_the_same_bits(loop, unbroken):
    assert differing(loop.run(loop.start(0, 1)), unbroken) == []


def test_another_seed_gives_others(loop, unbroken):
    first, second = (jax.tree.map(lambda x, s=s: x[s], unbroken.learner.params) for s in (0, 1))
    assert differing(first, second)


def test_a_resumed_run_gives_the_bits_of_an_unbroken_one(loop, unbroken, tmp_path):
    checkpoint.save(tmp_path, CHUNK, loop.run(loop.start(0, 1), chunks=1))
    template = jax.eval_shape(loop.init, jax.random.split(jax.random.key(7), 2))
    state, step = checkpoint.restore(tmp_path, template)
    assert step == CHUNK
    assert differing(loop.run(state, chunks=CHUNKS - 1), unbroken) == []
    assert loop.traces == loop.compiled == 1


def test_a_seed_does_not_depend_on_its_neighbours(loop, unbroken):
    other = bits.on_host(loop.run(loop.start(0, 5)))
    mine = ("learner", "slow", "curiosity", "table", "visits")

    def of(state, seed):
        return {name: jax.tree.map(lambda x: x[seed], getattr(state, name)) for name in mine}

    assert differing(of(other, 0), of(unbroken, 0)) == []
    assert differing(of(other, 1), of(unbroken, 1))


def permuted_truth(properties):
    """The values that score the table, each object's handed to another one."""
    return jax.tree.map(lambda leaf: jnp.roll(leaf, 3, 0), properties)


def scores_against(body, table, names) -> np.ndarray:
    """Spearman [5] as the claims compute it, for a table whose every estimate is known."""
    stage = Stage(body, names, len(names), len(names), 0, cast(Any, None), cast(Any, None))
    record = {"table_a": table[None], "table_a_known": np.ones((1, *table.shape), bool)}
    return babbling_claims.spearmans(stage, record, "table", "a")[0]


def test_the_agent_never_sees_the_truth(loop, unbroken):
    """Training against permuted true values: not a bit changes; their score does."""
    scene = loop.body.scene
    lie = loop.body.replace(scene=scene.replace(properties=permuted_truth(scene.properties)))
    assert differing(loop.run(loop.start(0, 1), lie), unbroken) == []

    honest = transfer.true_properties(scene.properties)
    honest[:, -1] = np.where(np.isfinite(honest[:, -1]), honest[:, -1], 9.0)
    np.testing.assert_allclose(scores_against(loop.body, honest, loop.names), 1.0)
    assert (scores_against(lie, honest, loop.names) < 0.9).all()

    table = jax.tree.map(lambda x: jnp.asarray(x[0]), unbroken.table)
    values, known = transfer.grounding(table)
    sized = known[:, 2]
    by = {
        name: stats.spearman(values[sized, 2], transfer.true_properties(p)[sized, 2])
        for name, p in (("truth", scene.properties), ("lie", lie.scene.properties))
    }
    assert by["truth"] > 0.8 > by["lie"]  # of the table that this run has filled


def test_a_sick_object_enters_neither_memory_nor_table(loop):
    """The steel bearing's mass is no number: its worlds are frozen, flagged and left out."""
    scene = loop.body.scene
    fields = ("body_mass", "body_inertia")
    sick = {f: scene.objects[f].at[0, 1].set(jnp.nan) for f in fields}
    body = loop.body.replace(scene=scene.replace(objects=scene.objects | sick))
    state = bits.on_host(loop.run(loop.start(0, 1), body))
    per_object = state.visits.sum(1).reshape(SMALL.seeds, SMALL.objects, -1).sum(-1)
    assert (per_object[:, 0] > 0).all()
    np.testing.assert_array_equal(state.bad_worlds, per_object[:, 0])
    np.testing.assert_array_equal((~state.buffer.valid).sum(0), per_object[:, 0])
    assert not state.table.count[:, :, 0].any()
    assert (state.table.count[:, :, 1:].sum(1) > 0).all()
    learnt = (state.learner, state.slow, state.curiosity)
    for leaf in jax.tree.leaves((state.buffer.rows, state.table.measures, *learnt)):
        assert np.isfinite(leaf).all()


def test_a_seed_at_fault_is_frozen_and_the_other_does_not_notice(loop, unbroken):
    """What the second seed expects to hear is not a number: its first loss is not one either."""
    state = loop.start(0, 1)
    before = bits.on_host(state.learner)
    mean = state.learner.statistics.outcome.mean.at[1, 7].set(jnp.nan)
    outcome = state.learner.statistics.outcome.replace(mean=mean)
    statistics = dataclasses.replace(state.learner.statistics, outcome=outcome)
    state = state.replace(learner=state.learner.replace(statistics=statistics))
    state, metrics = loop.chunk(state)
    np.testing.assert_array_equal(np.isnan(metrics["loss"]), [[False, True]] * CHUNK)
    after = bits.on_host(loop.run(state, chunks=CHUNKS - 1))

    def of(state, seed):
        return jax.tree.map(lambda x: x[seed], (state.params, state.optimiser.inner))

    assert differing(of(after.learner, 1), of(before, 1)) == []
    mine = ("learner", "slow", "curiosity", "table", "visits")
    for name in mine:
        one, other = (jax.tree.map(lambda x: x[0], getattr(s, name)) for s in (after, unbroken))
        assert differing(one, other) == []
    told = faults.found(after.learner.optimiser).tolist()
    assert told == ["", "the loss was not finite after 0 good updates"]
    assert loop.traces == loop.compiled == 1


def test_curiosity_rules_after_the_random_phase_only(loop):
    """One object makes progress, with errors in one region: they get all but the floor."""
    state, regions, many = loop.start(0, 1), SMALL.regions, 4096
    progress = jnp.zeros((SMALL.seeds, SMALL.objects, SMALL.window)).at[:, 1].set(1.0)
    full = jnp.full((SMALL.seeds, SMALL.objects), SMALL.window)
    wrong = regions // SMALL.objects + 3  # the second object's fourth region
    errors = jnp.zeros((SMALL.seeds, regions, SMALL.window)).at[:, wrong].set(100.0)
    errors = recent_mean.State(errors, jnp.full((SMALL.seeds, regions), SMALL.window))
    curiosity = gamma_progress.State(progress, jnp.ones_like(progress), full)
    settings = dataclasses.replace(SMALL, worlds=many, floor=0.25)

    def shares(iteration):
        now = state.replace(curiosity=curiosity, errors=errors, iteration=jnp.int32(iteration))
        region, choice = babbling._choose(settings, now, jax.random.split(jax.random.key(1), 2))
        assert (choice.object_id < SMALL.objects).all()
        return np.bincount(np.ravel(region), minlength=regions) / region.size

    random, curious = shares(0), shares(SMALL.random_iterations)
    np.testing.assert_allclose(random, 1 / regions, atol=0.01)
    of_object = np.full(SMALL.objects, 0.25 / SMALL.objects)
    of_object[1] += 0.75
    np.testing.assert_allclose(curious.reshape(SMALL.objects, -1).sum(1), of_object, atol=0.01)
    assert curious[wrong] > 0.72  # the object's other regions borrow a little of its error
    assert curious.min() > 0.5 * 0.25 / regions


def test_shuffled_sound_grounds_no_hardness(loop):
    """The control's table: what is heard goes to other objects, what is felt and seen does not."""
    state, enter = loop.start(0, 1), jax.jit(babbling._remember, static_argnums=0)
    zeros = jax.tree.map(
        lambda x: jnp.zeros((SMALL.seeds, SMALL.worlds, *x.shape), x.dtype), babbling._example()
    )
    for step in range(24):
        keys = jax.vmap(lambda s, n=step: jax.random.fold_in(jax.random.key(s), n))(jnp.arange(2))
        ids = jax.vmap(lambda k: jax.random.randint(k, (SMALL.worlds,), 0, SMALL.objects))(keys)
        measured = jnp.repeat(ids[..., None].astype(jnp.float32), 5, -1) + 1.0
        rows = zeros.replace(
            object_id=ids,
            measured=measured,
            measured_ok=jnp.ones(measured.shape, bool),
            finite=jnp.ones(ids.shape, bool),
        )
        state = enter(SMALL, state, rows, keys)
    truth = np.arange(SMALL.objects)

    def correlations(tables, column):
        tables = [jax.tree.map(lambda x, s=s: x[s], tables) for s in range(SMALL.seeds)]
        values = [np.asarray(t.measures[column].sum(-1) / t.count[column]) for t in tables]
        return np.array([stats.spearman(v, truth) for v in values])

    np.testing.assert_array_equal(state.table.count, state.shuffled.count)
    np.testing.assert_allclose(correlations(state.table, 0), 1.0)
    assert (correlations(state.shuffled, 0) < 0.9).all()
    for kept in (1, 2, 3):  # weight, size, elasticity
        np.testing.assert_allclose(correlations(state.shuffled, kept), 1.0)


@pytest.fixture(scope="module")
def heard(loop):
    """Sounds [2, 16, F] of the same actions with two sets of keys; the last eight are the radio."""
    carry_out = jax.jit(lambda *do: experience.carry_out(loop.body, SMALL.camera, *do)[0])
    thing = jnp.repeat(jnp.array([0, 1, 2, 4, RADIO, RADIO, RADIO, RADIO]), 2)
    skill = jnp.tile(jnp.array([skills.STRIKE, skills.LIFT]), 8)
    choice = experience.Choice(thing, skill, jnp.zeros((16, 4)))
    both = [carry_out(jax.random.split(jax.random.key(s), 16), choice) for s in (1, 2)]
    return np.stack([rows.outcome.sound for rows in both])


def test_the_distractor_plays_noise_and_only_it(heard):
    change = np.abs(heard[0] - heard[1]).mean(-1)
    radio = np.arange(16) >= 8
    assert change[radio].min() > 5 * np.median(change[~radio])
    assert np.median(change[~radio]) < 0.05 * experience.NOISE_LOUDNESS
    played = jax.vmap(experience._noise)(jax.random.split(jax.random.key(0), 20_000))
    loud = np.sqrt(np.mean(np.square(played)))
    assert loud == pytest.approx(experience.NOISE_LOUDNESS, rel=0.1)
    noise = heard[:, radio].reshape(-1, heard.shape[-1])
    others = np.corrcoef(noise)[~np.eye(len(noise), dtype=bool)]
    assert np.abs(others.mean()) < 0.1  # no common tune to learn
