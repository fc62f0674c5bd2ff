"""The one compiled loop: choose, spawn, roll out, sense, store, learn, update learnability.

`make_train(settings)` gives `(init, chunk)`. `chunk` is one jitted `lax.scan` over iterations with
donated state. S seeds x B worlds are one flat axis of worlds for physics and senses; learning is
`vmap`ped over seeds, which several devices may share (training/parallel.py). Keys are derived from
the iteration's number, so that a resumed run draws what an unbroken one would.

Objects may come in stages; EWC then stiffens what was learnt in those before (`make_settle`).
Interactions are carried out as they are chosen, or drawn from a `Recording` made beforehand.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import types
from nsca_jax.continual import ewc
from nsca_jax.curiosity import arms, choose, evidence, recent_mean
from nsca_jax.grounding import table as table_lib
from nsca_jax.memory import replay
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import consolidation, experience, faults, parallel
from nsca_jax.training import learner as learning

SKILLS = len(types.SKILLS)
BORROWED = 4  # samples of its object's error that every region starts from
PERIODS = 24  # parts of a run in which visits are counted apart
FISHER_ROWS = 128  # of a stage's last interactions, by which its parameters become stiff


@dataclasses.dataclass(frozen=True)
class BabbleSettings:
    """Everything static about the loop; hashable, hence a compile-time constant."""

    learner: learning.LearnerSettings = dataclasses.field(default_factory=learning.LearnerSettings)
    camera: camera_lib.Camera = dataclasses.field(default_factory=camera_lib.Camera)
    noise: experience.SensorNoise = dataclasses.field(default_factory=experience.SensorNoise)
    objects: int = 21  # rows of the object set, the distractor included
    seeds: int = 3
    worlds: int = 32  # interactions an iteration and seed
    updates: int = 48  # gradient steps an iteration
    random_iterations: int = 8  # the curriculum's first phase
    iterations: int = 80  # both phases
    capacity: int = 4096  # interactions remembered per seed
    curiosity: str = "gamma_progress"
    bins: int = 2  # of a skill's main parameter
    window: int = 64  # samples of progress kept of an object, of error kept of a region
    warmup: int = 16
    bound: float = 3.0
    greed: float = 2.0  # power of learnabilities, and of errors within an object, in the choice
    floor: float = 0.05  # share of choices spread over all regions
    slow_every: int = 24  # iterations between copies of the slow predictor
    stages: int = 1  # parts of the objects, met one after another, in an order of the seed's own
    stiffness: float = 0.0  # of EWC, for what was learnt in the stages before
    memory: bool = True  # False: learns from the last `recent` interactions, asks no table
    recent: int = 128
    forced: bool = True  # False: hands start anywhere beside their objects

    @property
    def regions(self) -> int:
        """Object x skill x bin."""
        return self.objects * SKILLS * self.bins


@struct.dataclass
class TrainState:
    """All that a resumed run needs. S seeds, R regions."""

    learner: learning.LearnerState  # [S]
    slow: dict  # [S, E, ...] the copy that errors are compared with
    pending: dict  # [S, E, ...] the copy that will be
    curiosity: Any  # [S] state of the arm, over objects for a learnability, else over regions
    errors: recent_mean.State  # [S] last errors of each region
    stiff: Any  # [S] ewc.State, or () where nothing is stiff
    buffer: replay.ReplayBuffer  # [capacity, S]
    table: table_lib.GroundingTable  # [S]
    shuffled: table_lib.GroundingTable  # [S] control: sounds of other interactions
    visits: jax.Array  # [S, PERIODS, R] int32
    bad_worlds: jax.Array  # [S] int32, interactions that diverged, or lost contacts
    broken_promises: jax.Array  # [S] int32, interactions without the promised contact
    keys: jax.Array  # [S] typed keys, never consumed
    iteration: jax.Array  # [] int32


def make_train(
    settings: BabbleSettings, spread: parallel.Spread = parallel.ONE_DEVICE
) -> tuple[Callable, Callable]:
    """(init(keys [S]) -> TrainState, chunk(body, state, iterations) -> (TrainState, metrics)).

    metrics have a leading axis of iterations: loss [n, S], error [n, S], region [n, S, B].
    `spread` divides the seeds, and the worlds and the batch of each; where it is over several
    devices, `chunk` takes a state from `place`.
    """
    init = functools.partial(_init, settings)
    share = dataclasses.replace(settings, seeds=settings.seeds // spread.seeds)
    axes = seed_axes(settings)

    @functools.partial(
        jax.jit,
        static_argnums=2,
        donate_argnums=1,
        out_shardings=parallel.shardings(spread, (axes, 1)),
        compiler_options=parallel.compiler_options(spread),
    )
    def chunk(body: experience.Body, state: TrainState, iterations: int):
        def one_device(body, state):
            once = functools.partial(_iterate, share, body, spread.parts)
            return jax.lax.scan(lambda s, _: once(s), state, None, iterations)

        return parallel.over_seeds(one_device, spread, (None, axes), (axes, 1))(body, state)

    return init, chunk


def parts(settings: BabbleSettings) -> int:
    """Into how many equal pieces a seed's worlds and batches go, at most."""
    return math.gcd(settings.worlds, settings.learner.batch)


