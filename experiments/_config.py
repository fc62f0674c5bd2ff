"""The command line: `--config=FILE.py[:PRESET] --config.FIELD=VALUE --workdir=DIR --help`.

A config file defines `get_config(preset) -> ConfigDict` and names its presets in `PRESETS`, the
default first. Fields keep their type; a field that the file does not have cannot be given.
"""

import ast
import difflib
import math
import runpy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from ml_collections import config_dict

MOST = 10**9 - 1  # of a whole number: sums of two still fit 32 bits
TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class BadInput(Exception):
    """What the user gave cannot be used; the message is one sentence that says what to give."""


@dataclass(frozen=True)
class Command:
    config: config_dict.ConfigDict  # locked
    workdir: Path
    source: str  # FILE.py[:PRESET]
    arguments: tuple[str, ...]
    help: bool


def parse(name: str, arguments: list[str]) -> Command:
    """Reads an experiment's arguments; raises BadInput."""
    source, workdir, overrides, help_wanted = f"configs/{name}.py", f"runs/{name}", [], False
    given = set()
    for argument in arguments:
        flag, is_set, text = argument.partition("=")
        if flag in given:
            raise BadInput(f"{flag} is given twice: which is meant?")
        given.add(flag)
        if flag in ("--help", "-h"):
            help_wanted = True
        elif flag.startswith("--config.") and is_set:
            overrides.append((flag.removeprefix("--config."), text))
        elif flag == "--config" and text:
            source = text
        elif flag == "--workdir" and text:
            workdir = text
        else:
            _refuse_argument(argument, flag)
    config = load(source)
    _refuse_foreign(config, source, f"configs/{name}.py")
    for field, text in overrides:
        override(config, field, text)
    return Command(config, Path(workdir), source, tuple(arguments), help_wanted)


def load(source: str) -> config_dict.ConfigDict:
    """The locked config of `FILE.py[:PRESET]`; raises BadInput.

    Every config has `loggers`: () unless its file says otherwise.
    """
    path, _, preset = source.partition(":")
    module = read_file(path)
    presets = module.get("PRESETS", ())
    if preset and preset not in presets:
        raise BadInput(
            f"{path} has no preset {preset!r}{near(preset, presets)}; it has {', '.join(presets)}."
        )
    try:
        config = module["get_config"](*([preset] if preset else []))
    except Exception as error:  # whatever is wrong with a user's own file
        raise _unusable(path, error) from error
    if not isinstance(config, config_dict.ConfigDict):
        raise BadInput(f"{path} is no config file: its get_config gives no ConfigDict.")
    if "loggers" not in config:
        config.loggers = ()
    return config.lock()


def read_file(path: str) -> dict[str, Any]:
    """The names that a config file defines; raises BadInput."""
    if not Path(path).is_file():
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("*.py"))) or "none here"
        raise BadInput(f"--config names {path}, which is no file; configs: {known}.")
    if not path.endswith(".py"):
        raise BadInput(f"--config names {path}, which is no Python file: it must end in .py.")
    try:
        module = runpy.run_path(path)
    except Exception as error:
        raise _unusable(path, error) from error
    if "get_config" not in module:
        raise BadInput(f"{path} is no config file: it does not define get_config.")
    return module


def _unusable(path: str, error: Exception) -> BadInput:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return BadInput(f"{path} is no config file: it cannot be run ({reason}).")


def override(config: config_dict.ConfigDict, field: str, text: str) -> None:
    """Sets the dotted `field` of `config` from the command line's `text`; raises BadInput."""
    node: Any = config
    *groups, last = field.split(".")
    for name in groups:
        node = node.get(name) if isinstance(node, config_dict.ConfigDict) else None
    if not isinstance(node, config_dict.ConfigDict) or last not in node:
        meant = near(field, fields(config))
        raise BadInput(f"--config.{field}: the config has no such field{meant}; --help lists them.")
    example, kind = node[last], node.get_type(last)
    if isinstance(example, config_dict.ConfigDict):
        raise BadInput(f"--config.{field} is a group: give one of {', '.join(fields(example))}.")
    try:
        node[last] = _value(text, kind, example)
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        wanted = _wanted(kind, example)
        raise BadInput(f"--config.{field}={text}: it takes {wanted}, such as {example}.") from error


def override_all(config: config_dict.ConfigDict, given: Iterable[str]) -> None:
    """Sets fields by NAME=VALUE; raises BadInput."""
    for text in given:
        field, is_set, value = text.partition("=")
        if not is_set:
            raise BadInput(f"{text!r} is not NAME=VALUE.")
        override(config, field, value)


def fields(config: config_dict.ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Dotted name -> value of every field."""
    found = {}
    for name, value in config.items():
        if isinstance(value, config_dict.ConfigDict):
            found |= fields(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _refuse_foreign(config: config_dict.ConfigDict, source: str, usual: str) -> None:
    """Raises BadInput where a config of another file is not one of the experiment's."""
    if source.partition(":")[0] == usual or not Path(usual).is_file():
        return
    wanted, found = load(usual), fields(config)
    if missing := [name for name in wanted if name not in config]:
        raise BadInput(f"{source} is no config like {usual}: it lacks {', '.join(missing)}.")
    for name, value in fields(wanted).items():
        kind = type(value)
        if name in found and not isinstance(found[name], (kind, int) if kind is float else kind):
            raise BadInput(f"{source}: {name}={found[name]!r} must be {_wanted(kind, value)}.")


def _value(text: str, kind: type, example: Any) -> Any:
    if kind is bool:
        return TRUTH[text.lower()]
    if kind is int:
        if abs(value := int(text)) > MOST:
            raise ValueError(text)
        return value
    if kind is float:
        if not math.isfinite(value := float(text)):
            raise ValueError(text)
        return value
    if kind in (tuple, list):
        parts = [part for part in text.strip("()[] ").split(",") if part.strip()]
        part_kind = type(example[0]) if example else str
        return kind(_value(part.strip(" '\""), part_kind, None) for part in parts)
    if kind is str:
        return text
    return kind(ast.literal_eval(text))


def _wanted(kind: type, example: Any) -> str:
    if kind is float:
        return "a finite number"
    if kind in (tuple, list):
        return f"{_wanted(type(example[0]), None) if example else 'values'}, separated by commas"
    if kind is int:
        return f"a whole number of at most {len(str(MOST))} digits"
    return {bool: "true or false", str: "text"}.get(kind, kind.__name__)


def _refuse_argument(argument: str, flag: str) -> Never:
    known = ("--config", "--workdir", "--help")
    if flag in known or flag.startswith("--config."):
        raise BadInput(f"{flag} needs a value: write {flag}=VALUE.")
    raise BadInput(
        f"{argument!r} is not an argument{near(flag, known)}; there are "
        "--config=FILE.py[:PRESET], --config.FIELD=VALUE, --workdir=DIR and --help."
    )


def near(name: Any, known: Any) -> str:
    """Which of the known names was likely meant, to be put behind a sentence; or nothing."""
    found = difflib.get_close_matches(str(name), map(str, known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""
