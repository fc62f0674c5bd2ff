"""One network, task after task: what is forgotten, and what keeps it.

    python -m experiments.forgetting --config=configs/forgetting.py          (laptop, 20 seeds)
    python -m experiments.forgetting --config=configs/forgetting.py:quick    3 seeds, for CI
    python -m experiments.forgetting --config=configs/forgetting.py:tune     choose `strength`

`tune` tries `grid` times each method's `unit` on five seeds that no result uses (from 1000 on). Of
the strengths within half a point of the best average accuracy it prints the one that keeps the
first task best; those are the numbers below. Ten tasks use the strengths of five.
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

    config.width = 200  # hidden units, one layer
    config.steps = 600  # a task
    config.batch = 64
    config.learning_rate = 0.1
    config.degrees = (0.0, 30.0, 60.0, 90.0, 120.0)  # of the rotated tasks; ten share their arc

    config.methods = config_dict.ConfigDict()  # joint: on all tasks at once, in as many steps
    config.methods.permuted = (
        "plain",
        "ewc",
        "ewc_stiff",
        "ewc_online",
        "kfac",
        "si",
        "l2",
        "agem",
        "replay",
        "joint",
    )
    config.methods.rotated = ("plain", "ewc", "kfac", "joint")
    config.methods.halves = ("plain", "ewc", "kfac", "joint")
    config.methods.classes = ("plain", "ewc", "kfac", "replay", "ewc_replay", "joint")
    config.methods.permuted_ten = ("plain", "ewc", "kfac", "replay", "joint")
    config.methods.rotated_ten = ("plain", "ewc", "kfac", "replay", "joint")

    config.remembered = config_dict.ConfigDict()  # examples of a task, by replay and A-GEM
    config.remembered.permuted = 100
    config.remembered.rotated = 100
    config.remembered.halves = 100
    config.remembered.classes = 20
    config.remembered.permuted_ten = 100
    config.remembered.rotated_ten = 100

    config.strength = config_dict.ConfigDict()  # of the penalty
    config.strength.permuted = config_dict.ConfigDict(
        {"ewc": 20.0, "ewc_online": 20.0, "kfac": 40.0, "si": 0.03, "l2": 0.02}
    )
    config.strength.rotated = config_dict.ConfigDict({"ewc": 20.0, "kfac": 40.0})
    config.strength.halves = config_dict.ConfigDict({"ewc": 80.0, "kfac": 1000.0})
    config.strength.classes = config_dict.ConfigDict(
        {"ewc": 300.0, "kfac": 1000.0, "ewc_replay": 20.0}
    )
    config.strength.permuted_ten = config_dict.ConfigDict({"ewc": 10.0, "kfac": 20.0})
    config.strength.rotated_ten = config_dict.ConfigDict({"ewc": 10.0, "kfac": 20.0})
    config.stiff = 100.0  # ewc_stiff: so many times the strength of ewc

    config.grid = (0.3, 1.0, 2.0, 4.0, 8.0, 30.0, 100.0)
    config.unit = config_dict.ConfigDict(
        {"ewc": 10.0, "ewc_online": 10.0, "kfac": 10.0, "si": 0.1, "l2": 0.01, "ewc_replay": 10.0}
    )

    if preset == "quick":
        config.seeds = 3
        config.methods.permuted = ("plain", "ewc", "ewc_stiff", "kfac", "joint")
        config.methods.rotated = ("plain", "kfac")
        config.methods.halves = ()
        config.methods.classes = ("ewc", "kfac", "ewc_replay")
        config.methods.permuted_ten = ()
        config.methods.rotated_ten = ()
    if preset == "tune":
        config.tune = True
        config.seed = 1000
        config.seeds = 5
    return config
