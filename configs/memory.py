"""Babbling in the kitchen, then with toys, then with tools: is the kitchen forgotten?

    python -m experiments.memory --config=configs/memory.py          (laptop, 20 seeds)
    python -m experiments.memory --config=configs/memory.py:quick    3 seeds, for CI
    python -m experiments.memory --config=configs/memory.py:paper    10,000 interactions a set

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
    config.objects = (  # met one after another
        "configs/objects_kitchen.yaml",
        "configs/objects_toys.yaml",
        "configs/objects_tools.yaml",
    )
    config.pool = 12  # interactions of every object, skill and bin, from which each seed draws
    config.held_out = 4  # as many more of each, to judge by
    config.interactions = 640  # of a seed with a set; 40 of them are 1,000 control steps

    config.sensor_noise = config_dict.ConfigDict()  # standard deviations
    config.sensor_noise.rgb = 0.02  # of a pixel, in [0, 1]
    config.sensor_noise.depth_m = 0.002
    config.sensor_noise.sound = 0.05  # of a band's log(1 + energy)
    config.sensor_noise.touch_N = 0.05
    config.sensor_noise.proprio = 0.001

    config.learner = config_dict.ConfigDict()
    config.learner.members = 1
    config.learner.width = 64
    config.learner.blocks = 2
    config.learner.latent = 32
    config.learner.batch = 64
    config.learner.updates = 24  # per 1,000 control steps
    config.learner.learning_rate = 3e-3
    config.learner.memory_dropout = 0.3

    config.memory = config_dict.ConfigDict()
    config.memory.episodes = 256
    config.memory.prototypes = 48
    config.memory.radius = 0.3  # within which an episode joins a prototype, standard deviations
    config.memory.merge = 0.15  # within which two prototypes become one
    config.memory.least = 3  # episodes of a prototype that is never forgotten
    config.memory.patience = 20_000  # control steps after which a slighter one is
    config.memory.replayed = 0.35  # share of a batch
    config.memory.stiffness = 10.0  # of EWC
    config.memory.surprise = 1.0  # power of the surprise that weighs what is kept
    config.memory.recency = 0.005  # share of a retrieval's score that fades
    config.memory.half_life = 16_000  # control steps

    if preset == "quick":
        config.seeds = 3
        config.pool = 4
        config.held_out = 2
        config.interactions = 240
    if preset == "paper":
        config.seeds = 5
        config.pool = 140
        config.held_out = 14
        config.interactions = 10_000
        config.learner.width = 128
        config.memory.episodes = 4096
    return config
