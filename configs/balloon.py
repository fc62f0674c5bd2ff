"""Balloons against an innate gravity: is the prior overridden where it fails, and kept elsewhere?

    python -m experiments.balloon --config=configs/balloon.py          (laptop, 20 seeds)
    python -m experiments.balloon --config=configs/balloon.py:quick    3 seeds, for CI
    python -m experiments.balloon --config=configs/balloon.py:tune     choose `chosen`

`tune` tries every pair of `decays` and `prices` for the arm with a prior, and every one of `decays`
for the arm without, on eight seeds that no result uses (from 1000 on), at each number of throws.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "tune")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20
    config.tune = False

    config.width = 32  # hidden units of a layer
    config.batch = 32
    config.steps = 1000  # until gravity changes, and after
    config.grid = 5  # learning rates tried of each kind, over a factor of ten
    config.closing = 30.0  # steps that the end of the critical period takes
    config.pace = config_dict.ConfigDict()  # learning rates, and prices (training/trust.py)
    config.pace.network = 0.01
    config.pace.trust = 0.05
    config.pace.beta = 0.01
    config.pace.gamma = 0.15

    config.mixed = config_dict.ConfigDict()  # a world of both, trust by situation
    config.mixed.balloons = 0.2  # share
    config.mixed.steps = 1000
    config.mixed.pace = config_dict.ConfigDict(
        {"network": 0.01, "trust": 0.05, "beta": 0.002, "gamma": 0.15, "gate": 0.03}
    )

    config.throws = (5, 10, 20, 50, 1000)  # examples
    config.throw_steps = 4000
    config.throw_pace = 0.005
    config.decays = (0.0, 0.03, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
    config.prices = (0.1, 1.0)
    config.chosen = config_dict.ConfigDict()  # (weight decay, price) by `tune`
    config.chosen.adaptive = config_dict.ConfigDict(
        {
            "n5": (1.0, 1.0),
            "n10": (3.0, 1.0),
            "n20": (1.5, 1.0),
            "n50": (1.0, 0.1),
            "n1000": (0.0, 0.1),
        }
    )
    config.chosen.none = config_dict.ConfigDict(
        {
            "n5": (3.0, 0.0),
            "n10": (2.0, 0.0),
            "n20": (1.5, 0.0),
            "n50": (0.5, 0.0),
            "n1000": (0.0, 0.0),
        }
    )

    if preset == "quick":
        config.seeds = 3
        config.grid = 3
    if preset == "tune":
        config.tune = True
        config.seed = 1000
        config.seeds = 8
    return config
