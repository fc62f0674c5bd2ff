"""The contact solver against MJX's own, on contacts of every kind."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mujoco import mjx

from benchmarks import workload
from nsca_jax.sim import env, newton

WORLDS = 48


@pytest.fixture(scope="module")
def steps():
    """(data after newton.step, after MJX's solver at convergence) of worlds mid-interaction."""
    _, body = workload.load("laptop", 1, WORLDS)
    keys, choice = workload.random_choice(21, WORLDS)
    start = workload.spawn(body, keys, choice)
    worlds, _ = jax.jit(env.rollout, static_argnums=2)(body.scene, start, 4)

    def both(worlds):
        model = body.scene.model
        fields = jax.tree.map(lambda leaf: leaf[worlds.object_id], body.scene.objects)
        blank = mjx.make_data(model)
        data = jax.vmap(
            lambda world: blank.replace(
                qpos=world.qpos, qvel=world.qvel, qacc_warmstart=world.warmstart
            )
        )(worlds)

        def exact(fields, data):
            more = {"opt.iterations": 50, "opt.ls_iterations": 50}
            own = model.tree_replace(fields | more)
            for stage in (*newton.STAGES, mjx.factor_m, mjx.fwd_acceleration, mjx.solve, mjx.euler):
                data = stage(own, data)
            return data

        return newton.step(model, fields, data), jax.vmap(exact)(fields, data)

    return jax.jit(both)(worlds)


def test_accelerations_and_forces_are_mjx_s(steps):
    ours, theirs = steps
    force = np.asarray(theirs._impl.efc_force)
    assert (force > 0).any(1).mean() > 0.5  # most worlds are in contact
    scale = 1 + np.abs(theirs.qacc).max(1, keepdims=True)
    chex.assert_trees_all_close(ours.qacc / scale, theirs.qacc / scale, atol=2e-3)
    total = 1e-2 + force.sum(1, keepdims=True)
    off = np.abs(ours._impl.efc_force - force) / total
    assert np.median(off.max(1)) < 1e-4
    assert off.max() < 2e-2
    chex.assert_trees_all_close(ours.qpos, theirs.qpos, atol=1e-5)


def test_one_world_alone_is_the_same_as_among_others():
    problem = _random(6)
    among = newton.solve(problem, 8, 4)
    alone = newton.solve(jax.tree.map(lambda x: x[..., 2:3], problem), 8, 4)
    picked = jax.tree.map(lambda x: x[..., 2:3], among)
    chex.assert_trees_all_close(alone, picked, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("sick", [0, 3])
def test_a_world_that_is_not_finite_leaves_the_others_alone(sick):
    problem = _random(6)
    ill = jax.tree.map(lambda x: x.at[..., sick].set(jnp.nan), problem)
    well = np.arange(6) != sick
    solved, expected = (newton.solve(p, 8, 4).acceleration[:, well] for p in (ill, problem))
    chex.assert_trees_all_close(solved, expected, rtol=1e-3, atol=1e-4)


def test_the_solution_is_the_minimum():
    problem = _random(6)
    found = newton.solve(problem, 8, 4)

    a0 = newton.solve_positive(problem.mass, problem.force)

    def cost(a):
        away = a - a0
        smooth = 0.5 * jnp.einsum("iw,ijw,jw->", away, problem.mass, away)
        gap = jnp.einsum("rjw,jw->rw", problem.jacobian, a) - problem.reference
        return smooth + 0.5 * jnp.sum(problem.stiffness * jnp.minimum(gap, 0) ** 2)

    assert float(jnp.abs(jax.grad(cost)(found.acceleration)).max()) < 1e-3
    chex.assert_tree_all_finite(found)
    assert float(found.row_force.min()) >= 0
    assert float(found.row_force.max()) > 0


def test_linear_equations_against_numpy():
    problem = _random(4)
    x = newton.solve_positive(problem.mass, problem.force)
    matrices, vectors = np.moveaxis(problem.mass, -1, 0), np.moveaxis(problem.force, -1, 0)
    expected = np.linalg.solve(matrices, vectors[..., None])[..., 0].T
    chex.assert_trees_all_close(np.asarray(x), expected, rtol=1e-4, atol=1e-5)


def _random(worlds: int, n: int = 11, rows: int = 32) -> newton.Problem:
    keys = jax.random.split(jax.random.key(0), 6)
    root = jax.random.normal(keys[0], (n, n, worlds)) / np.sqrt(n)
    mass = jnp.einsum("ikw,jkw->ijw", root, root) + jnp.eye(n)[..., None]
    free = jax.random.normal(keys[1], (n, worlds))
    return newton.Problem(
        mass=mass,
        jacobian=jax.random.normal(keys[2], (rows, n, worlds)),
        stiffness=jax.random.uniform(keys[3], (rows, worlds), minval=0.1, maxval=2.0),
        reference=jax.random.normal(keys[4], (rows, worlds)),
        force=jnp.einsum("ijw,jw->iw", mass, free),
        warm=jax.random.normal(keys[5], (n, worlds)),
    )
