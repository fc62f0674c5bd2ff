"""The dynamics ensemble, its normalisation, its loss, and the patch encoder."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nsca_jax import types
from nsca_jax.models import dynamics, ensemble, normalise
from nsca_jax.models.thing import FORM, OUTLINE, STUFF, Look, Thing, Trait
from nsca_jax.models.vision import PatchEncoder, split_patches
from nsca_jax.priors import visual
from nsca_jax.sensors import sound
from nsca_jax.training import outcome_loss

MEMBERS, ROWS = 2, 32
MODEL = dynamics.OutcomeModel(width=32, blocks=1, latent=16)
predict = jax.jit(ensemble.apply_ensemble, static_argnums=0)


def make_situation(key, rows=ROWS):
    """Objects 0.3 m above where they would rest: centroid .34 m, spread .02 m, reach 2."""
    keys = jax.random.split(key, 3)
    code = jnp.zeros((rows, types.VISUAL_CODE)).at[:, dynamics.CENTROID_Z].set(0.34)
    return dynamics.Situation(
        features=jax.random.normal(keys[0], (rows, 32)),
        visual_code=code.at[:, dynamics.SPREAD_Z].set(0.02),
        skill=jax.random.randint(keys[1], (rows,), 0, len(types.SKILLS)),
        parameters=jax.random.uniform(keys[2], (rows, 4), minval=-1.0),
        memory=jnp.zeros((rows, dynamics.MEMORY)),
        persistence=jnp.zeros((rows, dynamics.OUTCOMES)),
    )


def unmoved(motion=None) -> dynamics.Statistics:
    """Statistics that change nothing, but for those of the motion."""
    still = normalise.init((types.KNOTS, types.MOTION)) if motion is None else motion
    return dynamics.Statistics(normalise.init((32,)), still, normalise.init((dynamics.OUTCOMES,)))


@pytest.fixture(scope="module")
def setting():
    situation = make_situation(jax.random.key(0))
    statistics = unmoved()
    init = jax.jit(ensemble.init_ensemble, static_argnums=(0, 2))
    params = init(MODEL, jax.random.key(1), MEMBERS, situation, statistics)
    return situation, statistics, params


def test_an_untrained_member_predicts_the_ballistic_fall(setting):
    situation, statistics, params = setting
    prediction = predict(MODEL, params, situation, statistics)
    assert prediction.motion_mean.shape == (MEMBERS, ROWS, types.KNOTS, types.MOTION)
    assert prediction.outcome_mean.shape == (MEMBERS, ROWS, dynamics.OUTCOMES)
    height = [-0.5 * 9.81 * 0.2**2, -0.3, -0.3, -0.3, -0.3]  # .4 s of fall pass .3 m
    falls = prediction.motion_mean[..., 2]
    np.testing.assert_allclose(falls, np.broadcast_to(height, falls.shape), rtol=1e-5)
    np.testing.assert_allclose(prediction.motion_mean[..., 1:, 8], 0.0, atol=1e-6)
    np.testing.assert_allclose(prediction.weight, 0.9, atol=1e-5)
    silent = np.delete(np.asarray(prediction.outcome_mean), dynamics.SOUND, -1)
    np.testing.assert_allclose(silent, 0.0)
    np.testing.assert_allclose(prediction.penalty, 0.0, atol=1e-8)


def test_the_prior_speaks_in_standardised_units(setting):
    situation, _, params = setting
    rows = 0.1 + 0.5 * jax.random.normal(jax.random.key(2), (500, types.KNOTS, types.MOTION))
    statistics = normalise.update(normalise.init(rows.shape[1:]), rows, jnp.ones(len(rows), bool))
    prediction = predict(MODEL, params, situation, unmoved(statistics))
    metres = normalise.invert(statistics, prediction.motion_mean)
    np.testing.assert_allclose(metres[..., 1:, 2], -0.3, atol=1e-5)


def test_members_differ_and_parameters_are_few(setting):
    situation, statistics, params = setting
    kernel = params["params"]["Trunk_0"]["Dense_0"]["kernel"]
    assert kernel.shape[0] == MEMBERS
    assert float(jnp.abs(kernel[0] - kernel[1]).max()) > 0.01
    full = dynamics.OutcomeModel()
    shapes = jax.eval_shape(full.init, jax.random.key(0), situation, statistics)
    count = sum(x.size for x in jax.tree.leaves(shapes))
    assert 100_000 < count < 250_000


def test_without_actions_it_sees_neither_skill_nor_body(setting):
    situation, statistics, params = setting
    other = situation.replace(skill=(situation.skill + 1) % 4, parameters=-situation.parameters)
    body = situation.features.at[:, dynamics.LOOK :].add(1.0)  # the act has set it
    other = other.replace(features=body)
    # Wakes the zero-initialised heads.
    params = jax.tree.map(lambda x: x + 0.1 * jax.random.normal(jax.random.key(5), x.shape), params)
    blind = dynamics.OutcomeModel(width=32, blocks=1, latent=16, use_action=False)
    for model, alike in ((blind, True), (MODEL, False)):
        a, b = (predict(model, params, s, statistics) for s in (situation, other))
        assert bool(jnp.allclose(a.outcome_mean, b.outcome_mean)) is alike
        assert bool(jnp.allclose(a.motion_mean, b.motion_mean)) is alike


def make_targets(situation):
    """Skill and direction decide the outcome; the motion goes against gravity."""
    wanted = jnp.sin(jnp.pi * situation.parameters[:, 2]) + 0.5 * situation.skill
    outcome = jnp.broadcast_to(wanted[:, None], (len(wanted), dynamics.OUTCOMES))
    motion = jnp.ones((len(wanted), types.KNOTS, types.MOTION))
    return outcome_loss.Targets(motion, outcome)


@pytest.fixture(scope="module")
def trained(setting):
    """150 updates of the small ensemble on fresh rows."""
    _, statistics, params = setting
    optimiser = optax.adam(3e-3)

    def update(carry, key):
        params, state = carry
        situation = make_situation(key, 128)
        mask = jnp.ones((MEMBERS, 128), bool)

        def loss(params):
            prediction = predict(MODEL, params, situation, statistics)
            return outcome_loss.outcome_loss(prediction, make_targets(situation), mask)

        (_, report), slopes = jax.value_and_grad(loss, has_aux=True)(params)
        steps, state = optimiser.update(slopes, state, params)
        return (optax.apply_updates(params, steps), state), report

    keys = jax.random.split(jax.random.key(3), 150)
    run = jax.jit(lambda carry: jax.lax.scan(update, carry, keys))
    (params, _), reports = run((params, optimiser.init(params)))
    return params, reports


def test_it_learns_what_the_action_does(setting, trained):
    _, statistics, untrained = setting
    situation = make_situation(jax.random.key(9), 256)
    targets = make_targets(situation)
    errors = [
        float(
            outcome_loss.prediction_error(
                predict(MODEL, params, situation, statistics), targets
            ).mean()
        )
        for params in (untrained, trained[0])
    ]
    assert errors[1] < 0.15 * errors[0]


def test_trust_in_gravity_falls_where_it_does_not_hold(trained):
    _, reports = trained
    assert reports.weight[0] == pytest.approx(0.9, abs=1e-3)
    assert reports.weight[-1] < 0.87
    assert set(reports.modalities) == set(outcome_loss.MODALITIES)
    assert float(reports.per_sample[-10:].mean()) < float(reports.per_sample[:10].mean()) - 0.5


def test_outcome_loss_averages_within_then_over_modalities():
    """Unit Gaussians, so that a row's NLL is constant + half its mean squared error."""
    outcome = jnp.zeros((2, dynamics.OUTCOMES)).at[0, 0].set(3.0)  # one pose dimension of six
    prediction = unit_prediction(members=1, rows=2)
    targets = outcome_loss.Targets(jnp.zeros((2, types.KNOTS, types.MOTION)), outcome)
    loss, report = outcome_loss.outcome_loss(prediction, targets, jnp.ones((1, 2), bool), beta=0.0)
    constant = 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(report.per_sample, [constant + 0.5 * 9 / 6 / 6, constant], rtol=1e-5)
    assert loss == pytest.approx(constant + 0.5 * 9 / 36 / 2, rel=1e-5)
    only_second, _ = outcome_loss.outcome_loss(
        prediction, targets, jnp.array([[False, True]]), beta=0.0
    )
    assert only_second == pytest.approx(constant, rel=1e-5)
    error = outcome_loss.prediction_error(prediction, targets)
    np.testing.assert_allclose(error, [9 / 6 / 6, 0.0], rtol=1e-5)


