"""Gravity is innate, and yet balloons rise: a prior that is overridden where it fails.

One network corrects the gravity prior and learns how far to trust it, from real flights. Presets:
laptop (20 seeds), quick (3 seeds), tune (chooses the prices of `throws` on other seeds).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import roc_auc_score

from experiments import _balloon_report, _launch, _parts, _ranges
from experiments import _balloon_tasks as tasks
from nsca_jax.evaluation import monitors
from nsca_jax.models import adaptive
from nsca_jax.priors.physics import WEIGHT_FLOOR
from nsca_jax.training import faults, trust

HELD_OUT = 1000
ARMS = {  # throws: name -> (has a prior, its gravity)
    "adaptive": (True, 9.81),
    "none": (False, 9.81),
    "wrong": (True, -9.81),
}


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    if config.grid < 3 or config.grid % 2 == 0:
        _ranges.refuse("grid", config.grid, "an odd number, 3 or more")
    if not {20, 50} < set(config.throws):
        _ranges.refuse("throws", config.throws, "one that holds 20, 50 and more")
    for arm, chosen in config.chosen.items():
        if missing := [n for n in config.throws if f"n{n}" not in chosen and not config.tune]:
            raise _launch.BadInput(
                f"config.throws: nothing is chosen for {missing[0]} throws (config.chosen.{arm})."
            )
    _ranges.pairs(config, "chosen")


def courses(config) -> dict[str, tuple[float, float, trust.Pace]]:
    """Name -> share of balloons in the first and in the second phase, and how it is learnt."""
    base = trust.Pace(*(config.pace[name] for name in ("network", "trust", "beta", "gamma")))
    closing = base._replace(closes_at=float(config.steps), closing=config.closing)
    out = {
        "normal": (0.0, 0.0, base),
        "balloons": (1.0, 0.0, base),
        "balloons_stay": (1.0, 1.0, base),
        "late": (0.0, 1.0, base),
        "too_late": (0.0, 1.0, closing),
    }
    factors = 10 ** np.linspace(-0.5, 0.5, config.grid)
    for i, a in enumerate(factors):
        for j, b in enumerate(factors):
            pace = base._replace(network=base.network * a, trust=base.trust * b)
            out[f"grid_{i}_{j}"] = (1.0, 1.0, pace)
            out[f"free_{i}_{j}"] = (1.0, 1.0, pace._replace(beta=0.0, gamma=0.0))
    return out


def learn_trust(config) -> dict[str, np.ndarray]:
    """Every course: w [S, courses, 2 steps], and percent of balloons predicted to rise [S]."""
    net = adaptive.AdaptivePrior((config.width,), scale=9.81)
    table = list(courses(config).values())
    first, then = (np.array([row[k] for row in table], np.float32) for k in (0, 1))
    columns = zip(*(row[2] for row in table), strict=True)
    pace = trust.Pace(*(np.array(column, np.float32) for column in columns))

    def one(seed, first, then, pace):
        key = jax.random.key(seed)
        state = trust.init(net, key, tasks.DRIFT_FEATURES, 1)
        sample = functools.partial(_drift, jax.random.fold_in(key, 1), config.batch)

        def phase(state, share):  # a scan over both: one loop to compile
            state, weight = trust.learn(net, state, lambda t: sample(t, share), config.steps, pace)
            return state, (weight, state.params)

        state, (weight, params) = jax.lax.scan(phase, state, jnp.stack([first, then]))
        batch, _ = tasks.drift(jax.random.fold_in(key, 2), HELD_OUT, 1.0)
        params = jax.tree.map(lambda x: x[0], params)  # after the first
        seen = trust.apply(net, params, batch.x_BxF, batch.prior_BxD)
        return faults.sign(state.optimiser), {
            "weight": weight.ravel(),
            "upward": 100.0 * jnp.mean(seen.prediction > 0.0),
            "prior_upward": 100.0 * jnp.mean(batch.prior_BxD > 0.0),
            "truly_upward": 100.0 * jnp.mean(batch.y_BxD > 0.0),
        }

    every = jax.vmap(jax.vmap(one, (None, 0, 0, 0)), (0, None, None, None))
    return faults.blanked(*jax.device_get(jax.jit(every)(_seeds(config), first, then, pace)))


def learn_mixed(config) -> dict[str, np.ndarray]:
    """A world of both: the trust in each held-out body [S, 2, N] (second: outcomes shuffled)."""
    net = adaptive.AdaptivePrior((config.width,), gated=True, scale=9.81)
    pace = trust.Pace(**config.mixed.pace)

    def one(seed, shuffled):
        key = jax.random.key(seed)

        def sample(t):
            batch = _drift(jax.random.fold_in(key, 1), config.batch, t, config.mixed.balloons)
            other = jnp.roll(batch.y_BxD, 1, 0)
            return batch._replace(y_BxD=jnp.where(shuffled, other, batch.y_BxD))

        state = trust.init(net, key, tasks.DRIFT_FEATURES, 1)
        state, _ = trust.learn(net, state, sample, config.mixed.steps, pace)
        batch, rises_N = tasks.drift(jax.random.fold_in(key, 2), HELD_OUT, config.mixed.balloons)
        seen = trust.apply(net, state.params, batch.x_BxF, batch.prior_BxD)
        return faults.sign(state.optimiser), {"weight": seen.weight, "rises": rises_N}

    every = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
    fault, out = jax.device_get(jax.jit(every)(_seeds(config), np.array([False, True])))
    pairs = zip(
        out["rises"].reshape(-1, HELD_OUT), -out["weight"].reshape(-1, HELD_OUT), strict=True
    )
    auroc = np.array([roc_auc_score(rises, trusted) for rises, trusted in pairs])
    return faults.blanked(fault, {**out, "auroc": auroc.reshape(-1, 2)})


@functools.cache
def thrower(aided: bool, steps: int, batch: int, rate: float, width: int):
    """The compiled `(seeds [S], gravity, most, sizes [Z], settings [Z, K, 2])` of `learn_throws`.

    Kept, so that the right and the wrong prior share a program.
    """
    net = adaptive.AdaptivePrior((width, width), aided=aided)

    def one(seed, gravity, most, size, setting):
        price = setting[1] * 10.0 / size
        pace = trust.Pace(rate, rate, price, 0.1 * price, 0.0, setting[0])
        key = jax.random.key(seed)
        known = tasks.throws(jax.random.fold_in(key, 1), most, gravity)
        held = tasks.throws(jax.random.fold_in(key, 2), HELD_OUT, gravity)

        def sample(t):
            turn = jax.random.fold_in(jax.random.fold_in(key, 3), t)
            rows = jax.random.randint(turn, (batch,), 0, size)
            return jax.tree.map(lambda a: a[rows], known)

        state = trust.init(net, key, tasks.THROW_FEATURES, 2)
        state, weight = trust.learn(net, state, sample, steps, pace)
        seen = trust.apply(net, state.params, held.x_BxF, held.prior_BxD)
        return faults.sign(state.optimiser), {
            "hits": tasks.hits(seen.prediction, held.y_BxD),
            "nrmse": tasks.nrmse(seen.prediction, held.y_BxD),
            "prior_hits": tasks.hits(held.prior_BxD, held.y_BxD),
            "prior_nrmse": tasks.nrmse(held.prior_BxD, held.y_BxD),
            "weight": weight[-1],
        }

    settings = jax.vmap(one, (None, None, None, None, 0))
    sizes = jax.vmap(settings, (None, None, None, 0, 0))
    return jax.jit(jax.vmap(sizes, (0, None, None, None, None)), static_argnums=2)


def learn_throws(config, arm: str, settings: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy and error [S, sizes, settings] after N throws; of the prior alone too.

    Args:
        settings: [sizes, settings, 2] weight decay, and price of the residual at ten throws. The
            price falls as 1 / N: it stands for one belief, held against N observations.
    """
    aided, gravity = ARMS[arm]
    program = thrower(aided, config.throw_steps, config.batch, config.throw_pace, config.width)
    sizes = np.array(config.throws)
    arguments = _seeds(config), gravity, max(config.throws), sizes, np.asarray(settings, np.float32)
    return faults.blanked(*jax.device_get(program(*arguments)))


