"""Five hidden properties of objects: does a bank of free slots find them by itself?

    python -m experiments.slot_discovery --config=configs/slot_discovery.py        (20 seeds)
    python -m experiments.slot_discovery --config=configs/slot_discovery.py:quick  3 seeds, for CI

Chosen on seeds from 1000 on, which no result uses.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20

    config.objects = 500  # as many more are held out for the score
    config.interactions = 10  # with each object
    config.correlation = 0.5  # of any two properties, where they are correlated
    config.noise = 0.07  # of every outcome; a property's own spread is .21

    config.width = 48
    config.hidden = 8  # units of each (action, channel)'s read-out
    config.steps = 4000
    config.thrift = 1.0  # scales the prices of gates and slots
    config.thrift_mixed = 0.5  # where every channel mixes all that an action brings out
    config.likeness_price = 1.0  # of slots that say the same (diversity loss)

    if preset == "quick":
        config.seeds = 3
    return config
