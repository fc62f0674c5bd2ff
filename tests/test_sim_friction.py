"""A pyramid's tangents turned along the slip, on rows worked out by hand."""

# pyright: reportAttributeAccessIssue=false

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.sim import friction

MU = 0.4
NORMAL, ONE, TWO = np.eye(3)[2], np.eye(3)[0], np.eye(3)[1]  # a contact with the table, of a point


class _Data(SimpleNamespace):
    """What `along_slip` reads of MJX's data."""

    def tree_replace(self, new):
        return {name.removeprefix("_impl."): value for name, value in new.items()}


def _turned(velocity):
    """(J [4, 3], aref [4], frame [3, 3]) of a point that slides at `velocity`."""
    rows = np.array([NORMAL + MU * ONE, NORMAL - MU * ONE, NORMAL + MU * TWO, NORMAL - MU * TWO])
    frame = jnp.array([[NORMAL, ONE, TWO]])
    contact = SimpleNamespace(frame=frame, replace=lambda frame: frame)
    inner = SimpleNamespace(efc_J=jnp.array(rows), efc_aref=jnp.array(-9 * rows @ velocity) - 3.0)
    inner.contact = contact
    found = friction.along_slip(None, _Data(qvel=jnp.array(velocity), _impl=inner))  # type: ignore[arg-type]
    return [np.asarray(found[name]) for name in ("efc_J", "efc_aref", "contact")]


@pytest.mark.parametrize("degrees", [0, 30, 45, 120, 270])
def test_the_first_tangent_lies_along_the_slip(degrees):
    angle = np.radians(degrees)
    slip = np.array([np.cos(angle), np.sin(angle), 0.0])
    across = np.array([-np.sin(angle), np.cos(angle), 0.0])
    rows, reference, frame = _turned(0.7 * slip + 0.2 * NORMAL)
    expected = NORMAL + MU * np.array([slip, -slip, across, -across])
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    np.testing.assert_allclose(frame[0], [NORMAL, slip, across], atol=1e-6)
    # the reference acceleration is what these rows would have had from the first
    np.testing.assert_allclose(reference, -9 * rows @ (0.7 * slip + 0.2 * NORMAL) - 3, atol=1e-5)


@pytest.mark.parametrize("velocity", [(0.0, 0.0, 0.0), (0.0, 0.0, -1.0)])
def test_what_does_not_slip_keeps_its_tangents(velocity):
    rows, _, frame = _turned(np.array(velocity))
    np.testing.assert_array_equal(frame[0], [NORMAL, ONE, TWO])
    np.testing.assert_allclose(rows[0] - rows[1], 2 * MU * ONE, atol=1e-7)


def test_its_gradient_is_finite_where_nothing_slips():
    def total(velocity):
        return jnp.sum(friction._turn(jnp.ones((4, 3)), velocity))

    assert np.isfinite(jax.grad(total)(jnp.zeros(3))).all()


def test_forces_of_a_pyramid():
    rows = np.array([[3.0, 1.0, 0.5, 0.5], [0.0, 0.0, 0.0, 2.0]])
    found = friction.forces(jnp.array(rows), jnp.full((2, 5), MU))
    np.testing.assert_allclose(found, [[5.0, 2 * MU, 0.0], [2.0, 0.0, -2 * MU]], rtol=1e-6)
