"""Choosing a push by imagination: the search finds what a known dynamics allows; the real world."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _temporal_report
from nsca_jax import objects
from nsca_jax.evaluation import planning
from nsca_jax.models import temporal as model_lib
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sim import skills
from nsca_jax.training import experience, temporal

FAR_M = 0.2


class Known:
    """In place of a model: a push goes ahead by up to FAR_M, by its speed; sure of it."""

    def apply(self, params, belief, act, horizon, at, method):
        del params, at, method
        ahead = model_lib.heading(act) * (FAR_M * 0.5 * (act.parameters[:, 1:2] + 1.0))
        end = belief + jnp.concatenate([ahead, jnp.zeros((len(ahead), 1))], -1)
        place = jnp.repeat(end[:, None], horizon, 1)
        sure = jnp.full_like(place, -20.0)
        return model_lib.Future(place, sure, *([jnp.zeros(())] * 4))


def chosen(shuffled: bool):
    task = planning.tasks(jax.random.key(0), [0, 1], 20)
    belief = jnp.concatenate([task.place_m, jnp.zeros((40, 1))], -1)
    how = (64, 3, shuffled)
    push, imagined = planning.choose(Known(), None, belief, task.target_m, jax.random.key(1), how)
    act = model_lib.Act(jnp.full(40, skills.PUSH), push, jnp.zeros(40, jnp.int32))
    end = Known().apply(None, belief, act, 30, (30,), "imagine").place_m[:, -1, :2]
    return task, end, imagined


def test_tasks_are_within_reach():
    task = planning.tasks(jax.random.key(2), [3, 5, 7], 50)
    far = np.linalg.norm(task.target_m - task.place_m, axis=-1)
    assert far.min() >= planning.REACH_M[0]
    assert far.max() <= planning.REACH_M[1]
    assert np.bincount(task.object_id).tolist() == [0, 0, 0, 50, 0, 50, 0, 50]


def test_the_search_finds_the_push_and_a_shuffled_world_does_not():
    task, end, imagined = chosen(shuffled=False)
    distance = planning.distance_m(end, task.target_m)
    assert distance.mean() < 0.01
    np.testing.assert_allclose(end, imagined, atol=1e-6)
    task, end, _ = chosen(shuffled=True)
    assert planning.distance_m(end, task.target_m).mean() > 0.1


def test_straight_pushes_head_for_the_target():
    task = planning.tasks(jax.random.key(0), [0], 9)
    push = planning.straight_pushes(task)
    act = model_lib.Act(jnp.full(9, skills.PUSH), push, jnp.zeros(9, jnp.int32))
    way = (task.target_m - task.place_m) / np.linalg.norm(
        task.target_m - task.place_m, axis=-1, keepdims=True
    )
    np.testing.assert_allclose(model_lib.heading(act), way, atol=1e-5)
    hand = model_lib.programme(act, 30).path_m[-1, :, 0]
    far = np.linalg.norm(task.target_m - task.place_m, axis=-1)
    within = np.abs(push[:, 1]) < 1.0  # of the speeds there are
    # the programme starts a servo's lead ahead of the hand: 40 ms of 750
    np.testing.assert_allclose(hand[within], far[within], rtol=0.06)


def test_best_of_k_is_the_mean_over_all_draws():
    tried = np.sort(np.random.default_rng(0).random((3, 6)), -1)
    for k in (1, 2, 4):
        expected = [
            float(np.mean([min(draw) for draw in itertools.combinations(row, k)])) for row in tried
        ]
        np.testing.assert_allclose(_temporal_report.best_of(tried, k), expected)


@pytest.mark.slow
def test_the_real_world_and_the_look():
    """A straight push at full force brings a thing near the target; it is seen where it lies."""
    things = objects.load("configs/objects_set_b.yaml")
    body = experience.make_body(things.properties)
    task = planning.tasks(jax.random.key(0), [3, 9], 4)  # the dice
    code = planning.look(body, camera_lib.Camera(), task)
    seen = temporal.place_by_eye(code, camera_lib.Camera())
    np.testing.assert_allclose(seen[:, :2], task.place_m, atol=0.02)
    push = planning.straight_pushes(task)
    ends = planning.in_blocks(body.scene, task.object_id, push, task.place_m, 8)
    distance = planning.distance_m(ends, np.asarray(task.target_m))
    left = planning.distance_m(np.asarray(task.place_m), np.asarray(task.target_m))
    assert distance.mean() < 0.5 * left.mean()
