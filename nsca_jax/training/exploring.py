"""One agent among rooms and a TV: a signal values regions, a plan goes there, a network learns.

`make_explorer(settings)` gives `(init, live)`; `live` is one jitted `lax.scan` over episodes,
`vmap`ped over lives (seeds, kinds of TV, or both), with donated state. Every `stride` steps the new
transitions are judged before any learning from them, the network learns from replay over the whole
life, and the plan is made anew.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from nsca_jax.curiosity import arms, evidence, recent_mean, rnd
from nsca_jax.models import forward
from nsca_jax.training import faults, parallel, planning
from nsca_jax.worlds import rooms

A = len(rooms.ACTIONS)
Array = Any  # JAX's while a life is lived, numpy's once it is told
LAST_RATE = 0.05  # the learning rate at the end of a life, over that at its beginning
BIRTH, TEST, EPISODE, STEP, LEARN = range(5)  # streams of random numbers
BLOCK = 3  # cells a side; the columns are shifted by one, so that blocks straddle the rooms


def _blocks() -> np.ndarray:
    row, column = np.divmod(np.arange(rooms.CELLS), rooms.SIDE)
    across = (rooms.SIDE + BLOCK) // BLOCK
    return row // BLOCK * across + (column + 1) // BLOCK


REGION = _blocks()[:, None] * A + np.arange(A)  # [CELLS, A]
REGIONS = int(REGION.max()) + 1


@dataclasses.dataclass(frozen=True)
class ExploreSettings:
    """Everything static about a life; hashable, hence a compile-time constant."""

    signal: str = "gamma_progress"
    bound: float = 3.0  # standard errors
    window: int = 64
    warmup: int = 32
    slow_every: int = 1500  # steps between copies of the predictor, used one period late
    episodes: int = 50
    steps: int = 300  # an episode
    stride: int = 10  # steps between two plans
    updates: int = 4  # gradient steps a plan
    batch: int = 64
    width: int = 64
    members: int = 1  # predictors; more than one for disagreement
    learning_rate: float = 4e-3
    boredom: float = 0.15  # a learnability up to this is worth nothing
    weight_decay: float = 0.1
    beta: float = 0.5  # of the loss: 0 likelihood, 1 squared error
    epsilon: float = 0.05  # share of actions drawn uniformly
    action_cost: float = 0.002  # of all but to stay
    discount: float = 0.95
    sweeps: int = 10
    tests: int = 256  # held-out transitions


class Step(NamedTuple):
    """A transition; of a life's history [T, ...]."""

    view: jax.Array  # [V]
    cell: jax.Array  # int32
    action: jax.Array  # int32
    seen: jax.Array  # [V] the next view


@struct.dataclass
class Life:
    """Everything a life carries on."""

    key: jax.Array  # typed, never consumed
    world: rooms.World
    body: rooms.State
    view: jax.Array  # [V] what is seen now
    params: Any  # [E, ...] of the members
    optimiser: faults.Frozen  # [E] a member at fault learns no more (training/faults.py)
    slow: Any  # [E, ...] the copy that errors are compared with
    pending: Any  # [E, ...] the copy that will be
    networks: rnd.Networks
    curiosity: Any  # state of the arm
    error: recent_mean.State  # of the regions
    value: jax.Array  # [CELLS] of the plan
    visited: jax.Array  # [CELLS] bool
    history: Step
    age: jax.Array  # [] int32 steps lived


class Diary(NamedTuple):
    """What an episode was like."""

    watched: Array  # [] share of the steps that were visits to the TV
    rooms: Array  # [5] share of the steps in hall, clock, long, driven, TV
    error: Array  # [] held-out, on the learnable rooms
    learnability: Array  # [] mean score of the TV's cells and actions
    cells: Array  # [] int32 of CELLS, ever visited; a share would round 1 to less


def make_explorer(settings: ExploreSettings) -> tuple[Callable, Callable]:
    """(init(key, kind) -> Life, live(Life, episodes) -> (Life, Diary [L, episodes]))

    `init` is of one life, to be `vmap`ped; `live` takes lives stacked on a leading axis L.
    """

    @functools.partial(jax.jit, static_argnums=1, donate_argnums=0)
    def live(lives: Life, episodes: int):
        def one(life):
            return jax.lax.scan(lambda s, _: _episode(settings, s), life, None, episodes)

        return parallel.vmap(one)(lives)

    return functools.partial(_init, settings), live


