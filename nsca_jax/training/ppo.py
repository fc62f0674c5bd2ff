"""Proximal policy optimisation from pictures: Schulman et al. (2017), as Procgen's authors tune it.

`make_player(settings)` gives (init, act, update). The worlds step on the host; an update over the
whole roll-out is one compiled program. Curiosity pays for foresight that is still improving, and
world-model representation asks the latent to foretell the next one (Schwarzer et al. 2021, "SPR").
Shapes: T steps, N worlds, B rows of a minibatch, D units of the latent.
"""

# flax dataclasses have `replace`, and Linen applies to three arrays, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false

import dataclasses
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax.curiosity import gamma_progress
from nsca_jax.curiosity.evidence import Evidence
from nsca_jax.losses import masked_mean
from nsca_jax.models import impala, normalise
from nsca_jax.training import faults

SLOW_SHARE = 0.2  # of the way to the parameters that their slow copy goes in an update
TOLD_EVERY = 8  # steps of a roll-out between two that curiosity's windows are told of
REWARD_LIMIT = 10.0  # standard deviations of the return


@dataclasses.dataclass(frozen=True)
class Settings:
    """Compile-time constants; the defaults are those of Cobbe et al. (2020), easy games."""

    worlds: int = 64
    steps: int = 256
    epochs: int = 3
    minibatches: int = 8
    learning_rate: float = 5e-4
    discount: float = 0.999
    trace: float = 0.95
    clip: float = 0.2
    entropy: float = 0.01
    value: float = 0.5
    gradient_norm: float = 0.5
    actions: int = 15
    side: int = 64  # pixels
    coarse: int = 1
    patch: int = 1
    widths: tuple[int, ...] = (16, 32, 32)
    latent: int = 256
    regions: int = 200  # levels, to curiosity
    priors: bool = False  # innate filters as first channels
    curiosity: float = 0.0  # weight of the bonus
    world_model: float = 0.0  # weight of the foresight's loss on the latent
    shuffled: bool = False  # advantages dealt to other transitions: nothing can be learnt
    unrolled: bool = False  # the minibatches' loop; a CPU is slow at convolutions inside loops

    @property
    def foresees(self) -> bool:
        """Whether foresight is learnt at all."""
        return self.curiosity > 0 or self.world_model > 0

    @property
    def innate(self):
        """The filters that the eye is born with."""
        return impala.BORN_WITH if self.priors else impala.NOTHING


class Rollout(NamedTuple):
    """T steps of N worlds; `seen` and `value` have one more, of where they end."""

    seen: impala.Seen  # [T + 1, N, ...]
    action: jax.Array  # [T, N] int32
    log_probability: jax.Array  # [T, N]
    value: jax.Array  # [T + 1, N]
    reward: jax.Array  # [T, N]
    done: jax.Array  # [T, N] bool: the next picture is another episode's
    region: jax.Array  # [T, N] int32 in [0, regions)


@struct.dataclass
class State:
    """All that learning goes on from."""

    params: Any
    slow: Any  # a slow copy of them; foresight aims at its latents
    optimiser: faults.Frozen
    returns: jax.Array  # [N] discounted reward of the running episodes
    spread: normalise.Statistics  # of these
    curiosity: gamma_progress.State
    bonus: normalise.Statistics  # of curiosity's bonuses
    key: jax.Array
    updates: jax.Array  # [] int32


class Batch(NamedTuple):
    """What a minibatch is drawn from; [B] rows."""

    seen: impala.Seen
    action: jax.Array
    log_probability: jax.Array
    value: jax.Array
    advantage: jax.Array
    target: jax.Array  # of the value
    ahead: jax.Array  # [B, D] the slow copy's next latent
    goes_on: jax.Array  # [B] bool: there is a next latent


