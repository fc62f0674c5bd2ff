"""Four senses meet in one state: does it tell more of a thing than the best of them?

    python -m experiments.fusion --config=configs/fusion.py                        (20 seeds)
    python -m experiments.fusion --config=configs/fusion.py:quick                  3 seeds, for CI
    ... --config.vision=runs/vision/encoder.npz --config.audio=runs/audio/ear.npz  with these

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
    config.vision = ""  # weights of experiments.vision and .audio; empty: learnt here first
    config.audio = ""

    config.interactions_a = 600  # filmed once; each seed learns from `share` of them
    config.interactions_b = 480
    config.share = 0.75
    config.window = 25  # control steps that the senses but the eye look back

    config.width = 256
    config.steps = 300
    config.batch = 64
    config.learning_rate = 1e-3
    config.dropout = 0.3  # how often each sense is missing while the fusion learns

    if preset == "quick":
        config.seeds = 3
        config.interactions_a = 240
        config.interactions_b = 240
        config.steps = 100
    if preset == "paper":
        config.interactions_a = 4_000
        config.interactions_b = 1_000
        config.steps = 20_000
        config.batch = 256
    return config
