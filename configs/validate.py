"""The gate: every validation of Phase 0, under one verdict.

python -m experiments.validate                                      20 seeds each
python -m experiments.validate --config=configs/validate.py:quick   3 seeds each, for CI
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.preset = preset  # of each validation's own config
    config.validations = (
        "noisy_tv",
        "forgetting",
        "balloon",
        "slot_discovery",
        "support",
        "adversarial",
    )
    config.at_once = 2  # processes
    return config
