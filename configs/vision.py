"""An eye that learns to see from babbling films, with innate filters and without.

    python -m experiments.vision --config=configs/vision.py        20 seeds, minutes on 2 cores
    python -m experiments.vision --config=configs/vision.py:quick  3 seeds, for CI
    python -m experiments.vision --config=configs/vision.py:paper --config.data_dir=DIR
                                                 the plan's numbers, on Something-Something v2

Chosen on seeds from 1000 on, which no result uses; both eyes by the same trials.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20

    config.data = "babbling"  # or something_something, kinetics: their clips, without depth
    config.data_dir = ""  # where those lie
    config.objects_a = "configs/objects_set_a.yaml"  # seen while learning
    config.objects_b = "configs/objects_set_b.yaml"  # only judged
    config.films = 400  # interactions filmed with each set; every seed draws its own among them
    config.learnt = 200  # of Set A's
    config.labelled = (25, 100, 500)  # frames of Set B with labels, of 100 films

    config.priors = config_dict.ConfigDict()
    config.priors.gabor = True  # 8 orientations x 4 scales
    config.priors.colour = True  # opponency
    config.priors.depth = True  # height in the field, texture, blur, relative size
    config.side = 32  # pixels
    config.patch = 4
    config.width = 12

    config.steps = 300
    config.batch = 64
    # Each eye's own: learning rate, looks by which two views are apart at most, weight of VICReg.
    config.eye_with = config_dict.create(rate=1e-3, span=4, vicreg=0.1)
    config.eye_without = config_dict.create(rate=1e-3, span=1, vicreg=0.5)
    config.nt_xent = 1.0
    config.temporal = 1.0
    config.every = 2  # control steps from one look to the next
    config.lights = 2  # in which a frame is seen
    config.chunk = 150  # steps on the same frames
    config.save_every = 1  # chunks
    config.clips = 512  # a chunk's, of real video
    config.frames = 4  # of a clip
    config.broken = 0.05  # share of real video's files that may be unreadable
    config.missing = 0.2  # share of its listed files that may be missing

    if preset == "quick":
        config.seeds = 3
        config.films = 160
        config.learnt = 60
        config.steps = 60
        config.chunk = 60
        config.labelled = (25, 100)
    if preset == "paper":
        config.seeds = 5
        config.data = "something_something"
        config.films = 2000
        config.learnt = 1000
        config.side = 64
        config.patch = 8
        config.width = 64
        config.batch = 256
        config.eye_with.rate = 3e-4
        config.eye_without.rate = 3e-4
        config.steps = 86_260  # 100 epochs of 220,847 clips in batches of 256
        config.chunk = 20
        config.clips = 5120  # a pair of views of each
        config.save_every = 50
    return config
