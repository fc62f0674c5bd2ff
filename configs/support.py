"""One picture of a block on a table's edge: does an innate rule help, and is it overridden?

    python -m experiments.support --config=configs/support.py          (laptop, 20 seeds)
    python -m experiments.support --config=configs/support.py:quick    3 seeds, for CI
    python -m experiments.support --config=configs/support.py:tune     choose `chosen`

`tune` tries every pair of `decays` and `prices` on five seeds that no result uses (from 1000 on)
and chooses one for both worlds and all sizes.
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

    config.sizes = (20, 50, 100, 200, 500)  # pictures learnt from
    config.held_out = 300
    config.steps = 300
    config.batch = 32
    config.rate = 0.005
    config.patch = 4  # side of the squares that the eye looks at
    config.filters = 8
    config.width = 16

    config.decays = (0.3, 1.0)
    config.prices = (0.01, 0.03, 0.1)
    config.chosen = config_dict.ConfigDict()  # (weight decay, price) by `tune`, for all sizes
    config.chosen.base = (1.0, 0.0)
    config.chosen.both = (1.0, 0.03)

    if preset == "quick":
        config.seeds = 3
    if preset == "tune":
        config.tune = True
        config.seed = 1000
        config.seeds = 5
    return config
