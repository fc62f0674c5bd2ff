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
    config.validations = (  # the longest first, so that none is left alone at the end
        "noisy_tv",
        "adversarial",
        "slot_discovery",
        "forgetting",
        "balloon",
        "support",
    )
    config.at_once = 2  # processes
    config.xla_flags = ""  # of these processes, besides those of the environment

    if preset == "quick":
        # LLVM tries less hard: compiling, most of so short a run, takes less than half the time
        config.xla_flags = "--xla_backend_optimization_level=1"
    return config