def unit_prediction(members, rows):
    motion = jnp.zeros((members, rows, types.KNOTS, types.MOTION))
    outcome, row = jnp.zeros((members, rows, dynamics.OUTCOMES)), jnp.zeros((members, rows))
    return dynamics.Prediction(motion, motion, outcome, outcome, row, row)


def test_prediction_error_is_bounded():
    targets = outcome_loss.Targets(
        jnp.full((1, types.KNOTS, types.MOTION), 1e3), jnp.full((1, dynamics.OUTCOMES), 1e3)
    )
    error = outcome_loss.prediction_error(unit_prediction(1, 1), targets)
    np.testing.assert_allclose(error, outcome_loss.ERROR_LIMIT)


def test_mixture_adds_the_members_disagreement():
    mean, variance = ensemble.mixture(jnp.array([1.0, 3.0]), jnp.log(jnp.array([0.5, 1.5])))
    assert mean == pytest.approx(2.0)
    assert variance == pytest.approx(1.0 + 1.0)


def test_only_the_priors_weight_is_labelled_prior(setting):
    labels = ensemble.parameter_labels(setting[2])["params"]
    assert labels["raw"] == "prior"
    labels = {**labels, "raw": "network"}
    assert set(jax.tree.leaves(labels)) == {"network"}


