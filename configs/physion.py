"""Will the red thing touch the yellow one? A world model that foresees films, read out.

    python -m experiments.physion                             # laptop: more than an hour of a core
    python -m experiments.physion --config=configs/physion.py:evidence --workdir=runs/physion
    python -m experiments.physion --config=configs/physion.py:paper --config.data=FOLDER \\
        --workdir=runs/physion-paper                                # Physion itself, in FOLDER

Without `data`, scenes in Physion's manner are made in the workdir; they are called physion_like.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "evidence", "paper")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20
    config.data = ""  # a folder that holds Physion; empty: physion_like

    # trials of each scenario; with `data` at most so many, 0 being all there are
    config.dynamics = 250
    config.readout = 150
    config.test = 100

    config.steps = 3000
    config.batch = 16
    config.width = 48  # of the belief of each thing
    config.learning_rate = 6e-3
    config.weight_decay = 0.1
    config.oracle = 40  # test trials of each scenario that the noisy simulator is asked about
    config.oracle_tries = 3

    if preset == "quick":
        config.seeds = 2
        config.dynamics, config.readout, config.test = 12, 20, 12
        config.steps = 50
        config.oracle, config.oracle_tries = 4, 1
    if preset == "evidence":  # an hour or so
        config.dynamics = 450
        config.steps, config.batch, config.width = 4000, 64, 64
        config.learning_rate = 5e-3
    if preset == "paper":
        config.dynamics, config.readout, config.test = 0, 0, 0
        config.steps, config.batch, config.width = 20_000, 128, 128
        config.learning_rate = 3e-3
    return config
