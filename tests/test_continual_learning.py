"""Task after task on real digits: what is forgotten without a method, and kept with one."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.continual import arms, ewc, method
from nsca_jax.data import digits
from nsca_jax.evaluation import forgetting, monitors
from nsca_jax.models import mlp, taps
from nsca_jax.training import faults, sequence

NETWORK = mlp.MLP((48,))
apply = taps.untapped(NETWORK)
SETTINGS = sequence.Settings(steps=200, batch=32, learning_rate=0.1)


def _learner(tasks, groups=None):
    return arms.Learner(apply, taps.tapped(NETWORK), 64, tasks, 20, 32, groups or {})


def _run(name, data, strength, seeds=2, groups=None):
    """(R [S, T, T], parameters after each task); `learn` may be traced once."""
    chex.clear_trace_counter()
    tasks = len(data.y_TxN)
    made = arms.make(name, _learner(tasks, groups))
    once = chex.assert_max_traces(made.consolidate, n=1)
    init, learn = sequence.make_learner(
        lambda key: NETWORK.init(key, jnp.zeros(64))["params"],
        apply,
        made._replace(consolidate=once),
        SETTINGS,
    )
    state = init(jax.random.split(jax.random.key(0), seeds))
    repeat = lambda a: np.broadcast_to(a, (seeds, *a.shape))  # noqa: E731
    rows, visited = [], []
    for task in range(tasks):
        x, y = (jnp.asarray(repeat(a[task])) for a in (data.x_TxNxD, data.y_TxN))
        state = learn(state, x, y, jnp.full(seeds, strength))
        visited.append(jax.device_get(state.params))
        test = jax.vmap(sequence.accuracies, (None, 0, None, None))
        rows.append(np.asarray(test(apply, state.params, data.x_test_TxMxD, data.y_test_TxM)))
    return np.stack(rows, 1), visited


@pytest.fixture(scope="module")
def rotations():
    tasks = digits.rotated(1, (0.0, 90.0))
    return tasks._replace(x_TxNxD=tasks.x_TxNxD[:, :600], y_TxN=tasks.y_TxN[:, :600])


@pytest.fixture(scope="module")
def plain(rotations):
    return _run("plain", rotations, 0.0)


def test_plain_training_forgets(plain):
    matrix, _ = plain
    assert matrix[:, 0, 0].min() > 88
    assert forgetting.first(matrix).max() < 50
    assert forgetting.last(matrix).min() > 88


@pytest.mark.parametrize(
    ("name", "strength", "first"),
    [
        ("ewc", 10.0, 60),
        ("ewc_online", 10.0, 60),
        ("kfac", 30.0, 75),
        ("si", 0.1, 50),
        ("l2", 0.03, 50),
        ("agem", 0.0, 50),
        ("replay", 0.0, 70),
        ("ewc_replay", 3.0, 70),
    ],
)
def test_methods_keep_the_first_task_and_learn_the_second(rotations, plain, name, strength, first):
    matrix, _ = _run(name, rotations, strength)
    assert forgetting.first(matrix).mean() > max(first, forgetting.first(plain[0]).mean() + 15)
    assert forgetting.last(matrix).mean() > 80


@pytest.mark.parametrize(("strength", "alarm"), [(10.0, False), (3000.0, True)])
def test_a_stiff_penalty_is_noticed_by_its_monitor(rotations, plain, strength, alarm):
    matrix, _ = _run("ewc", rotations, strength)
    reading = monitors.ewc_too_strong(matrix, plain[0], "a smaller strength")
    assert reading.alarm == alarm


def test_semantic_parameters_are_displaced_less(rotations):
    """The head ten times stiffer moves less than with the same strength for all."""

    def moved(groups):
        _, (before, after) = _run("ewc", rotations, 1.0, groups=groups)
        return float(np.linalg.norm(after["head"]["kernel"] - before["head"]["kernel"]))

    assert moved({"head": 10.0}) < 0.8 * moved({})


def test_combined_methods_keep_both_states(rotations):
    params = NETWORK.init(jax.random.key(0), jnp.zeros(64))["params"]
    both = arms.make("ewc_replay", _learner(2))
    x, y = jnp.asarray(rotations.x_TxNxD[0, :50]), jnp.asarray(rotations.y_TxN[0, :50])
    stiff, memory = both.consolidate(both.init(params), params, x, y, jax.random.key(1))
    chex.assert_trees_all_close(stiff.precision, ewc.diagonal_fisher(apply, params, x))
    assert int(memory.tasks) == 1
    batch = both.rehearse((stiff, memory), (x, y, jnp.full(50, 0.02)), jax.random.key(2))
    assert batch[0].shape == (82, 64)
    none = method.Method()
    assert method.combine(none, none).penalty(((), ()), params) == 0.0


def test_unknown_method_is_named():
    with pytest.raises(ValueError, match="'ewcc' is not one of plain, ewc"):
        arms.make("ewcc", _learner(2))


def test_a_seed_at_fault_stops_with_its_memory_and_stays_stopped(rotations):
    """Under SI, whose memory follows every step; a NaN in one seed's first task."""
    made = arms.make("si", _learner(2))
    few = SETTINGS._replace(steps=20)
    init, learn = sequence.make_learner(
        lambda key: NETWORK.init(key, jnp.zeros(64))["params"], apply, made, few
    )
    x, y = (jnp.stack([a[0]] * 3) for a in (rotations.x_TxNxD, rotations.y_TxN))

    def live(x):
        states = [init(jax.random.split(jax.random.key(0), 3))]
        for rows in (x, jnp.nan_to_num(x)):
            states.append(jax.device_get(learn(states[-1], rows, y, jnp.ones(3))))
        return states[1:]

    good, bad = live(x), live(x.at[1, ::8].set(jnp.nan))
    for a, b in zip(*map(jax.tree.leaves, (good[1].params, bad[1].params)), strict=True):
        np.testing.assert_array_equal(a[::2], b[::2])
    for a, b in zip(*map(jax.tree.leaves, (bad[0], bad[1])), strict=True):
        if a.ndim > 1:  # parameters and memory
            np.testing.assert_array_equal(a[1], b[1])
            assert np.isfinite(a[1]).all()
    told = faults.found(bad[1].fault).tolist()
    assert told[::2] == ["", ""]
    assert told[1].startswith("the loss was not finite after")


def test_measures_by_hand():
    matrix = np.array([[[90.0, 10, 10], [70, 80, 10], [40, 85, 60]]])
    assert forgetting.first(matrix) == [40]
    assert forgetting.last(matrix) == [60]
    np.testing.assert_allclose(forgetting.average(matrix), (40 + 85 + 60) / 3)
    np.testing.assert_allclose(forgetting.forgetting(matrix), ((90 - 40) + (80 - 85)) / 2)
    assert forgetting.first(forgetting.prefix(matrix, 2)) == [70]
    with pytest.raises(ValueError, match="one task"):
        forgetting.forgetting(matrix[:, :1, :1])
