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


def live(config, signal: str, worlds: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """World -> the diaries of all seeds, arrays [S, episodes, ...], and their `faults`."""
    settings = exploring.ExploreSettings(**{**config.life.to_dict(), **SIGNALS[signal]})
    kinds = np.array([rooms.TV_KINDS.index(world) for world in worlds])
    newborns = newborn(settings.width, settings.members, config.seed, config.seeds)
    lived, diary = make(settings)(newborns, kinds)
    out = {}
    for n, world in enumerate(worlds):
        fault, told = jax.device_get(
            jax.tree.map(lambda x, n=n: x[:, n], (faults.sign(lived.optimiser), diary))
        )
        out[world] = faults.blanked(fault, told._asdict())
    return out


@functools.cache
def make(settings: exploring.ExploreSettings):
    """`live`; kept, so that a signal's worlds share one program."""
    return exploring.make_explorer(settings)


@functools.cache
def newborn(width: int, members: int, first: int, seeds: int) -> exploring.Newborn:
    """All seeds; kept, so that signals share them."""
    init = lambda seed: exploring.born(width, members, jax.random.key(seed))  # noqa: E731
    return jax.jit(parallel.vmap(init))(np.arange(first, first + seeds))


def groups(config, run, signal: str) -> list[list[str]]:
    """A signal's worlds that are not done, as many together as `lives_at_once` allows."""
    left = [world for world in config.signals[signal] if not _path(run, signal, world).exists()]
    size = max(1, config.lives_at_once // config.seeds)
    return [left[n : n + size] for n in range(0, len(left), size)]


def judge(config, run) -> dict[str, dict[str, exploring.Diary]]:
    """Every signal in its worlds: records[signal][world]."""
    signals = [signal for signal in SIGNALS if signal in config.signals]  # the default first
    plan = [(signal, worlds) for signal in signals for worlds in groups(config, run, signal)]
    for number, (signal, worlds) in enumerate(plan):
        run.progress(number, len(plan), "parts", next=f"{signal}, {', '.join(worlds)}")
        for world, told in live(config, signal, worlds).items():
            run.write_arrays(_path(run, signal, world), told)
        for world in worlds:
            read(run, signal, world)
        if run.stopping:
            raise run.interrupted()
    run.progress(len(plan), len(plan), "parts")
    return {
        signal: {world: read(run, signal, world) for world in config.signals[signal]}
        for signal in signals
    }


def read(run, signal: str, world: str) -> exploring.Diary:
    """What was told of the lives of all seeds; the run is told of their faults."""
    diary = _parts.load(_path(run, signal, world))
    run.tell_faults(f"{signal}, {world}", diary.pop("faults"))
    return exploring.Diary(**diary)


def main(config, run) -> dict:
    """All lives, then the claims, then the report."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    records = judge(config, run)
    result = run.result(seeds=seeds, **_noisy_tv_report.claims(records))
    _noisy_tv_report.write(config.to_dict(), run, records, result)
    return result


def _path(run, signal: str, world: str) -> Path:
    return run.workdir / "lives" / f"{signal}-{world}.npz"


if __name__ == "__main__":
    _launch.launch("noisy_tv", main, check)
