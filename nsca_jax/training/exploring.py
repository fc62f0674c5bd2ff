"""One agent among rooms and a TV: a signal values regions, a plan goes there, a network learns.

`born` makes a seed's world and networks; `make_explorer(settings)` gives `live`, one jitted
`lax.scan` over episodes, `vmap`ped over seeds and lots: a TV, and a signal before it. Every
`stride` steps the new transitions are judged before any learning from them, the network learns from
replay over the whole life, and the plan is made anew. What chance brings in an episode is drawn at
its beginning.
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
STREAMS = 5  # of random numbers
BIRTH, TEST, EPISODE, STEP, LEARN = range(STREAMS)
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

    signals: tuple[str, ...] = ("gamma_progress",)  # of which a life's lot names one
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


class Luck(NamedTuple):
    """What chance brings in a step, whatever was done before."""

    ties: jax.Array  # [A] breaks them
    whim: jax.Array  # [] int32, the action of one who does not choose
    whimsical: jax.Array  # [] bool: that one is taken
    room: rooms.Chance


class Lot(NamedTuple):
    """What a life is given beside its seed; [W] of W lives."""

    kind: Array  # int32, index into rooms.TV_KINDS
    signal: Array  # int32, index into the settings' signals
    bound: Array  # standard errors


@struct.dataclass
class Newborn:
    """What differs between seeds; whatever the lot."""

    streams: jax.Array  # [5] typed keys of the streams of random numbers
    world: rooms.World  # without a TV
    params: Any  # [E, ...] of the members


@struct.dataclass
class Life:
    """Everything a life carries on."""

    streams: jax.Array  # [5] typed keys, never consumed
    lot: Lot
    world: rooms.World
    tests: rooms.Transitions  # held out
    body: rooms.State
    view: jax.Array  # [V] what is seen now
    params: Any  # [E, ...] of the members
    optimiser: faults.Frozen  # [E] a member at fault learns no more (training/faults.py)
    slow: Any  # [E, ...] the copy that errors are compared with
    pending: Any  # [E, ...] the copy that will be
    networks: Any  # rnd.Networks, for that signal
    curiosity: tuple  # state of each signal's arm; the lot's is listened to
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


def make_explorer(settings: ExploreSettings) -> Callable:
    """live(newborns [S], lots [W]) -> (Life [S, W], Diary [S, W, episodes]): each seed has each
    lot.
    """

    @jax.jit
    def live(newborns: Newborn, lots: Lot):
        def one(newborn, lot):
            life = _begin(settings, newborn, lot)
            return jax.lax.scan(lambda s, _: _episode(settings, s), life, None, settings.episodes)

        return parallel.vmap(jax.vmap(one, (None, 0)), (0, None))(newborns, lots)

    return live


def born(width: int, members: int, key: jax.Array) -> Newborn:
    """The world and the networks of a seed, to be `vmap`ped."""
    streams = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(STREAMS))
    keys = jax.random.split(streams[BIRTH], 4)
    place = _place(jnp.int32(0), jnp.int32(0))
    init = jax.vmap(forward.ForwardModel(width).init, (0, None, None))
    params = init(jax.random.split(keys[1], members), jnp.zeros(rooms.VIEW), place)
    return Newborn(streams, rooms.make(keys[0], 0), params)


def _begin(settings: ExploreSettings, newborn: Newborn, lot: Lot) -> Life:
    world, params = newborn.world.replace(kind=lot.kind), newborn.params
    view = jnp.zeros(rooms.VIEW)
    length = settings.episodes * settings.steps
    history = Step(view, jnp.int32(0), jnp.int32(0), view)
    networks = ()
    if "rnd" in settings.signals:
        key = jax.random.split(newborn.streams[BIRTH], 4)[3]
        networks = rnd.init_networks(key, rooms.VIEW + 2 * rooms.SIDE)
    return Life(
        streams=newborn.streams,
        lot=lot,
        world=world,
        tests=rooms.held_out(world, newborn.streams[TEST], settings.tests),
        body=rooms.State(jnp.int32(0), jnp.zeros(3, jnp.int32), jnp.zeros(rooms.SCREEN)),
        view=view,
        params=params,
        optimiser=jax.vmap(_optimiser(settings).init)(params),
        slow=params,
        pending=params,
        networks=networks,
        curiosity=tuple(
            arms.ARMS[name].init(REGIONS, settings.window) for name in settings.signals
        ),
        error=recent_mean.init(REGIONS, settings.window),
        value=jnp.zeros(rooms.CELLS),
        visited=jnp.zeros(rooms.CELLS, bool),
        history=jax.tree.map(lambda x: jnp.zeros((length, *x.shape), x.dtype), history),
        age=jnp.int32(0),
    )


def _episode(settings: ExploreSettings, life: Life) -> tuple[Life, Diary]:
    keys = jax.random.split(_draw(life, EPISODE, life.age))
    body, view = rooms.reset(life.world, keys[0], keys[1])
    life = life.replace(body=body, view=view)
    luck = _luck(settings, life), _rehearsals(settings, life)
    life, steps = jax.lax.scan(functools.partial(_round, settings), life, luck)
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


def _luck(settings: ExploreSettings, life: Life) -> Luck:
    """Of the steps of the episode that begins [rounds, stride, ...]."""

    def one(age: jax.Array) -> Luck:
        keys = jax.random.split(_draw(life, STEP, age), 5)
        ties, whim, share = jax.vmap(lambda key: jax.random.uniform(key, (A,)))(keys[:3])
        return Luck(
            ties=1e-6 * ties,
            whim=(A * whim[0]).astype(jnp.int32),
            whimsical=share[0] < settings.epsilon,
            room=rooms.chance(keys[3], keys[4]),
        )

    drawn = jax.vmap(one)(life.age + jnp.arange(settings.steps))
    return jax.tree.map(lambda x: x.reshape(-1, settings.stride, *x.shape[1:]), drawn)


def _rehearsals(settings: ExploreSettings, life: Life) -> jax.Array:
    """Rows of the history, uniform over the life so far, that each gradient step of the episode
    that begins learns from: [rounds, updates, members, batch]; each member draws its own."""

    def one(age: jax.Array, number: jax.Array) -> jax.Array:
        key = jax.random.fold_in(_draw(life, LEARN, age), number)
        keys = jax.random.split(key, settings.members)
        share = jax.vmap(lambda key: jax.random.uniform(key, (settings.batch,)))(keys)
        return (share * age).astype(jnp.int32)

    ages = life.age + jnp.arange(settings.stride, settings.steps + 1, settings.stride)
    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(ages, jnp.arange(settings.updates))


def _round(
    settings: ExploreSettings, life: Life, luck: tuple[Luck, jax.Array]
) -> tuple[Life, Step]:
    """`stride` steps, then judging, learning and planning."""
    reward = _reward(settings, life)
    plan = planning.improve(
        reward, jnp.asarray(rooms.NEXT_CELL), life.value, settings.discount, settings.sweeps
    )
    q = planning.action_values(reward, jnp.asarray(rooms.NEXT_CELL), plan, settings.discount)
    life, steps = jax.lax.scan(
        functools.partial(_step, q), life.replace(value=plan), luck[0], settings.stride
    )
    life = _judge(settings, life, steps)
    start = life.age - settings.stride
    history = jax.tree.map(
        lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, start, 0),
        life.history,
        steps,
    )
    life = _learn(settings, life.replace(history=history), luck[1])
    due = life.age % settings.slow_every < settings.stride
    pick = lambda new, old: jax.tree.map(lambda a, b: jnp.where(due, a, b), new, old)  # noqa: E731
    life = life.replace(slow=pick(life.pending, life.slow), pending=pick(life.params, life.pending))
    return life, Step(None, steps.cell, steps.action, None)


def _step(q_CxA: jax.Array, life: Life, luck: Luck) -> tuple[Life, Step]:
    greedy = jnp.argmax(q_CxA[life.body.cell] + luck.ties)
    action = jnp.where(luck.whimsical, luck.whim, greedy)
    body = rooms.step(life.world, life.body, action, life.age.astype(jnp.float32), luck.room)
    seen = rooms.view(life.world, body, luck.room.eye)
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
    score = _score(settings, life)
    learnability = np.array([arms.ARMS[name].learnability for name in settings.signals])
    worth = jnp.maximum(score - settings.boredom, 0.0) * recent_mean.means(life.error)
    return jnp.where(jnp.asarray(learnability)[life.lot.signal], worth, score)


def _score(settings: ExploreSettings, life: Life) -> jax.Array:
    """The signal's, of regions [R]."""
    pairs = zip(settings.signals, life.curiosity, strict=True)
    scores = [arms.ARMS[name].score(x, life.lot.bound, settings.warmup) for name, x in pairs]
    return jnp.stack(scores)[life.lot.signal]


