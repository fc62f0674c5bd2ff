"""Procgen by the published protocol: Cobbe et al. (2020), "Leveraging procedural generation".

Games run on the host, in EnvPool, which is imported only where worlds are opened.
Shapes: N worlds, pictures 64 x 64.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SIDE, ACTIONS = 64, 15


class Range(NamedTuple):
    """Returns that count as 0 and as 1."""

    low: float
    high: float


# Cobbe et al. (2020), normalisation constants: a trivial policy's return, and the greatest.
EASY = {
    "bigfish": Range(1, 40),
    "bossfight": Range(0.5, 13),
    "caveflyer": Range(3.5, 12),
    "chaser": Range(0.5, 13),
    "climber": Range(2, 12.6),
    "coinrun": Range(5, 10),
    "dodgeball": Range(1.5, 19),
    "fruitbot": Range(-1.5, 32.4),
    "heist": Range(3.5, 10),
    "jumper": Range(3, 10),
    "leaper": Range(3, 10),
    "maze": Range(5, 10),
    "miner": Range(1.5, 13),
    "ninja": Range(3.5, 10),
    "plunder": Range(4.5, 30),
    "starpilot": Range(2.5, 64),
}
HARD = {
    "bigfish": Range(0, 40),
    "bossfight": Range(0.5, 13),
    "caveflyer": Range(2, 13.4),
    "chaser": Range(0.5, 14.2),
    "climber": Range(1, 12.6),
    "coinrun": Range(5, 10),
    "dodgeball": Range(1.5, 19),
    "fruitbot": Range(-0.5, 27.2),
    "heist": Range(2, 10),
    "jumper": Range(1, 10),
    "leaper": Range(1.5, 10),
    "maze": Range(4, 10),
    "miner": Range(1.5, 20),
    "ninja": Range(2, 10),
    "plunder": Range(3, 30),
    "starpilot": Range(1.5, 35),
}
RANGES = {"easy": EASY, "hard": HARD}


class ProcgenError(RuntimeError):
    """The games cannot be opened here; the message is one sentence: what to install."""


def normalised(returns: Any, game: str, mode: str) -> np.ndarray:
    """Returns [...] on the game's scale: 0 is a trivial policy's, 1 the greatest possible."""
    low, high = RANGES[mode][game]
    return (np.asarray(returns, np.float64) - low) / (high - low)


class Worlds:
    """N worlds of a game, each with a seed of its own drawn from `seed`, a number or several.

    `levels` = 0 draws from all levels there are. A world whose episode ended is reset at once: the
    picture of that step is the next episode's first.

    Raises:
        ProcgenError: EnvPool or the library under it is missing.
    """

    def __init__(self, game: str, mode: str, levels: int, count: int, seed: Any, threads: int):
        seeds = np.random.SeedSequence(seed).generate_state(count) % (2**31 - 1)
        self._pool = envpool().make_gymnasium(
            f"{game.capitalize()}{mode.capitalize()}-v0",
            num_envs=count,
            env_seed=[int(s) for s in seeds],
            num_threads=threads,
            channel_first=False,
            num_levels=levels,
            start_level=0,
        )
        self.count = count
        self.image, told = self._pool.reset()
        self.level = told["level_seed"]

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acts [N] -> (reward [N], done [N]); then `image` and `level` are the next moment's."""
        image, reward, terminated, truncated, told = self._pool.step(np.asarray(action, np.int32))
        done, level = terminated | truncated, told["level_seed"]
        if done.any():
            over = np.flatnonzero(done).astype(np.int32)
            image, level = image.copy(), level.copy()
            image[over], begun = self._pool.reset(over)
            level[over] = begun["level_seed"]
        self.image, self.level = image, level
        return reward, done

    def close(self) -> None:
        """Ends the worlds."""
        self._pool.close()


def play(worlds: Worlds, choose: Callable[[int, np.ndarray], np.ndarray], episodes: int):
    """Returns [N, episodes] of each world's first episodes; short ones are not favoured.

    `choose(step, image [N, 64, 64, 3])` gives actions [N].
    """
    out = np.full((worlds.count, episodes), np.nan)
    had, running, step = np.zeros(worlds.count, int), np.zeros(worlds.count), 0
    while (had < episodes).any():
        reward, done = worlds.step(choose(step, worlds.image))
        running += reward
        over = done & (had < episodes)
        out[over, had[over]] = running[over]
        had[over] += 1
        running[done] = 0.0
        step += 1
    return out


def envpool():
    """The module; raises ProcgenError where it, or the system library under it, is missing."""
    try:
        import envpool as module  # pyright: ignore[reportMissingImports] - an extra
        from envpool.procgen import ProcgenEnvSpec  # noqa: F401 # pyright: ignore
    except ModuleNotFoundError as error:
        raise ProcgenError(
            "Procgen's games come with EnvPool, which is not installed: `make procgen`, on Linux."
        ) from error
    except ImportError as error:
        missing = error.__cause__ or error
        raise ProcgenError(
            f"Procgen's games need Qt ({missing}): on Debian, apt install libqt5gui5."
        ) from error
    return module
