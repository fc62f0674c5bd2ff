"""An apprentice: one agent that is shown one task after another, and asks for what it is shown.

Tasks come in stages. Between two points of its learning curve an apprentice watches demonstrations
for so many steps: it asks for goals of some region (curiosity), beginning at the official start or
where the hand has been brought to the thing (forced interaction), clones what was meant and
foresees what comes of it (training/imitation.py), from all that it ever watched (memory). Where a
stage ends, what it learnt becomes stiff (EWC). Each of these is a setting.

Everything is for one seed; `make` maps it over seeds. Shapes: K tasks, R regions of a task (its
goals by how far they are), N demonstrations of a region, T steps, O readings, W steps watched
between two points, P points.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax.continual import ewc
from nsca_jax.curiosity import arms, choose, evidence, recent_mean
from nsca_jax.models.imitation import Imitator
from nsca_jax.training import consolidation, faults, imitation

FISHER_ROWS = 128  # of a stage's steps, by which its parameters become stiff
JUDGED_ROWS = 32  # of the steps between two points, by which their regions are valued
LEAST_STEPS = 10  # of a demonstration from where it begins


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything static about an apprentice; compile-time constants."""

    learner: imitation.Settings = dataclasses.field(default_factory=imitation.Settings)
    tasks: int = 3
    regions: int = 4
    chunks: int = 3  # points of a stage
    watched: int = 400  # steps from one point to the next
    updates: int = 200  # gradient steps from one point to the next
    stiffness: float = 1.0  # of EWC, for what was learnt in the stages before
    memory: bool = True  # False: learns from the present stage alone
    curiosity: str = "gamma_progress"
    window: int = 32  # samples of progress and error that are kept of a region
    warmup: int = 8
    bound: float = 3.0
    floor: float = 0.05  # share of choices spread over all regions
    forced: float = 0.5  # share of demonstrations that begin with the hand at the thing

    @property
    def points(self) -> int:
        """Of a learning curve."""
        return self.tasks * self.chunks


class Library(NamedTuple):
    """Demonstrations that can be asked for."""

    seen: jax.Array  # [K, R, N, T + 1, O]
    done: jax.Array  # [K, R, N, T, A]
    meant: jax.Array  # [K, R, N, T, A]
    length: jax.Array  # [K, R, N] int32, steps
    touch: jax.Array  # [K, R, N] int32, the step at which the hand is at the thing


@struct.dataclass
class Watched:
    """Where each step that was watched stands in the library: [P * W] int32 each."""

    task: jax.Array
    region: jax.Array
    number: jax.Array
    step: jax.Array


@struct.dataclass
class State:
    """All that an apprentice is."""

    params: Any
    slow: Any  # parameters of a point ago, which errors are compared with
    optimiser: Any
    eye: imitation.Eye
    stiff: Any  # ewc.State, or () where nothing is stiff
    curiosity: Any  # state of the arm, over K * R regions
    errors: recent_mean.State  # last errors of each region
    asked: jax.Array  # [K, R] int32, demonstrations
    watched: Watched
    order: jax.Array  # [K] int32: the task of each stage
    key: jax.Array  # typed, never consumed
    chunk: jax.Array  # [] int32, points lived through


def make(settings: Settings) -> tuple[Callable, Callable, Callable, Callable]:
    """(init, chunk, settle, act), jitted, of S seeds at once.

    init(keys [S], orders [S, K], libraries [S]) -> State; chunk(libraries, state) -> (State, mean
    loss [S]), from one point to the next; settle(libraries, state) -> State, where a stage ends and
    something is to be stiff; act(state, seen [S, K, O], first [S, K, O]) -> actions [S, K, A], one
    of each task.
    """
    parts = (init, chunk, settle, act)
    return tuple(jax.jit(jax.vmap(functools.partial(part, settings))) for part in parts)


def init(settings: Settings, key: jax.Array, order: jax.Array, library: Library) -> State:
    """A newborn, which will meet the tasks in this order."""
    eye = open_eye(library)
    reading = library.seen[0, 0, 0, 0]
    x = features(settings, eye, reading, reading, 0)
    net = Imitator(settings.learner.width)
    born = jax.random.fold_in(key, 0)
    params = net.init(born, x, library.done[0, 0, 0, 0], method="both")
    regions = settings.tasks * settings.regions
    return State(
        params=params,
        slow=params,
        optimiser=_optimiser(settings).init(params),
        eye=eye,
        stiff=ewc.init(params) if settings.stiffness else (),
        curiosity=arms.ARMS[settings.curiosity].init(regions, settings.window),
        errors=recent_mean.init(regions, settings.window),
        asked=jnp.zeros((settings.tasks, settings.regions), jnp.int32),
        watched=Watched(*jnp.zeros((4, settings.points * settings.watched), jnp.int32)),
        order=order,
        key=key,
        chunk=jnp.zeros((), jnp.int32),
    )