def test_outcome_vector_and_split_are_inverse():
    parts = {"displacement": 3, "rotation": 3, "sound": 32, "touch": (2, 3), "image": 11}
    key = jax.random.key(0)
    d, r, s, t, i = (
        jax.random.normal(jax.random.fold_in(key, n), (4, *np.atleast_1d(shape)))
        for n, shape in enumerate(parts.values())
    )
    outcome = types.Outcome(d, r, s, t, jnp.ones(4), i)
    split = dynamics.split_outcome(dynamics.outcome_vector(outcome))
    np.testing.assert_array_equal(split["touch"].reshape(4, 2, 3), t)
    np.testing.assert_array_equal(split["broken"], np.ones((4, 1)))
    np.testing.assert_array_equal(split["image"], i)


def test_action_features_hold_products_and_the_circle():
    features = dynamics.action_features(jnp.array(1), jnp.array([0.1, 0.2, 0.5, -0.4]))
    assert features.shape == (26,)
    np.testing.assert_allclose(features[:4], [0, 1, 0, 0])
    np.testing.assert_allclose(features[12:16], [0.1, 0.2, 0.5, -0.4], rtol=1e-6)
    np.testing.assert_allclose(features[24:], [1.0, 0.0], atol=1e-6)


def test_running_statistics_are_numpys_and_skip_invalid_rows():
    rows = np.random.default_rng(0).normal(5.0, 2.0, (30, 3)).astype(np.float32)
    rows[:, 2] = 7.0
    valid = np.arange(30) % 4 != 0
    dirty = jnp.asarray(np.where(valid[:, None], rows, np.nan))
    statistics = normalise.init((3,))
    for block in range(3):
        part = slice(10 * block, 10 * block + 10)
        statistics = normalise.update(statistics, dirty[part], jnp.asarray(valid[part]))
    np.testing.assert_allclose(statistics.mean, rows[valid].mean(0), rtol=1e-5)
    np.testing.assert_allclose(normalise.std(statistics)[:2], rows[valid].std(0)[:2], rtol=1e-4)
    assert normalise.std(statistics)[2] == 1.0
    back = normalise.invert(statistics, normalise.apply(statistics, jnp.asarray(rows)))
    np.testing.assert_allclose(back, rows, rtol=1e-5)
    np.testing.assert_array_equal(normalise.apply(normalise.init((3,)), jnp.asarray(rows)), rows)