def place(settings: BabbleSettings, state: TrainState, spread: parallel.Spread) -> TrainState:
    """`state` laid out over the devices."""
    return parallel.place(state, spread, seed_axes(settings))


def layout(settings: BabbleSettings, shapes: TrainState, spread: parallel.Spread) -> TrainState:
    """`shapes` of a state, as `place` would lay it out: to compile `chunk` before there is one."""
    return parallel.layout(shapes, spread, seed_axes(settings))


def seed_axes(settings: BabbleSettings) -> TrainState:
    """Where each part of a TrainState has its seeds; None where it has none."""
    parts = dict.fromkeys((field.name for field in dataclasses.fields(TrainState)), 0)
    buffer = replay.ReplayBuffer(1, 1, None, None, settings.worlds)
    return TrainState(**parts | {"buffer": buffer, "iteration": None})


def make_settle(settings: BabbleSettings) -> Callable[[TrainState], TrainState]:
    """What is to be done where a stage ends, if anything is stiff: it gets its own anchor."""
    groups = {k: v for k, v in consolidation.SEMANTIC.items() if settings.learner.use_slots}
    groups = groups or {"look": consolidation.SEMANTIC["look"]}

    @functools.partial(jax.jit, donate_argnums=0)
    def settle(state: TrainState) -> TrainState:
        last = (state.buffer.next - 1 - jnp.arange(FISHER_ROWS)) % settings.capacity
        rows = jax.tree.map(lambda x: jnp.swapaxes(x[last], 0, 1), state.buffer.rows)

        def one(stiff, learner, table, rows, key):
            memory = own_memory(settings, table, rows.object_id)
            information = consolidation.fisher(
                settings.learner, learner.params, learner.statistics, rows, memory, key
            )
            return ewc.update(stiff, learner.params, ewc.scale_groups(information, groups))

        keys = jax.vmap(lambda k: jax.random.fold_in(jax.random.fold_in(k, 0), state.iteration))(
            state.keys
        )
        stiff = jax.vmap(one)(state.stiff, state.learner, state.table, rows, keys)
        return state.replace(stiff=stiff)

    return settle


def present(settings: BabbleSettings, key, iteration) -> jax.Array:
    """Objects of the stage at `iteration`: [objects / stages] int32; `key` is the seed's."""
    order = jnp.arange(settings.objects)
    if settings.stages == 1:
        return order
    order = jax.random.permutation(jax.random.fold_in(jax.random.fold_in(key, 0), 0), order)
    stage = iteration * settings.stages // settings.iterations
    return order.reshape(settings.stages, -1)[stage]


def own_memory(settings: BabbleSettings, table: table_lib.GroundingTable, object_id) -> jax.Array:
    """What the agent's table tells of objects [...]: [..., 10]; nothing, without memory."""
    return table_lib.memory_input(table, object_id) * float(settings.memory)


def _init(settings: BabbleSettings, keys) -> TrainState:
    seeds, arm = settings.seeds, arms.ARMS[settings.curiosity]

    def per_seed(make):
        return jax.tree.map(lambda x: jnp.stack([x] * seeds), make)

    state = jax.vmap(lambda k: learning.init(settings.learner, jax.random.fold_in(k, 0)))(keys)
    copy = functools.partial(jax.tree.map, jnp.copy)
    return TrainState(
        learner=state,
        slow=copy(state.params),
        pending=copy(state.params),
        curiosity=per_seed(
            arm.init(settings.objects if arm.learnability else settings.regions, settings.window)
        ),
        errors=per_seed(recent_mean.init(settings.regions, settings.window)),
        stiff=jax.vmap(ewc.init)(copy(state.params)) if settings.stiffness else (),
        buffer=replay.init(_example(), settings.capacity, seeds, settings.worlds),
        table=per_seed(table_lib.init(settings.objects)),
        shuffled=per_seed(table_lib.init(settings.objects)),
        visits=jnp.zeros((seeds, PERIODS, settings.regions), jnp.int32),
        bad_worlds=jnp.zeros(seeds, jnp.int32),
        broken_promises=jnp.zeros(seeds, jnp.int32),
        keys=jnp.copy(keys),
        iteration=jnp.zeros((), jnp.int32),
    )