def make_player(settings: Settings):
    """(init(key) -> State, act(params, key, image) -> (Seen, action, log-probability, value),
    update(State, Rollout) -> (State, metrics)); pure, to be jitted by the caller.

    A fault freezes the parameters, and the metrics are NaN from then on (training/faults.py).
    """
    network = impala.Player(settings.actions, settings.widths, settings.latent)
    adam = optax.adam(settings.learning_rate, eps=1e-5)
    optimiser = faults.freezing(
        optax.chain(optax.clip_by_global_norm(settings.gradient_norm), adam)
    )

    def init(key: jax.Array) -> State:
        image = jnp.zeros((1, settings.side, settings.side, 3), jnp.uint8)
        seen = impala.look(image, settings.innate, settings.coarse, settings.patch)
        start, key = jax.random.split(key)
        params = network.init(start, seen, jnp.zeros(1, jnp.int32), method="everything")["params"]
        return State(
            params,
            jax.tree.map(jnp.copy, params),
            optimiser.init(params),
            jnp.zeros(settings.worlds),
            normalise.init(()),
            gamma_progress.init(settings.regions),
            normalise.init(()),
            key,
            jnp.int32(0),
        )

    def act(params, key: jax.Array, image: jax.Array):
        """Draws an action for each picture [N, side, side, 3] uint8."""
        seen = impala.look(image, settings.innate, settings.coarse, settings.patch)
        _, logits, value = network.apply({"params": params}, seen)
        action = jax.random.categorical(key, logits)
        return seen, action, log_probability_of(logits, action), value

    def update(state: State, rollout: Rollout):
        key, dealing = jax.random.split(jax.random.fold_in(state.key, 2 * state.updates))
        ahead = jnp.zeros((*rollout.action.shape, 0))
        extra, told = jnp.zeros_like(rollout.reward), {}
        if settings.foresees:
            ahead, seen = foresights(network, state, rollout)
            state, extra, told = curious(settings, state, rollout, seen)
        state, reward = scaled_rewards(settings, state, rollout)
        advantage, target = advantages(
            reward + settings.curiosity * extra,
            rollout.value,
            rollout.done,
            settings.discount,
            settings.trace,
        )
        rows = jax.tree.map(
            merged,
            Batch(
                jax.tree.map(lambda x: x[:-1], rollout.seen),
                rollout.action,
                rollout.log_probability,
                rollout.value[:-1],
                advantage,
                target,
                ahead,
                ~rollout.done,
            ),
        )
        if settings.shuffled:
            rows = rows._replace(advantage=jax.random.permutation(dealing, rows.advantage))

        def step(carry, taken):
            params, inner = carry
            batch = jax.tree.map(lambda x: x[taken], rows)
            (total, metrics), grads = jax.value_and_grad(loss, argnums=2, has_aux=True)(
                network, settings, params, batch
            )
            steps, inner = optimiser.update(grads, inner, params, loss=total)
            return (optax.apply_updates(params, steps), inner), faults.mark(inner, metrics)

        (params, inner), metrics = jax.lax.scan(
            step,
            (state.params, state.optimiser),
            order(settings, key),
            unroll=settings.unrolled or 1,
        )
        slow = optax.incremental_update(params, state.slow, SLOW_SHARE)
        metrics = jax.tree.map(jnp.mean, metrics) | told
        unexplained = jnp.var(target - rollout.value[:-1]) / (jnp.var(target) + 1e-8)
        metrics["explained"] = 1.0 - unexplained
        state = state.replace(params=params, slow=slow, optimiser=inner, updates=state.updates + 1)
        return state, metrics

    return init, act, update


def playing_key(state: State) -> jax.Array:
    """For the actions until the next update."""
    return jax.random.fold_in(state.key, 2 * state.updates + 1)


def advantages(reward, value, done, discount: float, trace: float):
    """Generalised advantages [T, N] and value targets [T, N]: Schulman et al. (2016), eq. 16.

    A_t = d_t + discount trace (1 - done_t) A_t+1,
    d_t = r_t + discount (1 - done_t) V_t+1 - V_t.

    Args:
        reward, done: [T, N]; `done` where an episode ended with that step. value: [T + 1, N].
    """
    chex.assert_equal_shape([reward, done, value[1:]])
    goes_on = 1.0 - done.astype(value.dtype)
    surprise = reward + discount * goes_on * value[1:] - value[:-1]

    def back(later, now):
        later = now[0] + discount * trace * now[1] * later
        return later, later

    _, advantage = jax.lax.scan(back, jnp.zeros_like(value[0]), (surprise, goes_on), reverse=True)
    return advantage, advantage + value[:-1]


def scaled_rewards(settings: Settings, state: State, rollout: Rollout) -> tuple[State, jax.Array]:
    """Rewards [T, N] over the running standard deviation of the discounted return, clipped."""

    def forth(returns, now):
        reward, done = now
        returns = settings.discount * returns + reward
        return jnp.where(done, 0.0, returns), returns

    returns, every = jax.lax.scan(forth, state.returns, (rollout.reward, rollout.done))
    spread = normalise.update(state.spread, every.ravel(), jnp.ones(every.size, bool))
    scaled = jnp.clip(rollout.reward / normalise.std(spread), -REWARD_LIMIT, REWARD_LIMIT)
    return state.replace(returns=returns, spread=spread), scaled


