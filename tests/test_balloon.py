"""The claims of the balloon and support experiments, from made-up records; and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from configs import balloon as balloon_config
from configs import support as support_config
from experiments import _balloon_report, _balloon_tasks, _launch, _support_report, balloon, support

SEEDS = 4


def balloon_parts(config, names):
    """What a perfect run would have measured."""
    rng = np.random.default_rng(0)
    ends = {"normal": (0.9, 0.9), "balloons": (0.35, 0.88), "late": (0.9, 0.35)}
    ends["too_late"] = (0.9, 0.8)
    weight = np.zeros((SEEDS, len(names), 2 * config.steps))
    for k, name in enumerate(names):
        first, then = ends.get(name, (0.35, 0.35))
        if name.startswith("free"):
            first = then = rng.uniform(0.3, 0.9)
        weight[:, k, : config.steps], weight[:, k, config.steps :] = first, then
    trust_part = {
        "weight": weight,
        "upward": np.full((SEEDS, len(names)), 100.0),
        "prior_upward": np.zeros((SEEDS, len(names))),
    }
    rises = np.arange(10) < 2
    trusted = np.where(rises, 0.35, 0.95) * np.ones((SEEDS, 2, 1))
    mixed = {
        "weight": trusted,
        "rises": np.broadcast_to(rises, trusted.shape),
        "auroc": np.tile([1.0, 0.5], (SEEDS, 1)),
    }
    parts = {"trust": trust_part, "mixed": mixed}
    hits = {
        "adaptive": (53, 56, 63, 90, 99.6),
        "none": (2, 9, 30, 75, 99),
        "wrong": (1, 5, 20, 60, 90),
    }
    for arm, right in hits.items():
        values = np.array(right)[None, :, None] + rng.normal(0, 0.1, (SEEDS, 5, 1))
        parts[arm] = {
            "hits": values,
            "nrmse": values / 100,
            "prior_hits": np.full((SEEDS, 5, 1), 52.0),
            "prior_nrmse": np.full((SEEDS, 5, 1), 0.3),
        }
    return parts


@pytest.fixture
def config():
    config = balloon_config.get_config("quick")
    config.steps, config.seeds = 10, SEEDS
    return config


def verdicts(claims):
    return {item["name"]: item["passed"] for item in claims["criteria"]}


def test_a_perfect_run_passes_every_claim(config):
    names = list(balloon.courses(config))
    claims = _balloon_report.claims(config, names, balloon_parts(config, names))
    assert len(claims["criteria"]) == 13
    assert all(verdicts(claims).values())
    assert claims["n_failed_seeds"] == 0


def test_each_shortcoming_fails_its_own_claim(config):
    names = list(balloon.courses(config))
    parts = balloon_parts(config, names)
    weight = parts["trust"]["weight"]
    weight[:, names.index("balloons"), config.steps - 1] = 0.4
    weight[:, names.index("grid_0_2"), config.steps - 1] = 0.4
    weight[0, names.index("normal"), 3] = -2.0
    parts["adaptive"]["hits"][:, 3] = 78.0
    parts["none"]["hits"][:, 4] = 97.0
    parts["mixed"]["auroc"][:, 1] = 0.99
    failed = {
        n for n, ok in verdicts(_balloon_report.claims(config, names, parts)).items() if not ok
    }
    assert failed == {
        "trust_falls",
        "learning_rates_do_not_matter",
        "trust_is_kept",
        "gain_at_50",
        "equal_at_1000",
        "situation_is_told_apart",
    }


def test_a_seed_that_broke_off_is_counted(config):
    names = list(balloon.courses(config))
    parts = balloon_parts(config, names)
    parts["none"]["hits"][2, 2] = np.nan
    claims = _balloon_report.claims(config, names, parts)
    assert claims["n_failed_seeds"] == 1
    gain = next(item for item in claims["criteria"] if item["name"] == "gain_at_20")
    assert gain["per_seed"][2] is None
    assert gain["passed"]


def test_the_learning_rates_span_ten_fold_around_their_centre(config):
    grid = {k: v[2] for k, v in balloon.courses(config).items() if k.startswith("grid")}
    for field, centre in (("network", 0.01), ("trust", 0.05)):
        rates = sorted({getattr(pace, field) for pace in grid.values()})
        np.testing.assert_allclose(
            [rates[0], rates[1], rates[-1]], centre * 10 ** np.array([-0.5, 0, 0.5])
        )


def test_a_throw_is_right_within_a_tenth():
    truth = jnp.zeros((2, 2))
    guess = jnp.array([[0.1, 0.09], [0.2, 0.0]])
    assert float(_balloon_tasks.hits(guess, truth)) == 50.0
    expected = np.sqrt((0.1**2 + 0.09**2 + 0.2**2) / 4)
    assert float(_balloon_tasks.nrmse(guess, truth)) == pytest.approx(expected)


def support_parts(both, base, rule):
    sizes = len(both)

    def part(hits):
        return {
            "hits": np.tile(np.array(hits, float)[None, :, None], (SEEDS, 1, 1)),
            "prior_hits": np.full((SEEDS, sizes, 1), float(rule)),
            "prior_error": np.full((SEEDS, sizes), 0.5),
            "weight": np.full((SEEDS, sizes, 1), 0.5),
        }

    return {
        f"{w}-{arm}": part(h)
        for w in ("bare", "glued")
        for arm, h in (("both", both), ("base", base))
    }


def test_the_adaptive_prior_is_held_against_the_better_of_its_inputs():
    config = support_config.get_config()
    base = [55, 60, 65, 75, 85]
    claims = _support_report.claims(config, support_parts([80, 79, 78.5, 80, 86], base, 80))
    failed = {name for name, passed in verdicts(claims).items() if not passed}
    lost_too_much = {"bare_loses_nothing_at_100", "glued_loses_nothing_at_100"}
    # among plain blocks a network that is as good as the rule is no control
    assert failed == lost_too_much | {"bare_loses_nothing_at_500"}


@pytest.mark.parametrize(
    ("module", "preset", "field", "value"),
    [
        (balloon, balloon_config, "grid", 4),
        (balloon, balloon_config, "steps", 0),
        (balloon, balloon_config, "throws", (5, 20, 1000)),
        (support, support_config, "held_out", 301),
        (support, support_config, "seeds", 0),
    ],
)
def test_a_bad_value_is_refused_by_name(module, preset, field, value):
    config = preset.get_config()
    config[field] = value
    with pytest.raises(_launch.BadInput, match=field):
        module.check(config)
