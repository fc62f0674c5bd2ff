"""Procgen: PPO with the IMPALA network, and with priors, curiosity and a world model.

make procgen                                                     what it needs, on Linux
python -m experiments.procgen --config=configs/procgen.py        (laptop)
python -m experiments.procgen --config=configs/procgen.py:quick  seconds, for CI
python -m experiments.procgen --config=configs/procgen.py:paper  the published protocol, on a GPU

The laptop's game, sizes and learning rate were chosen by PPO alone, on seed 1000, which no result
uses. The quick preset is too short to learn anything: its claim fails.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 5
    config.games = ("dodgeball",)
    config.mode = "easy"
    config.levels = 20  # learnt from, from level 0 on; judged on these and on all there are
    config.arms = ("ppo", "shuffled", "all")  # further: priors, curiosity, world_model
    config.steps = 40_960  # of all worlds together, for each seed, arm and game
    config.episodes = 3  # a world, of those that judge
    config.threads = 2  # of the games

    config.worlds = 32
    config.rollout = 32  # steps of each world between two updates
    config.leg = 20  # updates between two checkpoints
    config.epochs = 3
    config.minibatches = 4
    config.learning_rate = 1e-3
    config.discount = 0.99
    config.entropy = 0.01
    config.coarse = 2  # pixels a side that are seen as their mean: a small eye on a small machine
    config.patch = 2  # of these, a side, that enter the network together
    config.widths = (8, 16)
    config.latent = 64

    config.curiosity = 0.01  # weights of what the other arms add
    config.world_model = 0.1

    if preset == "quick":
        config.seeds = 2
        config.steps = 1024
        config.worlds = 16
        config.rollout = 32
        config.leg = 1
        config.minibatches = 2
        config.episodes = 1
        config.widths = (8,)
        config.latent = 16
    if preset == "paper":  # Cobbe et al. (2020): 200 easy levels, 25 M steps
        config.seeds = 3
        config.games = (
            "bigfish", "bossfight", "caveflyer", "chaser", "climber", "coinrun", "dodgeball",
            "fruitbot", "heist", "jumper", "leaper", "maze", "miner", "ninja", "plunder",
            "starpilot",
        )  # fmt: skip
        config.levels = 200
        config.steps = 25_000_000
        config.threads = 16
        config.worlds = 64
        config.rollout = 256
        config.leg = 50
        config.minibatches = 8
        config.learning_rate = 5e-4
        config.discount = 0.999
        config.coarse = 1
        config.patch = 1
        config.widths = (16, 32, 32)
        config.latent = 256
    return config
