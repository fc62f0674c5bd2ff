"""Procgen's games by the published protocol: PPO, and PPO with what this project is about.

The same PPO with the IMPALA network learns each game by itself, and with innate visual filters,
curiosity and a foresight of its own latents; PPO whose advantages are dealt to other moments is the
control. Presets: laptop (one game, small network), quick (seconds, for CI), paper (16 games, 25 M
steps). The games come with `make procgen`, on Linux.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _launch, _parts, _procgen_report, _ranges
from nsca_jax.evaluation import procgen
from nsca_jax.training import faults, ppo

ARMS = {  # name -> what differs from PPO; True is the config's weight
    "ppo": (),
    "shuffled": ("shuffled",),
    "priors": ("priors",),
    "curiosity": ("curiosity",),
    "world_model": ("world_model",),
    "all": ("priors", "curiosity", "world_model"),
}
TRAIN, TEST = 1_000_000, 2_000_000  # beyond the numbers of legs: worlds that judge


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    _ranges.one_of(config, "mode", procgen.RANGES)
    _ranges.some_of(config, "games", procgen.EASY)
    _ranges.some_of(config, "arms", ARMS)
    missing = [x for x in ("ppo", "shuffled") if x not in config.arms]
    if missing:
        _ranges.refuse(
            "arms", config.arms, f"one that holds {missing[0]}, which the claim stands on"
        )
    rows = config.worlds * config.rollout
    if rows % config.minibatches:
        raise _launch.BadInput("config.worlds * config.rollout must be a multiple of .minibatches")
    if config.steps < rows:
        _ranges.refuse("steps", config.steps, f"{rows} or more: one roll-out of all worlds")
    places, beside = divmod(procgen.SIDE, config.coarse * config.patch)
    if beside or places < 2 ** len(config.widths):
        raise _launch.BadInput(
            "config.coarse * config.patch must divide 64, with a place left after each of "
            "config.widths halves them"
        )
    try:
        procgen.envpool()
    except procgen.ProcgenError as error:
        raise _launch.BadInput(str(error)) from error


@functools.cache
def programs(settings: ppo.Settings):
    """(init, act, update), compiled once for all seeds and games of an arm."""
    init, act, update = ppo.make_player(settings)
    return jax.jit(init), jax.jit(act), jax.jit(update, donate_argnums=0)


def settings_of(config, arm: str) -> ppo.Settings:
    """What an arm learns by."""
    on = ARMS[arm]
    return ppo.Settings(
        worlds=config.worlds,
        steps=config.rollout,
        epochs=config.epochs,
        minibatches=config.minibatches,
        learning_rate=config.learning_rate,
        discount=config.discount,
        entropy=config.entropy,
        coarse=config.coarse,
        patch=config.patch,
        widths=tuple(config.widths),
        latent=config.latent,
        regions=config.levels,
        priors="priors" in on,
        curiosity=config.curiosity if "curiosity" in on else 0.0,
        world_model=config.world_model if "world_model" in on else 0.0,
        shuffled="shuffled" in on,
        unrolled=jax.default_backend() == "cpu",
    )


def open_worlds(config, game: str, seed: int, leg: int, levels: int) -> procgen.Worlds:
    """The worlds of a leg of learning, or of a judgement; arms meet the same."""
    return procgen.Worlds(game, config.mode, levels, config.worlds, (seed, leg), config.threads)


def learn(config, run, game: str, arm: str, seed: int) -> dict[str, np.ndarray]:
    """One seed's learning, leg by leg, and how it then plays; NaN from a fault on, which ends it.

    Each leg opens its worlds anew, so that a resumed run goes on as an unbroken one.
    """
    init, act, update = programs(settings_of(config, arm))
    updates = config.steps // (config.worlds * config.rollout)
    name = f"{game}_{arm}_{seed}"
    state = init(jax.random.key(seed))
    diary = {"curve": np.full(updates, np.nan, np.float32)}
    diary |= {"loss": np.full(updates, np.nan, np.float32)}
    kept = run.restore({"state": state, "diary": diary}, name=name)
    if kept is not None:
        state, diary = kept["state"], {k: np.array(v) for k, v in kept["diary"].items()}
    for leg in range(int(state.updates) // config.leg, -(-updates // config.leg)):
        worlds = open_worlds(config, game, seed, leg, config.levels)
        running = np.zeros(config.worlds)
        for number in range(leg * config.leg, min((leg + 1) * config.leg, updates)):
            rollout, ended = gather(act, state, worlds, config.rollout, running)
            state, metrics = update(state, rollout)
            metrics = {k: float(v) for k, v in metrics.items()}
            diary["loss"][number] = metrics["loss"]
            diary["curve"][number] = np.mean(ended or np.nan)
            found = faults.alone({arm: state.optimiser}, seed - config.seed, config.seeds)
            if found.any():
                lost = np.full((config.worlds, config.episodes), np.nan)
                return diary | {"train": lost, "test": lost, "faults": found}
            done = (number + 1) * config.worlds * config.rollout
            told = {"played": float(np.mean(ended))} if ended else {}
            run.progress(done, config.steps, f"steps of {name}", **told)
            run.log(done, {"game": game, "arm": arm, "seed": seed, **metrics, **told})
            if run.stopping:
                raise run.interrupted()
        worlds.close()
        if (leg + 1) * config.leg < updates:
            run.save((leg + 1) * config.leg, {"state": state, "diary": diary}, name=name)

    def choose(step: int, image: np.ndarray) -> np.ndarray:
        key = jax.random.fold_in(ppo.playing_key(state), step)
        return np.asarray(act(state.params, key, image)[1])

    return diary | judge(config, game, seed, choose)


def gather(act, state: ppo.State, worlds: procgen.Worlds, steps: int, running: np.ndarray):
    """(Rollout of `steps`, returns of the episodes that ended in it).

    `running` [worlds], what the others have got so far, goes on in place.
    """
    key = ppo.playing_key(state)
    moments, ended = [], []
    for step in range(steps):
        seen, *acted = act(state.params, jax.random.fold_in(key, step), worlds.image)
        level = worlds.level
        reward, done = worlds.step(np.asarray(acted[0]))
        moments.append((seen, *acted, reward, done, level))
        running += reward
        ended += list(running[done])
        running[done] = 0.0
    seen, _, _, value = act(state.params, jax.random.fold_in(key, steps), worlds.image)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *moments)
    last = jax.tree.map(lambda x, y: jnp.concatenate([x, y[None]]), stacked[0], seen)
    value = jnp.concatenate([stacked[3], value[None]])
    return ppo.Rollout(last, stacked[1], stacked[2], value, *stacked[4:]), ended


def guess(config, game: str, seed: int) -> dict[str, np.ndarray]:
    """How whoever acts at random plays."""
    random = np.random.default_rng(seed)
    return judge(
        config, game, seed, lambda _, image: random.integers(procgen.ACTIONS, size=len(image))
    )


def judge(config, game: str, seed: int, choose) -> dict[str, np.ndarray]:
    """Returns [worlds, episodes] on the levels learnt from, and on all there are."""
    out = {}
    for name, leg, levels in (("train", TRAIN, config.levels), ("test", TEST, 0)):
        worlds = open_worlds(config, game, seed, leg, levels)
        out[name] = procgen.play(worlds, choose, config.episodes)
        worlds.close()
    return out


def main(config, run) -> dict:
    """Every seed of every arm in every game, then the claims and the report."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    parts: dict[str, Any] = {}
    for game in config.games:
        for seed in seeds:
            parts[f"{game}_random_{seed}"] = functools.partial(guess, config, game, seed)
            for arm in config.arms:
                one = functools.partial(learn, config, run, game, arm, seed)
                parts[f"{game}_{arm}_{seed}"] = one
    done = _parts.every(run, parts)
    records = {
        arm: {
            game: {
                key: np.stack([done[f"{game}_{arm}_{seed}"][key] for seed in seeds])
                for key in done[f"{game}_{arm}_{seeds[0]}"]
            }
            for game in config.games
        }
        for arm in ("random", *config.arms)
    }
    result = run.result(seeds=seeds, **_procgen_report.claims(config, records))
    _procgen_report.write(config, run, records, result)
    return result


if __name__ == "__main__":
    _launch.launch("procgen", main, check)
