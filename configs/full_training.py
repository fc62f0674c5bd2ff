"""The whole plan, from the gate to the evaluation; one command, every phase resumable.

python -m experiments.full_training                                           under an hour
python -m experiments.full_training --config=configs/full_training.py:quick   small, for CI
python -m experiments.full_training --config=configs/full_training.py:paper   the plan's numbers

`--config.gate=report` goes on past a gate that failed, and marks every later result.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")
PHASES = (
    "validate",
    "babble",
    "vision",
    "audio",
    "fusion",
    "temporal",
    "memory",
    "words",
    "evaluation_b",
    "evaluation_c",
)
PRESET_OF = {  # where a phase's own preset is called otherwise; "" where it has none
    "validate": {"paper": "laptop"},
    "babble": {"quick": "laptop"},
    "evaluation_b": dict.fromkeys(PRESETS, ""),
    "evaluation_c": dict.fromkeys(PRESETS, ""),
}
FIELDS = {
    "babble": {
        "quick": (
            "seeds=2",
            "random_interactions=256",
            "competence_interactions=512",
            "evaluation_interactions=160",
        )
    },
    # The agent's own films, of its camera's size. Real clips: fields=data_dir=DIR,side=32,patch=4
    "vision": {"paper": ("data=babbling", "side=32", "patch=4")},
    "audio": {"paper": ("seeds=5",)},  # as many as there are eyes
    "fusion": {"paper": ("seeds=5",)},
    "evaluation_b": dict.fromkeys(PRESETS, ("objects_b=configs/objects_set_b.yaml",)),
    "evaluation_c": dict.fromkeys(PRESETS, ("objects_b=configs/objects_tools.yaml",)),
}
SECONDS = {  # on two cores, by preset; the table shows them until measured; 0: unknown
    "validate": (1200, 170, 1200),
    "babble": (360, 150, 2800),
    "vision": (300, 90, 0),
    "audio": (240, 60, 0),
    "fusion": (300, 90, 0),
    "temporal": (300, 120, 0),
    "memory": (300, 90, 0),
    "words": (300, 90, 0),
    "evaluation_b": (90, 60, 120),
    "evaluation_c": (90, 60, 120),
}


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.gate = "strict"  # report: go on past a gate that failed, and mark every later result
    config.start_phase = 0  # phases below must have their results already
    for name in PHASES:  # fields: NAME=VALUE, set in the phase's config
        kind = PRESET_OF.get(name, {}).get(preset, preset)
        given = FIELDS.get(name, {}).get(preset, ())
        config[name] = config_dict.ConfigDict({"preset": kind, "fields": given})
    config.plan = "configs/full_training.py:paper"  # whose cost is projected from what is measured
    config.dollars_per_hour = 200 / 60  # of a device: the plan's budget, $200 for 60 h of an A100
    number = PRESETS.index(preset)
    config.projected_s = config_dict.ConfigDict({name: SECONDS[name][number] for name in PHASES})
    return config
