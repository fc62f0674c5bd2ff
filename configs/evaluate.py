"""The plan's Phase 7: benchmarks, each against honest baselines, under one verdict.

python -m experiments.evaluate                                                all of them
python -m experiments.evaluate --config.benchmarks=metaworld,physion          some
python -m experiments.evaluate --config.objects=MINE.yaml                     with your own objects
python -m experiments.evaluate --config=configs/evaluate.py:quick             small, for CI
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")
BENCHMARKS = ("transfer", "physion", "metaworld", "procgen")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.benchmarks = BENCHMARKS
    config.objects = "configs/objects_tools.yaml"  # a set that no agent has met, for transfer
    config.at_once = 1  # processes
    for name in BENCHMARKS:  # fields: NAME=VALUE, set in the benchmark's own config
        own = "laptop" if (name, preset) == ("transfer", "paper") else preset
        config[name] = config_dict.ConfigDict({"preset": own, "fields": ()})
    return config