def _iterate(settings: BabbleSettings, body: experience.Body, devices: int, state: TrainState):
    """One iteration: S x B interactions, then `updates` gradient steps.

    So many devices hold these seeds and share the work: all but the choice and the appraisal.
    """
    keys = jax.vmap(jax.random.fold_in, (0, None))(state.keys, state.iteration + 1)
    choose_keys, world_keys, learn_keys = jax.vmap(jax.random.split, (0, None))(keys, 3).T
    region, choice = _choose(settings, state, choose_keys)
    worlds = jax.vmap(lambda k: jax.random.split(k, settings.worlds))(world_keys)
    worlds, choice = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (worlds, choice))
    act = parallel.over_worlds(functools.partial(_act, settings, body), devices)
    rows = act(worlds, choice, region.reshape(-1))
    rows = jax.tree.map(lambda x: x.reshape(settings.seeds, settings.worlds, *x.shape[1:]), rows)

    state, error = _appraise(settings, state, region, rows)
    state = _remember(settings, state, rows, learn_keys)
    state, loss = _learn(settings, state, learn_keys, devices)
    state = _age(settings, state, region, rows)
    return state, {"loss": loss, "error": error, "region": region}


def _choose(settings: BabbleSettings, state: TrainState, keys):
    """Regions [S, B] and the Choice [S, B] within them; uniform during the random phase."""
    value = jax.vmap(functools.partial(_value, settings))(state.curiosity, state.errors)
    value = jnp.where(state.iteration < settings.random_iterations, 1.0, value)
    each = settings.regions // settings.objects

    def one(key, own, value_R):
        region_key, parameter_key = jax.random.split(key)
        here = present(settings, own, state.iteration)
        value = value_R.reshape(-1, each)[here].reshape(-1)
        place = choose.choose(region_key, value, settings.floor, settings.worlds)
        region = here[place // each] * each + place % each
        thing, skill, bin = choose.region_parts(region, settings.bins)
        parameters = experience.parameters_in_bin(parameter_key, skill, bin, settings.bins)
        return region, experience.Choice(thing, skill, parameters)

    return jax.vmap(one)(keys, state.keys, value)


def _act(settings: BabbleSettings, body, keys, choice: experience.Choice, region):
    """What comes of W choices, without the images: carried out, or drawn from a recording."""
    if isinstance(body, experience.Recording):
        return experience.recall(body, keys, region)
    rows, _ = experience.carry_out(
        body, settings.camera, keys, choice, settings.noise, settings.forced
    )
    return experience.without_image(rows)


def _value(settings: BabbleSettings, curiosity, errors: recent_mean.State) -> jax.Array:
    """What each region is worth [R].

    A learnability L is told of the object, whose samples pool over its regions, for noise is a
    thing's own. It is shared among the object's regions by their errors; a region of which little
    is known borrows from the object's mean error as if it had seen BORROWED samples of it.
    """
    arm = arms.ARMS[settings.curiosity]
    value = arm.score(curiosity, settings.bound, settings.warmup)
    if not arm.learnability:
        return value
    n = jnp.minimum(errors.count, settings.window).reshape(settings.objects, -1)
    total = n * recent_mean.means(errors).reshape(settings.objects, -1)
    of_object = jnp.sum(total, 1) / jnp.maximum(jnp.sum(n, 1), 1)
    error = (total + BORROWED * of_object[:, None]) / (n + BORROWED) + 1e-6
    keen = error**settings.greed
    share = keen / jnp.sum(keen, 1, keepdims=True)
    return (value[:, None] ** settings.greed * share).reshape(-1)


def _appraise(settings: BabbleSettings, state: TrainState, region, rows: types.Interaction):
    """Errors of predictor and slow copy on the same fresh rows, before any learning from them."""
    first = state.iteration < settings.random_iterations
    statistics = jax.vmap(learning.observe)(state.learner.statistics, rows)
    statistics = jax.tree.map(
        lambda new, old: jnp.where(first, new, old), statistics, state.learner.statistics
    )
    arm = arms.ARMS[settings.curiosity]

    def one(params, slow, statistics, table, curiosity, errors, region, rows):
        memory = own_memory(settings, table, rows.object_id)
        now = learning.error(settings.learner, params, statistics, rows, memory)
        then = learning.error(settings.learner, slow, statistics, rows, memory)
        seen = evidence.Evidence(now, then)
        seen = evidence.relative(seen) if arm.learnability else seen
        told_of = rows.object_id if arm.learnability else region
        curiosity = arm.update(curiosity, told_of, seen, rows.finite)
        return curiosity, recent_mean.append(errors, region, now, rows.finite), now.mean()

    curiosity, errors, error = jax.vmap(one)(
        state.learner.params,
        state.slow,
        statistics,
        state.table,
        state.curiosity,
        state.errors,
        region,
        rows,
    )
    new = state.learner.replace(statistics=statistics)
    return state.replace(learner=new, curiosity=curiosity, errors=errors), error


def _remember(settings: BabbleSettings, state: TrainState, rows: types.Interaction, keys):
    """Buffer and grounding tables; the control's table hears other interactions' sounds."""
    time_major = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), rows)
    enter = jax.vmap(table_lib.update)
    broken = rows.outcome.broken > 0.5
    table = enter(state.table, rows.object_id, rows.measured, rows.measured_ok, broken)
    order = jax.vmap(lambda k: jax.random.permutation(k, settings.worlds))(keys)
    heard = jnp.array([True, False, False, False, True])  # hardness and fragility are heard

    def mix(x):
        other = jnp.take_along_axis(x, order[..., None], 1)
        return jnp.where(heard, other, x)

    shuffled = enter(
        state.shuffled, rows.object_id, mix(rows.measured), mix(rows.measured_ok), broken
    )
    buffer = replay.add(state.buffer, time_major, time_major.finite)
    return state.replace(buffer=buffer, table=table, shuffled=shuffled)