def judge(config, run) -> dict[str, dict[str, np.ndarray]]:
    """Every part of the experiment, kept as it is done."""
    parts = {
        "trust": functools.partial(learn_trust, config),
        "mixed": functools.partial(learn_mixed, config),
    }
    for arm, (aided, _) in ARMS.items():
        rows = config.chosen["adaptive" if aided else "none"]
        chosen = np.array([rows[f"n{n}"] for n in config.throws])[:, None]
        parts[arm] = functools.partial(learn_throws, config, arm, chosen)
    return _parts.every(run, parts)


def tune(config, run) -> dict:
    """The best (decay, price) of each arm at each N by the seeds' mean, on seeds of their own."""
    chosen: dict = {}
    for arm in ("adaptive", "none"):
        prices = config.prices if ARMS[arm][0] else (0.0,)
        grid = np.array([(d, p) for d in config.decays for p in prices])
        settings = np.broadcast_to(grid, (len(config.throws), *grid.shape))
        compute = functools.partial(learn_throws, config, arm, settings)
        hits = _parts.once(run, f"tune-{arm}", compute)["hits"].mean(0)
        chosen[arm] = {
            f"n{n}": {"setting": grid[k].tolist(), "hits": float(row[k])}
            for n, k, row in zip(config.throws, hits.argmax(-1), hits, strict=True)
        }
        run.say(f"{arm}: " + ", ".join(f"{n} {v['setting']}" for n, v in chosen[arm].items()))
    return chosen


def watch(config, weight_S: np.ndarray) -> monitors.Reading:
    """Is gravity still trusted, after a life among balloons?"""
    meet = jax.jit(lambda seed: tasks.drift(jax.random.key(seed), HELD_OUT, 1.0)[0])
    batch = jax.device_get(meet(config.seed))
    return monitors.prior_holds_on(
        weight_S,
        float(np.mean((batch.prior_BxD - batch.y_BxD) ** 2)),
        float(np.mean(batch.y_BxD**2)),
        WEIGHT_FLOOR,
        "a larger config.pace.beta or a smaller config.pace.gamma",
    )


def main(config, run) -> dict:
    """Every part, then the claims, then the report."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    if config.tune:
        return run.result([], seeds, baselines=tune(config, run))
    parts = judge(config, run)
    names = list(courses(config))
    holds_on = watch(config, parts["trust"]["weight"][:, names.index("balloons"), config.steps - 1])
    claims = _balloon_report.claims(config, names, parts)
    result = run.result(seeds=seeds, monitors=[holds_on], **claims)
    _balloon_report.write(config.to_dict(), run, names, parts, result)
    return result


def _drift(key: jax.Array, n: int, t: jax.Array, share) -> trust.Batch:
    return tasks.drift(jax.random.fold_in(key, t), n, share)[0]


def _seeds(config) -> np.ndarray:
    return np.arange(config.seed, config.seed + config.seeds)


if __name__ == "__main__":
    _launch.launch("balloon", main, check)
