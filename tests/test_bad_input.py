"""Bad input by the command line: one sentence that says what, where and what is allowed; status 2.

Each case is a command as a user would give it, or a file. Nothing may be worked on before.
"""

import fcntl
import importlib
import io
import json
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import _config, _launch, _parts, _ranges, _run, view
from nsca_jax import checkpoint, documents, loading, objects
from nsca_jax.data import physion
from nsca_jax.worlds import speaker
from tests.test_data_fuzz import ANY, JSON, tried

ROOT = Path(__file__).parents[1]
EXPERIMENTS = sorted(path.stem for path in (ROOT / "configs").glob("*.py"))
SHIPPED = "pretrained/babbling.npz"


def experiment_of(name: str):
    """The experiment's module; skips where the benchmark that it needs is not installed."""
    needs = {"metaworld": ("metaworld",), "procgen": ("envpool",)}
    for package in needs.get(name, ("metaworld", "envpool") if name == "evaluate" else ()):
        pytest.importorskip(package)
    return importlib.import_module(f"experiments.{name}")


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs `NAME [FLAGS]` in this process up to its work: (exit status, what it printed)."""

    def work(config, run):
        raise AssertionError("it went to work")

    monkeypatch.setattr(_launch, "set_up_jax", lambda: None)
    monkeypatch.setattr(_launch, "_listen", lambda run: None)

    def run(name, *flags):
        if not any(flag.startswith("--workdir") for flag in flags):
            flags = (*flags, f"--workdir={tmp_path / 'run'}")
        monkeypatch.setattr(sys, "argv", [name, *flags])
        experiment = experiment_of(name)
        steering = getattr(experiment, "STEERING", ())
        status = _launch._launch(name, work, experiment.check, steering)
        out, err = capsys.readouterr()
        return status, out + err

    return run


def refused(command, words, name, *flags):
    """Asserts that the command ends with status 2 and one line that holds the words."""
    status, told = command(name, *flags)
    assert status == 2, told
    assert told.count("\n") == 1, told
    assert "Traceback" not in told
    assert words in told, told


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


# Configs of one's own.


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


# Folders of runs.


def spoil(name, content):
    def harm(folder):
        (folder / name).write_bytes(content)

    return harm


def folder_in_the_way(folder):
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()


OLD_RESULT = json.dumps({"config_hash": "0" * 16, "passed": True}).encode()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (spoil("config.json", b"{"), "config.json is damaged (Expecting property name"),
        (spoil("config.json", b"[1]"), "config.json is damaged (it holds a list): delete it"),
        (spoil("config.json", b"\xff\xfe"), "config.json is damaged"),
        (spoil("config.json", b"[" * 100_000), "config.json is damaged"),
        (spoil("config.json", b'{"seeds": 2}'), "of another config: batch is absent there"),
        (spoil("resume.json", b""), "resume.json is damaged"),
        (spoil("resume.json", b"{}"), "resume.json is damaged (it holds no lengths)"),
        (spoil("resume.json", b'{"wall_s": "1", "metrics_bytes": {}}'), "resume.json is damaged"),
        (spoil("resume.json", b'{"wall_s": 1, "metrics_bytes": [1]}'), "resume.json is damaged"),
        (spoil("given.json", b"[]"), "given.json is damaged (it holds a list)"),
        (spoil("result.json", b'{"pass'), "result.json is no JSON"),
        (spoil("result.json", b"[]"), "result.json: result: [] is not of type 'object'"),
        (spoil("result.json", OLD_RESULT), "is a required property: delete it to have it made"),
        (folder_in_the_way, "config.json: Is a directory."),
    ],
)
def test_a_damaged_folder_is_told(command, tmp_path, harm, words):
    with pytest.raises(AssertionError, match="went to work"):
        command("support")
    harm(tmp_path / "run")
    refused(command, words, "support")


def test_a_folder_of_another_config_or_of_a_run_at_work(command, tmp_path):
    with pytest.raises(AssertionError, match="went to work"):
        command("support")
    refused(command, "seeds is 20 there and 2 here; give another", "support", "--config.seeds=2")
    with open(tmp_path / "run" / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(command, "another run is working in", "support")


def test_a_part_that_is_damaged_is_told(tmp_path):
    path = tmp_path / "part.npz"
    for content in (b"", b"PK", (ROOT / SHIPPED).read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(_config.BadInput, match=r"part\.npz is damaged .*: delete it"):
            _parts.load(path)


# Object files.

GOOD = {
    "name": "oak block",
    "shape": "box",
    "size_m": [0.03, 0.04, 0.025],
    "mass_kg": 0.17,
    "contact_stiffness": 36000,
    "damping_ratio": 0.2,
    "friction": 0.5,
    "fragility_Ns": 1.0,
    "rgb": [0.5, 0.3, 0.1],
}
GOOD_TEXT = yaml.safe_dump({"objects": [GOOD]})
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{now}: &{now} [{', '.join([f'*{last}'] * 9)}]\n"
    for last, now in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!python/object/apply:os.system ['touch harmed']", "python/object/apply:os.system"),
        ("!!python/name:os.system", "is not read, line 1"),
        ("objects: !mine []", "the tag !mine is not read, line 1"),
        ("objects: !!int ''", "is not read, line 1"),
        (BOMB, "there are more than 200000 values, line 6"),
        ("objects: &a [*a]", "a holds itself, line 1"),
        ("objects: [*a]", "found undefined alias"),
        ("objects: []\nobjects: []", "objects is given twice"),
        (GOOD_TEXT + "  friction: 0.4\n", "friction is given twice"),
        ("[" * 5000, "is not YAML"),
        ("x" * 1_000_001, "has more than 1000000 bytes."),
        ("a\n---\nb", "expected a single document"),
        ("objects: [0x" + "f" * 9000 + "]", "object 1: needs the fields name"),
        (GOOD_TEXT.replace("36000", "0x" + "f" * 9000), "got a far too large number."),
        (GOOD_TEXT.replace("0.17", "a" * 90_000), "mass_kg must be a number from 0.02 to 2"),
        (GOOD_TEXT.replace("oak block", '"a\\nb"'), "name must be one line of text"),
        (GOOD_TEXT.replace("oak block", '"\\e[2J"'), "name must be one line of text"),
        (GOOD_TEXT.replace("mass_kg: 0.17", "mass_g: 170"), "did you mean mass_kg"),
    ],
)
def test_an_object_file_is_refused(command, tmp_path, monkeypatch, text, words):
    path = tmp_path / "things.yaml"
    path.write_text(text)
    refused(command, words, "pretrained", f"--config.objects_b={path}")
    refused(command, str(path), "babble", f"--config.objects_b={path}")
    with pytest.raises(objects.ObjectError) as error:
        objects.load(path)
    assert len(str(error.value)) < 500 + len(str(path))
    assert not Path("harmed").exists()


def test_aliases_that_stand_for_little_are_read(tmp_path):
    path = tmp_path / "things.yaml"
    second = GOOD | {"name": "second"}
    path.write_text(yaml.safe_dump({"objects": [GOOD, second]}))
    assert "*id" in path.read_text()
    assert objects.load(path).names == ("oak block", "second")


@pytest.mark.parametrize(
    ("name", "field"), [("audio", "materials"), ("words", "speaker"), ("transfer", "objects")]
)
def test_every_yaml_file_is_read_as_safely(command, tmp_path, name, field):
    path = tmp_path / "mine.yaml"
    for text in ("a: !!python/object/apply:os.system ['touch harmed']", BOMB, "- ]", "[" * 5000):
        path.write_text(text)
        refused(command, "is not YAML", name, f"--config.{field}={path}")
    for text in ("", "3", "[a]", "a: 3", "a: {b: [1]}"):
        path.write_text(text)
        refused(command, str(path), name, f"--config.{field}={path}")
    assert not Path("harmed").exists()


# Data sets.


def hdf5(path: Path, write) -> None:
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        write(file)


def labels(text: str):
    def write(folder):
        for split in ("train", "test"):
            (folder / "physion_mp4s" / split).mkdir(parents=True)
            (folder / "physion_mp4s" / split / "all_video_labels.json").write_text(text)

    return write


def kinetics(text: str):
    def write(folder):
        (folder / "train").mkdir()
        (folder / "train.csv").write_text(text)

    return write


def nameless(folder):
    for split in ("dynamics_training", "readout_training", "testing"):
        hdf5(folder / split / "x" / "0000.hdf5", lambda file: None)


PHYSION, KINETICS = "physion --config.data=", "vision --config.data=kinetics --config.data_dir="


@pytest.mark.parametrize(
    ("given", "write", "words"),
    [
        (PHYSION, labels("{"), "all_video_labels.json: is no JSON"),
        (PHYSION, labels("[" * 100_000), "all_video_labels.json: is no JSON"),
        (PHYSION, labels("[]"), "holds a list, needs a dict"),
        (PHYSION, labels('{"drop": {"label": "yes"}}'), "needs a label that is false or true"),
        (PHYSION, labels('{"drop": {"label": true}}'), "none of 1 listed clips is in"),
        (PHYSION, nameless, "neither its name nor its folder tells a scenario"),
        (KINETICS, lambda folder: None, "Kinetics-400's train clips is missing"),
        (KINETICS, kinetics("label,split"), "has no column 'youtube_id'"),
        (KINETICS, kinetics("youtube_id,time_start,time_end\na,b,c"), "needs whole seconds"),
        (KINETICS, kinetics("youtube_id,time_start,time_end\na,0,9"), "none of 1 listed clips"),
    ],
)
def test_a_data_set_that_is_not_as_distributed(command, tmp_path, given, write, words):
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder)
    refused(command, words, *f"{given}{folder}".split())


def huge(file):
    file.create_dataset("frames/0000/images/_img", shape=(2**50,), dtype="u1", chunks=(2**20,))
    file["frames/0000/labels/target_contacting_zone"] = False


def huge_label(file):
    shape = (2**20,) * 3
    file.create_dataset(
        "frames/0000/labels/target_contacting_zone", dtype="f4", shape=shape, chunks=(1, 1, 9)
    )


def crowded(file):
    for number in range(20):
        file.create_group(f"frames/{number:04d}")


def in_another_file(file):
    file["frames/0000/labels/target_contacting_zone"] = False
    there = [("/etc/passwd", 0, 16)]
    file.create_dataset("frames/0000/images/_img", shape=(16,), dtype="u1", external=there)


def soft_link(file):
    file["frames/0000"] = h5py.SoftLink("/frames")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (huge, "_img holds 1125899906842624 values, needs 1 to"),
        (huge_label, "target_contacting_zone holds no whole numbers"),
        (crowded, "has 20 frames, needs 1 to 10"),
        (in_another_file, "_img lies in another file"),
        (soft_link, "is missing, or a link out of the file"),
        (lambda file: file.create_group(b"frames/00\xff0"), "no number of four digits"),
        (lambda file: None, "/frames is missing"),
        (lambda file: file.create_dataset("frames", data=3), "/frames is no group"),
    ],
)
def test_hdf5_is_read_within_bounds(tmp_path, write, words):
    path = tmp_path / "data" / "0000.hdf5"
    hdf5(path, write)
    sparing = physion.Settings((0,), (0,), limits=physion.Limits(frames=10))
    with pytest.raises(physion.Broken) as error:
        physion.read_trial(path, (0,), sparing)
    assert words in str(error.value)


# Weights.


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def packed(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def array(value, **options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, **options)
    return buffer.getvalue()


def npy(header: str, content: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def weights(header, **arrays) -> bytes:
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return packed(header=array(text), **{name: array(x) for name, x in arrays.items()})


def overstated() -> bytes:
    """A zip whose only member says that it unpacks to 4 GB."""
    content = bytearray(packed(header=array(np.zeros(3))))
    place = content.index(b"PK\x01\x02")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.infolist()[0].file_size
    at = content.index(struct.pack("<I", size), place)
    content[at : at + 4] = struct.pack("<I", 2**32 - 2)
    return bytes(content)


def claims(shape) -> bytes:
    return npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}")


HEADERS = [
    ({"experiment": "balloon", "config": {}}, "was not made by experiments.babble"),
    ({"experiment": "babble"}, "does not say how it was made"),
    ({"experiment": "babble", "config": {"seeds": 3}}, "made by another version: its config lacks"),
    ({"experiment": ["babble"], "config": {}}, "was not made by experiments.babble"),
    ([1, 2], "its header holds a list"),
]
FILES = [
    (b"", "is damaged"),
    (b"not weights", "is damaged"),
    (pickle.dumps({"a": 1}), "is damaged"),
    (array(np.zeros(3)), "is damaged"),
    (packed(header=b"no array"), "is damaged"),
    (packed(other=array(np.zeros(3))), "it has no header"),
    (packed(header=array(np.frombuffer(b"[" * 50_000, np.uint8))), "its header is no JSON"),
    (packed(header=claims("(10**15,)")), "is damaged"),
    (packed(header=claims("(1000000000000000,)")), "claims float64[1000000000000000] and is not"),
    (packed(header=claims("(4294967296, 4294967296, 4294967296)")), "and is not"),
    (packed(header=claims("(-1, -8)")), "is damaged"),
    (packed(header=npy("{" * 5000)), "is damaged"),
    (packed(header=npy("__import__('os').system('touch harmed')")), "is damaged"),
    (
        packed(header=npy("{'descr': 'O', 'fortran_order': False, 'shape': (1,), }")),
        "claims object",
    ),
    (overstated(), "unpacks to 4294967294 bytes"),
    *((weights(header), words) for header, words in HEADERS),
]


@pytest.mark.parametrize(("content", "words"), FILES, ids=range(len(FILES)))
def test_a_file_that_holds_no_weights(command, tmp_path, content, words):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    refused(command, words, "pretrained", f"--config.weights={path}")
    for name, field in (("audio", "vision"), ("fusion", "audio"), ("temporal", "fusion")):
        state = ["--config.state=fused"] if name == "temporal" else []
        refused(command, f"{path} holds no trained", name, f"--config.{field}={path}", *state)
    with pytest.raises(checkpoint.CheckpointError):
        loading.load(path)
    assert not Path("harmed").exists()


def test_weights_cut_short_or_changed_are_refused(command, tmp_path):
    path = tmp_path / "mine.npz"
    whole = Path(SHIPPED).read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0xFF
    for content in (whole[:1000], whole[:-100], bytes(changed)):
        path.write_bytes(content)
        refused(command, "is damaged", "pretrained", f"--config.weights={path}")


def test_weights_of_another_structure_are_refused(command, tmp_path):
    path = tmp_path / "mine.npz"
    arrays = checkpoint.read_arrays(SHIPPED)
    name = next(name for name in arrays if name.startswith("params"))
    arrays[name] = arrays[name][..., :1]
    checkpoint.write_arrays(path, arrays)
    refused(command, "does not fit this program: params", "pretrained", f"--config.weights={path}")


@pytest.mark.parametrize(
    "header",
    [
        {"experiment": "audio"},
        {"experiment": "audio", "width": "wide", "seeds": [0]},
        {"experiment": "vision", "patch": 0, "width": 4, "code": 8, "innate": {}, "side": 32},
        {"experiment": "fusion", "eye": [], "seeds": [0]},
        {"experiment": "temporal", "config": {}, "arm": "prior"},
        {"experiment": "babble", "config": {"learner": {"width": -1}}},
        {"width": 2**40, "seeds": 3},
        {"experiment": {}},
        {},
    ],
)
def test_a_header_of_another_version_is_told(tmp_path, header):
    path = tmp_path / "mine.npz"
    path.write_bytes(weights(header, a=np.zeros(2)))
    with pytest.raises(checkpoint.CheckpointError) as error:
        loading.load(path)
    assert "\n" not in str(error.value)


def test_no_pickle_is_ever_run(command, tmp_path):
    harmed = tmp_path / "harmed"
    payload = Payload(harmed)
    pickle.loads(pickle.dumps(payload))
    assert harmed.exists()  # the payload works
    harmed.unlink()
    inside = array(np.array([payload], object), allow_pickle=True)
    header = json.dumps({"experiment": "babble", "config": {}}).encode()
    path = tmp_path / "mine.npz"
    for content in (
        pickle.dumps(payload),
        inside,
        packed(header=inside),
        packed(header=array(np.frombuffer(header, np.uint8)), params=inside),
    ):
        path.write_bytes(content)
        refused(command, str(path), "pretrained", f"--config.weights={path}")
        refused(command, str(path), "audio", f"--config.vision={path}")
        with pytest.raises(checkpoint.CheckpointError):
            checkpoint.read_arrays(path)
    assert not harmed.exists()


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, header=np.zeros(2**22, np.uint8))
    assert path.stat().st_size < 10_000
    with pytest.raises(
        checkpoint.CheckpointError, match=r"unpacks to 4194\d+ bytes, more than 100"
    ):
        checkpoint.read_arrays(path, max_bytes=1_000_000)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("", "manifest.json: Expecting value"),
        ("[]", "manifest.json: list indices"),
        ("{}", "manifest.json: 'files'"),
        ('{"files": {}}', "manifest.json: 'leaves'"),
        ('{"files": {"gone": 1}, "leaves": {}, "keys": {}}', "gone is missing"),
        ('{"files": 3, "leaves": {}, "keys": {}}', "manifest.json"),
    ],
)
def test_a_checkpoint_of_another_version_is_told(tmp_path, manifest, words):
    folder = tmp_path / "step_000000003"
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises(checkpoint.CheckpointError) as error:
        checkpoint.restore(tmp_path, {"x": np.zeros(2)})
    assert words in str(error.value)


# Whatever is given, it is taken, or refused in one line.

NUMBERS = st.integers(-9, 99) | st.floats() | st.sampled_from(["1e4", "1e999", "0x10", None, True])
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        **{field: NUMBERS | JSON | st.just(GOOD[field]) for field in objects.FIELDS},
        "other": JSON,
    },
)
DOCUMENTS = st.fixed_dictionaries({"objects": st.lists(ENTRIES, max_size=3) | JSON}) | JSON
MARKS = "objects: - name: {} [] , ? ' \" | > % --- ... << &a *a !!int !x 2001-01-01 0x_ ._ 1:9 \n"
SNIPPETS = st.lists(st.sampled_from(MARKS.split(" ")), max_size=12).map(" ".join)
BYTES = ANY | SNIPPETS.map(str.encode)
TEXTS = st.text(max_size=20) | NUMBERS.map(str) | st.lists(NUMBERS.map(str)).map(",".join)
CONFIG = _config.load(str(ROOT / "configs" / "vision.py"))
FIELDS = st.sampled_from([*_config.fields(CONFIG), "priors", "eye_with"]) | st.text(max_size=12)
SHAPES = st.lists(st.integers(-9, 2**40), max_size=4).map(tuple)


@st.composite
def changed(draw, whole: bytes) -> bytes:
    """A file with some bytes changed, and perhaps cut short."""
    content = bytearray(whole)
    for place in draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        content[place] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.just(len(whole)) | st.integers(0, len(whole)))])


def small_trial(file):
    image = np.frombuffer(b"no picture at all", np.uint8)
    for number in range(3):
        file[f"frames/{number:04d}/images/_img"] = image
        file[f"frames/{number:04d}/labels/target_contacting_zone"] = number == 2


def in_memory(write) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


@settings(max_examples=400, deadline=None)
@given(BYTES | DOCUMENTS.map(lambda tree: yaml.safe_dump(tree).encode()))
def test_any_object_file(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(content)
    found = tried(objects.ObjectError, objects.load, path)
    if found is not None:
        assert len(found.names) == len(found.properties.shape) > 0
        assert np.isfinite(found.properties.mass_kg).all()


@settings(max_examples=200, deadline=None)
@given(JSON.map(yaml.safe_dump).filter(lambda text: "!!" not in text))
def test_any_tree_of_values_is_read_as_yaml_reads_it(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    path.write_text(text, encoding="utf-8")
    assert repr(documents.read(path)) == repr(yaml.safe_load(text))


@settings(max_examples=300, deadline=None)
@given(JSON | DOCUMENTS, st.sampled_from(["names", "carriers", "shown", "stands_out", "lead"]))
def test_any_lexicon(tree, field):
    whole = documents.read(ROOT / "configs" / "speaker.yaml")
    for document in (tree, whole | {field: tree}):
        tried(ValueError, speaker.lexicon, document)


@settings(max_examples=400, deadline=None)
@given(FIELDS.filter(str.isprintable), TEXTS.filter(str.isprintable))
def test_any_override(field, text):
    config = CONFIG.copy_and_resolve_references()
    kinds = {name: type(value) for name, value in _config.fields(config).items()}
    tried(_config.BadInput, _config.override, config, field, text)
    tried(_config.BadInput, _ranges.check, config)
    assert {name: type(value) for name, value in _config.fields(config).items()} == kinds


@settings(max_examples=200, deadline=None)
@given(st.lists((st.text(max_size=15) | TEXTS.map("--config.seeds={}".format)), max_size=4))
def test_any_command_line(arguments):
    printable = [argument for argument in arguments if argument.isprintable()]
    tried(_config.BadInput, _config.parse, "support", printable)


@settings(max_examples=300, deadline=None)
@given(
    ANY
    | st.text(max_size=80).map(lambda text: packed(header=npy(text)))
    | SHAPES.map(lambda shape: packed(header=claims(shape)))
    | JSON.map(lambda tree: weights(tree))
    | changed(weights({"experiment": "babble"}, x=np.arange(600.0)))
)
def test_any_file_of_weights(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.npz"
    path.write_bytes(content)
    tried(checkpoint.CheckpointError, loading.load, path)


@settings(max_examples=200, deadline=None)
@given(changed(in_memory(small_trial)))
def test_any_hdf5_file(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.hdf5"
    path.write_bytes(content)
    tried(physion.Broken, physion.read_trial, path, (0,), physion.Settings((0,), (0,)))


@settings(max_examples=200, deadline=None)
@given(ANY | JSON.map(lambda tree: json.dumps(tree).encode()))
def test_any_file_of_a_run(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "resume.json"
    path.write_bytes(content)
    for read in (_run.read_json, _run._read_resume, _run.read_result):
        tried(_config.BadInput, read, path)