def _judge(settings: ExploreSettings, life: Life, steps: Step) -> Life:
    """Tells the signal of new transitions."""
    place = _place(steps.cell, steps.action)
    model = forward.ForwardModel(settings.width)
    predict = jax.vmap(model.apply, (0, None, None))
    mean, log_variance = predict(life.params, steps.view, place)
    slow_mean, _ = predict(life.slow, steps.view, place)
    looks = jnp.concatenate([steps.seen, place[..., :-A]], -1)
    rnd_too = "rnd" in settings.signals
    seen = evidence.Evidence(
        error=forward.squared_error(mean[0], steps.seen),
        slow_error=forward.squared_error(slow_mean[0], steps.seen),
        disagreement=jnp.mean(jnp.var(mean, 0), -1),
        variance=jnp.mean(jnp.exp(log_variance[0]), -1),
        novelty=rnd.novelty(life.networks, looks) if rnd_too else None,
    )
    region = jnp.asarray(REGION)[steps.cell, steps.action]
    valid = jnp.ones(region.shape, bool)
    pairs = zip(settings.signals, life.curiosity, strict=True)
    return life.replace(
        curiosity=tuple(arms.ARMS[name].update(x, region, seen, valid) for name, x in pairs),
        error=recent_mean.append(life.error, region, seen.error, valid),
        networks=rnd.learn(life.networks, looks) if rnd_too else life.networks,
    )


