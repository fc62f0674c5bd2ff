"""One agent among three rooms to learn and a television that is never learnt: what holds it?

Seven curiosity signals and a variant, eight kinds of TV and none. Presets: laptop (20 seeds, every
signal in every world), quick (3 seeds, the default signal everywhere and its rivals where they are
known to fail), tune (20 other seeds, the default signal alone).
"""

import functools

import jax
import jax.numpy as jnp
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


def live(config, signal: str, world: str) -> dict[str, np.ndarray]:
    """The diaries of all seeds, arrays [S, episodes, ...], and their `faults`."""
    settings = exploring.ExploreSettings(**{**config.life.to_dict(), **SIGNALS[signal]})
    init, lives = make(settings)
    seeds = config.seed + jnp.arange(config.seeds)
    kind = jnp.full(config.seeds, rooms.TV_KINDS.index(world))
    lived, diary = lives(init(jax.vmap(jax.random.key)(seeds), kind), settings.episodes)
    return faults.blanked(lived.optimiser, diary._asdict())


@functools.cache
def make(settings: exploring.ExploreSettings):
    """(init, live) over seeds; kept, so that a signal's worlds share one program."""
    init, lives = exploring.make_explorer(settings)
    return jax.jit(parallel.vmap(init)), lives


def judge(config, run) -> dict[str, dict[str, exploring.Diary]]:
    """Every signal in its worlds: records[signal][world]."""
    signals = [signal for signal in SIGNALS if signal in config.signals]  # the default first
    plan = [(signal, world) for signal in signals for world in config.signals[signal]]
    records: dict[str, dict[str, exploring.Diary]] = {signal: {} for signal, _ in plan}
    for number, (signal, world) in enumerate(plan):
        run.progress(number, len(plan), "worlds", next=f"{signal}, {world}")
        done = run.workdir / "lives" / f"{signal}-{world}.npz"
        if not done.exists():
            run.write_arrays(done, live(config, signal, world))
        diary = _parts.load(done)
        run.tell_faults(f"{signal}, {world}", diary.pop("faults"))
        records[signal][world] = exploring.Diary(**diary)
        if run.stopping:
            raise run.interrupted()
    run.progress(len(plan), len(plan), "worlds")
    return records


def main(config, run) -> dict:
    """All lives, then the claims, then the report."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    records = judge(config, run)
    result = run.result(seeds=seeds, **_noisy_tv_report.claims(records))
    _noisy_tv_report.write(config.to_dict(), run, records, result)
    return result


if __name__ == "__main__":
    _launch.launch("noisy_tv", main, check)
