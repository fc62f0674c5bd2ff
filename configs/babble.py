"""Babbling: drop, strike, push and lift twenty objects, then predict ten never met.

python -m experiments.babble --config=configs/babble.py            (laptop)
python -m experiments.babble --config=configs/babble.py:evidence   every arm and control
python -m experiments.babble --config=configs/babble.py:paper      the plan's 100,000
"""

from ml_collections import config_dict

PRESETS = ("laptop", "evidence", "paper", "gpu")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0
    config.seeds = 3
    config.backend = "jax"  # that steps physics; warp: MuJoCo Warp, for NVIDIA GPUs
    config.objects_a = "configs/objects_set_a.yaml"
    config.objects_b = "configs/objects_set_b.yaml"
    config.distractor = True  # a 21st object that plays random noise
    config.distractor_object = "configs/distractor.yaml"
    config.arms = ("competence",)  # of: competence, random, error, no_action

    config.random_interactions = 512  # per seed, first phase
    config.competence_interactions = 2560  # per seed, second phase
    config.skill_threshold = 0.6  # that the skill on Set A must reach
    config.evaluation_interactions = 480  # Set B, never trained on; Set A's held-out: twice these
    config.worlds = 32  # interactions at once per seed
    config.chunk = 8  # iterations between logs and checkpoints
    config.image_size = 32

    config.sensor_noise = config_dict.ConfigDict()  # standard deviations
    config.sensor_noise.rgb = 0.0  # of a pixel, in [0, 1]
    config.sensor_noise.depth_m = 0.0
    config.sensor_noise.sound = 0.0  # of a band's log(1 + energy)
    config.sensor_noise.touch_N = 0.0
    config.sensor_noise.proprio = 0.0

    config.curiosity = config_dict.ConfigDict()
    config.curiosity.bins = 2
    config.curiosity.window = 64
    config.curiosity.warmup = 16
    config.curiosity.bound = 3.0
    config.curiosity.greed = 2.0
    config.curiosity.floor = 0.05
    config.curiosity.slow_every = 24

    config.learner = config_dict.ConfigDict()
    config.learner.members = 3
    config.learner.width = 192
    config.learner.blocks = 3
    config.learner.latent = 64
    config.learner.batch = 256
    config.learner.updates = 32  # an iteration
    config.learner.learning_rate = 1e-3
    config.learner.weight_decay = 1e-3
    config.learner.memory_dropout = 0.3
    config.learner.feature_noise = 0.05
    config.learner.prior_price = 1.0  # scales what a correction of the innate physics costs

    if preset == "evidence":
        config.seeds = 5
        config.chunk = 12
        config.evaluation_interactions = 960
        config.arms = ("competence", "random", "error", "no_action")
    if preset in ("paper", "gpu"):
        config.seeds = 1 if preset == "paper" else 64
        config.random_interactions = 10_000
        config.competence_interactions = 90_000
        config.evaluation_interactions = 1_000
        config.skill_threshold = 0.8
        config.worlds = 80
        config.chunk = 25
        config.learner.updates = 16
        config.curiosity.slow_every = 100
        config.curiosity.window = 640  # as many copies' periods as in `laptop`
    return config