def _init(settings: ExploreSettings, key: jax.Array, kind: jax.Array) -> Life:
    keys = jax.random.split(jax.random.fold_in(key, BIRTH), 4)
    world = rooms.make(keys[0], kind)
    view = jnp.zeros(rooms.VIEW)
    place = _place(jnp.int32(0), jnp.int32(0))
    model = forward.ForwardModel(settings.width)
    members = jax.random.split(keys[1], settings.members)
    params = jax.vmap(model.init, (0, None, None))(members, view, place)
    length = settings.episodes * settings.steps
    history = Step(view, jnp.int32(0), jnp.int32(0), view)
    return Life(
        key=key,
        world=world,
        body=rooms.reset(world, keys[2]),
        view=view,
        params=params,
        optimiser=jax.vmap(_optimiser(settings).init)(params),
        slow=params,
        pending=params,
        networks=rnd.init_networks(keys[3], rooms.VIEW + place.size - A),
        curiosity=arms.ARMS[settings.signal].init(REGIONS, settings.window),
        error=recent_mean.init(REGIONS, settings.window),
        value=jnp.zeros(rooms.CELLS),
        visited=jnp.zeros(rooms.CELLS, bool),
        history=jax.tree.map(lambda x: jnp.zeros((length, *x.shape), x.dtype), history),
        age=jnp.int32(0),
    )


def _episode(settings: ExploreSettings, life: Life) -> tuple[Life, Diary]:
    keys = jax.random.split(_draw(life, EPISODE))
    body = rooms.reset(life.world, keys[0])
    life = life.replace(body=body, view=rooms.view(life.world, body, keys[1]))
    rounds = settings.steps // settings.stride
    life, steps = jax.lax.scan(lambda s, _: _round(settings, s), life, None, rounds)
    watched = rooms.watches(life.world, steps.cell, steps.action)
    room = jnp.asarray(rooms.ROOM_OF)[steps.cell].ravel()
    diary = Diary(
        watched=jnp.mean(watched),
        rooms=jnp.mean(room[:, None] == jnp.arange(5), 0),
        error=_held_out_error(settings, life),
        learnability=_tv_score(settings, life),
        cells=jnp.sum(life.visited),
    )
    return life, diary


def _round(settings: ExploreSettings, life: Life) -> tuple[Life, Step]:
    """`stride` steps, then judging, learning and planning."""
    reward = _reward(settings, life)
    plan = planning.improve(
        reward, jnp.asarray(rooms.NEXT_CELL), life.value, settings.discount, settings.sweeps
    )
    q = planning.action_values(reward, jnp.asarray(rooms.NEXT_CELL), plan, settings.discount)
    life, steps = jax.lax.scan(
        lambda s, _: _step(settings, q, s), life.replace(value=plan), None, settings.stride
    )
    life = _judge(settings, life, steps)
    start = life.age - settings.stride
    history = jax.tree.map(
        lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, start, 0),
        life.history,
        steps,
    )
    life = _learn(settings, life.replace(history=history))
    due = life.age % settings.slow_every < settings.stride
    pick = lambda new, old: jax.tree.map(lambda a, b: jnp.where(due, a, b), new, old)  # noqa: E731
    life = life.replace(slow=pick(life.pending, life.slow), pending=pick(life.params, life.pending))
    return life, Step(None, steps.cell, steps.action, None)


def _step(settings: ExploreSettings, q_CxA: jax.Array, life: Life) -> tuple[Life, Step]:
    keys = jax.random.split(_draw(life, STEP), 5)
    noise = 1e-6 * jax.random.uniform(keys[0], (A,))  # breaks ties
    random = jax.random.randint(keys[1], (), 0, A)
    greedy = jnp.argmax(q_CxA[life.body.cell] + noise)
    action = jnp.where(jax.random.uniform(keys[2]) < settings.epsilon, random, greedy)
    body = rooms.step(life.world, life.body, action, life.age.astype(jnp.float32), keys[3])
    seen = rooms.view(life.world, body, keys[4])
    step = Step(life.view, life.body.cell, action, seen)
    visited = life.visited.at[life.body.cell].set(True)
    return life.replace(body=body, view=seen, visited=visited, age=life.age + 1), step


def _reward(settings: ExploreSettings, life: Life) -> jax.Array:
    """What a step is worth [C, A]: its region's value, an unseen cell's, less the action's cost."""
    value = _value(settings, life)
    best = jnp.maximum(value.max(), 1e-3)
    value = jnp.where(life.error.count > 0, value, best)  # the untried is worth as much as any
    unseen = ~life.visited[jnp.asarray(rooms.NEXT_CELL)]
    cost = settings.action_cost * (np.arange(A) != rooms.STAY)
    return value[jnp.asarray(REGION)] + best * unseen - cost


