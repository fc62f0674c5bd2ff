"""Does what was learnt of Set A hold for objects never met? Twenty agents, two other sets.

python -m experiments.transfer --config=configs/transfer.py          (20 seeds)
python -m experiments.transfer --config=configs/transfer.py:quick    2 seeds, for CI
python -m experiments.transfer --config.objects=MINE.yaml            your own objects beside Set B
"""

from configs import babble

PRESETS = ("laptop", "quick")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = babble.get_config("laptop")
    config.seeds = 20
    config.objects = "configs/objects_tools.yaml"  # a third set, met by no agent
    if preset == "quick":
        config.seeds = 2
        config.random_interactions = 256
        config.competence_interactions = 512
        config.evaluation_interactions = 160
    return config
