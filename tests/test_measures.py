"""What the senses say of one interaction, on tracks made by hand, and how measures compose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax import types
from nsca_jax.grounding import measures, table
from nsca_jax.grounding.measures import ELASTICITY, FRAGILITY, HARDNESS, SIZE, WEIGHT
from nsca_jax.sim import skills

STEPS, DT_S, G = 25, 0.04, measures.GRAVITY
REST_M = 0.03
_measure = jax.jit(measures.measure)


def still(**changes):
    """The arguments of an interaction in which nothing moves, sounds or is seen."""
    nothing = {
        "skill": jnp.int32(skills.PUSH),
        "clearance_m": jnp.float32(0.0),
        "positions_m": jnp.zeros((STEPS, 3)).at[:, 2].set(REST_M),
        "velocities_m_s": jnp.zeros((STEPS, 3)),
        "touch_N": jnp.zeros((STEPS, 2, 3)),
        "energy_J": jnp.zeros(STEPS),
        "pitch_Hz": jnp.float32(0.0),
        "codes": jnp.zeros((types.KNOTS + 1, types.VISUAL_CODE)),
        "broken": jnp.bool_(False),
    }
    return nothing | changes


def bouncing(drop_m: float, restitution: float, **changes):
    """A drop from drop_m, sampled every control step after the first, from the closed form."""
    t_s = DT_S * np.arange(1, STEPS + 1)
    speed, fall_s = np.sqrt(2 * G * drop_m), np.sqrt(2 * drop_m / G)
    height, velocity = drop_m - 0.5 * G * t_s**2, -G * t_s
    energy, start, up = np.zeros(STEPS), fall_s, restitution * speed
    while up > 0.05 and start < t_s[-1]:
        since = t_s - start
        height = np.where(since >= 0, up * since - 0.5 * G * since**2, height)
        velocity = np.where(since >= 0, up - G * since, velocity)
        energy[int(start / DT_S)] = 1e-3 * up**2
        start, up = start + 2 * up / G, restitution * up
    resting = t_s > start
    height, velocity = np.where(resting, 0.0, height), np.where(resting, 0.0, velocity)
    track = np.zeros((2, STEPS, 3))
    track[0, :, 2], track[1, :, 2] = REST_M + height, velocity
    first = 0.5 * G * DT_S**2  # how far it has fallen in the first reading
    return still(
        skill=jnp.int32(skills.DROP),
        clearance_m=jnp.float32(drop_m - first),
        positions_m=jnp.asarray(track[0], jnp.float32),
        velocities_m_s=jnp.asarray(track[1], jnp.float32),
        energy_J=jnp.asarray(energy, jnp.float32),
        **changes,
    )


@pytest.mark.parametrize("restitution", [0.3, 0.5, 0.8, 0.95])
def test_elasticity_is_the_restitution_of_a_drop(restitution):
    measured, ok = _measure(**bouncing(0.2, restitution))
    assert ok[ELASTICITY]
    assert measured[ELASTICITY] == pytest.approx(restitution, abs=0.03)


def test_a_drop_that_broke_it_or_another_skill_says_nothing_of_elasticity():
    assert not _measure(**bouncing(0.2, 0.5, broken=jnp.bool_(True)))[1][ELASTICITY]
    struck = bouncing(0.2, 0.5) | {"skill": jnp.int32(skills.STRIKE)}
    assert not _measure(**struck)[1][ELASTICITY]
    silent = bouncing(0.2, 0.5) | {"energy_J": jnp.zeros(STEPS)}
    assert not _measure(**silent)[1][ELASTICITY]


def lift(mass_kg: float, risen_m: float, **changes):
    """A lift of one second: up until step 12, then it hangs; each finger bears half the load."""
    height = REST_M + risen_m * np.minimum(np.arange(STEPS) / 12.0, 1.0)
    velocity = np.where(np.arange(STEPS) < 12, risen_m / (12 * DT_S), 0.0)
    track = np.zeros((2, STEPS, 3))
    track[0, :, 2], track[1, :, 2] = height, velocity
    touch = np.zeros((STEPS, 2, 3))
    touch[:, :, 2] = -0.5 * mass_kg * G  # what hangs pulls the fingers down
    touch[:12, :, 2] *= 1.4  # it weighs more while it is being accelerated
    return still(
        skill=jnp.int32(skills.LIFT),
        positions_m=jnp.asarray(track[0], jnp.float32),
        velocities_m_s=jnp.asarray(track[1], jnp.float32),
        touch_N=jnp.asarray(touch, jnp.float32),
        **changes,
    )


def test_weight_is_the_load_on_the_fingers_while_it_hangs():
    measured, ok = _measure(**lift(0.37, 0.1))
    assert ok[WEIGHT]
    assert np.exp(measured[WEIGHT]) == pytest.approx(0.37, rel=1e-4)


@pytest.mark.parametrize(
    "course", [lift(0.37, 0.01), lift(0.37, 0.1) | {"skill": jnp.int32(skills.DROP)}]
)
def test_what_was_not_lifted_was_not_weighed(course):
    assert not _measure(**course)[1][WEIGHT]


def test_size_is_the_mean_area_of_the_looks_that_saw_it():
    codes = np.zeros((types.KNOTS + 1, types.VISUAL_CODE), np.float32)
    codes[[0, 2], measures.VISIBLE] = 0.01
    codes[[0, 2], measures.APPARENT_SIZE] = [0.03, 0.05]
    codes[4, measures.APPARENT_SIZE] = 9.0  # not visible: does not count
    measured, ok = _measure(**still(codes=jnp.asarray(codes)))
    assert ok[SIZE]
    assert np.exp(measured[SIZE]) == pytest.approx(np.sqrt((0.03**2 + 0.05**2) / 2), rel=1e-5)
    assert not _measure(**still())[1][SIZE]


def test_hardness_is_the_pitch_of_a_strike_that_was_heard():
    heard = {"energy_J": jnp.zeros(STEPS).at[3].set(1e-4), "pitch_Hz": jnp.float32(440.0)}
    strike = still(skill=jnp.int32(skills.STRIKE)) | heard
    measured, ok = _measure(**strike)
    assert ok[HARDNESS]
    assert np.exp(measured[HARDNESS]) == pytest.approx(440.0, rel=1e-5)
    for other in (still() | heard, strike | {"broken": jnp.bool_(True)}):
        assert not _measure(**other)[1][HARDNESS]
    assert not _measure(**strike | {"energy_J": jnp.zeros(STEPS)})[1][HARDNESS]


def test_fragility_is_told_by_the_loudest_blow():
    energy = jnp.zeros(STEPS).at[jnp.array([3, 9])].set(jnp.array([4e-4, 1e-4]))
    measured, ok = _measure(**still(energy_J=energy))
    assert ok[FRAGILITY]
    assert measured[FRAGILITY] == pytest.approx(0.02, rel=1e-4)
    assert not _measure(**still())[1][FRAGILITY]


def test_silence_and_darkness_measure_nothing_and_stay_finite():
    measured, ok = _measure(**still())
    assert not ok.any()
    assert np.isfinite(measured).all()


def filled(rows, ok=None):
    """A table of one object that was measured once per row; it breaks in the last one."""
    ok = np.ones((len(rows), 5), bool) if ok is None else ok
    broken = jnp.arange(len(rows)) == len(rows) - 1
    ids = jnp.zeros(len(rows), jnp.int32)
    rows = jnp.asarray(rows, jnp.float32)
    return table.update(table.init(1), ids, rows, jnp.asarray(ok), broken)


def test_properties_divide_size_and_weight_out_of_the_sound():
    """log k = (2 log f + log m - log s) / 3, and a blow is its loudness times sqrt(m)."""
    f, m, s, quiet, loud = 500.0, 0.2, 0.05, 0.3, 0.6
    rows = [[np.log(f), np.log(m), np.log(s), 0.7, blow] for blow in (quiet, loud)]
    values, known = measures.properties(filled(rows))
    assert known.all()
    expected = (2 * np.log(f) + np.log(m) - np.log(s)) / 3
    blow = np.sqrt(quiet * loud) * np.sqrt(m)
    np.testing.assert_allclose(values[0], [expected, np.log(m), np.log(s), 0.7, blow], rtol=1e-5)


def test_the_composition_recovers_the_stiffness_of_a_solid():
    """Pitches made by sensors/sound's law f ~ sqrt(k^3 V / m) / L, of one shape: V ~ s^3, L ~ s."""
    draw = np.random.default_rng(0)
    k, m, s = np.exp(draw.uniform([9.2, -3, -4], [11, 0, -3], (40, 3))).T
    f = np.sqrt(k**3 * s**3 / m) / s
    estimates = [
        measures.properties(filled([[np.log(a), np.log(b), np.log(c), 0, 1]] * 2))[0][0, HARDNESS]
        for a, b, c in zip(f, m, s, strict=True)
    ]
    np.testing.assert_allclose(estimates, np.log(k), rtol=1e-4)


@pytest.mark.parametrize(
    ("missing", "unknown"),
    [
        (HARDNESS, {HARDNESS}),
        (WEIGHT, {HARDNESS, WEIGHT, FRAGILITY}),
        (SIZE, {HARDNESS, SIZE}),
        (ELASTICITY, {ELASTICITY}),
        (FRAGILITY, {FRAGILITY}),
    ],
)
def test_a_property_is_known_only_with_all_it_rests_on(missing, unknown):
    ok = np.ones((2, 5), bool)
    ok[:, missing] = False
    _, known = measures.properties(filled([[1.0] * 5] * 2, ok))
    assert set(np.flatnonzero(~np.asarray(known[0]))) == unknown