def _value(settings: ExploreSettings, life: Life) -> jax.Array:
    """Of regions [R]; a learnability counts times the error that it is a share of."""
    arm = arms.ARMS[settings.signal]
    score = arm.score(life.curiosity, settings.bound, settings.warmup)
    if not arm.learnability:
        return score
    return jnp.maximum(score - settings.boredom, 0.0) * recent_mean.means(life.error)


def _judge(settings: ExploreSettings, life: Life, steps: Step) -> Life:
    """Tells the signal of new transitions."""
    place = _place(steps.cell, steps.action)
    model = forward.ForwardModel(settings.width)
    predict = jax.vmap(model.apply, (0, None, None))
    mean, log_variance = predict(life.params, steps.view, place)
    slow_mean, _ = predict(life.slow, steps.view, place)
    looks = jnp.concatenate([steps.seen, place[..., :-A]], -1)
    seen = evidence.Evidence(
        error=forward.squared_error(mean[0], steps.seen),
        slow_error=forward.squared_error(slow_mean[0], steps.seen),
        disagreement=jnp.mean(jnp.var(mean, 0), -1),
        variance=jnp.mean(jnp.exp(log_variance[0]), -1),
        novelty=rnd.novelty(life.networks, looks),
    )
    region = jnp.asarray(REGION)[steps.cell, steps.action]
    valid = jnp.ones(region.shape, bool)
    return life.replace(
        curiosity=arms.ARMS[settings.signal].update(life.curiosity, region, seen, valid),
        error=recent_mean.append(life.error, region, seen.error, valid),
        networks=rnd.learn(life.networks, looks) if settings.signal == "rnd" else life.networks,
    )


def _learn(settings: ExploreSettings, life: Life) -> Life:
    """Gradient steps on the whole life's transitions, drawn uniformly; each member its own."""
    model, optimiser = forward.ForwardModel(settings.width), _optimiser(settings)

    def loss(params, batch):
        mean, log_variance = model.apply(params, batch.view, _place(batch.cell, batch.action))
        return forward.loss(mean, log_variance, batch.seen, settings.beta)

    def member(params, state, key):
        rows = jax.random.randint(key, (settings.batch,), 0, life.age)
        batch = jax.tree.map(lambda x: x[rows], life.history)
        value, gradient = jax.value_and_grad(loss)(params, batch)
        change, state = optimiser.update(gradient, state, params, loss=value)
        return optax.apply_updates(params, change), state

    def update(carry: tuple, number: jax.Array):
        key = jax.random.fold_in(_draw(life, LEARN), number)
        params, state = carry
        return jax.vmap(member)(params, state, jax.random.split(key, settings.members)), None

    start = life.params, life.optimiser
    (params, state), _ = jax.lax.scan(update, start, jnp.arange(settings.updates))
    return life.replace(params=params, optimiser=state)


def _held_out_error(settings: ExploreSettings, life: Life) -> jax.Array:
    """Mean squared error of the pictures that steps in the learnable rooms lead to."""
    tests = rooms.held_out(life.world, jax.random.fold_in(life.key, TEST), settings.tests)
    params = jax.tree.map(lambda x: x[0], life.params)
    model = forward.ForwardModel(settings.width)
    mean, _ = model.apply(params, tests.view, _place(tests.cell, tests.action))
    return jnp.mean(forward.squared_error(mean[:, : rooms.ROOM], tests.next_picture))


def _tv_score(settings: ExploreSettings, life: Life) -> jax.Array:
    """The signal's score, averaged over the cells and actions that are visits to the TV."""
    score = arms.ARMS[settings.signal].score(life.curiosity, settings.bound, settings.warmup)
    cell, action = np.indices((rooms.CELLS, A))
    visit = rooms.watches(life.world, jnp.asarray(cell), jnp.asarray(action))
    return jnp.mean(score[jnp.asarray(REGION)], where=visit)


def _draw(life: Life, stream: int) -> jax.Array:
    """The key of a stream at the life's age."""
    return jax.random.fold_in(jax.random.fold_in(life.key, stream), life.age)


def _place(cell: jax.Array, action: jax.Array) -> jax.Array:
    """One-hot row, column and action: [...] int32 twice -> [..., 2 * SIDE + A]."""
    parts = (cell // rooms.SIDE, rooms.SIDE), (cell % rooms.SIDE, rooms.SIDE), (action, A)
    return jnp.concatenate([jax.nn.one_hot(x, n) for x, n in parts], -1)


def _optimiser(settings: ExploreSettings) -> faults.Freezing:
    total = settings.episodes * settings.steps // settings.stride * settings.updates
    rate = optax.cosine_decay_schedule(settings.learning_rate, total, LAST_RATE)
    return faults.freezing(optax.adamw(rate, weight_decay=settings.weight_decay))
