"""One set of things after another: what the memories take in, what EWC holds, what is forgotten."""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _config, _interactions, memory
from nsca_jax import objects, types
from nsca_jax.continual import ewc
from nsca_jax.evaluation import memory as judge
from nsca_jax.memory import episodic, semantic
from nsca_jax.training import consolidation, outcome_loss
from nsca_jax.training import learner as learning

CONFIGS = Path(__file__).parents[1] / "configs"
SMALL = consolidation.Settings(
    learner=learning.LearnerSettings(members=1, width=16, blocks=1, latent=8, batch=16),
    capacity=32,
    places=12,
    block=20,
    updates=4,
    fisher_rows=16,
)
ROWS = 80
SET = 4  # things


def _rows(first: int, seed: int, n: int = ROWS) -> types.Interaction:
    """Made-up interactions with things `first` .. `first` + 3, of a look, pitch and load each."""
    rng = np.random.default_rng(1000 + seed)
    thing = (first + np.arange(n) % SET).astype(np.int32)
    natures = {i: np.random.default_rng(i).normal(size=(3, 40)) for i in set(thing.tolist())}
    nature = np.stack([natures[i] for i in thing.tolist()]).astype(np.float32)
    noise = rng.normal(0.0, 0.002, (n, 40)).astype(np.float32)
    code = (0.5 + 0.1 * np.abs(nature[:, 0]) + noise)[:, : types.VISUAL_CODE]
    still = np.zeros((n, 3), np.float32)
    rows = types.Interaction(
        object_id=thing,
        skill=np.arange(n, dtype=np.int32) % len(types.SKILLS),
        parameters=rng.uniform(-1, 1, (n, 4)).astype(np.float32),
        spawn=types.Observation(
            image=np.zeros((n, 0, 0, 4), np.uint8),
            visual_code=code,
            shape_code=nature[:, 2, : types.SHAPE_CODE],
            touch_N=np.zeros((n, 2, 3), np.float32),
            proprio=np.zeros((n, 15), np.float32),
        ),
        motion=np.zeros((n, types.KNOTS, types.MOTION), np.float32),
        outcome=types.Outcome(
            displacement_m=still,
            rotation_rad=still,
            sound=np.abs(nature[:, 1] + noise)[:, : types.SOUND_BANDS],
            touch_peak_N=np.abs(noise[:, :6]).reshape(n, 2, 3),
            broken=(np.arange(n) % 8 == 0).astype(np.float32),
            image_code=code,
        ),
        measured=nature[:, 1, :5] + 3.0,
        measured_ok=np.ones((n, 5), bool),
        contact=np.ones(n, bool),
        finite=np.ones(n, bool),
    )
    return jax.tree.map(jnp.asarray, rows)


def _arm(replay=True, semantic=True, stiffness=1.0, surprise=1.0) -> consolidation.Arm:
    return consolidation.Arm(
        jnp.asarray(replay), jnp.asarray(semantic), jnp.float32(stiffness), jnp.float32(surprise)
    )


@pytest.fixture(scope="module")
def newborn():
    init = jax.jit(lambda key, rows: consolidation.init_agent(SMALL, key, rows))
    return init(jax.random.key(0), _rows(0, 0))


@pytest.fixture(scope="module")
def remember():
    return jax.jit(
        lambda agent, rows, arm, key: consolidation.remember(SMALL, agent, rows, arm, key)
    )


def test_the_three_sets_are_fit_disjoint_and_differ():
    """Every file loads, no thing is in two, and hardness, load or bounce differ between sets."""
    sets = [objects.load(CONFIGS / f"objects_{n}.yaml") for n in ("kitchen", "toys", "tools")]
    assert len(objects.concatenate(sets).names) == 27
    shapes = [set(np.asarray(s.properties.shape).tolist()) for s in sets]
    assert shapes == [{0, 1, 2}] * 3
    mass = [float(np.median(s.properties.mass_kg)) for s in sets]
    assert mass[2] > 1.5 * mass[0] > 1.5 * 1.5 * mass[1]
    stiff = [float(np.median(s.properties.contact_stiffness)) for s in sets]
    assert stiff[2] > stiff[0] > 1.5 * stiff[1]


