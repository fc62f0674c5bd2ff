"""People's YAML files, read safely: plain values, within bounds, and nothing said twice.

No tag (`!!python/...`) is followed. An alias (`*name`) counts as all that it stands for: a few of
them can stand for billions of values.
"""

from pathlib import Path
from typing import Any, Never

import yaml

MAX_BYTES = 1_000_000  # a hundred times the largest file shipped
MAX_VALUES = 200_000


class DocumentError(ValueError):
    """A file cannot be read; the message is one sentence, without the file's name."""


class _Loader(yaml.SafeLoader):
    def __init__(self, text: bytes):
        super().__init__(text)
        self._values = 0  # so far, aliases written out
        self._sizes: dict[int, int] = {}  # of finished nodes

    def compose_node(self, parent, index):
        event, before = self.peek_event(), self._values
        is_alias = isinstance(event, yaml.AliasEvent)
        if getattr(event, "tag", None):
            _refuse(f"the tag {event.tag} is not read", event)
        node = super().compose_node(parent, index)
        if is_alias and id(node) not in self._sizes:
            _refuse(f"{event.anchor} holds itself", event)
        self._values += self._sizes[id(node)] if is_alias else 1
        if self._values > MAX_VALUES:
            _refuse(f"there are more than {MAX_VALUES} values", event)
        self._sizes.setdefault(id(node), self._values - before)
        return node

    def construct_mapping(self, node, deep=False):
        out = super().construct_mapping(node, deep)
        if len(out) < len(node.value):
            names = [key.value for key, _ in node.value]
            twice = next((name for name in names if names.count(name) > 1), names[0])
            _refuse(f"{twice} is given twice", node)
        return out


def _refuse(why: str, where: Any) -> Never:
    raise yaml.MarkedYAMLError(problem=why, problem_mark=where.start_mark)


def read(path: str | Path) -> Any:
    """What a YAML file holds, None where it is empty; raises DocumentError."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise DocumentError("cannot be read (no regular file)")
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"cannot be read ({error.strerror})") from error
    except ValueError as error:  # a name that no file can have
        raise DocumentError(f"cannot be read ({error})") from error
    if len(text) > MAX_BYTES:
        raise DocumentError(f"has more than {MAX_BYTES} bytes")
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        why = " ".join(filter(None, (error.context, error.problem)))
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise DocumentError(f"is not YAML of plain values ({why}{line})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentError(f"is not YAML ({' '.join(str(error).split())})") from error