def test_patches_keep_their_pixels_together():
    image = jnp.arange(4 * 4 * 1).reshape(4, 4, 1)
    np.testing.assert_array_equal(split_patches(image, 2)[1], [2, 3, 6, 7])
    with pytest.raises(ValueError, match="5x4"):
        split_patches(jnp.zeros((5, 4, 1)), 2)


def test_patch_encoder_shape_and_sensitivity():
    image = jax.random.randint(jax.random.key(0), (3, 32, 32, 4), 0, 256).astype(jnp.uint8)
    encoder = PatchEncoder()
    params = encoder.init(jax.random.key(1), image)
    apply = jax.jit(encoder.apply)
    code = jnp.asarray(apply(params, image))
    assert code.shape == (3, 48)
    changed = jnp.asarray(apply(params, image.at[0, 0, 0, 3].add(100)))
    assert float(jnp.abs(changed[0] - code[0]).max()) > 1e-4
    np.testing.assert_array_equal(changed[1:], code[1:])


def memory_of(known_by: str, value):
    """Memory [B, 10] in which one property has the values [B] and is known."""
    which = types.PROPERTIES.index(known_by)
    memory = jnp.zeros((len(value), dynamics.MEMORY)).at[:, which].set(jnp.asarray(value))
    return memory.at[:, len(types.PROPERTIES) + which].set(1.0)


def trait(by_look: float) -> dict:
    """Parameters of a Trait that repeats the remembered value, or answers `by_look`."""
    look = {"kernel": jnp.zeros((STUFF + OUTLINE, 1)), "bias": jnp.array([by_look])}
    return {"memory": jnp.array([0.0, 1.0]), "look": look, "exponent": jnp.array(3.0)}


def thing_of(size) -> Thing:
    """Things alike but for their log size [B]."""
    size = jnp.asarray(size)[:, None]
    stuff, form, outline = (jnp.ones((len(size), n)) for n in (STUFF, FORM, OUTLINE))
    return Thing(stuff, form, outline, size)


def test_a_sound_moves_with_its_pitch():
    """One hill, heard an octave higher where the remembered pitch is an octave higher."""
    head, seen, thing = dynamics.SoundHead(), jnp.ones((2, 4)), thing_of([0.0, 0.0])
    memory = memory_of("hardness", [0.0, math.log(2.0)])
    params = jax.tree.map(jnp.array, head.init(jax.random.key(0), seen, thing, memory)["params"])
    lowest, highest = dynamics.TEMPLATE_RANGE
    log_ratio = jnp.linspace(lowest, highest, dynamics.TEMPLATE)
    params["template"]["bias"] = 9.0 * jnp.exp(-0.5 * (log_ratio / 0.3) ** 2)
    params["pitch"] = trait(0.0)
    heard, _ = head.apply({"params": params}, seen, thing, memory)
    low, high = np.asarray(heard)
    heard_Hz = np.exp(dynamics.LOG_BANDS)
    ratio = heard_Hz[np.argmax(high)] / heard_Hz[np.argmax(low)]
    assert 1.8 < ratio < 2.2
    assert heard_Hz[np.argmax(low)] == pytest.approx(np.exp(dynamics.LOG_BANDS.mean()), rel=0.1)


def test_one_tone_is_heard_as_the_ear_hears_it():
    """A band takes of a tone what its triangle gives; low bands are wide and high ones narrow."""
    edges = sound.mel_bands()
    for band, between in ((2, 0.0), (2, 0.5), (20, 0.25)):
        tone_Hz = (1.0 - between) * edges[band + 1] + between * edges[band + 2]
        nearest = np.argmin(np.abs(dynamics.EAR_TONES - np.log(tone_Hz)))
        share = dynamics.EAR_SHARES[nearest] / dynamics.EAR_SHARES[nearest].sum()
        expected = np.zeros(types.SOUND_BANDS)
        expected[[band, band + 1]] = 1.0 - between, between
        np.testing.assert_allclose(share, expected, atol=1e-4)
    whole = dynamics.EAR_SHARES.sum(0)  # of a spectrum even in the logarithm, wide bands hear more
    width = np.log(edges[2:] / edges[:-2])
    np.testing.assert_allclose(whole / whole.sum(), width / width.sum(), rtol=0.1)


