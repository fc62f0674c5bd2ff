"""Commands that cannot be carried out: flags, values that contradict each other, configs."""

import pytest

from experiments import _config, _ranges, view
from tests.bad_input.refusal import EXPERIMENTS, experiment_of, refused

ARGUMENTS = [
    # a command line that says nothing, or two things
    ("babble --seeds=3", "'--seeds=3' is not an argument"),
    ("babble seeds=3", "'seeds=3' is not an argument"),
    ("babble -x", "there are --config=FILE.py[:PRESET], --config.FIELD=VALUE, --workdir=DIR"),
    ("babble --config", "--config needs a value: write --config=VALUE."),
    ("babble --workdir=", "--workdir needs a value"),
    ("babble --config.seeds=2 --config.seeds=3", "--config.seeds is given twice"),
    ("babble --config=a.py --config=b.py", "--config is given twice"),
    # fields and their types
    ("babble --config.chnk=3", "no such field (did you mean chunk?); --help lists them."),
    ("babble --config.learner.widht=3", "(did you mean learner.width?)"),
    ("babble --config.learner.width.x=3", "has no such field"),
    ("babble --config.=3", "has no such field"),
    ("babble --config.learner=3", "is a group: give one of batch"),
    ("babble --config.seeds=two", "it takes a whole number of at most 9 digits, such as 3."),
    ("babble --config.seeds=1e3", "it takes a whole number"),
    ("babble --config.seeds=12345678901", "it takes a whole number of at most 9 digits"),
    ("babble --config.learner.learning_rate=fast", "it takes a finite number, such as 0.001."),
    ("babble --config.learner.learning_rate=nan", "it takes a finite number"),
    ("babble --config.skill_threshold=inf", "it takes a finite number"),
    ("babble --config.distractor=maybe", "it takes true or false"),
    ("support --config.sizes=50,many", "whole number of at most 9 digits, separated by commas"),
    # configs and presets
    ("babble --config=configs/babbel.py", "which is no file; configs: configs/ablate.py"),
    ("babble --config=configs/babble.py:papr", "no preset 'papr' (did you mean paper?)"),
    ("pretrained --config=configs/pretrained.py:paper", "has no preset 'paper'"),
    ("babble --config=configs/speaker.yaml", "which is no Python file"),
    ("babble --config=configs", "which is no file"),
    ("babble --config=experiments/_config.py", "it does not define get_config"),
    ("audio --config=configs/vision.py", "is no config like configs/audio.py: it lacks"),
    # numbers out of range
    ("babble --config.seeds=0", "--config.seeds=0: it must be 1 or more."),
    ("babble --config.seeds=-3", "--config.seeds=-3: it must be 1 or more."),
    ("babble --config.seed=-1", "--config.seed=-1: it must be 0 or more."),
    ("babble --config.worlds=0", "--config.worlds=0: it must be 1 or more."),
    ("babble --config.chunk=0", "--config.chunk=0: it must be 1 or more."),
    ("babble --config.curiosity.bins=0", "--config.curiosity.bins=0: it must be 1 or more."),
    ("babble --config.curiosity.floor=1.5", "curiosity.floor=1.5: it must be from 0 to 1."),
    ("babble --config.learner.learning_rate=0", "learning_rate=0.0: it must be more than 0."),
    ("babble --config.learner.memory_dropout=1", "it must be 0 or more and below 1."),
    ("babble --config.sensor_noise.rgb=-0.1", "sensor_noise.rgb=-0.1: it must be 0 or more."),
    ("ablate --config.minutes=0", "--config.minutes=0: it must be 1 or more."),
    ("adversarial --config.refusal_rate=0.5", "it must be above 0 and at most 0.05."),
    ("adversarial --config.curve=4,0", "--config.curve=4,0: it must be 1 or more."),
    ("audio --config.share=0.01", "--config.share=0.01: it must be from 0.1 to 1."),
    ("audio --config.batch=4", "--config.batch=4: it must be 8 or more."),
    ("balloon --config.grid=4", "--config.grid=4: it must be an odd number, 3 or more."),
    ("forgetting --config.learning_rate=-1", "learning_rate=-1.0: it must be more than 0."),
    ("forgetting --config.grid=", "--config.grid=: it must be one value or more"),
    ("full_training --config.start_phase=9", "start_phase=9: it must be from 0 to 7."),
    ("fusion --config.dropout=0", "--config.dropout=0.0: it must be above 0 and below 1."),
    ("memory --config.memory.recency=2", "memory.recency=2.0: it must be from 0 to 1."),
    ("metaworld --config.noise=1.5", "--config.noise=1.5: it must be from 0 to 1."),
    ("noisy_tv --config.life.discount=1.1", "life.discount=1.1: it must be from 0 to 1."),
    ("noisy_tv --config.life.stride=0", "--config.life.stride=0: it must be 1 or more."),
    ("physion --config.readout=15", "an even number, 2 or more, unless config.data is a folder."),
    ("pretrained --config.evaluation_interactions=0", "it must be 1 or more."),
    ("slot_discovery --config.objects=10", "50 or more, for a correlation to mean much."),
    ("temporal --config.moments=2", "--config.moments=2: it must be"),
    ("vision --config.patch=0", "--config.patch=0: it must be 1 or more."),
    ("vision --config.missing=1.5", "--config.missing=1.5: it must be from 0 to 1."),
    ("words --config.shares=0.1,1.2", "--config.shares=0.1,1.2: it must be from 0 to 1."),
    ("babble --config.backend=wrap", "it must be one of jax, warp (did you mean warp?)."),
    # values that contradict each other
    ("babble --config.chunk=7", "--config.chunk=7: it must be a divisor of the run's 96"),
    ("babble --config.random_interactions=100", "a multiple of config.worlds=32"),
    ("babble --config.curiosity.warmup=65", "it must be at most config.curiosity.window=64."),
    ("babble --config.arms=random", "it must be one that holds competence"),
    ("ablate --config.stages=3", "it must be a divisor of the 20 objects"),
    ("ablate --config.conditions=with_priors", "config.conditions must hold 'sham'"),
    ("balloon --config.throws=5,20", "it must be one that holds 20, 50 and more."),
    ("balloon --config.throws=20,50,60", "nothing is chosen for 60 throws"),
    ("balloon --config.chosen.none.n5=1.0", "it must be two numbers, a weight decay and a price."),
    ("forgetting --config.methods.rotated=si", "config.strength.rotated says nothing of si."),
    ("memory --config.pool=2", "config.pool=2 gives"),
    ("metaworld --config.main=3", "--config.main=3: it must be one of 1, 2, 5, 10."),
    ("noisy_tv --config.life.warmup=99", "it must be at most config.life.window=64."),
    ("support --config.patch=5", "--config.patch=5: it must be a divisor of 32."),
    ("temporal --config.interactions=900", "it must be at most config.pool=600."),
    ("temporal --config.held=20", "it must be below the 20 of config.objects_a."),
    ("vision --config.side=30", "it must be a multiple of config.patch=4."),
    ("words --config.met=200", "it must be less than config.household=200."),
    ("transfer --config.objects=configs/objects_set_b.yaml", "need names of their own"),
    ("memory --config.objects=configs/objects_toys.yaml", "two files or more"),
    # names that nobody knows
    ("babble --config.arms=competence,randon", "'randon' is not one of competence, random, error"),
    ("babble --config.arms=competence,competence", "each once."),
    ("babble --config.loggers=tensorbord", "logger 'tensorbord' is none of tensorboard, wandb."),
    ("ablate --config.launcher=moon", "it must be one of local, debug, slurm."),
    ("ablate --config.tasks=juggle", "'juggle' is not one of drop, strike, push"),
    ("evaluate --config.benchmarks=atari", "'atari' is not one of metaworld, physion"),
    ("evaluate --config.physion.preset=huge", "has no preset 'huge'"),
    ("evaluate --config.physion.fields=seeds", "'seeds' is not NAME=VALUE"),
    ("evaluate --config.physion.fields=seeds=0", "config.physion: --config.seeds=0: it must be"),
    ("evaluate --config.physion.preset=paper", "config.physion: --config.dynamics=0: it must be"),
    ("forgetting --config.methods.permuted=plain", "what its criteria compare: plain, ewc"),
    ("forgetting --config.methods.rotated=kfacc", "'kfacc' is not one of plain"),
    ("full_training --config.gate=lenient", "it must be one of strict, report."),
    ("full_training --config.audio.preset=huge", "config.audio: configs/audio.py has no preset"),
    ("full_training --config.words.fields=sneeds=1", "config.words: --config.sneeds: the config"),
    ("full_training --config.words.fields=seeds=0", "config.words: --config.seeds=0: it must be"),
    ("full_training --config.words.fields=seeds", "config.words: 'seeds' is not NAME=VALUE."),
    ("metaworld --config.cloning.eye=third", "it must be one of relations, readings."),
    ("noisy_tv --config.signals.rnd=radio", "--config.signals.rnd: 'radio' is not one of none"),
    ("noisy_tv --config.life.signal=rdn", "(did you mean rnd?)"),
    ("procgen --config.games=pong", "--config.games: 'pong' is not one of bigfish"),
    ("procgen --config.mode=extreme", "--config.mode=extreme: it must be one of easy, hard."),
    ("temporal --config.state=fusd", "it must be one of innate, fused (did you mean fused?)."),
    ("validate --config.validations=ballon", "(did you mean balloon?)"),
    ("vision --config.data=imagenet", "one of babbling, something_something, kinetics."),
    ("words --config.describer=oracle", "it must be one of statistical, endpoint."),
    # files and folders that are not there
    ("babble --config.objects_a=nowhere.yaml", "nowhere.yaml: cannot be read (No such file"),
    ("babble --config.objects_b=configs", "configs: cannot be read (no regular file)."),
    ("babble --config.objects_b=configs/objects_set_a.yaml", "name must be unique"),
    ("adversarial --config.objects_b=nowhere.yaml", "nowhere.yaml: cannot be read"),
    ("temporal --config.objects_a=nowhere.yaml", "nowhere.yaml: cannot be read"),
    ("pretrained --config.objects_b=nowhere.yaml", "nowhere.yaml: cannot be read"),
    ("evaluate --config.objects=nowhere.yaml", "nowhere.yaml: cannot be read"),
    ("audio --config.materials=nowhere.yaml", "nowhere.yaml: cannot be read"),
    ("audio --config.vision=nowhere.npz", "nowhere.npz is no file: the trained eye is made by"),
    ("fusion --config.audio=nowhere.npz", "nowhere.npz is no file: a trained ear is made by"),
    ("temporal --config.state=fused", "is no file: a trained fusion is made by"),
    ("pretrained --config.weights=nowhere.npz", "config.weights: there is no file nowhere.npz"),
    ("physion --config.data=nowhere", "config.data: Physion is missing: nowhere is no folder."),
    ("physion --config.data=configs", "trials are missing: expected **/dynamics_training*"),
    ("vision --config.data=kinetics", "it must be the folder of kinetics, and is no folder."),
    ("words --config.speaker=nowhere.yaml", "nowhere.yaml: cannot be read"),
    (
        "words --config.speaker=configs/objects_set_a.yaml",
        "is no lexicon: a speaker: needs exactly",
    ),
    # where the run is to lie
    ("babble --workdir=README.md", "--workdir=README.md cannot be written"),
    ("babble --workdir=/proc/nowhere", "--workdir=/proc/nowhere cannot be written"),
]


