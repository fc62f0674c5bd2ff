"""The contact solver: MuJoCo's Newton method for one-sided rows, worlds along the last axis.

`step` is `mjx.step` of W worlds with this solver in the place of `mjx.solve`, and friction.py's
tangents.

MJX solves world by world: `vmap` puts the worlds first, and on a CPU each of its small matrix
products is a call of its own, three quarters of a step's time. Here every number is an array [W]
over worlds, so that sums, products and factors are plain element-wise loops the compiler
vectorises. Same problem, same iterates (Todorov 2014, "Convex and analytically-invertible dynamics
with contacts and constraints"; MuJoCo documentation, "Computation: algorithms"):

    minimise over a:  (a - a0)' M (a - a0) / 2  +  sum over rows of D min(J a - aref, 0)^2 / 2

whose Hessian is M + J' D J over the active rows.
"""

# pyright: reportAttributeAccessIssue=false, reportAssignmentType=false, reportArgumentType=false
# (MJX's back ends)

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from mujoco import mjx

from nsca_jax.sim import friction

STAGES = (  # of MJX's forward dynamics, without what the scene has not and what is solved here
    mjx.kinematics,
    mjx.com_pos,
    mjx.crb,
    mjx.collision,
    mjx.make_constraint,
    friction.along_slip,
    mjx.transmission,
    mjx.fwd_velocity,
    mjx.fwd_actuation,
)
TINY = 1e-15
TOLERANCE = 1e-8  # of improvement and gradient, a unit of mass: MuJoCo's default


class Problem(NamedTuple):
    """n degrees of freedom, m rows, W worlds."""

    mass: jax.Array  # [n, n, W]
    jacobian: jax.Array  # [m, n, W]
    stiffness: jax.Array  # [m, W] D
    reference: jax.Array  # [m, W] aref
    force: jax.Array  # [n, W] all smooth forces
    warm: jax.Array  # [n, W] the last step's acceleration


class Solution(NamedTuple):
    acceleration: jax.Array  # [n, W]
    row_force: jax.Array  # [m, W]
    force: jax.Array  # [n, W] J' row_force


class _Point(NamedTuple):
    a: jax.Array  # [n, W]
    ma: jax.Array  # [n, W] M a
    gap: jax.Array  # [m, W] J a - aref
    cost: jax.Array  # [W]


def step(model: mjx.Model, fields: dict, data: mjx.Data) -> mjx.Data:
    """One physics step of W worlds.

    fields: leaves of `model` that are a world's own [W, ...]; data: of every world [W, ...]. Every
    constraint must be a one-sided row (contacts with pyramidal cones, limits), integrator Euler:
    what the scene has.
    """

    def ask(fields, data):
        own = model.tree_replace(fields)
        for stage in STAGES:
            data = stage(own, data)
        return data, _problem(own, data)

    def move(fields, data, found: Solution):
        solved = {
            "qacc": found.acceleration,
            "qfrc_constraint": found.force,
            "_impl.efc_force": found.row_force,
        }
        return mjx.euler(model.tree_replace(fields), data.tree_replace(solved))

    data, problem = jax.vmap(ask)(fields, data)
    problem = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), problem)
    found = solve(problem, model.opt.iterations, model.opt.ls_iterations)
    found = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), found)
    return jax.vmap(move)(fields, data, found)


def _problem(model: mjx.Model, data: mjx.Data) -> Problem:
    """Of ONE world, without the axis W."""
    rows = data._impl
    return Problem(
        mjx.full_m(model, data),
        rows.efc_J,
        rows.efc_D,
        rows.efc_aref,
        data.qfrc_passive - data.qfrc_bias + data.qfrc_actuator,
        data.qacc_warmstart,
    )


def solve(problem: Problem, iterations: int, searches: int) -> Solution:
    """At most `iterations` Newton steps, each with an exact line search of `searches` brackets."""
    scale = 1 / _sum(jnp.stack([problem.mass[i, i] for i in range(len(problem.force))]))
    mass = problem.mass[0, 0, 0]
    a0 = solve_positive(problem.mass, problem.force)
    warm, free = (_apart(mass, _at, problem, a0, a) for a in (problem.warm, a0))
    start = jax.tree.map(lambda x, y: jnp.where(warm.cost < free.cost, x, y), warm, free)

    def advance(carry):
        here, done, count = carry
        hessian, gradient = _apart(mass, _expand, problem, here)
        done |= jnp.sqrt(_sum(jnp.square(gradient))) * scale < TOLERANCE
        step = -solve_positive(hessian, gradient)
        search = functools.partial(_line_search, searches)
        there = _apart(mass, search, problem, a0, here, step)
        there = jax.tree.map(lambda new, old: jnp.where(done, old, new), there, here)
        done |= (here.cost - there.cost) * scale < TOLERANCE
        return there, done, count + 1

    more = lambda carry: (carry[2] < iterations) & ~jnp.all(carry[1])  # noqa: E731
    begin = start, jnp.zeros(start.cost.shape, bool), jnp.zeros((), jnp.int32)
    last, _, _ = jax.lax.while_loop(more, advance, begin)
    row_force = -problem.stiffness * jnp.minimum(last.gap, 0)
    return Solution(last.a, row_force, _transposed(problem.jacobian, row_force))


