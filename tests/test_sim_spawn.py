"""The spawn's promises, over both object sets, the four skills and random parameters."""

import jax
import numpy as np
import pytest

from nsca_jax.sim import env, skills
from tests.lab import OBJECTS, PARKED_M, c_model, c_state, spawn

TRIES = 8
DEEPEST_M = 0.002


@pytest.fixture(scope="module")
def interactions(lab, household):
    """(worlds at the spawn, worlds at the end, readings, skill [W]) of 30 x 4 x 8 interactions."""
    _, scene = household
    rng = np.random.default_rng(7)
    thing, skill, _ = (x.ravel() for x in np.indices((OBJECTS, 4, TRIES)))
    parameters = rng.uniform(-1, 1, (len(thing), 4))
    corners = rng.random(len(thing)) < 0.2  # extremes fail where the middle does not
    parameters = np.where(corners[:, None], np.sign(parameters), parameters)
    worlds = spawn(scene, thing, skill, parameters, rng.uniform(-0.05, 0.05, (len(thing), 2)))
    return worlds, *lab.coarse(scene, worlds), skill


def _promised(skill, readings):
    return np.asarray(jax.vmap(env.promised_contact, in_axes=(0, 1))(skill, readings))


def test_promised_contact_happens(interactions):
    _, _, readings, skill = interactions
    happened = _promised(skill, readings)
    for number in range(4):
        assert happened[skill == number].mean() >= 0.99, number


def test_a_missed_object_breaks_the_promise(lab, household):
    """The control: with the hand elsewhere, and a dropped object that never lands, none is kept."""
    _, scene = household
    skill = np.arange(4)
    worlds = spawn(scene, 0, skill, np.zeros(4))
    away = worlds.qpos.at[:, :3].add(np.array(PARKED_M)).at[0, 2].set(6.0)
    _, readings = lab.coarse(scene, worlds.replace(qpos=away))
    assert not _promised(skill, readings).any()


def test_spawns_do_not_interpenetrate(interactions, household):
    """As the simulation reports it, and as the C engine finds it."""
    truth, _ = household
    worlds, _, readings, _ = interactions
    assert readings.spawn_depth_m.max() <= DEEPEST_M
    models = [c_model(truth, i) for i in range(OBJECTS)]
    deepest = 0.0
    for i in range(len(worlds.step)):
        data = c_state(models[int(worlds.object_id[i])], worlds, i)
        deepest = max(deepest, -min((c.dist for c in data.contact), default=0.0))
    assert 1e-4 < deepest <= DEEPEST_M  # grips and pushes touch by intent


def test_held_and_pushed_objects_are_touched_from_the_first_moment(interactions):
    _, _, readings, skill = interactions
    first = np.abs(readings.first_touch_Ns[0]).sum(-1)  # [W, 2]
    grasped = (skill == skills.DROP) | (skill == skills.LIFT)
    assert (first[grasped] > 0).all()
    assert (first[skill == skills.PUSH] > 0).any(-1).all()
    assert (first[skill == skills.STRIKE] == 0).all()  # it comes from 5 cm away


def test_no_state_is_non_finite(interactions):
    _, after, readings, _ = interactions
    assert after.finite.all()
    for leaf in jax.tree.leaves((after, readings)):
        assert np.isfinite(leaf).all()


def test_a_grip_breaks_nothing(interactions):
    """A steady load is no impact: fragile things survive being held and lifted."""
    _, after, _, skill = interactions
    assert not after.broken[skill == skills.LIFT].any()
    assert after.broken[skill == skills.DROP].any()  # the same things break when they fall