@pytest.mark.parametrize(("given", "words"), ARGUMENTS, ids=[given for given, _ in ARGUMENTS])
def test_a_bad_command_is_one_sentence(command, tmp_path, given, words):
    refused(command, words, *given.split())
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--object=unicorn", "--object=unicorn: there is no such object"),
        ("--skill=juggle", "it is one of drop, strike, push, lift."),
        ("--set=nowhere.yaml", "nowhere.yaml: cannot be read"),
    ],
)
def test_the_viewer_too(capsys, given, words):
    assert view.main([given]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_number_of_every_config_has_a_range(name):
    """And none but a threshold or an angle takes -1, though an experiment forgot to say so."""
    check = experiment_of(name).check
    for field, value in _config.fields(_config.load(f"configs/{name}.py")).items():
        first = value[0] if isinstance(value, tuple) and value else value
        if isinstance(first, bool) or not isinstance(first, int | float):
            continue
        needs = _ranges.needed(field)
        assert needs is not None, f"{field} is not in experiments/_ranges.py"
        if needs is not _ranges.ANY:
            config = _config.load(f"configs/{name}.py")
            _config.override(config, field, "-1")
            with pytest.raises(_config.BadInput, match=rf"--config\.{field}=-1"):
                check(config)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_preset_is_accepted(name):
    check = experiment_of(name).check
    presets = _config.read_file(f"configs/{name}.py").get("PRESETS", ())
    for preset in presets:
        if preset != "paper" or name not in ("physion", "vision", "evaluate"):  # others' data
            check(_config.load(f"configs/{name}.py:{preset}"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def get_config(:", "it cannot be run (SyntaxError"),
        ("import nothing_of_the_kind", "it cannot be run (ModuleNotFoundError"),
        ("get_config = 3", "it cannot be run (TypeError"),
        ("def get_config(): return {'seeds': 3}", "its get_config gives no ConfigDict."),
        ("def get_config(): return no_name", "it cannot be run (NameError"),
        ("x = 1", "it does not define get_config."),
        (
            "from configs.balloon import get_config as of\n"
            "def get_config():\n"
            "    config = of().unlock()\n"
            "    del config['throws']\n"
            "    return config",
            "is no config like configs/balloon.py: it lacks throws.",
        ),
        (
            "from configs.balloon import config_dict, get_config as of\n"
            "def get_config(): return config_dict.ConfigDict({**of().to_dict(), 'seeds': '3'})",
            "seeds='3' must be a whole number",
        ),
        ("\0", "it cannot be run"),
    ],
)
def test_a_config_file_of_ones_own(command, tmp_path, text, words):
    path = tmp_path / "mine.py"
    path.write_text(text)
    refused(command, words, "balloon", f"--config={path}")
