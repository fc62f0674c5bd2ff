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
        "slot_discovery",
        "adversarial",
        "forgetting",
        "balloon",
        "support",
    )
    config.at_once = 2  # processes
    config.xla_flags = config_dict.ConfigDict()  # of their processes, besides the environment's
    for name in config.validations:
        config.xla_flags[name] = ""

    if preset == "quick":
        # Compiling is most of so short a run. LLVM tries less hard; and XLA's older emitters take
        # half the time, for programs that are slower where much is learnt.
        # noisy_tv is not the longest here: in this order two cores end together.
        first = ("slot_discovery", "adversarial", "forgetting")
        config.validations = (*first, *(x for x in config.validations if x not in first))
        less, older = "--xla_backend_optimization_level=1", "--xla_cpu_use_fusion_emitters=false"
        for name in config.validations:
            config.xla_flags[name] = less if name == "forgetting" else f"{less} {older}"
    return config