def open_eye(library: Library) -> imitation.Eye:
    """The scale of readings, from all that can be asked for: no sense is ever out of its range."""
    used = jnp.arange(library.seen.shape[-2]) <= library.length[..., None]
    seen = library.seen.reshape(-1, library.seen.shape[-1])
    return imitation.open_eye(imitation.Rows(*[seen] * 6), used.reshape(-1).astype(jnp.float32))


def features(settings: Settings, eye: imitation.Eye, seen, first, task) -> jax.Array:
    """[..., D] what the eye sees and which task it is, as Meta-World's MT10 tells it: one of K."""
    look = imitation.look(settings.learner, eye, seen, first)
    told = jax.nn.one_hot(task, settings.tasks)
    return jnp.concatenate([look, jnp.broadcast_to(told, (*look.shape[:-1], settings.tasks))], -1)


def act(settings: Settings, state: State, seen: jax.Array, first: jax.Array) -> jax.Array:
    """[K, A] what is done in each task on seeing `seen` [K, O], where it began with `first`.

    One whose parameters are no numbers any more does nothing.
    """
    tasks = jnp.arange(settings.tasks)
    x = jax.vmap(functools.partial(features, settings, state.eye))(seen, first, tasks)
    said = Imitator(settings.learner.width).apply(state.params, x)
    return jnp.nan_to_num(jnp.clip(said, -1.0, 1.0))


def chunk(settings: Settings, library: Library, state: State) -> tuple[State, jax.Array]:
    """From one point to the next: watches, values what it watched, learns; (State, mean loss)."""
    ask_key, learn_key = jax.random.split(jax.random.fold_in(state.key, 1 + state.chunk))
    state = ask(settings, library, state, ask_key)
    state = appraise(settings, library, state)
    state, losses = learn(settings, library, state.replace(slow=state.params), learn_key)
    return state.replace(chunk=state.chunk + 1), jnp.mean(losses)


def ask(settings: Settings, library: Library, state: State, key: jax.Array) -> State:
    """Asks for demonstrations of the stage's task and watches them, `watched` steps in all.

    Those of a region come in an order of the seed's own, and begin anew after the last. A forced
    one begins where the hand has been brought to the thing; its first reading remains that of the
    scene before. The last one asked for is cut short.
    """
    task = state.order[state.chunk // settings.chunks]
    most = settings.watched // LEAST_STEPS
    region_key, force_key = jax.random.split(key)
    value = worth(settings, state)[task]
    region = choose.choose(region_key, value, settings.floor, most)
    earlier = jnp.sum(jnp.tril(region[:, None] == region[None, :], -1), -1)
    held = library.length.shape[-1]
    shuffle = jax.random.split(jax.random.fold_in(jax.random.fold_in(state.key, 0), task), 1)[0]
    own = jnp.argsort(jax.random.uniform(shuffle, (settings.regions, held)), -1)
    number = own[region, (state.asked[task, region] + earlier) % held]

    forced = jax.random.uniform(force_key, (most,)) < settings.forced
    begin = jnp.where(forced, library.touch[task, region, number], 0)
    end = jnp.cumsum(library.length[task, region, number] - begin)
    start = jnp.concatenate([jnp.zeros(1, end.dtype), end[:-1]])
    asked = state.asked.at[task, region].add((start < settings.watched).astype(jnp.int32))

    moment = jnp.arange(settings.watched)
    of = jnp.minimum(jnp.searchsorted(end, moment, side="right"), most - 1)
    step = begin[of] + moment - start[of]
    told = Watched(jnp.full_like(of, task), region[of], number[of], step)
    at = state.chunk * settings.watched
    watched = jax.tree.map(
        lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), at, 0),
        state.watched,
        told,
    )
    return state.replace(asked=asked, watched=watched)


def worth(settings: Settings, state: State) -> jax.Array:
    """[K, R] what each region is worth: the share of its error that can be learnt, times it.

    A region of which nothing is known has the mean error of those that are.
    """
    arm = arms.ARMS[settings.curiosity]
    value = arm.score(state.curiosity, settings.bound, settings.warmup)
    if arm.learnability:
        known = state.errors.count > 0
        error = recent_mean.means(state.errors)
        mean = jnp.sum(jnp.where(known, error, 0.0)) / jnp.maximum(jnp.sum(known), 1)
        value = value * jnp.where(known, error, mean)
    return value.reshape(settings.tasks, settings.regions)


def appraise(settings: Settings, library: Library, state: State) -> State:
    """Errors of the apprentice, and of what it was a point ago, on steps fresh to both."""
    at = state.chunk * settings.watched + _spread(JUDGED_ROWS, settings.watched)
    now, then = (
        _row_losses(settings, library, state, params, at) for params in (state.params, state.slow)
    )
    arm = arms.ARMS[settings.curiosity]
    seen = evidence.Evidence(now, then)
    seen = evidence.relative(seen) if arm.learnability else seen
    region = state.watched.task[at] * settings.regions + state.watched.region[at]
    fine = jnp.isfinite(now)
    return state.replace(
        curiosity=arm.update(state.curiosity, region, seen, fine),
        errors=recent_mean.append(state.errors, region, now, fine),
    )


