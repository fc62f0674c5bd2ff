"""How well what comes next is foreseen: error, coverage and whether uncertainty tells of error.

Learnt from the agent's senses, scored against the truth. S seeds, W windows, H steps ahead,
A = len(HORIZONS) of them judged.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# (jnp functions that return one array; a struct's fields)

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.evaluation import stats
from nsca_jax.models import normalise
from nsca_jax.models import temporal as model_lib
from nsca_jax.priors import physics
from nsca_jax.training import temporal

NOWS = (3, 6, 9)  # the moments at which the histories of a judgement end
AT = np.array(temporal.HORIZONS)


class Forecast(NamedTuple):
    """What one model foresaw of W windows, for S seeds."""

    place_m: np.ndarray  # [S, W, H, 3]
    spread_m: np.ndarray  # [S, W, H, 3] standard deviation ahead, to the left and up
    senses: np.ndarray  # [S, W, A, D] standardised mean
    weight: np.ndarray  # [S, W, H] trust in the prior


def every_window(of: temporal.Tracks, nows: tuple[int, ...] = NOWS) -> tuple[np.ndarray, ...]:
    """(row [W], now [W]): each interaction at each of `nows`, where its history saw the object."""
    count = of.seen.shape[0]
    row, now = np.tile(np.arange(count), len(nows)), np.repeat(nows, count)
    moments = np.maximum(now[:, None] + np.arange(1 - temporal.MOMENTS, 1), 0)
    known = np.asarray(of.seen)[row[:, None], moments].any(1)
    return row[known], now[known]


def deal(key: jax.Array, object_id: jax.Array, n: int, held: int) -> tuple[jax.Array, jax.Array]:
    """n interactions for one seed: those it learns from, and those of `held` objects it does not.

    The latter tell it how far to trust itself on what it never met (`band_scale`). object_id [P],
    balanced; the share of the held-out objects among the n is theirs among all.
    """
    n = min(n, len(object_id))
    object_key, row_key = jax.random.split(key)
    objects = int(object_id.max()) + 1
    novel = jax.random.permutation(object_key, objects)[:held]
    aside = jnp.isin(object_id, novel)
    order = jnp.argsort(aside + jax.random.uniform(row_key, object_id.shape))
    kept = n * held // objects
    return order[: n - kept], order[::-1][:kept]


def forecast(model, learner: temporal.Learner, of: temporal.Tracks, row, now) -> Forecast:
    """Foresees windows (row [W], now [W]) with every seed of `learner` [S, ...]."""
    horizon = int(AT[-1])
    row, now = jnp.asarray(row), jnp.asarray(now)

    def one(seed):
        params, statistics = seed
        seen = temporal.window(of, statistics, row, now, horizon)
        future = model.apply(params, seen.history, seen.act, horizon, temporal.HORIZONS)
        spread = model_lib.UNIT_M * jnp.exp(0.5 * future.log_variance)
        return future.place_m, spread, future.senses_mean, future.weight

    foreseen = jax.lax.map(one, (learner.params, learner.statistics))
    return Forecast(*jax.device_get(foreseen))


def uncorrected(learner: temporal.Learner) -> temporal.Learner:
    """The learner without its corrections of innate physics: what that foresees by itself."""
    tree: Any = learner.params
    params = tree["params"]
    silent = jax.tree.map(jnp.zeros_like, params["step"]["residual"])
    step = {**params["step"], "residual": silent}
    return learner.replace(params={"params": {**params, "step": step}})


def squared_error(foreseen: Forecast, truth_m: np.ndarray) -> np.ndarray:
    """[S, A] mean squared distance (m2) from where the object truly was, truth_m [W, A, 3]."""
    miss = truth_m - foreseen.place_m[:, :, AT - 1]
    return (miss**2).sum(-1).mean(1)


def band_scale(model, learner: temporal.Learner, of: temporal.Tracks, aside: jax.Array):
    """[S, H] by which each seed widens its spread, so that its 90 % band holds 90 % of what it
    senses of the objects that it did not learn from (split conformal prediction, Vovk et al. 2005;
    Lei et al. 2018). aside [S, n]: their interactions.
    """
    horizon = int(AT[-1])
    nows = jnp.repeat(jnp.array(NOWS), aside.shape[1])

    def one(params, statistics, rows):
        row = jnp.tile(rows, len(NOWS))
        target = temporal.window(of, statistics, row, nows, horizon)
        future = model.apply(params, target.history, target.act, horizon, temporal.HORIZONS)
        error = model_lib.into_frame(target.place_m - future.place_m, model_lib.heading(target.act))
        ratio = jnp.abs(error) / (model_lib.UNIT_M * jnp.exp(0.5 * future.log_variance))
        use = (target.seen & target.known[:, None])[..., None]
        ratio = jnp.where(use, ratio, jnp.nan)
        return jnp.nanquantile(ratio, 0.9, axis=(0, 2)) / temporal.Z_90

    return jax.lax.map(lambda a: one(*a), (learner.params, learner.statistics, aside))


def rivals(of: temporal.Tracks, row: np.ndarray, now: np.ndarray) -> dict[str, np.ndarray]:
    """Places [W, A, 3] by predictors that learn nothing, from the same histories.

    The velocity is the least-squares slope over the history, or of its last two moments;
    `ballistic` is free flight with that slope, ended by the table.
    """
    moments = np.maximum(now[:, None] + np.arange(1 - temporal.MOMENTS, 1), 0)
    place = jnp.asarray(of.place_m)[row[:, None], moments]
    seen = jnp.asarray(of.seen)[row[:, None], moments]
    size = jnp.asarray(of.size_m)[row[:, None], moments]
    dark = jnp.zeros((*seen.shape, 1))
    body = jnp.zeros((len(row), model_lib.BODY))
    history = temporal.history_of(dark, place, size, seen, seen, body, seen[:, 0])
    start, velocity = history.place_m, history.velocity_m_s
    latest = temporal.slope(place[:, -2:], seen[:, -2:]) / model_lib.DT_S
    time = jnp.asarray(AT)[None, :, None] * model_lib.DT_S
    floor = jnp.minimum(0.56 * history.size_m, start[:, 2])
    flight = [
        physics.ballistic_step(start, velocity, float(h) * model_lib.DT_S, floor)[0] for h in AT
    ]
    out = {
        "persistence": jnp.broadcast_to(start[:, None], (len(row), len(AT), 3)),
        "constant velocity": start[:, None] + velocity[:, None] * time,
        "last velocity": start[:, None] + latest[:, None] * time,
        "ballistic": jnp.stack(flight, 1),
    }
    return {name: np.asarray(places) for name, places in out.items()}


def judge(
    foreseen: Forecast, scale: np.ndarray, truth_m: np.ndarray, heading: np.ndarray
) -> dict[str, np.ndarray]:
    """Per seed and horizon [S, A]: mean error (m), coverage of the 90 % band, rank correlation.

    Args:
        scale: [S, H] of the spread (`band_scale`).
        truth_m: [W, A, 3] where the object truly was.
        heading: [W, 2] of the acts, along which the band stands.

    The rank correlation is that of a window's error with its predicted spread, at one horizon.
    """
    miss = truth_m - foreseen.place_m[:, :, AT - 1]
    spread = (foreseen.spread_m * scale[:, None, :, None])[:, :, AT - 1]
    cos, sin = heading[:, None, 0], heading[:, None, 1]
    turned = [
        cos * miss[..., 0] + sin * miss[..., 1],
        cos * miss[..., 1] - sin * miss[..., 0],
        miss[..., 2],
    ]
    inside = np.abs(np.stack(turned, -1)) <= temporal.Z_90 * spread
    error, width = np.linalg.norm(miss, axis=-1), np.linalg.norm(spread, axis=-1)
    rank = [
        [stats.spearman(e, w) for e, w in zip(es.T, ws.T, strict=True)]
        for es, ws in zip(error, width, strict=True)
    ]
    return {
        "error_m": error.mean(1),
        "coverage": inside.mean((1, 3)),
        "rank": np.array(rank),
    }


def senses_skill(
    learner: temporal.Learner, of: temporal.Tracks, row, now, foreseen: Forecast
) -> dict[str, np.ndarray]:
    """{"senses": [S, A]} squared error of the senses foreseen over their variance, from 1; and
    {"senses_persistence": [S, A]} that of foreseeing the last moment's. Summed over the senses, as
    standardised on what was learnt from: one that hardly varies in Set B weighs nothing.
    """
    raw = np.asarray(of.senses)
    mean = np.asarray(learner.statistics.mean)[:, None]
    std = np.asarray(jax.vmap(normalise.std)(learner.statistics))[:, None]
    out = {"senses": [], "senses_persistence": []}
    for number, ahead in enumerate(AT):
        later, last = (
            np.clip((raw[row, t][None] - mean) / std, -10, 10) for t in (now + ahead, now)
        )
        variance = later.var(1).sum(-1)
        for name, guess in (
            ("senses", foreseen.senses[:, :, number]),
            ("senses_persistence", last),
        ):
            out[name].append(1.0 - ((later - guess) ** 2).mean(1).sum(-1) / variance)
    return {name: np.stack(values, -1) for name, values in out.items()}


def error_where(foreseen: Forecast, truth_m: np.ndarray, where: np.ndarray) -> np.ndarray:
    """[S, A] mean error (m) over the windows where `where` [W, A] holds."""
    error = np.linalg.norm(truth_m - foreseen.place_m[:, :, AT - 1], axis=-1)
    return (error * where).sum(1) / np.maximum(where.sum(0), 1)


def error_by(foreseen: Forecast, truth_m: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """[S, kinds, A] mean error (m) of each kind of window, kind [W] int."""
    return np.stack(
        [
            error_where(foreseen, truth_m, np.repeat((kind == k)[:, None], len(AT), 1))
            for k in range(int(kind.max()) + 1)
        ],
        1,
    )