def _learn(settings: ExploreSettings, life: Life, rows_UxExB: jax.Array) -> Life:
    """Gradient steps of each member on the transitions that are its rows of the history."""
    model, optimiser = forward.ForwardModel(settings.width), _optimiser(settings)

    def loss(params, batch):
        mean, log_variance = model.apply(params, batch.view, _place(batch.cell, batch.action))
        return forward.loss(mean, log_variance, batch.seen, settings.beta)

    def member(params, state, rows_B):
        batch = jax.tree.map(lambda x: x[rows_B], life.history)
        value, gradient = jax.value_and_grad(loss)(params, batch)
        change, state = optimiser.update(gradient, state, params, loss=value)
        return optax.apply_updates(params, change), state

    def update(carry: tuple, rows_ExB: jax.Array):
        params, state = carry
        return jax.vmap(member)(params, state, rows_ExB), None

    (params, state), _ = jax.lax.scan(update, (life.params, life.optimiser), rows_UxExB)
    return life.replace(params=params, optimiser=state)


def _held_out_error(settings: ExploreSettings, life: Life) -> jax.Array:
    """Mean squared error of the pictures that steps in the learnable rooms lead to."""
    tests, params = life.tests, jax.tree.map(lambda x: x[0], life.params)
    model = forward.ForwardModel(settings.width)
    mean, _ = model.apply(params, tests.view, _place(tests.cell, tests.action))
    return jnp.mean(forward.squared_error(mean[:, : rooms.ROOM], tests.next_picture))


def _tv_score(settings: ExploreSettings, life: Life) -> jax.Array:
    """The signal's score, averaged over the cells and actions that are visits to the TV."""
    score = _score(settings, life)
    cell, action = np.indices((rooms.CELLS, A))
    visit = rooms.watches(life.world, jnp.asarray(cell), jnp.asarray(action))
    return jnp.mean(score[jnp.asarray(REGION)], where=visit)


def _draw(life: Life, stream: int, age: jax.Array) -> jax.Array:
    """The key of a stream at an age."""
    return jax.random.fold_in(life.streams[stream], age)


def _place(cell: jax.Array, action: jax.Array) -> jax.Array:
    """One-hot row, column and action: [...] int32 twice -> [..., 2 * SIDE + A]."""
    parts = (cell // rooms.SIDE, rooms.SIDE), (cell % rooms.SIDE, rooms.SIDE), (action, A)
    return jnp.concatenate([jax.nn.one_hot(x, n) for x, n in parts], -1)


def _optimiser(settings: ExploreSettings) -> faults.Freezing:
    total = settings.episodes * settings.steps // settings.stride * settings.updates
    rate = optax.cosine_decay_schedule(settings.learning_rate, total, LAST_RATE)
    return faults.freezing(optax.adamw(rate, weight_decay=settings.weight_decay))