def test_a_block_enters_both_memories_on_time(newborn, remember):
    rows = jax.tree.map(lambda x: x[:20], _rows(0, 1))
    agent = remember(newborn, rows, _arm(), jax.random.key(1))
    assert int(agent.time) == 20 * consolidation.STEPS
    assert consolidation.Settings().block * consolidation.STEPS == 1000
    assert int(agent.episodes.held.sum()) == 20
    np.testing.assert_allclose(agent.prototypes.count.sum(), 20)
    assert int(agent.prototypes.known.sum()) == SET
    np.testing.assert_array_equal(
        np.sort(agent.episodes.content.object_id[:20]), rows.object_id.sort()
    )


def test_a_world_that_broke_down_is_not_remembered(newborn, remember):
    rows = jax.tree.map(lambda x: x[:20], _rows(0, 1))
    rows = rows.replace(finite=jnp.arange(20) != 3)
    agent = remember(newborn, rows, _arm(), jax.random.key(1))
    assert int(agent.episodes.held.sum()) == 19
    np.testing.assert_allclose(agent.prototypes.count.sum(), 19)


def test_a_look_recollects_the_facts_of_its_thing_and_a_stranger_none(newborn, remember):
    rows = jax.tree.map(lambda x: x[:20], _rows(0, 1))
    agent = remember(newborn, rows, _arm(), jax.random.key(1))
    fresh = jax.tree.map(lambda x: x[:SET], _rows(0, 2))
    recollect = jax.jit(lambda rows, arm: consolidation.recollect(SMALL, agent, rows, arm))
    recalled = recollect(fresh, _arm())
    facts, _ = consolidation.facts_of(fresh)
    expected = (facts - agent.fact_mean) / agent.fact_std
    np.testing.assert_allclose(recalled[:, :4], jnp.clip(expected, -5, 5)[:, :4], atol=1e-3)
    np.testing.assert_array_equal(recalled[:, 5:9], 1.0)
    strangers = jax.tree.map(lambda x: x[:SET], _rows(100, 2))
    assert not recollect(strangers, _arm()).any()
    assert not recollect(fresh, _arm(semantic=False)).any()


def test_fragility_is_a_fact_only_of_what_broke():
    rows = _rows(0, 1, 16)
    values, found = consolidation.facts_of(rows)
    np.testing.assert_array_equal(found[:, -1], np.arange(16) % 8 == 0)
    assert found[:, :-1].all()
    np.testing.assert_allclose(values[:, -1], jnp.log(rows.measured[:, -1]), rtol=1e-6)


def test_the_proximal_step_by_hand():
    """Pull 2 and precision 3: (theta + 6 c) / 7; without precision, or pull, nothing moves."""
    stiff = ewc.State(jnp.array([3.0, 0.0]), jnp.array([1.0, 1.0]))
    theta = jnp.array([8.0, 8.0])
    moved = consolidation.pull_back(stiff, theta, jnp.float32(2.0))
    np.testing.assert_allclose(moved, [2.0, 8.0])
    np.testing.assert_allclose(consolidation.pull_back(stiff, theta, jnp.float32(0.0)), theta)
    assert np.isfinite(consolidation.pull_back(stiff, theta, jnp.float32(1e12))).all()


