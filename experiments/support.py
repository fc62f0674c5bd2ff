"""Will the block stay on the table? One picture, an innate rule, a small network, and both.

The rule is "it stays where its middle is over the table". In the second world half of the blocks
are glued, and the rule is wrong about a quarter of all. Presets: laptop (20 seeds), quick (3
seeds), tune (chooses prices on other seeds).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _launch, _parts, _ranges, _support_report
from nsca_jax.models import adaptive
from nsca_jax.priors import support as rule
from nsca_jax.training import faults, trust
from nsca_jax.worlds import support as world

WORLDS = {"bare": 0.0, "glued": world.GLUED_SHARE}  # share of glued blocks
ARMS = {"both": True, "base": False}  # has the prior
POOL = 2  # pixels that the network's eye averages, each way
CHUNK = 50


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    if config.held_out % CHUNK:
        _ranges.refuse("held_out", config.held_out, f"a multiple of {CHUNK}")
    if max(config.sizes) % CHUNK:
        _ranges.refuse("sizes", config.sizes, f"one whose largest is a multiple of {CHUNK}")
    if (world.SIDE // POOL) % config.patch:
        _ranges.refuse("patch", config.patch, f"a divisor of {world.SIDE // POOL}")
    _ranges.pairs(config, "chosen")


def look(config, glued_share: float) -> dict[str, np.ndarray]:
    """Of all seeds: pictures [S, N, H, W, 3] uint8, the rule's log odds and the truth [S, N, 1]."""
    program = looker(max(config.sizes) + config.held_out)
    return jax.device_get(program(_seeds(config), glued_share))


@functools.cache
def looker(n: int):
    """The compiled `(seeds [S], share of glued blocks) -> {name: [S, n, ...]}` of `look`."""

    def scene(key, block):
        image = world.picture(key, block)
        side = world.SIDE // POOL
        pooled = image.reshape(side, POOL, side, POOL, 3).mean((1, 3))
        return (255.0 * pooled + 0.5).astype(jnp.uint8), rule.stays_logit(image)

    def one(seed, glued_share):
        draw, shoot = jax.random.split(jax.random.key(seed))
        blocks = world.scenes(draw, n, glued_share)
        keys = jax.random.split(shoot, n)
        pixels, logit = jax.lax.map(lambda a: scene(*a), (keys, blocks), batch_size=CHUNK)
        return {"pixels": pixels, "prior": logit[:, None], "stays": blocks.stays[:, None]}

    return jax.jit(lambda seeds, share: jax.lax.map(lambda seed: one(seed, share), seeds))


@functools.cache
def learner(aided: bool, steps: int, batch: int, rate: float, eye: tuple[int, int], width: int):
    """The compiled `(seeds [S], scenes, sizes [Z], settings [Z, K, 2]) -> {name: [S, Z, K]}`.

    Kept, so that the two worlds share a program.
    """
    net = adaptive.AdaptivePrior((width,), aided=aided, eye=eye)

    def one(seed, scenes, most, size, setting):
        price = setting[1] * 20.0 / size  # one belief, held against `size` observations
        pace = trust.Pace(rate, 4.0 * rate, price, 0.1 * price, 0.0, setting[0])
        key = jax.random.key(seed)

        def take(rows):
            x = (scenes["pixels"][rows].astype(jnp.float32) / 255.0 - 0.5) * 4.0
            return trust.Batch(x, scenes["prior"][rows], scenes["stays"][rows].astype(jnp.float32))

        def sample(t):
            return take(jax.random.randint(jax.random.fold_in(key, t), (batch,), 0, size))

        def right(rows):
            held = take(rows)
            seen = trust.apply(net, state.params, held.x_BxF, held.prior_BxD)
            told = seen.prediction, held.prior_BxD
            hits = [jnp.mean((logit > 0.0) == (held.y_BxD > 0.5)) for logit in told]
            return *hits, jnp.mean(trust.logistic_error(held.prior_BxD, held.y_BxD))

        shape = scenes["pixels"].shape[1:]
        state = trust.init(net, jax.random.fold_in(key, steps), shape, 1)
        state, weight = trust.learn(net, state, sample, steps, pace, trust.logistic_error)
        rows = jnp.arange(most, len(scenes["pixels"])).reshape(-1, CHUNK)
        hits, prior_hits, prior_error = jax.lax.map(right, rows)
        return faults.sign(state.optimiser), {
            "hits": 100.0 * jnp.mean(hits),
            "prior_hits": 100.0 * jnp.mean(prior_hits),
            "prior_error": jnp.mean(prior_error),
            "weight": weight[-1],
        }

    settings = jax.vmap(one, (None, None, None, None, 0))
    sizes = jax.vmap(settings, (None, None, None, 0, None))
    return jax.jit(jax.vmap(sizes, (0, 0, None, None, None)), static_argnums=2)


def learn(config, arm: str, scenes: dict, settings: np.ndarray) -> dict[str, np.ndarray]:
    """Percent right [S, sizes, K] of an arm, and of the rule alone; `settings` is [K, 2]."""
    eye = (config.patch, config.filters)
    program = learner(ARMS[arm], config.steps, config.batch, config.rate, eye, config.width)
    sizes = jnp.array(config.sizes)
    arguments = _seeds(config), scenes, max(config.sizes), sizes, jnp.asarray(settings)
    return faults.blanked(*jax.device_get(program(*arguments)))


def judge(config, run, settings: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Every arm in every world with every one of its settings: parts[`WORLD-ARM`]."""
    parts = {}
    for name, share in WORLDS.items():
        scenes = functools.cache(functools.partial(look, config, share))
        for arm in ARMS:
            parts[f"{name}-{arm}"] = lambda a=arm, s=scenes: learn(config, a, s(), settings[a])
    return _parts.every(run, parts)


def tune(config, run) -> dict:
    """One (decay, price) an arm for all worlds and sizes, on seeds of their own.

    The network alone gets the decay of the best mean; the adaptive prior what leaves it least far
    behind the better of its inputs, or most ahead, at the worst place.
    """
    base = np.array([(decay, 0.0) for decay in config.decays])
    both = np.array([(decay, price) for decay in config.decays for price in config.prices])
    parts = judge(config, run, {"base": base, "both": both})
    hits = {arm: np.stack([parts[f"{w}-{arm}"]["hits"].mean(0) for w in WORLDS]) for arm in ARMS}
    rule_WxZ = np.stack([parts[f"{w}-both"]["prior_hits"].mean(0)[:, 0] for w in WORLDS])
    best = int(hits["base"].mean((0, 1)).argmax())
    ahead_K = (hits["both"] - np.maximum(hits["base"][..., best], rule_WxZ)[..., None]).min((0, 1))
    chosen = {"base": base[best].tolist(), "both": both[int(ahead_K.argmax())].tolist()}
    run.say(f"chosen: {chosen}, at worst {ahead_K.max():+.1f} points to the better input")
    return {"chosen": chosen, "ahead at worst": dict(zip(map(str, both), ahead_K, strict=True))}


def main(config, run) -> dict:
    """Every arm in both worlds, then the claims, then the report."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    if config.tune:
        return run.result([], seeds, baselines=tune(config, run))
    parts = judge(config, run, {arm: np.array([config.chosen[arm]]) for arm in ARMS})
    result = run.result(seeds=seeds, **_support_report.claims(config, parts))
    _support_report.write(config, run, parts, result)
    return result


def _seeds(config) -> jax.Array:
    return config.seed + jnp.arange(config.seeds)


if __name__ == "__main__":
    _launch.launch("support", main, check)