def foresights(network, state: State, rollout: Rollout) -> tuple[jax.Array, Evidence]:
    """The slow copy's next latents [T, N, D], and how well both copies foresaw them [T, N].

    Errors are squared distances of directions: 2 - 2 cos.
    """
    flat = jax.tree.map(merged, rollout.seen)
    shape = (*rollout.value.shape, -1)

    def errors(params, ahead):
        latent, _, _ = network.apply({"params": params}, flat)
        latent = latent.reshape(shape)
        target = latent[1:] if ahead is None else ahead
        foreseen = network.apply({"params": params}, latent[:-1], rollout.action, method="foresee")
        return target, apart(foreseen, target)

    ahead, slow_error = errors(state.slow, None)
    _, error = errors(state.params, ahead)
    return ahead, Evidence(error, slow_error)


def curious(settings: Settings, state: State, rollout: Rollout, seen: Evidence):
    """Curiosity told of the roll-out -> (State, bonus [T, N], metrics).

    A transition is worth its error times the share of its level's errors that is certain to be
    learnable (curiosity/gamma_progress.py), in standard deviations of what was paid so far.
    """
    part = slice(None, None, TOLD_EVERY)
    told = Evidence(seen.error[part].ravel(), seen.slow_error[part].ravel())
    windows = gamma_progress.update(
        state.curiosity, rollout.region[part].ravel(), told, ~rollout.done[part].ravel()
    )
    learnable = gamma_progress.score(windows)[rollout.region]
    worth = jnp.where(rollout.done, 0.0, learnable * seen.error)
    paid = normalise.update(state.bonus, worth.ravel(), ~rollout.done.ravel())
    bonus = jnp.clip(worth / normalise.std(paid), 0.0, REWARD_LIMIT)
    metrics = {
        "learnable": learnable.mean(),
        "foresight_error": masked_mean(seen.error, ~rollout.done),
    }
    return state.replace(curiosity=windows, bonus=paid), bonus, metrics


def loss(network, settings: Settings, params, batch: Batch):
    """(loss [], metrics) of a minibatch [B]."""
    latent, logits, value = network.apply({"params": params}, batch.seen)
    advantage = (batch.advantage - batch.advantage.mean()) / (batch.advantage.std() + 1e-8)
    log_ratio = log_probability_of(logits, batch.action) - batch.log_probability
    ratio = jnp.exp(log_ratio)
    kept = jnp.clip(ratio, 1.0 - settings.clip, 1.0 + settings.clip)
    gain = jnp.minimum(ratio * advantage, kept * advantage).mean()
    near = batch.value + jnp.clip(value - batch.value, -settings.clip, settings.clip)
    miss = jnp.maximum((value - batch.target) ** 2, (near - batch.target) ** 2).mean()
    entropy = -jnp.sum(jax.nn.softmax(logits) * jax.nn.log_softmax(logits), -1).mean()
    total = -gain + 0.5 * settings.value * miss - settings.entropy * entropy
    metrics = {"value_loss": miss, "entropy": entropy, "moved": (ratio - 1.0 - log_ratio).mean()}
    if settings.foresees:
        start = latent if settings.world_model else jax.lax.stop_gradient(latent)
        foreseen = network.apply({"params": params}, start, batch.action, method="foresee")
        wrong = masked_mean(apart(foreseen, batch.ahead), batch.goes_on)
        total += (settings.world_model or 1.0) * wrong
        metrics["foresight_loss"] = wrong
    chex.assert_shape(total, ())
    return total, metrics | {"loss": total}


def order(settings: Settings, key: jax.Array) -> jax.Array:
    """[epochs * minibatches, B] rows of each minibatch; an epoch takes every row once."""
    rows = settings.worlds * settings.steps
    keys = jax.random.split(key, settings.epochs)
    drawn = jax.vmap(lambda k: jax.random.permutation(k, rows))(keys)
    return drawn.reshape(settings.epochs * settings.minibatches, -1)


def merged(x: jax.Array) -> jax.Array:
    """[T * N, ...] of [T, N, ...]."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def apart(a: jax.Array, b: jax.Array) -> jax.Array:
    """[...] squared distance of the directions of a and b [..., D]."""
    a, b = (x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + 1e-8) for x in (a, b))
    return jnp.sum((a - b) ** 2, -1)


def log_probability_of(logits: jax.Array, action: jax.Array) -> jax.Array:
    """[...] log-probability of actions [...] under logits [..., A]."""
    return jnp.take_along_axis(jax.nn.log_softmax(logits), action[..., None], -1)[..., 0]
