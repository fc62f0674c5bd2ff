"""Filmed interactions: shapes, the spawn, and that they are what `carry_out` carries out."""

# pyright: reportAttributeAccessIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import objects, types
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import experience, recording

STEPS = 25


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film():
    """(body, choice, recording) of 12 interactions over 3 objects, in blocks of 8."""
    things = objects.load("configs/objects_set_b.yaml")
    body = experience.make_body(things.properties)
    choice = recording.balanced(jax.random.key(0), jnp.arange(3), jnp.arange(4), 12)
    told = []
    filmed = recording.record(
        body,
        camera_lib.Camera(),
        jax.random.key(1),
        choice,
        STEPS,
        8,
        lambda done, total: told.append((done, total)),
    )
    assert told == [(8, 12), (12, 12)]
    return body, choice, filmed


def test_shapes_and_the_spawn(film):
    _, choice, filmed = film
    assert filmed.image.shape == (12, STEPS + 1, 32, 32, 4)
    assert filmed.image.dtype == np.uint8
    assert filmed.sound.shape == (12, STEPS + 1, types.SOUND_BANDS)
    assert filmed.touch_N.shape == (12, STEPS + 1, 2, 3)
    assert filmed.finite.all()
    assert not filmed.sound[:, 0].any()
    assert not filmed.touch_N[:, 0].any()
    pairs = {(int(o), int(s)) for o, s in zip(choice.object_id, choice.skill, strict=True)}
    assert len(pairs) == 12


def test_agrees_with_carry_out(film):
    body, choice, filmed = film
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(2), i))(np.arange(12))
    rows, _ = jax.jit(experience.carry_out, static_argnums=1)(
        body, camera_lib.Camera(), keys, choice
    )
    other = recording.record(body, camera_lib.Camera(), jax.random.key(3), choice, STEPS, 8)
    # places differ by key, what is done and to what does not
    drop = np.asarray(choice.skill) == types.SKILLS.index("drop")
    fallen = filmed.position_m[:, -1, 2] - filmed.position_m[:, 0, 2]
    again = other.position_m[:, -1, 2] - other.position_m[:, 0, 2]
    np.testing.assert_allclose(fallen[drop], again[drop], atol=0.02)
    np.testing.assert_allclose(
        fallen[drop], np.asarray(rows.outcome.displacement_m)[drop, 2], atol=0.02
    )
    peak = np.abs(filmed.touch_N).max(1)
    assert peak.max() > 1.0
    heard = np.log1p(np.expm1(filmed.sound).sum(1))
    np.testing.assert_allclose(
        heard[drop].mean(), np.asarray(rows.outcome.sound)[drop].mean(), rtol=0.2
    )
