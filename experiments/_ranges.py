"""What the numbers of every config may be: a name means the same in each of them.

`NEEDS` knows a field by the end of its dotted name, such as `life.beta`, or else by a group that it
lies in, such as `pace.`. A field with several numbers needs each to be so. What one experiment asks
beyond that, its own `check` says.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Never

from experiments import _config
from experiments._config import BadInput

Range = tuple[str, Callable[[float], bool]]  # in words, and whether a number is within

COUNT: Range = ("1 or more", lambda x: x >= 1)
ABOVE: Range = ("more than 0", lambda x: x > 0)
FROM_0: Range = ("0 or more", lambda x: x >= 0)
SHARE: Range = ("from 0 to 1", lambda x: 0 <= x <= 1)
BELOW_1: Range = ("0 or more and below 1", lambda x: 0 <= x < 1)
ANY: Range = ("a number", lambda _: True)

_NAMES = (
    (
        COUNT,
        # of what is repeated, and its parts
        "seeds block at_once lives_at_once minutes processes threads worlds chunk chunks stages "
        "every save_every leg steps throw_steps bank_steps align_steps attack_steps adaptive_steps "
        "epochs "
        "rollout rounds updates slow_every stride batch minibatches moments window warmup turn "
        # of what is met
        "interactions interactions_a interactions_b random_interactions competence_interactions "
        "evaluation_interactions held held_out judged pool films learnt labelled lights clips "
        "watched longest regions shown "
        "frames span sizes throws shots main shown_training training calibration met household "
        "objects tasks candidates tries examples oracle oracle_tries levels episodes prototypes "
        "remembered. least patience "
        # of networks, pictures and attacks
        "members width widths blocks latent hidden embedding filters bins side patch coarse "
        "image_size eps curve",
    ),
    (
        ABOVE,
        "learning_rate rate throw_pace pace.network pace.trust pace.gate grid unit. closing radius "
        "dollars_per_hour "
        "half_life persistence.patience curiosity world_model eps_l2",
    ),
    (
        FROM_0,
        "seed goals_training recorded recent start_phase dynamics readout test weight_decay decay "
        "decays prices chosen. pace.beta pace.gamma stiff stiffness strength. thrift thrift_mixed "
        "likeness_price prior_price merge surprise bound greed boredom action_cost entropy "
        "foresight blur nt_xent vicreg temporal reconstruction adaptive_weights camera_noise "
        "sensor_noise. noise feature_noise projected_s.",
    ),
    (
        SHARE,
        "share shares wrong wrongs broken missing floor replayed recency refusal_rate balloons "
        "forced epsilon discount life.beta",
    ),
    (BELOW_1, "memory_dropout dropout correlation"),
    (ANY, "skill_threshold degrees"),
)
NEEDS: dict[str, Range] = {name: kind for kind, names in _NAMES for name in names.split()}
MAY_BE_EMPTY = ("curve", "shares", "wrongs")  # further values, which a report shows


def check(config) -> None:
    """Raises BadInput, by the field's name, where a number of the config is out of its range."""
    for name, value in _config.fields(config).items():
        needs = needed(name)
        if needs is None:
            continue
        words, holds = needs
        parts = value if isinstance(value, tuple | list) else (value,)
        if not parts and name not in MAY_BE_EMPTY:
            refuse(name, value, "one value or more, separated by commas")
        for part in parts:
            if isinstance(part, int | float) and not (math.isfinite(part) and holds(part)):
                refuse(name, value, words)


def one_of(config, name: str, known: Iterable[Any]) -> None:
    """Raises BadInput where the field's value is none of those known."""
    value = _config.fields(config)[name]
    if value not in (known := tuple(known)):
        near = _config.near(value, known)
        refuse(name, value, f"one of {', '.join(map(str, known))}{near}")


def some_of(config, name: str, known: Iterable[str], none: bool = False) -> None:
    """Raises BadInput where the field does not name some of those known, each once."""
    values = _config.fields(config)[name]
    known = tuple(known)
    for value in values:
        if value not in known:
            words = f"{value!r} is not one of {', '.join(known)}{_config.near(value, known)}"
            raise BadInput(f"--config.{name}: {words}.")
    if len(set(values)) < len(values) or not (values or none):
        refuse(name, values, f"one or more of {', '.join(known)}, each once")


def pairs(config, group: str) -> None:
    """Raises BadInput where a field of the group is not two numbers."""
    for name, value in _config.fields(config).items():
        if name.startswith(f"{group}.") and len(value) != 2:
            refuse(name, value, "two numbers, a weight decay and a price")


def needed(name: str) -> Range | None:
    """What the field of that dotted name must be; None where nothing is said of it."""
    parts = name.split(".")
    ends = [".".join(parts[i:]) for i in range(len(parts))]
    groups = [f"{part}." for part in reversed(parts[:-1])]
    return next((NEEDS[key] for key in (*ends, *groups) if key in NEEDS), None)


def refuse(name: str, value: Any, needs: str) -> Never:
    """Raises BadInput: the field as the command line names it, its value, what it must be."""
    text = ",".join(map(str, value)) if isinstance(value, tuple | list) else value
    raise BadInput(f"--config.{name}={text}: it must be {needs}.")