def _learn(settings: BabbleSettings, state: TrainState, keys, devices: int = 1):
    """`updates` gradient steps per seed on replayed rows -> (TrainState, mean loss [S])."""
    things = jnp.arange(settings.objects)
    memory_rows = jax.vmap(lambda table: own_memory(settings, table, things))(state.table)
    recent = 0 if settings.memory else settings.recent
    pull = settings.learner.learning_rate * settings.stiffness

    def step(learners, number):
        draw = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
        rows, valid = replay.sample(state.buffer, draw, settings.learner.batch, recent)
        memory = jax.vmap(lambda m, i: m[i])(memory_rows, rows.object_id)
        one = functools.partial(learning.update, settings.learner, devices=devices)
        learners, losses = jax.vmap(one)(learners, rows, memory, valid, draw)
        if settings.stiffness:
            held = jax.vmap(consolidation.pull_back, (0, 0, None))
            pulled = held(state.stiff, learners.params, pull)
            kept = jax.vmap(faults.keep)(learners.optimiser, pulled, learners.params)
            learners = learners.replace(params=kept)
        return learners, losses

    learners, losses = jax.lax.scan(step, state.learner, jnp.arange(settings.updates))
    return state.replace(learner=learners), losses.mean(0)


def _age(settings: BabbleSettings, state: TrainState, region, rows: types.Interaction):
    """Counts, and every `slow_every` iterations the slow predictor moves up one copy."""
    due = (state.iteration + 1) % settings.slow_every == 0
    period = state.iteration * PERIODS // settings.iterations
    pick = lambda new, old: jax.tree.map(lambda a, b: jnp.where(due, a, b), new, old)  # noqa: E731
    return state.replace(
        slow=pick(state.pending, state.slow),
        pending=pick(state.learner.params, state.pending),
        visits=jax.vmap(lambda v, r: v.at[period, r].add(1))(state.visits, region),
        bad_worlds=state.bad_worlds + jnp.sum(~rows.finite, 1),
        broken_promises=state.broken_promises + jnp.sum(~rows.contact, 1),
        iteration=state.iteration + 1,
    )


def _example() -> types.Interaction:
    """A row of zeros with the shapes that the buffer keeps (no image)."""
    f = jnp.zeros
    return types.Interaction(
        object_id=f((), jnp.int32),
        skill=f((), jnp.int32),
        parameters=f(4),
        spawn=types.Observation(
            image=f((0, 0, 4), jnp.uint8),
            visual_code=f(types.VISUAL_CODE),
            shape_code=f(types.SHAPE_CODE),
            touch_N=f((2, 3)),
            proprio=f(3 * types.JOINTS),
        ),
        motion=f((types.KNOTS, types.MOTION)),
        outcome=types.Outcome(
            f(3), f(3), f(types.SOUND_BANDS), f((2, 3)), f(()), f(types.VISUAL_CODE)
        ),
        measured=f(5),
        measured_ok=f(5, bool),
        contact=f((), bool),
        finite=f((), bool),
    )
