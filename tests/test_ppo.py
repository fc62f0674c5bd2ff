"""The player: advantages by hand, minibatches, what is paid and foreseen, and learning itself."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.curiosity.evidence import Evidence
from nsca_jax.models import impala
from nsca_jax.priors import visual
from nsca_jax.training import ppo

SMALL = ppo.Settings(
    worlds=32, steps=8, epochs=2, minibatches=2, learning_rate=1e-2, discount=0.9, actions=3,
    side=8, widths=(4,), latent=8, regions=2,
)  # fmt: skip
EVERYTHING = dataclasses.replace(
    SMALL, side=16, patch=2, priors=True, curiosity=0.1, world_model=0.5
)


def programs(settings):
    """(init, act, update) compiled; tracing an update twice is an error, here and in every test."""
    init, act, update = ppo.make_player(settings)
    return jax.jit(init), jax.jit(act), jax.jit(chex.assert_max_traces(update, n=1))


@pytest.fixture(scope="module")
def plain():
    return programs(SMALL)


@pytest.fixture(scope="module")
def everything():
    return programs(EVERYTHING)


def test_advantages_by_hand():
    reward = jnp.array([[1.0], [0.0], [2.0]])
    value = jnp.array([[0.5], [1.0], [0.25], [4.0]])
    done = jnp.array([[False], [True], [False]])
    advantage, target = ppo.advantages(reward, value, done, 0.9, 0.5)
    last = 2.0 + 0.9 * 4.0 - 0.25
    middle = 0.0 - 1.0  # the episode ends: nothing after it counts
    first = (1.0 + 0.9 * 1.0 - 0.5) + 0.9 * 0.5 * middle
    np.testing.assert_allclose(advantage[:, 0], [first, middle, last], rtol=1e-6)
    np.testing.assert_allclose(target, advantage + value[:-1], rtol=1e-6)


def test_advantages_are_the_weighted_mean_of_returns_of_every_length():
    """Independently: (1 - trace) sum of trace^(n-1) times n-step advantages (eq. 14 to 16)."""
    rng = np.random.default_rng(0)
    steps, discount, trace = 12, 0.95, 0.8
    reward, value = rng.normal(size=steps), rng.normal(size=steps + 1)
    done = rng.random(steps) < 0.2
    wanted = np.zeros(steps)
    for t in range(steps):
        end = next((k + 1 for k in range(t, steps) if done[k]), steps)
        longest = end - t
        n_step = []
        for n in range(1, longest + 1):
            total = sum(discount**k * reward[t + k] for k in range(n))
            over = done[t + n - 1]
            n_step.append(total + (0.0 if over else discount**n * value[t + n]) - value[t])
        weights = [(1 - trace) * trace ** (n - 1) for n in range(1, longest)]
        weights.append(trace ** (longest - 1))
        wanted[t] = np.dot(weights, n_step)
    column = lambda x: jnp.asarray(x)[:, None]  # noqa: E731
    got, _ = ppo.advantages(column(reward), column(value), column(done), discount, trace)
    np.testing.assert_allclose(got[:, 0], wanted, rtol=1e-4, atol=1e-5)


def test_an_epoch_takes_every_row_once():
    rows = np.asarray(ppo.order(SMALL, jax.random.key(0))).reshape(SMALL.epochs, -1)
    for epoch in rows:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(32 * 8))
    assert (rows[0] != rows[1]).any()


def test_the_eye_passes_on_means_beside_innate_responses():
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.integers(0, 256, (2, 16, 16, 3)), jnp.uint8)
    seen = impala.look(image, impala.BORN_WITH, 2, 2)
    assert seen.innate.shape == (2, 4, 4, impala.BORN_WITH.channels)
    assert seen.pixels.shape == (2, 4, 4, 12)
    mean = np.asarray(image, float).reshape(2, 8, 2, 8, 2, 3).mean((2, 4))
    assert abs(np.asarray(seen.pixels[1, 2, 3, :3], float) - mean[1, 4, 6]).max() <= 0.5
    wanted = visual.responses(jnp.asarray(mean / 255.0), impala.BORN_WITH, 2)
    np.testing.assert_allclose(seen.innate, wanted, atol=1e-3)
    with pytest.raises(ValueError, match="do not split"):
        impala.look(image, impala.NOTHING, 3, 1)


def test_the_published_network_has_the_published_size():
    """Espeholt et al.: on 64 x 64 x 3, latent 256; about 0.6 M parameters, most in one layer."""
    network = impala.Player(15)
    seen = jax.eval_shape(
        lambda: impala.look(jnp.zeros((2, 64, 64, 3), jnp.uint8), impala.NOTHING, 1, 1)
    )
    shapes = jax.eval_shape(network.init, jax.random.key(0), seen)["params"]
    eye = sum(x.size for x in jax.tree.leaves(shapes["eye"]))
    conv = lambda i, o: 9 * i * o + o  # noqa: E731
    sequences = [conv(a, b) + 4 * conv(b, b) for a, b in ((3, 16), (16, 32), (32, 32))]
    assert eye == sum(sequences) + (8 * 8 * 32 + 1) * 256
    latent, logits, value = jax.eval_shape(
        lambda p, s: network.apply({"params": p}, s), shapes, seen
    )
    assert (latent.shape, logits.shape, value.shape) == ((2, 256), (2, 15), (2,))


class Signals:
    """Worlds whose picture names the action that pays; episodes end at random."""

    def __init__(self, settings, seed):
        self.settings, self.random = settings, np.random.default_rng(seed)
        self.draw()

    def draw(self):
        shape = (self.settings.worlds, self.settings.side, self.settings.side, 3)
        self.right = self.random.integers(0, 3, self.settings.worlds)
        self.image = np.zeros(shape, np.uint8)
        self.image[np.arange(len(self.right)), :, :, self.right] = 200

    def step(self, action):
        reward = (action == self.right).astype(np.float32)
        self.draw()
        return reward, self.random.random(len(reward)) < 0.1


def rollout(act, state, worlds, settings):
    moments, key = [], ppo.playing_key(state)
    for t in range(settings.steps):
        seen, action, *rest = act(state.params, jax.random.fold_in(key, t), worlds.image)
        moments.append((seen, action, *rest, *worlds.step(np.asarray(action))))
    seen, _, _, value = act(state.params, key, worlds.image)
    s = jax.tree.map(lambda *x: jnp.stack(x), *moments)
    seen = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), s[0], seen)
    value = jnp.concatenate([s[3], value[None]])
    region = jnp.zeros(s[1].shape, jnp.int32)
    return ppo.Rollout(seen, s[1], s[2], value, s[4], s[5], region)


def learn(these, settings, updates, seed=0):
    """Mean reward of each roll-out, and the last state and metrics."""
    init, act, update = these
    state, worlds, got = init(jax.random.key(seed)), Signals(settings, seed), []
    metrics = {}
    for _ in range(updates):
        taken = rollout(act, state, worlds, settings)
        state, metrics = update(state, taken)
        got.append(float(taken.reward.mean()))
    return np.array(got), state, metrics


def test_it_learns_what_pays_and_nothing_from_dealt_advantages(plain):
    got, state, metrics = learn(plain, SMALL, 20)
    assert got[:3].mean() < 0.5
    assert got[-5:].mean() > 0.9
    assert int(state.updates) == 20
    assert metrics["explained"] < 1.0
    dealt = dataclasses.replace(SMALL, shuffled=True)
    blind, _, _ = learn(programs(dealt), dealt, 20)
    assert blind[-5:].mean() < 0.5


def test_the_same_seed_learns_the_same(plain):
    one, two = (learn(plain, SMALL, 2, seed=3)[1].params for _ in range(2))
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), one, two)))


def test_with_everything_on_it_learns_and_foresees(everything):
    got, state, metrics = learn(everything, EVERYTHING, 15)
    assert got[-5:].mean() > got[:3].mean() + 0.2
    assert all(np.isfinite(float(x)) for x in metrics.values())
    slow = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), state.params, state.slow)
    assert max(jax.tree.leaves(slow)) > 0


def paid(error, slow_error, done=None):
    """One roll-out's bonus [T, N] in a fresh state, the second level's errors being given."""
    settings = dataclasses.replace(EVERYTHING, worlds=8, steps=64)
    init, _, _ = ppo.make_player(settings)
    state = jax.eval_shape(init, jax.random.key(0))
    state = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), state)
    shape = (64, 8)
    region = jnp.broadcast_to(jnp.arange(8) % 2, shape)
    done = jnp.zeros(shape, bool) if done is None else done
    nothing = jnp.zeros(shape)
    taken = ppo.Rollout(nothing, nothing, nothing, nothing, nothing, done, region)
    seen = Evidence(jnp.broadcast_to(error, shape), jnp.broadcast_to(slow_error, shape))
    _, bonus, metrics = ppo.curious(settings, state, taken, seen)
    return np.asarray(bonus), metrics


def test_curiosity_pays_for_what_is_being_learnt_and_not_for_noise():
    noise = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.5, (64, 8)), jnp.float32)
    even = jnp.arange(8) % 2 == 0
    bonus, _ = paid(noise, jnp.where(even, 2.0 * noise, noise))
    assert (bonus[:, ::2] > 0).all()
    assert (bonus[:, 1::2] == 0).all()


def test_the_last_step_of_an_episode_is_not_paid():
    done = jnp.zeros((64, 8), bool).at[5].set(True)
    bonus, _ = paid(jnp.float32(1.0), jnp.float32(2.0), done)
    assert (bonus[5] == 0).all()
    assert (bonus[4] > 0).all()


def test_rewards_are_in_deviations_of_the_return():
    settings = dataclasses.replace(SMALL, worlds=8, steps=16, discount=0.0)
    state = jax.jit(ppo.make_player(settings)[0])(jax.random.key(0))
    reward = jnp.asarray(np.random.default_rng(0).normal(0, 5, (16, 8)), jnp.float32)
    done = jnp.zeros((16, 8), bool)
    taken = ppo.Rollout(done, done, done, done, reward, done, done)
    after, scaled = ppo.scaled_rewards(settings, state, taken)
    np.testing.assert_allclose(scaled, reward / reward.std(), rtol=1e-3)
    np.testing.assert_allclose(after.returns, reward[-1], rtol=1e-6)
