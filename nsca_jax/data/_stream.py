"""A stream of examples from strangers' files: deterministic, resumable, and honest about losses."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nsca_jax.data._files import Broken, DataError

try:
    import grain
except ImportError as error:
    raise ImportError("input pipelines need grain: pip install 'nsca_jax[video]'") from error

JUDGED_FROM = 100  # files read before their broken share may stop a run (or all, where fewer)


class Tolerance(NamedTuple):
    """What may go wrong before it stops the run."""

    broken: float = 0.05  # share of the files read so far
    missing: float = 0.2  # share of the files that the annotations list


class Source(NamedTuple):
    """Where examples come from."""

    ids: tuple[str, ...]
    load: Callable[[int, np.random.Generator | None], dict[str, Any]]  # may raise Broken
    tolerance: Tolerance
    form: tuple  # plain values: what else decides what `load` gives


class Stream:
    """Batches of examples: leaves [B, ...]; with `batch` 0 single examples, leaves [...].

    In order and once, a last batch being short; with a `seed` shuffled, endlessly, each epoch in
    another order. Files are read ahead by threads, and their order does not depend on them.
    `skipped` has the reason for each file that was left out. Raises DataError once more than
    `tolerance.broken` of the files read were broken.
    """

    def __init__(self, source: Source, batch: int, seed: int | None = None, threads: int = 2):
        self._source, self._batch = source, batch
        self._distinct = len(set(source.ids))  # a table may name a clip twice
        self.skipped: dict[str, str] = {}
        self.read = 0
        dataset = grain.MapDataset.source(range(len(source.ids)))
        if seed is None:
            dataset = dataset.map(lambda row: (row, _tried(source.load, row, None)))
        else:
            dataset = dataset.seed(seed).shuffle().repeat()
            dataset = dataset.random_map(lambda row, rng: (row, _tried(source.load, row, rng)))
        ahead = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
        self._iterator = iter(dataset.to_iter_dataset(ahead))
        self._identity = _identity(source, batch, seed)

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> dict[str, Any]:
        if not self._batch:
            return self._good()
        rows = []
        try:
            while len(rows) < self._batch:
                rows.append(self._good())
        except StopIteration:
            if not rows:
                raise
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def get_state(self) -> dict[str, Any]:
        """All that is needed to go on from here, as plain values for JSON."""
        return {
            "of": self._identity,
            "position": self._iterator.get_state(),
            "read": self.read,
            "skipped": dict(self.skipped),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on after the batch that `get_state` followed; ValueError for another stream's."""
        if state.get("of") != self._identity:
            raise ValueError("the saved state is of other files, settings, batches or seed")
        self._iterator.set_state(state["position"])
        self.read, self.skipped = state["read"], dict(state["skipped"])

    def _good(self) -> dict[str, Any]:
        """The next example that could be read."""
        while True:
            row, found = next(self._iterator)
            self.read = min(self.read + 1, len(self._source.ids))
            if not isinstance(found, Broken):
                return found
            self.skipped[self._source.ids[row]] = str(found)
            self._judge()

    def _judge(self) -> None:
        listed = len(self._source.ids)
        if len(self.skipped) == self._distinct:
            raise DataError(f"none of {listed} files can be read ({_last(self.skipped)}).")
        judged = max(self.read, min(listed, JUDGED_FROM))
        check_broken(self.skipped, judged, self._source.tolerance.broken)


def check_broken(broken: dict[str, str], of: int, share: float) -> None:
    """Raises DataError where more than `share` of so many files are among `broken`."""
    if len(broken) > share * of:
        raise DataError(
            f"{len(broken)} files are broken, more than the share of {share:g} of {of} that is"
            f" allowed ({_last(broken)})."
        )


def check_missing(ids: Sequence[str], missing: Sequence[str], share: float, where: str) -> None:
    """Raises DataError where no listed clip is there, or more than `share` of them are not."""
    listed = len(ids) + len(missing)
    if not listed:
        raise DataError(f"the annotations in {where} list no clips.")
    if not ids:
        raise DataError(f"none of {listed} listed clips is in {where}, such as {missing[0]}.")
    if len(missing) > share * listed:
        raise DataError(
            f"{len(missing)} of {listed} listed clips are missing in {where}, more than the share"
            f" of {share:g} that is allowed (the first: {missing[0]})."
        )


def _last(broken: dict[str, str]) -> str:
    name, reason = next(reversed(broken.items()))
    return f"the last: {name} {reason}"


def _tried(load: Callable, row: int, rng: np.random.Generator | None) -> Any:
    """What `load` gives, or the Broken it raises: the reader counts it in the files' order."""
    try:
        return load(row, rng)
    except Broken as broken:
        return broken


def _identity(source: Source, batch: int, seed: int | None) -> str:
    parts = [source.ids, source.form, batch, seed]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