def solve_positive(matrix, vector):
    """x [n, W] of A x = b, A [n, n, W] symmetric and positive definite: Gauss-Jordan elimination.

    A kernel for each unknown and none to substitute back: at these sizes it is the number of
    kernels that costs, a microsecond each, and not what they reckon.
    """
    rest = jnp.concatenate([matrix, vector[:, None]], 1)
    for row in range(len(vector)):
        rest = _apart(matrix[0, 0, 0], functools.partial(_eliminate, row), rest)
    return rest[:, 0]


def _eliminate(row: int, rest):
    """Takes the first unknown of `rest` [n, left + 1, W] out of every equation but its own."""
    own = jnp.arange(len(rest))[:, None] == row
    return rest[:, 1:] - (rest[:, 0] - own)[:, None] * (rest[row, 1:] / rest[row, 0])


def _at(problem: Problem, a0, a) -> _Point:
    ma, gap = _times(problem.mass, a), _times(problem.jacobian, a) - problem.reference
    return _Point(a, ma, gap, _cost(problem, a0, a, ma, gap))


def _cost(problem: Problem, a0, a, ma, gap):
    smooth = 0.5 * _sum((ma - problem.force) * (a - a0))
    return smooth + 0.5 * _sum(problem.stiffness * jnp.square(jnp.minimum(gap, 0)))


def _expand(problem: Problem, here: _Point):
    """Hessian [n, n, W] and gradient [n, W] of the cost."""
    pull = _transposed(problem.jacobian, problem.stiffness * jnp.minimum(here.gap, 0))
    active = jnp.where(here.gap < 0, problem.stiffness, 0.0)
    rows = [row[:, None] * (w * row) for row, w in zip(problem.jacobian, active, strict=True)]
    return functools.reduce(jnp.add, rows, problem.mass), here.ma - problem.force + pull


def _line_search(searches: int, problem: Problem, a0, here: _Point, step) -> _Point:
    """Minimise the cost along `step`: it is convex and piecewise quadratic.

    Newton's method on the slope, kept inside a bracket that halves where Newton leaves it.
    """
    gap, along = here.gap, _times(problem.jacobian, step)
    mstep = _times(problem.mass, step)
    slope0 = _sum(step * (here.ma - problem.force))
    bend0 = _sum(step * mstep)

    def slope_at(alpha):
        x = gap + alpha * along
        pull = jnp.where(x < 0, problem.stiffness * along, 0.0)
        return slope0 + alpha * bend0 + _sum(pull * x), bend0 + _sum(pull * along)

    def narrow(_, bracket):
        low, alpha, high = bracket
        slope, bend = slope_at(alpha)
        low, high = jnp.where(slope < 0, alpha, low), jnp.where(slope < 0, high, alpha)
        to = alpha - slope / jnp.maximum(bend, TINY)
        middle = jnp.where(jnp.isinf(high), 2 * low, 0.5 * (low + high))
        alpha = jnp.where((to >= low) & (to <= high), to, middle)
        return low, alpha, high

    one = jnp.ones_like(slope0)
    _, alpha, _ = jax.lax.fori_loop(0, searches, narrow, (0 * one, one, jnp.inf * one))
    a, ma, gap = here.a + alpha * step, here.ma + alpha * mstep, gap + alpha * along
    return _Point(a, ma, gap, _cost(problem, a0, a, ma, gap))


def _apart(positive, function, *operands):
    """function(*operands), worked out once and kept.

    XLA would fuse it into everything that reads it, and work it out anew for each element there.
    It does not see through a condition; this one always holds, of a NaN too.
    """
    blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(function, *operands))
    return jax.lax.cond(~(positive < 0), function, lambda *_: blank, *operands)


def _sum(x):
    """Over the leading axis, unrolled: a reduction over a major axis is not vectorised."""
    return functools.reduce(jnp.add, list(x))


def _times(matrix, vector):
    """[m, n, W] times [n, W]."""
    return functools.reduce(jnp.add, [matrix[:, j] * vector[j] for j in range(len(vector))])


def _transposed(matrix, vector):
    """[m, n, W] transposed times [m, W] -> [n, W]."""
    return functools.reduce(jnp.add, [row * v for row, v in zip(matrix, vector, strict=True)])
