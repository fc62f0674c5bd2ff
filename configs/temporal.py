"""What comes next, and pushes chosen by imagining it.

    python -m experiments.temporal --config=configs/temporal.py          (laptop, 20 seeds)
    python -m experiments.temporal --config=configs/temporal.py:quick    3 seeds, for CI
    python -m experiments.temporal --config=configs/temporal.py:paper    every seed longer and wider

Settings of both arms were chosen on seeds from 1000 on, which no result uses.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20
    config.objects_a = "configs/objects_set_a.yaml"  # learnt from
    config.objects_b = "configs/objects_set_b.yaml"  # judged on

    config.state = "innate"  # or "fused": the fused state stands beside the innate senses
    config.fusion = ""  # the fusion.npz that "fused" needs; its first seed serves all

    config.pool = 600  # filmed interactions with Set A, of which each seed draws its own
    config.interactions = 300  # that a seed may learn from: the plan allows 1,000
    config.held = 4  # objects of Set A that a seed only learns its own trust from
    config.judged = 320  # interactions with Set B
    config.moments = 40  # control steps of an interaction

    config.latent = 48
    config.width = 64
    config.steps = 600
    config.batch = 64
    config.prior_price = 1.0  # scales what a correction of the innate physics costs

    config.tasks = 6  # targets for every object of Set B
    config.candidates = 64
    config.rounds = 3
    config.tries = 64  # real random pushes an object

    if preset == "quick":
        config.seeds = 3
        config.pool, config.interactions, config.judged = 320, 300, 160
        config.steps = 200
        config.tasks, config.candidates, config.tries = 2, 32, 32
    if preset == "paper":
        config.pool, config.interactions, config.judged = 4000, 1000, 2000
        config.latent, config.width, config.steps = 64, 128, 3000
        config.tasks, config.candidates, config.tries = 20, 256, 256
    return config
