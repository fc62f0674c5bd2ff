"""What each mechanism of the babbling agent is worth: it is switched off, and 20 seeds live on.

    python -m experiments.ablate --config=configs/ablate.py          (laptop, 20 seeds)
    python -m experiments.ablate --config=configs/ablate.py:quick    3 seeds, for CI
    python -m experiments.ablate --config=configs/ablate.py:paper --config.launcher=slurm

The full agent, its priors and EWC were tried on seeds from 1000 on, with a longer stream; the rest
is as babbling has it, not tuned.
"""

from ml_collections import config_dict

PRESETS = ("laptop", "quick", "paper")


def get_config(preset: str = "laptop"):
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
    config = config_dict.ConfigDict()
    config.seed = 0  # the first of `seeds` numbers in a row
    config.seeds = 20
    config.block = 20  # seeds of one job, in one compiled program
    config.conditions = (
        "with_priors",
        "without_priors",
        "without_ewc",
        "without_curiosity",
        "without_slots",
        "without_memory",
        "without_forced_interaction",
        "sham",
    )
    config.tasks = ("drop", "strike", "push", "reach-v3", "push-v3", "pick-place-v3")
    config.objects_a = "configs/objects_set_a.yaml"
    config.objects_b = "configs/objects_set_b.yaml"

    config.stages = 4  # parts of Set A, met one after another in an order of each seed's own
    config.random_interactions = 128  # per seed, of the first stage
    config.interactions = 1024  # per seed, random and chosen
    config.recorded = 24  # of each object, skill and bin, to draw from; 0: all are carried out live
    config.held_out = 4  # of each, to judge by
    config.worlds = 16  # interactions at once per seed
    config.chunk = 4  # iterations between two points of the learning curve
    config.recent = 64  # interactions that are left without memory
    config.stiffness = 10.0  # of EWC

    config.sensor_noise = config_dict.ConfigDict()  # standard deviations
    config.sensor_noise.rgb = 0.02  # of a pixel, in [0, 1]
    config.sensor_noise.depth_m = 0.002
    config.sensor_noise.sound = 0.05  # of a band's log(1 + energy)
    config.sensor_noise.touch_N = 0.05
    config.sensor_noise.proprio = 0.001

    config.curiosity = config_dict.ConfigDict()
    config.curiosity.bins = 2
    config.curiosity.window = 64
    config.curiosity.warmup = 16
    config.curiosity.bound = 3.0
    config.curiosity.greed = 2.0
    config.curiosity.floor = 0.05
    config.curiosity.slow_every = 16

    config.learner = config_dict.ConfigDict()
    config.learner.members = 1
    config.learner.width = 64
    config.learner.blocks = 2
    config.learner.latent = 32
    config.learner.batch = 64
    config.learner.updates = 32  # an iteration
    config.learner.learning_rate = 3e-3
    config.learner.memory_dropout = 0.3

    of = config.metaworld = config_dict.ConfigDict()  # reach, push, pick-place: the rest is its own
    of.processes = 2  # that step environments
    of.noise = 0.3  # on the expert's actions while it demonstrates; what it meant is cloned
    of.longest = 150  # steps of a demonstration
    of.regions = 4  # of a task: its goals by how far they are
    of.shown = 6  # demonstrations recorded of each, to ask for
    of.chunks = 2  # points of the learning curve in each task's stage
    of.watched = 500  # steps watched between two of them
    of.updates = 400  # and gradient steps
    of.judged = 3  # goals a task that judge at each, others in turn
    of.forced = 0.5  # share of demonstrations that begin with the hand at the thing
    of.stiffness = 1.0  # of EWC
    of.agent = config_dict.ConfigDict()
    of.agent.width = 128
    of.agent.batch = 64
    of.agent.rate = 1e-3
    of.agent.decay = 1e-4
    of.agent.foresight = 0.1
    of.curiosity = config_dict.ConfigDict()
    of.curiosity.window = 32
    of.curiosity.warmup = 8
    of.curiosity.bound = 3.0
    of.curiosity.floor = 0.05

    config.launcher = "local"  # or debug: in this process; slurm
    config.at_once = 1  # jobs at work together; SLURM queues what is beyond its own limits
    config.minutes = 240  # that a job may take
    config.requeue = True  # on SLURM: a job that is preempted is queued again
    config.partition = ""  # SLURM's; empty: its default

    if preset == "quick":
        config.seeds = 3
        config.block = 3
        config.conditions = ("with_priors", "without_priors", "sham")
        config.interactions = 512
        config.recorded = 4
        config.held_out = 1
        of.shown = 2
        of.chunks = 1
        of.judged = 2
    if preset == "paper":
        config.block = 5
        config.random_interactions = 10_000
        config.interactions = 100_000
        config.recorded = 0
        config.held_out = 8
        config.worlds = 100
        config.chunk = 25
        config.recent = 1000
        config.curiosity.slow_every = 100
        config.learner.updates = 20
        config.learner.members = 3
        config.learner.width = 192
        config.learner.blocks = 3
        config.learner.latent = 64
        config.learner.batch = 256
        config.learner.learning_rate = 1e-3
        config.at_once = 64
        of.shown = 8
        of.chunks = 5
        of.judged = 3
    return config