def touch_params(load: dict) -> dict:
    """Parameters of a TouchHead that borne by a usual thing gives 1, -2, 0, 3, 0.5 and 4."""
    usual = {"kernel": jnp.zeros((4, 6)), "bias": jnp.array([1.0, -2.0, 0.0, 3.0, 0.5, 4.0])}
    return {"params": {"usual": usual, "load": load}}


def test_a_load_scales_the_forces_of_an_act():
    """Twice the load, twice each force; without a memory the look decides."""
    head, seen = dynamics.TouchHead(), jnp.ones((4, 4))
    memory = memory_of("weight", [0.0, math.log(2.0), -math.log(2.0), 0.0]).at[3].set(0.0)
    params = touch_params(trait(math.log(3.0)))
    felt, _ = head.apply(params, seen, thing_of([0.0] * 4), memory)
    usual = params["params"]["usual"]["bias"]
    np.testing.assert_allclose(felt, usual * jnp.array([[1.0], [2.0], [0.5], [3.0]]), rtol=0.03)


def test_what_is_twice_as_large_is_expected_eight_times_as_heavy():
    """Nothing is known but the look; without innate laws the size says nothing yet."""
    seen, thing = jnp.ones((2, 4)), thing_of([0.0, math.log(2.0)])
    memory = jnp.zeros((2, dynamics.MEMORY))
    for innate, times in ((True, 8.0), (False, 1.0)):
        head = dynamics.TouchHead(innate)
        drawn: Any = head.init(jax.random.key(0), seen, thing, memory)
        load = {**trait(0.0), "exponent": drawn["params"]["load"]["exponent"]}
        felt, _ = head.apply(touch_params(load), seen, thing, memory)
        small, large = np.asarray(felt)
        np.testing.assert_allclose(large, times * small, rtol=0.2, atol=1e-6)


def test_memory_teaches_the_look_and_learns_nothing_from_it():
    """The look misses by 0.5 where the weight is known, and by nothing where it is not."""
    memory = memory_of("weight", [1.0, 1.0]).at[1].set(0.0)
    thing = thing_of([0.0, 0.0])

    def miss(params) -> jax.Array:
        told: Any = Trait("weight", 3.0).apply({"params": params}, thing, memory)
        return told[1]

    params = trait(0.5)
    np.testing.assert_allclose(miss(params), [0.25, 0.0])
    slopes = jax.grad(lambda p: miss(p).sum())(params)
    np.testing.assert_allclose(slopes["memory"], 0.0)
    np.testing.assert_allclose(slopes["look"]["bias"], -1.0)


def test_stuff_form_and_size_are_told_apart():
    """Another colour leaves form and size alone; another size leaves stuff and form alone."""
    length = types.VISUAL_CODE + types.SHAPE_CODE
    look = jax.random.normal(jax.random.key(0), (3, length))
    look = look.at[1:].set(look[0])
    look = look.at[1, visual.COLOURS].add(1.0).at[2, visual.LENGTHS].add(0.7)
    model, statistics = Look(), normalise.init((length,))
    thing = model.apply(model.init(jax.random.key(1), look, statistics), look, statistics)
    stuff, form, outline, size = (np.asarray(part) for part in thing)
    assert np.abs(stuff[1] - stuff[0]).max() > 0.01
    np.testing.assert_allclose(stuff[2], stuff[0], atol=1e-6)
    np.testing.assert_allclose(form[1:], form[[0, 0]], atol=1e-5)
    np.testing.assert_allclose(outline[1:], outline[[0, 0]], atol=1e-5)
    np.testing.assert_allclose(size[:, 0] - size[0, 0], [0.0, 0.0, 0.7], atol=1e-5)