@pytest.mark.slow
def test_fisher_is_the_gauss_newton_diagonal_of_the_loss(newborn):
    """Against the Hessian of the expected loss, whose targets are the model's own Gaussians.

    With m and s the outputs, E_y of the loss has the Hessian J' diag(w / sigma^2, w / 2) J where
    the model is its own truth: here J is taken in full, row by row, and w from the loss itself.
    """
    rows = jax.tree.map(lambda x: x[:2], _rows(0, 3))
    settings, state = SMALL.learner, newborn.learner
    key = jax.random.key(5)
    noise = lambda x: 0.3 * jax.random.normal(key, x.shape)  # noqa: E731 - heads start at zero
    params = jax.tree.map(lambda x: x + noise(x), state.params)
    memory = jnp.zeros((2, 10))

    def outputs(theta, i):
        one = jax.tree.map(lambda x: x[i : i + 1], rows)
        out = learning.predict(settings, theta, state.statistics, one, memory[i : i + 1])
        return out.motion_mean, out.motion_log_variance, out.outcome_mean, out.outcome_log_variance

    def spread(theta, i):  # the loss's curvature by its outputs, each at the model's own truth
        fixed = outputs(theta, i)

        def loss(*out):
            means = outcome_loss.by_modality(
                jnp.exp(settings.beta_nll * fixed[1] - fixed[1]) * (out[0] - fixed[0]) ** 2 / 2,
                jnp.exp(settings.beta_nll * fixed[3] - fixed[3]) * (out[2] - fixed[2]) ** 2 / 2,
            )
            spreads = outcome_loss.by_modality(
                jnp.exp(settings.beta_nll * fixed[1]) * (out[1] - fixed[1]) ** 2 / 4,
                jnp.exp(settings.beta_nll * fixed[3]) * (out[3] - fixed[3]) ** 2 / 4,
            )
            total = sum(jnp.sum(x) for part in (means, spreads) for x in part.values())
            return total / len(outcome_loss.MODALITIES)

        # the loss is a sum of squares of single outputs: its gradient one away is its curvature
        away = [x + 1.0 for x in fixed]
        return jax.grad(loss, (0, 1, 2, 3))(*away)

    expected = jax.tree.map(jnp.zeros_like, params)
    for i in range(2):
        rows_of = jax.jacrev(outputs)(params, i)
        for jac, curvature in zip(rows_of, spread(params, i), strict=True):
            expected = jax.tree.map(
                lambda total, j, c=curvature: (
                    total
                    + jnp.tensordot(c.ravel(), (j.reshape(c.size, *j.shape[c.ndim :])) ** 2, 1) / 2
                ),
                expected,
                jac,
            )

    def drawn(key):
        return consolidation.fisher(settings, params, state.statistics, rows, memory, key, 2)

    many = jax.lax.map(jax.jit(drawn), jax.random.split(key, 600))
    found = jax.tree.map(lambda x: x.mean(0), many)
    total = lambda tree: jax.tree.reduce(jnp.add, jax.tree.map(jnp.sum, tree))  # noqa: E731
    np.testing.assert_allclose(total(found), total(expected), rtol=0.05)
    flat = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(t)]) for t in (found, expected)]
    assert np.corrcoef(np.log(flat[0] + 1e-12), np.log(flat[1] + 1e-12))[0, 1] > 0.98
    assert min(x.min() for x in flat) >= 0


def test_semantic_parameters_are_ten_times_as_stiff_by_their_path(newborn):
    ones = jax.tree.map(jnp.ones_like, newborn.learner.params)
    scaled = ewc.scale_groups(ones, consolidation.SEMANTIC)
    told = {
        jax.tree_util.keystr(path): float(leaf.ravel()[0])
        for path, leaf in jax.tree_util.tree_leaves_with_path(scaled)
    }
    assert {v for k, v in told.items() if "['look']" in k} == {10.0}
    assert {v for k, v in told.items() if "['memory']" in k} == {10.0}
    assert {v for k, v in told.items() if "Trunk" in k or "drive" in k} == {1.0}


def test_measures_of_forgetting_by_hand():
    skill = np.array([[[0.8, 0.0], [0.6, 0.5]]])
    np.testing.assert_allclose(judge.forgotten(skill), [0.25])
    np.testing.assert_allclose(judge.learnt_last(skill), [0.5])


