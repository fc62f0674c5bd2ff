"""An ear that learns from impacts by itself: does it tell what the eye does not?

    python -m experiments.audio --config=configs/audio.py                          (20 seeds)
    python -m experiments.audio --config=configs/audio.py:quick                    3 seeds, for CI
    python -m experiments.audio --config.vision=runs/vision/encoder.npz          against that eye

Chosen on seeds from 1000 on, which no result uses.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20
    config.objects_a = "configs/objects_set_a.yaml"
    config.objects_b = "configs/objects_set_b.yaml"
    config.materials = "configs/materials.yaml"  # for the scorer alone
    config.vision = ""  # weights of experiments.vision; empty: the innate eye alone is the rival

    config.interactions_a = 800  # filmed once; each seed learns from `share` of them
    config.interactions_b = 480
    config.share = 0.75

    config.width = 64
    config.steps = 400
    config.batch = 64
    config.learning_rate = 2e-3

    if preset == "quick":
        config.seeds = 3
        config.interactions_a = 320
        config.interactions_b = 240
        config.steps = 100
    if preset == "paper":
        config.interactions_a = 20_000
        config.interactions_b = 1_000
        config.steps = 20_000
        config.batch = 256
    return config
