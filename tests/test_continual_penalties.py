"""The penalties against hand-worked arrays, and the Fisher information against its definition."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from nsca_jax.continual import agem, dense, ewc, kfac, l2, replay, si
from nsca_jax.models import mlp, taps

NETWORK = mlp.MLP((5,), classes=3)
apply = taps.untapped(NETWORK)
tapped = taps.tapped(NETWORK)


@pytest.fixture(scope="module")
def params():
    return NETWORK.init(jax.random.key(0), jnp.zeros(4))["params"]


@pytest.fixture(scope="module")
def x_8x4():
    return jax.random.normal(jax.random.key(1), (8, 4))


def _brute_force_fisher(params, x_BxD):
    """Three loops, one gradient each: E_x sum_y p(y) (d log p(y) / d theta)^2, flat."""
    flat, unravel = ravel_pytree(params)
    total = np.zeros((len(flat), len(flat)))
    for x in x_BxD:
        for y in range(3):
            log_p = lambda theta: jax.nn.log_softmax(apply(unravel(theta), x))[y]  # noqa: B023, E731
            value, grad = jax.value_and_grad(log_p)(flat)
            total += np.exp(float(value)) * np.outer(grad, grad)
    return total / len(x_BxD)


def test_fisher_of_logistic_regression_by_hand():
    """p = (.5, .5) at w = 0, so d log p(y) / dw = +-x / 2 and F = x^2 / 4 for both classes."""
    x = jnp.array([[2.0], [4.0]])
    fisher = ewc.diagonal_fisher(lambda w, x: w * x[0], jnp.zeros(2), x)
    np.testing.assert_allclose(fisher, [(4 + 16) / 8] * 2, rtol=1e-6)


def test_fisher_is_the_mean_of_per_example_squares(params, x_8x4):
    fisher = ewc.diagonal_fisher(apply, params, x_8x4, chunk=4)
    expected = np.diag(_brute_force_fisher(params, x_8x4))
    np.testing.assert_allclose(ravel_pytree(fisher)[0], expected, rtol=2e-4, atol=1e-7)


def test_the_fisher_of_dense_layers_is_the_same(params, x_8x4):
    fisher = ewc.dense_fisher(taps.tapped(NETWORK), params, x_8x4)
    expected = ewc.diagonal_fisher(apply, params, x_8x4)
    chex.assert_trees_all_close(fisher, expected, rtol=1e-5, atol=1e-9)


def test_chunks_change_nothing_and_must_divide(params, x_8x4):
    one, all_ = (ewc.diagonal_fisher(apply, params, x_8x4, chunk) for chunk in (1, 8))
    chex.assert_trees_all_close(one, all_, rtol=1e-5)
    with pytest.raises(ValueError, match="chunks of 3 do not divide 8"):
        ewc.diagonal_fisher(apply, params, x_8x4, 3)


def test_square_of_a_batch_gradient_is_far_too_small():
    """The control: at the labels that the model expects, batch gradients cancel."""
    many = jax.random.normal(jax.random.key(2), (256, 4))
    params = NETWORK.init(jax.random.key(3), jnp.zeros(4))["params"]
    labels = jax.random.categorical(jax.random.key(4), apply(params, many))
    loss = lambda p: -jnp.mean(jax.nn.log_softmax(apply(p, many))[jnp.arange(256), labels])  # noqa: E731
    wrong = jax.tree.reduce(jnp.add, jax.tree.map(lambda g: jnp.sum(g**2), jax.grad(loss)(params)))
    fisher = ewc.diagonal_fisher(apply, params, many)
    right = jax.tree.reduce(jnp.add, jax.tree.map(jnp.sum, fisher))
    assert right > 50 * wrong


def test_ewc_two_anchors_are_one_quadratic():
    """F1 = 1 at 0 and F2 = 3 at 4: P = 4 about c = 3; so the gradient at 5 is 1 * 5 + 3 * 1 = 8."""
    state = ewc.update(ewc.init(jnp.zeros(1)), jnp.zeros(1), jnp.ones(1))
    state = ewc.update(state, jnp.full(1, 4.0), jnp.full(1, 3.0))
    np.testing.assert_allclose([state.precision[0], state.centre[0]], [4.0, 3.0])
    np.testing.assert_allclose(jax.grad(ewc.penalty, 1)(state, jnp.full(1, 5.0)), [8.0])
    np.testing.assert_allclose(ewc.penalty(state, jnp.full(1, 5.0)), 0.5 * 4 * 2**2)


def test_ewc_is_free_where_nothing_is_known():
    state = ewc.update(ewc.init(jnp.ones(2)), jnp.ones(2), jnp.array([0.0, 2.0]))
    np.testing.assert_allclose(jax.grad(ewc.penalty, 1)(state, jnp.full(2, 9.0)), [0.0, 16.0])


def test_online_ewc_fades_and_keeps_the_latest_anchor():
    state = ewc.update_online(ewc.init(jnp.zeros(1)), jnp.zeros(1), jnp.ones(1))
    state = ewc.update_online(state, jnp.full(1, 4.0), jnp.full(1, 3.0), decay=0.5)
    np.testing.assert_allclose([state.precision[0], state.centre[0]], [3.5, 4.0])


def test_groups_scale_by_path():
    fisher = {"semantic": {"kernel": jnp.ones(2)}, "episodic": {"kernel": jnp.ones(2)}}
    scaled = ewc.scale_groups(fisher, {"semantic": 10.0})
    np.testing.assert_allclose(scaled["semantic"]["kernel"], 10.0)
    np.testing.assert_allclose(scaled["episodic"]["kernel"], 1.0)
    with pytest.raises(ValueError, match="'semantics'"):
        ewc.scale_groups(fisher, {"semantics": 10.0})


def test_taps_are_the_preactivations(params, x_8x4):
    zeros = {"hidden_0": jnp.zeros(5), "head": jnp.zeros(3)}
    out, inputs = tapped(params, x_8x4[0], zeros)
    np.testing.assert_allclose(out, apply(params, x_8x4[0]), rtol=1e-6)
    np.testing.assert_allclose(inputs["hidden_0"], x_8x4[0])
    nudged, _ = tapped(params, x_8x4[0], zeros | {"head": jnp.array([0.0, 2.0, 0.0])})
    np.testing.assert_allclose(nudged - out, [0.0, 2.0, 0.0], atol=1e-6)


def test_kfac_of_one_linear_layer_and_one_example_is_the_whole_fisher():
    """There A (x) G is no approximation: the penalty is 1/2 d^T F d with F by brute force."""
    network = mlp.MLP((), classes=3)
    params = network.init(jax.random.key(0), jnp.zeros(4))["params"]
    x = jnp.array([[1.0, -2.0, 0.5, 3.0]])
    factors = kfac.factors_of(taps.tapped(network), params, x)
    state = kfac.update(kfac.init(params, 2), params, factors)
    flat, unravel = ravel_pytree(params)

    def log_probs(theta):
        return jax.nn.log_softmax(taps.untapped(network)(unravel(theta), x[0]))

    rows, probs = jax.jacrev(log_probs)(flat), jnp.exp(log_probs(flat))
    shift = jax.random.normal(jax.random.key(5), flat.shape)
    expected = 0.5 * jnp.sum(probs * (rows @ shift) ** 2)
    np.testing.assert_allclose(kfac.penalty(state, unravel(flat + shift)), expected, rtol=1e-4)
    gradient = jax.grad(kfac.penalty, 1)(state, unravel(flat + shift))
    np.testing.assert_allclose(
        ravel_pytree(gradient)[0], rows.T @ (probs * (rows @ shift)), atol=1e-4
    )


def test_damping_adds_its_share_of_the_mean_eigenvalue():
    network = mlp.MLP((), classes=3)
    params = network.init(jax.random.key(0), jnp.zeros(4))["params"]
    x = jax.random.normal(jax.random.key(1), (5, 4))
    bare, damped = (
        kfac.factors_of(taps.tapped(network), params, x, damping)["head"] for damping in (0.0, 0.1)
    )
    for before, after in ((bare.inputs, damped.inputs), (bare.gradients, damped.gradients)):
        low = np.linalg.eigvalsh(before)
        np.testing.assert_allclose(np.linalg.eigvalsh(after), low + 0.1 * low.mean(), atol=1e-5)


def test_kfac_sums_tasks_by_hand():
    """One weight and its bias, A = diag(a), G = [g]: 1/2 sum_t g_t (a_t dw^2 + db^2)."""
    params = {"layer": {"kernel": jnp.zeros((1, 1)), "bias": jnp.zeros(1)}}
    state = kfac.init(params, 2)
    for a, g in ((2.0, 3.0), (5.0, 7.0)):
        new = {"layer": kfac.Factors(jnp.diag(jnp.array([a, 1.0])), jnp.full((1, 1), g))}
        state = kfac.update(state, params, new)
    moved = {"layer": {"kernel": jnp.full((1, 1), 10.0), "bias": jnp.ones(1)}}
    by_hand = 0.5 * (3 * (2 * 100 + 1) + 7 * (5 * 100 + 1))
    np.testing.assert_allclose(kfac.penalty(state, moved), by_hand, rtol=1e-6)


def test_kfac_groups_scale_by_path():
    """A layer ten times stiffer costs ten times as much, and the others what they did."""
    one = kfac.Factors(jnp.eye(2), jnp.ones((1, 1)))
    params = {
        name: {"layer": {"kernel": jnp.zeros((1, 1)), "bias": jnp.zeros(1)}}
        for name in ("semantic", "episodic")
    }
    factors = kfac.scale_groups(dict.fromkeys(dense.layers(params), one), {"semantic": 10.0})
    state = kfac.update(kfac.init(params, 1), params, factors)
    moved = jax.tree.map(jnp.ones_like, params)
    np.testing.assert_allclose(kfac.penalty(state, moved), 0.5 * (10 * 2 + 2), rtol=1e-6)
    with pytest.raises(ValueError, match="'semantics'"):
        kfac.scale_groups(factors, {"semantics": 10.0})


def test_kfac_refuses_what_is_no_dense_layer():
    with pytest.raises(ValueError, match="norm/scale is no kernel"):
        kfac.init({"norm": {"scale": jnp.ones(3)}}, 1)


def test_si_importance_is_the_loss_removed():
    """Descent on 1/2 h theta^2 from 1 to 0 removes h / 2 nats; over a distance of 1, plus xi."""
    h = jnp.array([2.0, 8.0])
    theta = jnp.ones(2)
    state = si.init(theta)
    for _ in range(4000):
        after = theta - 1e-3 * h * theta
        state, theta = si.track(state, h * theta, theta, after), after
    state = si.update(state, theta, xi=1e-3)
    np.testing.assert_allclose(state.importance, h / 2, rtol=0.02)
    np.testing.assert_allclose(si.penalty(state, theta + 1.0), jnp.sum(state.importance), rtol=1e-5)


def test_si_cuts_what_would_push_away():
    state = si.track(si.init(jnp.zeros(1)), jnp.ones(1), jnp.zeros(1), jnp.ones(1))
    np.testing.assert_array_equal(si.update(state, jnp.ones(1)).importance, [0.0])


def test_l2_by_hand():
    state = l2.init(jnp.zeros(2))
    assert l2.penalty(state, jnp.array([3.0, 4.0])) == 0.0
    assert l2.penalty(l2.update(state, jnp.zeros(2)), jnp.array([3.0, 4.0])) == 12.5


def test_agem_by_hand():
    along, against = jnp.array([1.0, 1.0]), jnp.array([-2.0, 1.0])
    np.testing.assert_allclose(agem.project(along, jnp.array([1.0, 0.0])), along)
    np.testing.assert_allclose(agem.project(against, jnp.array([1.0, 0.0])), [0.0, 1.0])
    np.testing.assert_allclose(agem.project(against, jnp.zeros(2)), against)


def test_replay_keeps_real_examples_of_every_task():
    state = replay.init(tasks=3, per_task=4, dimensions=2)
    assert replay.sample(state, 5, jax.random.key(0))[2].sum() == 0.0
    for task in range(2):
        x = jnp.full((9, 2), 1.0 + task)
        state = replay.update(state, x, jnp.full(9, task), jax.random.key(task))
    x, y, weight = replay.sample(state, 64, jax.random.key(2))
    np.testing.assert_array_equal(x[:, 0], 1.0 + y)
    assert set(np.asarray(y)) == {0, 1}
    np.testing.assert_allclose(weight.sum(), 2.0, rtol=1e-6)
