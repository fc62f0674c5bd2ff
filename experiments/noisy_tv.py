"""One agent among three rooms to learn and a television that is never learnt: what holds it?

Seven curiosity signals and a variant, eight kinds of TV and none. Presets: laptop (20 seeds, every
signal in every world), quick (3 seeds, the default signal everywhere and its rivals where they are
known to fail), tune (20 other seeds, the default signal alone).
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from experiments import _launch, _noisy_tv_report, _parts, _ranges
from nsca_jax.training import exploring, faults, parallel
from nsca_jax.worlds import rooms

Pair = tuple[str, str]  # a signal, and a world that it lives in
SIGNALS = {  # name -> what differs from the config's default signal
    "gamma_progress": {},
    "gamma_unbounded": {"bound": 0.0},
    "windowed_progress": {"signal": "windowed_progress"},
    "prediction_error": {"signal": "prediction_error"},
    "count": {"signal": "count"},
    "rnd": {"signal": "rnd"},
    "disagreement": {"signal": "disagreement", "members": 3},
    "ama": {"signal": "ama"},
}


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    life = config.life
    _ranges.one_of(config, "life.signal", SIGNALS)
    if life.episodes % 2:
        _ranges.refuse("life.episodes", life.episodes, "even")
    if life.steps % life.stride:
        _ranges.refuse("life.steps", life.steps, f"a multiple of config.life.stride={life.stride}")
    if life.warmup > life.window:
        _ranges.refuse("life.warmup", life.warmup, f"at most config.life.window={life.window}")
    for signal in config.signals:
        if signal not in SIGNALS:
            known = ", ".join(SIGNALS)
            raise _launch.BadInput(f"config.signals: {signal!r} is not one of {known}")
        _ranges.some_of(config, f"signals.{signal}", rooms.TV_KINDS)


def live(config, pairs: Sequence[Pair]) -> list[dict[str, np.ndarray]]:
    """The diaries of all seeds, arrays [S, episodes, ...], and their `faults`, of each pair.

    All pairs have as many members; one program learns them side by side.
    """
    fields = [{**config.life.to_dict(), **SIGNALS[signal]} for signal, _ in pairs]
    signals = tuple(dict.fromkeys(one["signal"] for one in fields))
    shared = {k: x for k, x in fields[0].items() if k not in ("signal", "bound")}
    settings = exploring.ExploreSettings(signals=signals, **shared)
    lots = exploring.Lot(
        kind=np.array([rooms.TV_KINDS.index(world) for _, world in pairs]),
        signal=np.array([signals.index(one["signal"]) for one in fields]),
        bound=np.array([one["bound"] for one in fields], np.float32),
    )
    newborns = newborn(settings.width, config.seed, config.seeds)
    networks = jax.tree.map(lambda x: x[:, : settings.members], newborns.params)
    newborns = newborns.replace(params=networks)  # pyright: ignore[reportAttributeAccessIssue]
    lived, diary = make(settings)(newborns, lots)
    told = jax.device_get((faults.sign(lived.optimiser), diary))
    apart = [jax.tree.map(lambda x, n=n: x[:, n], told) for n in range(len(pairs))]
    return [faults.blanked(fault, one._asdict()) for fault, one in apart]


@functools.cache
def make(settings: exploring.ExploreSettings):
    """`live`; kept, so that worlds share one program."""
    return exploring.make_explorer(settings)


@functools.cache
def newborn(width: int, first: int, seeds: int) -> exploring.Newborn:
    """All seeds, with as many networks as any signal asks for; kept, so that signals share them."""
    members = max(one.get("members", 1) for one in SIGNALS.values())
    init = lambda seed: exploring.born(width, members, jax.random.key(seed))  # noqa: E731
    born = jax.jit(parallel.vmap(init))(np.arange(first, first + seeds))
    return born.replace(params=jax.device_get(born.params))


def packs(config, run) -> list[list[Pair]]:
    """What is not done yet, as many pairs together as `lives_at_once` allows."""
    left = [pair for pair in plan(config) if not _path(run, *pair).exists()]
    size = max(1, config.lives_at_once // config.seeds)
    alike: dict[int, list[Pair]] = {}
    for pair in left:
        alike.setdefault(SIGNALS[pair[0]].get("members", 1), []).append(pair)
    return [some[n : n + size] for some in alike.values() for n in range(0, len(some), size)]


def plan(config) -> list[Pair]:
    """Every signal, the default first, in its worlds."""
    signals = [signal for signal in SIGNALS if signal in config.signals]
    return [(signal, world) for signal in signals for world in config.signals[signal]]


def judge(config, run) -> dict[str, dict[str, exploring.Diary]]:
    """Every signal in its worlds: records[signal][world]."""
    waiting, total = packs(config, run), len(plan(config))
    for number, pairs in enumerate(waiting):
        done = total - sum(map(len, waiting[number:]))
        run.progress(done, total, "worlds", next=", ".join(" ".join(pair) for pair in pairs))
        for pair, told in zip(pairs, live(config, pairs), strict=True):
            run.write_arrays(_path(run, *pair), told)
            run.tell_faults(", ".join(pair), told["faults"])
        if run.stopping:
            raise run.interrupted()
    run.progress(total, total, "worlds")
    records: dict[str, dict[str, exploring.Diary]] = {signal: {} for signal, _ in plan(config)}
    for signal, world in plan(config):
        records[signal][world] = read(run, signal, world)
    return records


def read(run, signal: str, world: str) -> exploring.Diary:
    """What was told of the lives of all seeds; the run is told of their faults."""
    diary = _parts.load(_path(run, signal, world))
    run.tell_faults(f"{signal}, {world}", diary.pop("faults"))
    return exploring.Diary(**diary)


def main(config, run) -> dict:
    """All lives, then the claims, then the report."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    records = judge(config, run)
    stalled = _noisy_tv_report.watch(config, records)
    result = run.result(seeds=seeds, monitors=[stalled], **_noisy_tv_report.claims(records))
    _noisy_tv_report.write(config.to_dict(), run, records, result)
    return result


def _path(run, signal: str, world: str) -> Path:
    return run.workdir / "lives" / f"{signal}-{world}.npz"


if __name__ == "__main__":
    _launch.launch("noisy_tv", main, check)
