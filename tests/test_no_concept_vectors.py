"""No word's meaning is written down: the grounding table and the words start empty.

What is searched: every .py, .yaml, .yml and .json file of the package, the experiments, the configs
and the benchmarks. A concept vector is two or more numbers in one list, tuple or array call
that stand as the value of a word: a key of a mapping, a keyword argument, or the name to which they
are assigned. A word is any word, kept-back ones included, that the speaker may say. Files of
objects are lists of things, none keyed by a word, and pass.
"""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from nsca_jax.grounding import table
from nsca_jax.worlds import speaker

ROOT = Path(__file__).parent.parent
FOLDERS = ("nsca_jax", "experiments", "configs", "benchmarks")
SUFFIXES = (".py", ".yaml", ".yml", ".json")


def words() -> set[str]:
    document = yaml.safe_load((ROOT / "configs/speaker.yaml").read_text(encoding="utf-8"))
    lexicon = speaker.lexicon(document)
    return {word for group in (*lexicon.heard, lexicon.form, lexicon.word) for word in group}


def _numbers(value) -> int:
    """How many plain numbers a value read from YAML or JSON holds in lists."""
    if isinstance(value, bool) or value is None:
        return 0
    if isinstance(value, int | float):
        return 1
    return sum(map(_numbers, value)) if isinstance(value, list) else 0


def in_data(document, vocabulary: set[str]) -> list[str]:
    """Words that key two or more numbers anywhere in a document."""
    if isinstance(document, list):
        return [word for item in document for word in in_data(item, vocabulary)]
    if not isinstance(document, dict):
        return []
    found = [
        str(key)
        for key, value in document.items()
        if _word(key, vocabulary) and isinstance(value, list) and _numbers(value) >= 2
    ]
    return found + in_data(list(document.values()), vocabulary)


def in_code(source: str, vocabulary: set[str]) -> list[str]:
    """Words that key, or name, two or more number literals in Python source."""
    found = []
    for node in ast.walk(ast.parse(source)):
        pairs = []
        if isinstance(node, ast.Dict):
            pairs = [(k.value if isinstance(k, ast.Constant) else None, v)
                     for k, v in zip(node.keys, node.values, strict=True)]  # fmt: skip
        elif isinstance(node, ast.Call):
            pairs = [(word.arg, word.value) for word in node.keywords]
        elif isinstance(node, ast.Assign):
            pairs = [(_target(target), node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            pairs = [(_target(node.target), node.value)]
        found += [str(k) for k, v in pairs if _word(k, vocabulary) and _vector(v)]
    return found


def _target(node: ast.expr):
    """The name, attribute or constant index that is assigned to."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value
    return getattr(node, "id", getattr(node, "attr", None))


def _vector(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return any(map(_vector, node.args))
    if not isinstance(node, ast.List | ast.Tuple):
        return False
    literals = [n for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return sum(isinstance(n.value, int | float) and n.value is not True for n in literals) >= 2


def _word(key, vocabulary: set[str]) -> bool:
    return isinstance(key, str) and bool(
        vocabulary & set(re.split(r"[\W_]+", key.lower())) or key.lower() in vocabulary
    )


def _search(path: Path, vocabulary: set[str]) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return in_code(text, vocabulary)
    return in_data(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text), vocabulary)


def test_no_concept_vector_is_written_anywhere():
    vocabulary = words()
    files = [
        p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.suffix in SUFFIXES
    ]  # fmt: skip
    assert len(files) > 100
    found = {str(p.relative_to(ROOT)): hits for p in files if (hits := _search(p, vocabulary))}
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "CONCEPTS = {'heavy': [0.9, 0.1]}",
        "x = dict(bouncy=(1, 2))",
        "FRAGILE = np.array([0.2, -0.4, 1.0])",
        "table['sturdy'] = jnp.array((1.0, 2.0))",
        "heavy_vector: list = [1, 2, 3]",
    ],
)
def test_the_search_finds_one_in_code(source):
    assert in_code(source, words())


@pytest.mark.parametrize(
    "text", ["heavy: [0.9, 0.1]", "a: {b: [{hard: [[1, 2], [3, 4]]}]}", '{"soft": [1.0, 2]}']
)
def test_the_search_finds_one_in_data(text):
    assert in_data(yaml.safe_load(text), words())


@pytest.mark.parametrize(
    "source", ["x = {'heavy': ['weighty', 'hefty']}", "light = 3.0", "low, high = 1, 2"]
)
def test_the_search_leaves_words_alone(source):
    assert not in_code(source, words())


def test_the_table_starts_empty():
    values, known = table.estimate(table.init(4))
    assert not values.any()
    assert not known.any()
