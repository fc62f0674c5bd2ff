"""The stream of examples: order, resumption, and when broken files stop a run."""

import json
import time

import numpy as np
import pytest

from nsca_jax.data._files import Broken, DataError
from nsca_jax.data._stream import Source, Stream, Tolerance, check_missing


def source(count, broken=(), share=0.05, slow=False):
    """Examples 0 to count - 1, each with a number that its generator draws."""

    def load(row, rng):
        if slow:
            time.sleep(0.004 * (row % 3))
        if row in broken:
            raise Broken("is broken")
        return {"row": np.int32(row), "drawn": -1 if rng is None else rng.integers(10**9)}

    return Source(tuple(map(str, range(count))), load, Tolerance(share), ("form",))


def rows(stream, count):
    return [int(next(stream)["row"]) for _ in range(count)]


def test_in_order_it_ends_and_shuffled_it_does_not():
    assert [int(x["row"]) for x in Stream(source(7), 0)] == list(range(7))
    epochs = np.array(rows(Stream(source(7), 0, seed=1), 28)).reshape(4, 7)
    assert (np.sort(epochs) == np.arange(7)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 4


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_the_threads_change_nothing(threads):
    expected = list(map(str, zip(*_drawn(Stream(source(9), 4, seed=2, threads=2)), strict=True)))
    slow = Stream(source(9, slow=True), 4, seed=2, threads=threads)
    assert list(map(str, zip(*_drawn(slow), strict=True))) == expected


def _drawn(stream):
    batches = [next(stream) for _ in range(6)]
    return [b["row"].tolist() for b in batches], [b["drawn"].tolist() for b in batches]


@pytest.mark.parametrize("seed", [None, 3])
def test_it_resumes_after_any_batch(seed):
    def stream():
        return Stream(source(23, broken=(2, 11), share=0.2), 3, seed)

    whole = stream()
    states, batches = [], []
    for _ in range(7):
        states.append(json.dumps(whole.get_state()))
        batches.append(next(whole))
    for number, state in enumerate(states):
        resumed = stream()
        resumed.set_state(json.loads(state))
        for expected in batches[number:]:
            got = next(resumed)
            assert got["row"].tolist() == expected["row"].tolist()
            assert got["drawn"].tolist() == expected["drawn"].tolist()
        assert (resumed.skipped, resumed.read) == (whole.skipped, whole.read)


def test_a_state_of_something_else_is_refused():
    state = Stream(source(9), 3, seed=1).get_state()
    for other in (Stream(source(8), 3, seed=1), Stream(source(9), 4, seed=1), Stream(source(9), 3)):
        with pytest.raises(ValueError, match="of other files, settings, batches or seed"):
            other.set_state(state)


def test_the_share_is_judged_over_a_hundred_files_and_then_over_those_read():
    assert rows(Stream(source(1000, broken=range(5)), 0), 1) == [5]
    with pytest.raises(DataError, match=r"6 files are broken, more than the share of 0.05 of 100"):
        rows(Stream(source(1000, broken=range(6)), 0), 1)
    assert rows(Stream(source(1000, broken=range(390, 410)), 0), 391)[-1] == 410
    with pytest.raises(
        DataError, match=r"21 files are broken, .* of 411 .*the last: 410 is broken"
    ):
        rows(Stream(source(1000, broken=range(390, 411)), 0), 391)


def test_of_few_files_all_are_judged_and_none_is_counted_twice():
    stream = Stream(source(20, broken=(4,)), 0, seed=0)
    assert len(rows(stream, 190)) == 190  # ten epochs
    assert (stream.skipped, stream.read) == ({"4": "is broken"}, 20)
    with pytest.raises(DataError, match="2 files are broken"):
        list(Stream(source(20, broken=(4, 5)), 0))


def test_with_nothing_to_read_it_does_not_search_for_ever():
    with pytest.raises(DataError, match=r"none of 3 files can be read \(the last: . is broken\)"):
        next(Stream(source(3, broken=range(3), share=1.0), 2, seed=0))
    twice = source(2, broken=range(2), share=1.0)._replace(ids=("a", "a"))
    with pytest.raises(DataError, match="none of 2"):
        next(Stream(twice, 2, seed=0))


def test_other_errors_are_not_hidden():
    def load(row, rng):
        raise RuntimeError("a mistake of the program")

    with pytest.raises(RuntimeError, match="a mistake"):
        next(Stream(Source(("a",), load, Tolerance(), ()), 1))


def test_missing_files():
    check_missing(["a"] * 4, ["b"], 0.2, "here")
    with pytest.raises(DataError, match=r"2 of 6 listed clips are missing in here.*first: b"):
        check_missing(["a"] * 4, ["b", "c"], 0.2, "here")
    with pytest.raises(DataError, match="annotations in here list no clips"):
        check_missing([], [], 1.0, "here")
    with pytest.raises(DataError, match="none of 1 listed clips is in here, such as b"):
        check_missing([], ["b"], 1.0, "here")
