"""Meta-World ML10 from a handful of demonstrations.

    python -m experiments.metaworld --config=configs/metaworld.py          (laptop, 20 seeds)
    python -m experiments.metaworld --config=configs/metaworld.py:quick    2 seeds, for CI
    python -m experiments.metaworld --config=configs/metaworld.py:paper    all 45 goals judge

Seed s has the goals of metaworld.ML10(seed=s): the first are demonstrated, others judge. The arms'
fields were chosen on tasks that are not in ML10.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20
    config.processes = 2  # that step environments

    config.goals_training = 1000  # the training tasks' goals: ML10(seed=...), for all seeds
    config.shown_training = 30  # demonstrations of each training task
    config.noise = 0.3  # on the expert's actions while it demonstrates; what it meant is cloned
    config.shots = (1, 2, 5, 10)
    config.main = 5  # shots at which every arm is judged
    config.judged = 8  # goals a task, drawn by each seed among those not demonstrated

    config.agent = config_dict.ConfigDict()
    config.agent.width = 128
    config.agent.members = 2
    config.agent.steps = 1500
    config.agent.batch = 64
    config.agent.rate = 1e-3
    config.agent.decay = 1e-4
    config.agent.foresight = 0.1
    config.pretraining = config_dict.ConfigDict()
    config.pretraining.steps = 3000
    config.pretraining.batch = 128
    config.pretraining.foresight = 1.0
    config.persistence = config_dict.ConfigDict()
    config.persistence.patience = 1.3
    config.persistence.turn = 40
    config.persistence.blur = 0.3
    config.cloning = config_dict.ConfigDict()
    config.cloning.eye = "readings"
    config.cloning.width = 256
    config.cloning.members = 1
    config.cloning.steps = 2000
    config.cloning.batch = 64
    config.cloning.rate = 1e-3
    config.cloning.decay = 0.01
    config.cloning.foresight = 0.0
    config.cloning.saturating = False

    if preset == "quick":
        config.seeds = 2
        config.shown_training = 3
        config.shots = (1, 5)
        config.judged = 2
        config.agent.steps = 300
        config.cloning.steps = 300
        config.pretraining.steps = 300
    if preset == "paper":
        config.shown_training = 50
        config.judged = 45
    return config
