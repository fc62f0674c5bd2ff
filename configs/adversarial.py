"""Looks meant to mislead: what they do to an agent that reads properties off a look, and a guard.

    python -m experiments.adversarial --config=configs/adversarial.py          (laptop, 20 seeds)
    python -m experiments.adversarial --config=configs/adversarial.py:quick    3 seeds, for CI

Sizes of attacks are in steps of 1/255 of a reading's range, l2 in the whole range. Chosen on seeds
from 1000 on, which no result uses.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20
    config.objects_a = "configs/objects_set_a.yaml"
    config.objects_b = "configs/objects_set_b.yaml"

    config.interactions = 1  # a seed, object, skill and half of its main parameter
    config.training = 60  # looks at each object
    config.calibration = 20
    config.test = 3  # odd, so that a median of answers is an answer
    config.camera_noise = 1.0 / 255.0

    config.members = 3
    config.steps = 600
    config.batch = 32
    config.learning_rate = 1e-2
    config.reconstruction = 20.0

    config.refusal_rate = 0.04  # of clean looks, that the guard is set to
    config.eps = 8  # of the criteria
    config.curve = (1, 2, 4, 16)  # further sizes, reported
    config.eps_l2 = 1.0
    config.attack_steps = 20
    config.adaptive_steps = 40
    config.adaptive_weights = (10.0, 100.0)  # of the detector in the attacker's loss

    if preset == "quick":
        config.seeds = 3
        config.curve = (2,)
        config.adaptive_weights = (10.0,)
    return config