def learn(settings: Settings, library: Library, state: State, key: jax.Array):
    """(State, losses [updates]) after gradient steps on what was watched; without memory, of the
    present stage alone."""
    last = (state.chunk + 1) * settings.watched
    stage = state.chunk // settings.chunks * settings.chunks * settings.watched
    first = 0 if settings.memory else stage
    optimiser = _optimiser(settings)
    pull = settings.learner.rate * settings.stiffness

    def step(carry, number):
        params, moments = carry
        draw = jax.random.fold_in(key, number)
        at = jax.random.randint(draw, (settings.learner.batch,), first, last)
        x, rows = _look_up(settings, library, state, at)
        loss, grads = jax.value_and_grad(_loss, 1)(settings, params, x, rows)
        steps, moments = optimiser.update(grads, moments, params, loss=loss)
        params = optax.apply_updates(params, steps)
        if settings.stiffness:
            params = consolidation.pull_back(state.stiff, params, pull)
        return (params, moments), loss

    start = (state.params, state.optimiser)
    (params, moments), losses = jax.lax.scan(step, start, jnp.arange(settings.updates))
    return state.replace(params=params, optimiser=moments), losses


def settle(settings: Settings, library: Library, state: State) -> State:
    """A stage has ended: what it learnt becomes stiff by its Fisher information, at its anchor.

    The information is that of Gaussians about what is said, weighted as in the loss; the sum over
    outputs is taken along random signs (as training/consolidation.py does).
    """
    stage = settings.chunks * settings.watched
    at = state.chunk * settings.watched - stage + _spread(FISHER_ROWS, stage)
    x, rows = _look_up(settings, library, state, at)
    weights = jnp.sqrt(_output_weights(settings))
    key = jax.random.fold_in(jax.random.fold_in(state.key, 0), state.chunk)
    signs = jax.random.rademacher(key, (FISHER_ROWS, len(weights)), weights.dtype)

    def along(params, x, done, sign):
        said = Imitator(settings.learner.width).apply(params, x, done, method="both")
        return jnp.sum(sign * weights * jnp.concatenate(said))

    grads = jax.vmap(jax.grad(along), (None, 0, 0, 0))(state.params, x, rows.done, signs)
    information = jax.tree.map(lambda g: jnp.mean(g**2, 0), grads)
    return state.replace(stiff=ewc.update(state.stiff, state.params, information))


def _output_weights(settings: Settings) -> jax.Array:
    """Of each output's squared error in the loss: actions, then changes foreseen."""
    changes = Imitator().changes
    acting = jnp.full(imitation.ACTIONS, 1.0 / imitation.ACTIONS)
    return jnp.concatenate([acting, jnp.full(changes, settings.learner.foresight / changes)])


def _look_up(settings: Settings, library: Library, state: State, at: jax.Array):
    """(features [B, D], Rows [B]) of steps watched, by their numbers `at` [B]."""
    w = jax.tree.map(lambda x: x[at], state.watched)
    seen = library.seen[w.task, w.region, w.number, w.step]
    first = library.seen[w.task, w.region, w.number, 0]
    then = library.seen[w.task, w.region, w.number, w.step + 1]
    done = library.done[w.task, w.region, w.number, w.step]
    meant = library.meant[w.task, w.region, w.number, w.step]
    x = jax.vmap(functools.partial(features, settings, state.eye))(seen, first, w.task)
    return x, imitation.Rows(seen, first, then, done, meant, w.task)


def _loss(settings: Settings, params, x: jax.Array, rows: imitation.Rows) -> jax.Array:
    """[] error of acting and, weighted, of foreseeing over rows [B]."""
    how, net = settings.learner, Imitator(settings.learner.width)
    acting = imitation.mismatch(net.apply(params, x), rows.meant, how.saturating)
    aim = imitation.changes(rows)
    return imitation.with_foresight(how, net, params, acting, x, rows.done, aim)[0]


def _row_losses(settings: Settings, library: Library, state: State, params, at) -> jax.Array:
    """[B] the same row by row, of steps watched."""
    x, rows = _look_up(settings, library, state, at)
    each = jax.tree.map(lambda leaf: leaf[:, None], rows)
    return jax.vmap(functools.partial(_loss, settings, params))(x[:, None], each)


def _optimiser(settings: Settings) -> optax.GradientTransformationExtraArgs:
    """AdamW whose rate falls by a cosine from each point to the next (Loshchilov & Hutter 2017)."""

    def rate(count):
        turn = (count % settings.updates) / settings.updates
        return 0.5 * settings.learner.rate * (1.0 + jnp.cos(math.pi * turn))

    return faults.freezing(optax.adamw(rate, weight_decay=settings.learner.decay))


def _spread(many: int, over: int) -> jax.Array:
    """`many` whole numbers below `over`, evenly spread."""
    return jnp.arange(many) * over // many
