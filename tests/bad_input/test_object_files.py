"""Object files and other YAML: every field, and what YAML could do besides."""

from pathlib import Path

import pytest
import yaml

from nsca_jax import objects
from tests.bad_input.refusal import refused

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