def test_recall_from_a_look_and_the_shuffled_control(newborn, remember):
    agent = newborn
    for number in range(2):
        rows = jax.tree.map(lambda x: x[:20], _rows(SET * number, number))
        agent = remember(agent, rows, _arm(), jax.random.key(number))
    agents = jax.tree.map(lambda x: x[None], agent)
    asked = jax.tree.map(lambda *x: jnp.concatenate(x), _rows(0, 7), _rows(SET, 8))
    look, steady = jnp.asarray(judge.CUES["look"]), episodic.Recency(0.0, 1.0)
    answer = judge.recalled(agents, asked, look, steady)
    assert (answer == asked.object_id).mean() > 0.95
    named = judge.recognised(SMALL, agents, asked, look, 2 * SET)
    assert (named == asked.object_id).mean() > 0.95
    mixed = judge.shuffled(agents, jax.random.key(0))
    wrong = judge.recalled(mixed, asked, look, steady)
    assert (wrong == asked.object_id).mean() < 0.5


@pytest.mark.slow
def test_memory_keeps_the_first_set_and_plain_training_loses_it():
    """Made-up things, two sets: one program for both arms; too stiff a model learns nothing new."""
    settings = consolidation.Settings(
        learner=learning.LearnerSettings(
            members=1, width=32, blocks=1, latent=8, batch=32, learning_rate=3e-3, total_updates=400
        ),
        capacity=64,
        places=16,
        block=20,
        updates=50,
        replayed=0.4,
        fisher_rows=16,
        rules=semantic.Rules(),
    )
    init, babble = consolidation.make_learner(settings)
    sets = [jax.tree.map(lambda x: x[None], _rows(SET * i, i, 160)) for i in range(2)]
    tests = [_rows(SET * i, 10 + i) for i in range(2)]
    keys = jax.vmap(jax.random.key)(jnp.arange(1))
    skill = {}
    arms = {"memory": _arm(), "plain": _arm(False, False, 0.0), "stiff": _arm(stiffness=1e8)}
    for name, arm in arms.items():
        agents = init(keys, sets[0])
        matrix = []
        for rows in sets:
            agents = babble(agents, rows, arm)
            matrix.append(np.stack([judge.skill(settings, agents, t, arm)[:, 2] for t in tests], 1))
        skill[name] = np.stack(matrix, 1)  # of the sound
    assert babble._cache_size() == 1
    assert judge.forgotten(skill["memory"])[0] < 0.1
    assert judge.forgotten(skill["plain"])[0] > 0.2
    assert judge.learnt_last(skill["memory"])[0] > judge.learnt_last(skill["stiff"])[0] + 0.2


def _config_with(**fields):
    config = _config.load(str(CONFIGS / "memory.py"))
    for name, value in fields.items():
        _config.override(config, name.replace("__", "."), str(value))
    return config


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seeds": 0}, "config.seeds=0: it must be 1 or more"),
        ({"interactions": 130}, "a multiple of 40"),
        ({"interactions": 40}, "at least 128"),
        ({"pool": 2}, "config.pool=2 gives 144"),
        ({"memory__replayed": 1.5}, "config.memory.replayed=1.5: it must be from 0 to 1"),
        ({"objects": "configs/objects_toys.yaml"}, "two files or more"),
        ({"objects": "configs/objects_toys.yaml,configs/objects_toys.yaml"}, "must be unique"),
        ({"objects": "configs/objects_toys.yaml,nowhere.yaml"}, "cannot be read"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(fields, words):
    with pytest.raises((_config.BadInput, ValueError), match=words):
        memory.check(_config_with(**fields))


def test_presets_pass_their_own_check():
    for preset in ("laptop", "quick", "paper"):
        memory.check(_config.load(f"{CONFIGS / 'memory.py'}:{preset}"))


def test_interactions_come_back_from_their_names():
    rows = _rows(0, 1, 8)
    again = _interactions.from_names(_interactions.by_name(rows))
    for a, b in zip(jax.tree.leaves(rows), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_seeds_draw_their_own_interactions_without_repeats():
    config = SimpleNamespace(seed=0, seeds=2, interactions=40)
    pools = memory.Pools([_rows(0, 1)], [], SET)
    drawn = np.asarray(memory.draw(config, pools, 0).parameters)
    assert drawn.shape == (2, 40, 4)
    assert len(np.unique(drawn[0], axis=0)) == 40
    assert not np.array_equal(drawn[0], drawn[1])
