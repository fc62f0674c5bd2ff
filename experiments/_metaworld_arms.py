"""The arms of the Meta-World experiment: how each learns from demonstrations, and how it acts.

Every array leads with S seeds and T test tasks, or with E = S * T environments in that order.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# (flax's replace, jnp's trees)

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax.evaluation import metaworld as benchmark
from nsca_jax.training import imitation, persistence

FOLLOWED = ("agent", "cloning")  # at every number of demonstrations
LEARNT = ("agent", "no pretraining", "no foresight", "no priors", "no persistence", "cloning")
TRUNKS = {  # what each pretraining differs by
    "whole": {},
    "no foresight": {"foresight": 0.0},
    "no priors": {"eye": "readings"},
}
UNLEARNT = ("nearest neighbour", "random", "expert")


class Arm(NamedTuple):
    """How one arm learns and acts."""

    settings: imitation.Settings
    trunk: str  # one of TRUNKS, or empty: it starts from nothing
    persistent: bool


def arm(config, name: str) -> Arm:
    """The arm `name` of LEARNT by the config."""
    if name == "cloning":
        return Arm(imitation.Settings(**config.cloning), "", False)
    settings = imitation.Settings(**{**config.agent, **TRUNKS.get(name, {})})
    trunk = "" if name == "no pretraining" else name if name in TRUNKS else "whole"
    return Arm(settings, trunk, name != "no persistence")


def learn_trunks(config, rows: dict[str, np.ndarray], name: str):
    """(trunks, their eye, [S, steps, 2] errors, faults [S]), a trunk a seed, from all training."""
    settings = imitation.Settings(**{**config.agent, **config.pretraining, **TRUNKS[name]})
    given = imitation.Rows(**{k: jnp.asarray(v) for k, v in rows.items()})
    keys = jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))
    view = imitation.open_eye(given, jnp.ones(len(given.of)))
    learn = functools.partial(imitation.pretrain, settings, len(benchmark.TRAIN))
    trunks, errors, fault = jax.jit(jax.vmap(learn, (0, None, None)))(keys, view, given)
    return trunks, view, errors, fault


@functools.cache
def _program(settings: imitation.Settings, pretrained: bool):
    """Adapting of all seeds and tasks at once, compiled once for every number of shots."""
    learn = functools.partial(imitation.adapt, settings)
    own = 0 if pretrained else None
    view = None if pretrained else 0
    over_tasks = jax.vmap(learn, (0, None, view, 0, 0))
    return jax.jit(jax.vmap(over_tasks, (0, own, view, 0, 0)))


def adapt(config, of: Arm, trunk, rows: imitation.Rows, shots: int):
    """(params [S, T, M], eyes [S, T], [S, T, M, steps, 2] errors, faults) from `shots` shown."""
    seeds, tasks = rows.of.shape[:2]
    used = (rows.of < shots).astype(jnp.float32)
    keys = jax.vmap(jax.random.key)(10_000 + config.seed + jnp.arange(seeds))
    keys = jax.vmap(lambda key: jax.random.split(key, tasks))(keys)
    if of.trunk:
        start, eye = trunk
    else:
        start, eye = None, jax.vmap(jax.vmap(imitation.open_eye))(rows, used)
    params, errors, fault = _program(of.settings, bool(of.trunk))(keys, start, eye, rows, used)
    if of.trunk:
        eye = jax.tree.map(lambda x: jnp.broadcast_to(x, (seeds, tasks, *x.shape)), eye)
    return params, eye, errors, fault


def actor(config, of: Arm, params, eye, longest: np.ndarray) -> benchmark.Act:
    """How E environments' agents act, all by one compiled call; `longest` [E] demonstration."""
    rule = persistence.Rule(**config.persistence) if of.persistent else None
    flat = functools.partial(jax.tree.map, lambda x: x.reshape(-1, *x.shape[2:]))
    params, eye = flat(params), flat(eye)
    act = functools.partial(persistence.act, of.settings, rule)
    step = jax.jit(jax.vmap(act), donate_argnums=3)
    state = persistence.begin(len(longest), benchmark.OBSERVED, config.seed)
    lasted = jnp.asarray(longest, jnp.float32)

    def answer(seen: np.ndarray, time: np.ndarray) -> np.ndarray:
        nonlocal state
        state, action = step(params, eye, lasted, state, seen, time)
        return np.asarray(action)

    return answer


def neighbour(rows: imitation.Rows, shots: int) -> benchmark.Act:
    """Does what was meant at the most alike reading shown, each number in standard deviations."""
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), rows)
    used = flat.of < shots
    eyes = jax.vmap(imitation.open_eye)(flat, used.astype(jnp.float32))

    @jax.jit
    def step(seen):
        def one(eye, shown, used, now):
            apart = jnp.sum(((shown.seen - now) / eye.spread) ** 2, -1)
            return shown.meant[jnp.argmin(jnp.where(used, apart, jnp.inf))]

        return jax.vmap(one)(eyes, flat, used, seen)

    return lambda seen, _: np.asarray(step(seen))


def blind(seed: int) -> benchmark.Act:
    """Uniformly random actions."""
    rng = np.random.default_rng(seed)
    return lambda seen, _: rng.uniform(-1.0, 1.0, (len(seen), benchmark.ACTION))


def expert(stage: benchmark.Stage) -> benchmark.Act:
    """The scripted experts, who see the goal."""

    def answer(seen: np.ndarray, _) -> np.ndarray:
        out = np.zeros((len(seen), benchmark.ACTION))
        for i, action in stage("advice", dict.fromkeys(range(len(seen)))).items():
            out[i] = action
        return out

    return answer
