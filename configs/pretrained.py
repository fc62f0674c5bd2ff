"""The shipped world model on fresh interactions; a minute, no training.

python -m experiments.pretrained --config=configs/pretrained.py
python -m experiments.pretrained --config=configs/pretrained.py --config.objects_b=MINE.yaml
"""

from ml_collections import config_dict


def get_config():
    config = config_dict.ConfigDict()
    config.seed = 7  # of the held-out interactions; the weights never saw them
    config.weights = "pretrained/babbling.npz"
    config.objects_a = "configs/objects_set_a.yaml"
    config.objects_b = "configs/objects_set_b.yaml"  # or a file of your own
    config.evaluation_interactions = 480
    return config
