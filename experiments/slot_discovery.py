"""Do free slots find the hidden properties of objects, from nothing but what happens to them?

A bank of 16 free slots must foresee what comes of interactions with objects whose elasticity,
stickiness, temperature, fragility and magnetism it never sees. Presets: laptop (20 seeds), quick
(3 seeds).
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _launch, _parts, _ranges, _slot_discovery_report
from nsca_jax.models import slots as slots_lib
from nsca_jax.training import faults, parallel, slot_bank
from nsca_jax.worlds import hidden_properties as world_lib

WORLDS = ("independent", "correlated", "mixed")
CONDITIONS = (*WORLDS, "shuffled")


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    if config.objects < 50:
        _ranges.refuse("objects", config.objects, "50 or more, for a correlation to mean much")
    settings = slot_bank.Settings()
    if config.steps < 10 * settings.look_every or config.steps % settings.look_every:
        needs = f"a multiple of {settings.look_every}, at least ten of them"
        _ranges.refuse("steps", config.steps, needs)


def settings_of(config) -> slot_bank.Settings:
    """The bank's pace and prices."""
    return slot_bank.Settings(steps=config.steps, likeness_price=config.likeness_price)


@functools.cache
def programs(width: int, hidden: int, settings: slot_bank.Settings):
    """(init, learn, turn, look), compiled for all seeds at once; every condition shares them."""
    actions, channels = len(world_lib.ACTIONS), len(world_lib.CHANNELS)
    bank = slots_lib.SlotBank(actions, channels, width=width, hidden=hidden)
    learner = slot_bank.make_learner(bank, settings)
    init, learn, turn, look = learner
    return (
        jax.jit(parallel.vmap(lambda seed, acts, known: init(jax.random.key(seed), acts, known))),
        jax.jit(parallel.vmap(learn, (0, 0, 0, None)), donate_argnums=0),
        jax.jit(parallel.vmap(turn)),
        jax.jit(parallel.vmap(look, (0, 0, 0, None))),
    )


@functools.cache
def gatherer(objects: int, interactions: int, noise: float):
    """The compiled `experience` of all seeds; every condition shares it."""
    one = functools.partial(experience, (objects, interactions), noise)
    return jax.jit(parallel.vmap(one, (0, None, None, None)))


def gather(config, condition: str):
    """`experience` of all seeds under one of CONDITIONS."""
    correlation = config.correlation if condition == "correlated" else 0.0
    program = gatherer(config.objects, config.interactions, config.noise)
    return program(_seeds(config), correlation, condition == "mixed", condition == "shuffled")


def experience(sizes: tuple[int, int], noise: float, seed, correlation, mixed, shuffled):
    """(acts, known, truth) to learn from and (acts, known, truth) of held-out objects.

    `sizes` are objects and interactions with each; what differs between conditions may be traced.
    """
    key_laws, key_train, key_test, key_deal = jax.random.split(jax.random.key(seed), 4)
    world = world_lib.laws(key_laws, correlation, mixed, noise)
    train, test = (world_lib.sample(key, world, *sizes) for key in (key_train, key_test))
    dealt = world_lib.shuffle(key_deal, train)
    train = jax.tree.map(lambda a, b: jnp.where(shuffled, a, b), dealt, train)
    usual = world_lib.usual(train)
    return tuple(_met(part, usual) for part in (train, test))


def discover(config, run, condition: str) -> dict[str, np.ndarray]:
    """Learns one condition, all seeds at once; what the bank says of held-out objects.

    Where no slot of any seed has opened by the time that none opens any more, the bank is left at
    that.
    """
    train, test = gather(config, condition)
    settings = settings_of(config)
    init, learn, turn, look = programs(config.width, config.hidden, settings)
    state = init(_seeds(config), *train[:2])
    thrift = np.float32(config.thrift_mixed if condition == "mixed" else config.thrift)
    looks = config.steps // settings.look_every
    turns = [int(share * looks) for share in (settings.turn, *settings.again)]
    before, seen, trace = None, None, []
    for number in range(looks):
        if number == turns[0]:
            before = look(state, *test[:2], config.objects)
        if number in turns:
            state = turn(state, *train[:2])
        any_open = np.asarray(state.opened).min() < slots_lib.CLOSED
        if any_open or number <= settings.open_until * looks:
            state, seen = learn(state, *train[:2], thrift)
        run.tell_faults(condition, faults.found(state.moments))
        trace.append([np.array(x) for x in (state.opened, seen.activation, seen.surprise)])  # pyright: ignore[reportOptionalMemberAccess]
        if run.stopping:
            raise run.interrupted()
    opened, activation, surprise = (np.stack(x, 1) for x in zip(*trace, strict=True))
    after, found = look(state, *test[:2], config.objects), faults.found(state.moments)
    said, entangled = _said(after, test), np.asarray(before.slots.mean)  # pyright: ignore[reportOptionalMemberAccess]
    return {
        **said,
        "mean": faults.blank(found, said["mean"]),
        "entangled": faults.blank(found, entangled),
        "faults": found,
        "opened": opened < slots_lib.CLOSED,
        "activation_trace": activation,
        "surprise": surprise.max((2, 3)),
    }


def untrained(config, world: str) -> dict[str, np.ndarray]:
    """The control in one of WORLDS: a bank that learnt nothing, with every slot open."""
    train, test = gather(config, world)
    init, _, _, look = programs(config.width, config.hidden, settings_of(config))
    state = init(_seeds(config), *train[:2])
    state = state.replace(opened=np.zeros(state.opened.shape, np.int32))
    return _said(look(state, *test[:2], config.objects), test)


def main(config, run) -> dict:
    """Every condition and the untrained banks, then the claims, then the report."""
    parts = {name: functools.partial(discover, config, run, name) for name in CONDITIONS} | {
        f"untrained_{world}": functools.partial(untrained, config, world) for world in WORLDS
    }
    records = _parts.every(run, parts)
    seeds = list(range(config.seed, config.seed + config.seeds))
    result = run.result(seeds=seeds, **_slot_discovery_report.claims(records))
    _slot_discovery_report.write(config.to_dict(), run, records, result)
    return result


def _seeds(config) -> np.ndarray:
    return np.arange(config.seed, config.seed + config.seeds)


def _met(part: world_lib.Experience, usual: world_lib.Usual):
    """What the bank gets of an experience, and the truth that scores it."""
    outcome = world_lib.standardise(usual, part)
    columns = jnp.array([slots_lib.KNOWN.index(name) for name in world_lib.SENSED])
    known = jnp.zeros((len(part.sensed), len(slots_lib.KNOWN))).at[:, columns].set(part.sensed)
    return slots_lib.Acts(part.action, part.intensity, outcome), known, part.truth


def _said(seen: slot_bank.Look, test) -> dict[str, np.ndarray]:
    """Per seed: slots of held-out objects, gates, and the share of outcomes' variance foreseen."""
    acts, _, truth = test
    outcome = np.asarray(acts.outcome)
    error = np.mean((outcome - np.asarray(seen.mean)) ** 2, (1, 2))
    out = {
        "mean": seen.slots.mean,
        "truth": truth,
        "activation": seen.activation,
        "gates": seen.gates,
        "explained": 1 - error / np.var(outcome, (1, 2)),
    }
    return {name: np.asarray(x) for name, x in out.items()}


if __name__ == "__main__":
    _launch.launch("slot_discovery", main, check)
