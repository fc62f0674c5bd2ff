"""A speaker beside the babbling agent: does it learn what words mean, for things never met?

    python -m experiments.words --config=configs/words.py          (laptop, 20 seeds)
    python -m experiments.words --config=configs/words.py:quick    3 seeds, smaller, for CI
    python -m experiments.words --config=configs/words.py:paper    more of everything

What is said, and of what, is in configs/speaker.yaml. Chosen on seeds from 1000 on, which no result
uses.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20
    config.objects_a = "configs/objects_set_a.yaml"
    config.objects_b = "configs/objects_set_b.yaml"
    config.speaker = "configs/speaker.yaml"

    config.household = 200  # random things beside Set A; all seeds share what came of them
    config.met = 140  # of these, drawn anew by each seed; the others are held out
    config.interactions = 12  # with each thing, as often by each of the four skills
    config.block = 64  # worlds at a time

    config.width = 48
    config.hidden = 8  # units of each (skill, outcome)'s read-out
    config.bank_steps = 1500
    config.likeness_price = 1.0  # of slots that say the same (diversity loss)

    config.share = 0.9  # of the interactions in which the speaker has something to say
    config.wrong = 0.1  # of what it says
    config.shares = (0.1, 0.3)  # further ones, reported
    config.wrongs = (0.3, 0.5)
    config.align_steps = 600
    config.batch = 64
    config.embedding = 32
    config.learning_rate = 3e-3
    config.weight_decay = 3.0
    config.blur = 0.3  # noise on states while words are learnt, as a share of each

    config.examples = 5  # of a slot, for its description
    config.describer = "statistical"  # or endpoint: an OpenAI-compatible address
    config.endpoint = "http://127.0.0.1:8000/v1"
    config.model = "default"

    if preset == "quick":
        config.seeds = 3
        config.household = 60
        config.met = 40
        config.bank_steps = 1000
        config.shares = (0.3,)
        config.wrongs = (0.5,)
    if preset == "paper":
        config.household = 800
        config.met = 600
        config.interactions = 24
        config.bank_steps = 6000
        config.align_steps = 3000
    return config
