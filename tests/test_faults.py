"""A seed at fault is frozen where it was good, and named; the others learn as if alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import _babble_claims
from nsca_jax.reports import results
from nsca_jax.training import faults

PARAMS = {"eye": {"kernel": jnp.ones((2, 3))}, "hand": jnp.ones(4)}


def learn(optimiser, targets):
    """Parameters after each target's step of gradient descent on a square, and the last state."""

    def step(carry, target):
        params, state = carry

        def loss_fn(p):
            return sum(jnp.sum(jnp.square(x - target[name])) for name, x in _named(p))

        loss, grads = jax.value_and_grad(loss_fn)(params)
        steps, state = optimiser.update(grads, state, params, loss=loss)
        return (optax.apply_updates(params, steps), state), params

    start = PARAMS, optimiser.init(PARAMS)
    (params, state), before = jax.lax.scan(step, start, targets)
    return jax.tree.map(lambda x, last: jnp.concatenate([x, last[None]]), before, params), state


def _named(params):
    return ("eye", params["eye"]["kernel"]), ("hand", params["hand"])


def targets(sick=None, seeds=3, steps=6):
    """What each of the seeds is to learn, step by step; `sick` names (seed, step, part, value)."""
    out = {name: np.ones((seeds, steps)) * np.arange(seeds)[:, None] for name in ("eye", "hand")}
    if sick is not None:
        seed, step, part, value = sick
        out[part][seed, step] = value
    return jax.tree.map(jnp.asarray, out)


OPTIMISER = faults.freezing(optax.adamw(0.1))
together = jax.jit(jax.vmap(lambda t: learn(OPTIMISER, t)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_seed_at_fault_keeps_its_last_good_parameters_and_the_others_their_bits(value):
    good, _ = together(targets())
    bad, state = together(targets((1, 3, "hand", value)))
    for fine, hurt in zip(jax.tree.leaves(good), jax.tree.leaves(bad), strict=True):
        np.testing.assert_array_equal(hurt[::2], fine[::2])
        np.testing.assert_array_equal(hurt[1, :4], fine[1, :4])
        np.testing.assert_array_equal(hurt[1, 4:], np.broadcast_to(fine[1, 3], hurt[1, 4:].shape))
    np.testing.assert_array_equal(state.updates, [6, 3, 6])
    told = faults.found(state).tolist()
    assert told == ["", "the loss was not finite after 3 good updates", ""]


def test_a_gradient_at_fault_under_a_good_loss_is_named_by_its_leaf():
    grads = jax.tree.map(jnp.zeros_like, PARAMS) | {"hand": jnp.array([0.0, jnp.nan, 0.0, 0.0])}
    steps, state = OPTIMISER.update(grads, OPTIMISER.init(PARAMS), PARAMS, loss=jnp.array(0.5))
    assert not any(np.any(x) for x in jax.tree.leaves(steps))
    told = faults.alone({"reaching": state}, 1, 3).tolist()
    words = "reaching: the gradient of hand was not finite after 0 good updates"
    assert told == ["", words, ""]
    fine = jax.tree.map(jnp.zeros_like, PARAMS)
    steps, state = OPTIMISER.update(fine, state, PARAMS, loss=jnp.array(0.5))
    assert not any(np.any(x) for x in jax.tree.leaves(steps))  # decay included: frozen for good


def test_places_name_the_loss_and_every_leaf():
    named = ("the loss", "the gradient of eye/kernel", "the gradient of hand")
    assert faults.places(PARAMS) == named


def test_no_seed_left_stops_the_run():
    faults.refuse_none_left({1: "x"}, seeds=2)
    with pytest.raises(faults.FaultError, match=r"no seed is left .*seed 0: y; seed 1: x"):
        faults.refuse_none_left({0: "y", 1: "x"}, seeds=2)


def test_figures_of_a_seed_at_fault_are_blank():
    _, state = together(targets((2, 0, "eye", np.nan)))
    figures = {"skill": np.array([[1.0], [2.0], [3.0]], np.float32), "count": np.arange(3)}
    blanked = faults.blanked(state, figures)
    np.testing.assert_array_equal(blanked["skill"], [[1], [2], [np.nan]])
    np.testing.assert_array_equal(blanked["count"], [0, 1, 2])
    assert blanked["skill"].dtype == np.float32
    assert blanked["faults"].tolist() == ["", "", "the loss was not finite after 0 good updates"]


def test_a_failed_seed_is_dropped_from_every_arm_and_written_as_null():
    records = {
        "competence": {"failed": np.array([False, True, False]), "skill": np.array([1.0, 9, 3])},
        "random": {"failed": np.array([False, False, False]), "skill": np.array([4.0, 5, 6])},
    }
    failed = _babble_claims.drop_failed(records)
    assert failed == [1]
    np.testing.assert_array_equal(records["competence"]["skill"], [1, 3])
    np.testing.assert_array_equal(records["random"]["skill"], [4, 6])
    (told,) = results.with_failed(
        [results.criterion("skill", "claim", records["competence"]["skill"], 0.5, ">=")], failed
    )
    assert told["per_seed"] == [1.0, None, 3.0]
    result = results.build(
        "babble", [told], [0, 1, 2], config_hash="0" * 16, wall_s=1.0, n_failed_seeds=len(failed)
    )
    assert not result["passed"]
    assert result["n_failed_seeds"] == 1
