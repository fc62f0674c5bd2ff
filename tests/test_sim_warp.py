"""The Warp back end agrees with the default one in what an agent could learn from either.

It runs on a CPU here, through the same call inside a compiled program as on a GPU. One batch of
worlds serves the comparisons: ten bounces, five slides, and each skill twelve times. Friction's
tangents do not turn in Warp, nor in what it is compared with; what that costs is a test of its own.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# (a struct's replace)

import dataclasses
import importlib.util
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import babble as configs
from experiments import babble
from nsca_jax import objects
from nsca_jax.sim import env, friction, mjx_warp, newton
from nsca_jax.sim import scene as scene_lib
from nsca_jax.training import babbling, experience
from tests.lab import STEPS, loose, properties, spawn
from tests.test_babbling import SMALL

DAMPING = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
FRICTION = np.array([0.15, 0.3, 0.5, 0.7, 0.9])
RADIUS_M, SPEED_M_S = 0.03, 0.9
SPHERES, BOXES, HOUSEHOLD = np.arange(10), np.arange(10, 15), np.arange(15, 30)
BOUNCES, SLIDES, ACTS = slice(0, 10), slice(10, 15), slice(15, 63)
SKILL = np.arange(48) % 4
FIXED = tuple(stage for stage in newton.STAGES if stage is not friction.along_slip)
COURSE = np.radians([0, 90, 45, 180, 225])  # of the boxes that slide


@pytest.fixture(scope="module")
def runs():
    """Reading [500, 63] of both back ends, of the same worlds."""
    pytest.importorskip("warp", reason="make warp installs it")
    truth = _things()
    fine = jax.jit(lambda scene, now: env.rollout(scene, now, STEPS))
    velocity = np.zeros((5, 6))
    velocity[:, :2] = SPEED_M_S * np.stack([np.cos(COURSE), np.sin(COURSE)], 1)
    out = {}
    for backend in scene_lib.BACKENDS:
        scene = scene_lib.build(truth, backend)
        falls = loose(scene, SPHERES, (0.0, 0.0, RADIUS_M + 0.3), np.zeros(6))
        slides = loose(scene, BOXES, (0.0, 0.0, 0.015), velocity)
        rng = np.random.default_rng(0)
        acts = spawn(scene, rng.choice(HOUSEHOLD, 48), SKILL, rng.uniform(-1, 1, (48, 4)))
        worlds = jax.tree.map(lambda *x: np.concatenate(x), falls, slides, acts)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scene_lib, "SUBSTEPS", 1)  # a reading every physics step
            patch.setattr(newton, "STAGES", FIXED)
            after, out[backend] = jax.device_get(fine(scene, worlds))
        assert after.finite.all()
        assert (after.step == STEPS).all()
    return out


def test_without_warp_it_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    config = configs.get_config()
    babble.check(config)
    config.backend = "warp"
    with pytest.raises(mjx_warp.BackendError, match=r"^backend warp needs .* `make warp` .*\.$"):
        babble.check(config)


def test_a_gpu_that_warp_cannot_use_is_refused_in_one_sentence(monkeypatch):
    blind = SimpleNamespace(LOG_ERROR=40, config=SimpleNamespace(), is_cuda_available=lambda: False)
    monkeypatch.setitem(sys.modules, "warp", blind)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: blind)
    mjx_warp.need()  # JAX runs on a CPU
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(mjx_warp.BackendError, match=r"NVIDIA GPUs .* and on CPUs; .* here\.$"):
        mjx_warp.need()


@pytest.mark.slow
@pytest.mark.guard
def test_bounces_agree(runs):
    """Restitution, apex and impulse of the first bounce to a thousandth."""
    warp, plain = (np.array([_bounce(runs[b], i) for i in range(10)]) for b in ("warp", "jax"))
    np.testing.assert_allclose(warp, plain, rtol=1e-3)
    restitution, _, impulse, momentum = warp.T
    assert (np.diff(restitution) < 0).all()  # it falls with the damping
    np.testing.assert_allclose(impulse, momentum, rtol=5e-4)


@pytest.mark.slow
@pytest.mark.guard
def test_slides_agree_and_stop_where_coulomb_says_along_the_axes(runs):
    """At 45 degrees a pyramid whose tangents do not turn holds mu / sqrt(2)."""
    warp, plain = (np.linalg.norm(runs[b].qpos[-1, SLIDES, :2], axis=1) for b in ("warp", "jax"))
    np.testing.assert_allclose(warp, plain, rtol=1e-3)
    coulomb = SPEED_M_S**2 / (2 * 9.81 * FRICTION)
    along = np.array([True, True, False, True, False])
    np.testing.assert_allclose(warp[along], coulomb[along], rtol=0.05)
    np.testing.assert_allclose(warp[~along], np.sqrt(2) * coulomb[~along], rtol=0.05)


@pytest.mark.slow
@pytest.mark.guard
def test_every_skill_keeps_its_promise(runs):
    """Contact in each of 48 interactions, and nothing spawned deeper than a millimetre."""
    for readings in runs.values():
        acts = jax.tree.map(lambda x: x[:, ACTS], readings)
        assert jax.vmap(env.promised_contact, (0, 1))(SKILL, acts).all()
        assert acts.spawn_depth_m.max() < 1e-3


@pytest.mark.slow
@pytest.mark.guard
@pytest.mark.parametrize("skill", range(4), ids=["drop", "strike", "push", "lift"])
def test_interactions_agree_in_their_medians(runs, skill):
    """Twelve of a skill: ends 5 mm apart, of displacements 10 % alike; table's and loudest impulse
    and depth within 2 %, the fingers' impulse, a vector, within 10 %.
    """
    mine = 15 + skill + np.arange(0, 48, 4)
    warp, plain = (jax.tree.map(lambda x: x[:, mine], runs[b]) for b in ("warp", "jax"))
    ends = [r.qpos[-1, :, :3] - r.qpos[0, :, :3] for r in (warp, plain)]
    apart_m = np.linalg.norm(ends[0] - ends[1], axis=-1)
    moved_m = [np.median(np.linalg.norm(end, axis=-1)) for end in ends]
    assert moved_m[1] > 0.05
    assert np.median(apart_m) < 0.005
    assert moved_m[0] == pytest.approx(moved_m[1], rel=0.1)

    touch = [r.touch_Ns.sum(0).reshape(12, -1) for r in (warp, plain)]
    off = np.linalg.norm(touch[0] - touch[1], axis=-1) / np.linalg.norm(touch[1], axis=-1)
    assert np.median(off) < 0.1
    for of in (
        lambda r: r.table_Ns.sum(0),
        lambda r: r.peak_impact_Ns[-1],
        lambda r: r.depth_m.max(0),
    ):
        assert np.median(of(warp) / of(plain)) == pytest.approx(1, rel=0.02)


@pytest.mark.slow
@pytest.mark.guard
def test_the_same_things_break(runs):
    """But for one of 48, whose blow may lie at its limit."""
    warp, plain = (runs[b].broken[-1, ACTS] for b in ("warp", "jax"))
    assert plain.sum() >= 3
    assert (warp != plain).sum() <= 1


@pytest.mark.slow
@pytest.mark.guard
@pytest.mark.parametrize(
    ("room", "frozen"), [("CONTACTS", [True, True, True]), ("ROWS", [True, True, False])]
)
def test_contacts_without_room_are_never_lost_in_silence(monkeypatch, room, frozen):
    """Two boxes lie on the table, a sphere falls. The list of contacts is shared by all worlds,
    the rows of the solver are each world's own.
    """
    pytest.importorskip("warp", reason="make warp installs it")
    monkeypatch.setattr(mjx_warp, room, {"CONTACTS": 1, "ROWS": 4}[room])
    monkeypatch.setattr(scene_lib, "SUBSTEPS", 2)
    scene = scene_lib.build(_things(), "warp")
    start = np.array([[0, 0, 0.0149], [0, 0, 0.0149], [0, 0, 0.5]])
    worlds = loose(scene, np.array([10, 11, 0]), start, np.zeros(6))
    after, reading = jax.jit(lambda scene, worlds: env.step(scene, worlds))(scene, worlds)
    np.testing.assert_array_equal(~after.finite, frozen)
    np.testing.assert_array_equal(~reading.finite, frozen)
    np.testing.assert_array_equal(after.qpos[:2], worlds.qpos[:2])


@pytest.mark.slow
@pytest.mark.guard
def test_it_runs_inside_the_compiled_loop():
    """Two seeds babble and learn; one program serves both chunks."""
    pytest.importorskip("warp", reason="make warp installs it")
    things = jax.tree.map(lambda x: x[HOUSEHOLD[: SMALL.objects]], _things())
    init, chunk = babbling.make_train(dataclasses.replace(SMALL, iterations=2))
    body = experience.make_body(things, backend="warp")
    state = jax.jit(init)(jax.vmap(jax.random.key)(jnp.arange(SMALL.seeds)))
    for _ in range(2):
        state, metrics = chunk(body, state, 1)
    assert chunk._cache_size() == 1
    assert np.isfinite(metrics["loss"]).all()
    assert state.buffer.size == 2 * SMALL.worlds
    assert state.buffer.valid.sum() == 2 * SMALL.worlds * SMALL.seeds
    for count in (state.bad_worlds, state.broken_promises):
        np.testing.assert_array_equal(count, 0)


def _bounce(readings, world: int):
    """First bounce: restitution, apex (m), impulse (N s), change of m v without gravity's."""
    height_m, speed, impulse = (
        readings.qpos[:, world, 2],
        readings.qvel[:, world, 2],
        readings.table_Ns[:, world],
    )
    hit = np.argmax(impulse > 0)
    release = hit + np.argmax(impulse[hit:] == 0)
    fall = scene_lib.GRAVITY * scene_lib.DT_S * (release - hit)
    return (
        -speed[release - 1] / speed[hit - 1],
        height_m[release:].max() - RADIUS_M,
        impulse[hit:release].sum(),
        0.1 * (speed[release - 1] - speed[hit - 1] + fall),
    )


def _things():
    """Spheres of ten damping ratios, boxes of five frictions, every other household thing."""
    plain = properties(
        15,
        shape=np.repeat([0, 2], [10, 5]),
        size_m=np.repeat([(RADIUS_M, 0, 0), (0.03, 0.04, 0.015)], [10, 5], 0),
        damping_ratio=np.concatenate([DAMPING, np.full(5, 0.3)]),
        friction=np.concatenate([np.full(10, 0.5), FRICTION]),
    )
    sets = [objects.load(f"configs/objects_set_{name}.yaml") for name in "ab"]
    known = objects.concatenate(sets).properties
    return jax.tree.map(lambda x, y: np.concatenate([x, y[::2]]), plain, known)
