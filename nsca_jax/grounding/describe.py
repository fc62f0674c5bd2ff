"""What a slot stands for, told afterwards from the things that fill it most.

A describer is any function from `Examples` to a sentence. The default looks only at how the
examples' own outcomes depart from the usual, and says so; `endpoint` asks a language model behind
an OpenAI-compatible address about the same figures.
"""

import json
import urllib.request
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

LEAST_SD = 0.8  # a mean departure below this is not worth a word
MOST = 3  # channels named


class Examples(NamedTuple):
    """The k things that fill a slot most, by what came of acting on them."""

    channels: tuple[str, ...]  # M measured outcomes, such as "drop: bounce"
    departure: np.ndarray  # [k, M] standard deviations from the usual thing; NaN: not measured


Describer = Callable[[Examples], str]


class DescriberError(RuntimeError):
    """A describer gave no description; the message is one sentence that says why."""


class Endpoint(NamedTuple):
    """Where a language model listens."""

    url: str  # such as http://127.0.0.1:8000/v1, without /chat/completions
    model: str
    timeout_s: float = 30.0


def top_examples(
    activation_N: np.ndarray, outcome_NxM: np.ndarray, channels: Sequence[str], k: int
) -> Examples:
    """Examples of the k things with the largest activation, against all N.

    Args:
        outcome_NxM: mean outcome of each thing, any unit; NaN where never measured.

    Raises:
        ValueError: fewer than k things, or shapes that do not fit.
    """
    activation, outcome = (np.asarray(x, np.float64) for x in (activation_N, outcome_NxM))
    if outcome.shape != (len(activation), len(channels)) or not 0 < k <= len(activation):
        raise ValueError(f"{k} examples need as many things and a name a channel")
    there = np.isfinite(outcome)
    count = np.maximum(there.sum(0), 1)
    mean = np.where(there, outcome, 0).sum(0) / count
    spread = np.sqrt((np.where(there, outcome - mean, 0) ** 2).sum(0) / count)
    departure = (outcome - mean) / np.where(spread > 1e-6, spread, np.inf)
    return Examples(tuple(channels), departure[np.argsort(-activation, kind="stable")[:k]])


def statistical(examples: Examples) -> str:
    """Which outcomes of the examples stand out, by how many standard deviations, most first."""
    there = np.isfinite(examples.departure)
    total = np.where(there, examples.departure, 0.0).sum(0)
    mean = total / np.maximum(there.sum(0), 1)
    told = [
        f"{examples.channels[i]} {mean[i]:+.1f} SD"
        for i in np.argsort(-np.abs(mean), kind="stable")[:MOST]
        if abs(mean[i]) >= LEAST_SD
    ]
    return ", ".join(told) or "nothing that was measured stands out"


def endpoint(where: Endpoint, key: str = "") -> Describer:
    """A describer that asks the model behind `where`; `key` is sent as a bearer token if given.

    It raises DescriberError where nobody answers, or not as the protocol says.
    """

    def describe(examples: Examples) -> str:
        body = {
            "model": where.model,
            "temperature": 0,
            "messages": [{"role": "user", "content": question(examples)}],
        }
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(
            f"{where.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        try:
            with urllib.request.urlopen(request, timeout=where.timeout_s) as answer:
                said = json.load(answer)["choices"][0]["message"]["content"]
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise DescriberError(f"{where.url} gave no description ({error!r})") from error
        if not isinstance(said, str) or not said.strip():
            raise DescriberError(f"{where.url} gave an empty description")
        return " ".join(said.split())

    return describe


def question(examples: Examples) -> str:
    """What a language model is asked: the same figures as the default describer's, all of them."""
    rows = "\n".join(
        f"thing {number + 1}: "
        + ", ".join(
            f"{name} {value:+.1f}"
            for name, value in zip(examples.channels, row, strict=True)
            if np.isfinite(value)
        )
        for number, row in enumerate(examples.departure)
    )
    return (
        "These things have one hidden property in common. Each figure is an outcome of acting on "
        "the thing, in standard deviations from what is usual. In at most eight words, what "
        f"property is it?\n{rows}"
    )
