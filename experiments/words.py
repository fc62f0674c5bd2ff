"""Does the agent learn what words mean, from a speaker beside it, for things that it never met?

It babbles with random things and Set A while a speaker, who knows the truth, now and then names
what stands out. Of each thing it has only its own interactions: its grounding table and the free
slots of its bank. Then it meets Set B in silence, and chooses among all names the one that the
speaker would say. Presets: laptop (20 seeds), quick (3 seeds), paper.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import yaml
from flax import traverse_util

from experiments import _launch, _parts, _words_report
from nsca_jax import objects, types
from nsca_jax.evaluation import transfer
from nsca_jax.grounding import words as words_lib
from nsca_jax.models import slots as slots_lib
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import experience, slot_bank, words
from nsca_jax.worlds import household, speaker

SKILLS = len(types.SKILLS)
HOUSEHOLD_KEY = 7


class Things(NamedTuple):
    """All things there are: `household` random ones, then Set A, then Set B."""

    properties: types.ObjectProperties
    household: int
    a: int
    names_b: tuple[str, ...]
    striking: np.ndarray  # [things, 5] truth, for the speaker and the score alone

    @property
    def known(self) -> int:
        """Things that the speaker takes for usual."""
        return self.household + self.a


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    for name in ("seeds", "block", "width", "hidden", "batch", "embedding", "align_steps"):
        if config[name] < 1:
            raise _launch.BadInput(f"config.{name} must be 1 or more")
    if config.interactions < SKILLS or config.interactions % SKILLS:
        raise _launch.BadInput(f"config.interactions must be a multiple of {SKILLS}")
    if not 0 < config.met < config.household:
        raise _launch.BadInput("config.met must be 1 or more, and less than config.household")
    if config.bank_steps < 1000 or config.bank_steps % 100:
        raise _launch.BadInput("config.bank_steps must be a multiple of 100, at least ten of them")
    for name in ("share", "wrong"):
        for value in (config[name], *config[f"{name}s"]):
            if not 0 <= value <= 1:
                raise _launch.BadInput(f"config.{name} and config.{name}s must be in [0, 1]")
    if config.examples < 1 or config.examples > config.met:
        raise _launch.BadInput("config.examples must be 1 or more, and at most config.met")
    if config.describer not in ("statistical", "endpoint"):
        raise _launch.BadInput("config.describer must be statistical or endpoint")
    read_lexicon(config)
    try:
        for path in (config.objects_a, config.objects_b):
            objects.load(path)
    except objects.ObjectError as error:
        raise _launch.BadInput(str(error)) from error


def read_lexicon(config) -> speaker.Lexicon:
    """What the speaker says; raises BadInput."""
    try:
        return speaker.lexicon(yaml.safe_load(Path(config.speaker).read_text(encoding="utf-8")))
    except OSError as error:
        raise _launch.BadInput(f"{config.speaker} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise _launch.BadInput(f"{config.speaker} is no lexicon: {reason}") from error


def gather(config) -> Things:
    """All things, and how each departs from the usual."""
    set_a, set_b = objects.load(config.objects_a), objects.load(config.objects_b)
    random = household.draw(jax.random.key(HOUSEHOLD_KEY), config.household)
    sets = (random, set_a.properties, set_b.properties)
    properties = jax.tree.map(lambda *x: jnp.concatenate(x), *sets)
    seen = speaker.impression(transfer.true_properties(properties))
    known = config.household + len(set_a.names)
    striking = np.asarray(speaker.striking(seen, seen[:known]))
    return Things(properties, config.household, len(set_a.names), set_b.names, striking)


def babble(config, run, things: Things) -> dict[str, np.ndarray]:
    """Acts on every thing: [things, I] with what is met, then [B, seeds x I], the seeds' own."""
    rng = np.random.default_rng(config.seed)
    count = config.interactions
    own = np.repeat(np.arange(things.known), count)
    novel = things.known + np.repeat(np.arange(len(things.names_b)), config.seeds * count)
    ids = np.concatenate([own, novel]).astype(np.int32)
    rounds = np.tile(np.arange(SKILLS, dtype=np.int32), (len(ids) // SKILLS, 1))
    skill = rng.permuted(rounds.reshape(-1, count), axis=1).ravel()
    parameters = rng.uniform(-1, 1, (len(ids), 4)).astype(np.float32)
    body, camera = experience.make_body(things.properties), camera_lib.Camera()

    @jax.jit
    def act(body, keys, choice):
        rows, _ = experience.carry_out(body, camera, keys, choice)
        return words.keep(rows)

    parts = []
    for first in range(0, len(ids), config.block):
        index = np.minimum(np.arange(first, first + config.block), len(ids) - 1)
        keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(config.seed), i))(index)
        choice = experience.Choice(ids[index], skill[index], parameters[index])
        parts.append(jax.device_get(act(body, keys, choice)))
        run.progress(min(first + config.block, len(ids)), len(ids), "interactions")
        if run.stopping:
            raise run.interrupted()
    rows = jax.tree.map(lambda *x: np.concatenate(x)[: len(ids)], *parts)
    return _flat(_plain(rows))


class Met(NamedTuple):
    """What each seed meets, seeds first."""

    thing: jax.Array  # [S, N] numbers of the things that it babbles with
    asked: jax.Array  # [S, M] of those that it is asked about: Set B, then what it never met
    train: words.Rows  # [S, N, I]
    test: words.Rows  # [S, M, I]


def meet(config, things: Things, arrays: dict[str, np.ndarray]) -> Met:
    """Deals what came of babbling to the seeds."""
    count, known, novel = config.interactions, things.known, len(things.names_b)
    split = known * count

    def row(name, of):
        part = arrays[name][:split] if of == "known" else arrays[name][split:]
        if of == "known":
            return part.reshape(known, count, *part.shape[1:])
        return part.reshape(novel, config.seeds, count, *part.shape[1:])

    orders = [
        np.random.default_rng([config.seed + s, 1]).permutation(config.household)
        for s in range(config.seeds)
    ]
    set_a = config.household + np.arange(things.a)
    thing = np.stack([np.concatenate([o[: config.met], set_a]) for o in orders])
    held = np.stack([o[config.met :] for o in orders])
    train = {name: row(name, "known")[thing] for name in arrays}
    test = {
        name: np.concatenate(
            [np.swapaxes(row(name, "novel"), 0, 1), row(name, "known")[held]], axis=1
        )
        for name in arrays
    }
    first = np.broadcast_to(known + np.arange(novel), (config.seeds, novel))
    asked = np.concatenate([first, held], 1)
    return Met(jnp.asarray(thing), jnp.asarray(asked), _rows(train), _rows(test))


@functools.cache
def bank_of(width: int, hidden: int) -> slots_lib.SlotBank:
    """The bank over what the senses tell of the four skills."""
    return slots_lib.SlotBank(SKILLS, len(words.CHANNELS), width=width, hidden=hidden)


def learn_slots(config, run, met: Met) -> dict[str, np.ndarray]:
    """The bank of each seed, learnt from its babbling, and what it says of things."""
    bank = bank_of(config.width, config.hidden)
    steps = config.bank_steps
    settings = slot_bank.Settings(steps=steps, ripen=steps * 3 // 20, patience=steps // 10)
    init, learn, turn, look = slot_bank.make_learner(bank, settings)
    learn = jax.jit(jax.vmap(learn, (0, 0, 0, None)), donate_argnums=0)
    norm, train, _ = feel(met)
    known = train.known()[:, :, -1]
    keys = jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))
    state = fresh = jax.jit(jax.vmap(init))(keys, train.acts, known)
    fresh = jax.tree.map(jnp.copy, fresh.params)
    looks = steps // settings.look_every
    for number in range(looks):
        if number == int(settings.turn * looks):
            state = jax.jit(jax.vmap(turn))(state, train.acts, known)
        state, _ = learn(state, train.acts, known, jnp.float32(1.0))
        run.progress((number + 1) * settings.look_every, steps, "steps of the bank")
        if run.stopping:
            raise run.interrupted()
    seen = jax.jit(jax.vmap(look, (0, 0, 0, None)))(state, train.acts, known, known.shape[1])
    tree = {
        "params": state.params,
        "fresh": fresh,
        "is_open": (state.opened < slots_lib.CLOSED).astype(jnp.float32),
        "gates": seen.gates,
        "activation": seen.activation,
        "usual": _plain(norm),
    }
    return _flat(jax.device_get(tree))


@jax.jit
def feel(met: Met) -> tuple[words.Usual, words.Felt, words.Felt]:
    """What is usual to each seed, and what it made of both its parts."""
    norm = jax.vmap(words.usual)(met.train)
    return norm, jax.vmap(words.feel)(norm, met.train), jax.vmap(words.feel)(norm, met.test)


def state_all(config, met: Met, bank: dict[str, Any]) -> dict[str, np.ndarray]:
    """States [S, N, I, X] while babbling and [S, M, X] when asked, of each way to have them."""
    model = bank_of(config.width, config.hidden)
    tell = jax.jit(jax.vmap(functools.partial(words.states, model)))
    norm, train, test = feel(met)
    opened = jnp.asarray(bank["is_open"])
    fresh = tell(bank["fresh"], jnp.ones_like(opened), train)
    fresh_test = tell(bank["fresh"], jnp.ones_like(opened), test)
    keys = jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))
    deal = jax.vmap(lambda k, n, rows: words.feel(n, words.deal(k, rows)))
    dealt, dealt_test = deal(keys, norm, met.train), deal(keys, norm, met.test)
    told = {
        "babbling": (tell(bank["params"], opened, train), tell(bank["params"], opened, test)),
        "dealt": (tell(bank["params"], opened, dealt), tell(bank["params"], opened, dealt_test)),
        "untrained": (fresh, fresh_test),
    }
    ends = {name: (a, b[:, :, -1]) for name, (a, b) in told.items()}
    out = {f"{name}/train": a for name, (a, _) in ends.items()}
    return {
        k: np.asarray(v) for k, v in (out | {f"{n}/test": b for n, (_, b) in ends.items()}).items()
    }


def conditions(config) -> dict[str, dict]:
    """What differs in each arm: which states, what of them, how often and how well is spoken."""
    plain = {"state": "babbling", "part": "all", "share": config.share, "wrong": config.wrong}
    arms = {
        "babbling": {},
        "dealt": {"state": "dealt"},
        "nothing": {"part": "nothing"},
        "table": {"part": "table"},
        "free": {"part": "free"},
        "untrained": {"state": "untrained", "part": "free"},
        "set_a": {"only_a": True},
    }
    arms |= {f"share {x:g}": {"share": x} for x in config.shares}
    arms |= {f"wrong {x:g}": {"wrong": x} for x in config.wrongs}
    return {name: plain | {"only_a": False} | arm for name, arm in arms.items()}


@functools.cache
def programs(settings: words.Settings):
    """(align, name), compiled for all seeds at once; every condition shares them."""
    align = jax.vmap(functools.partial(words.align, settings), (0, 0, 0, None))
    name = jax.vmap(functools.partial(words.name, settings), (0, 0, None))
    return jax.jit(align), jax.jit(name)


def converse(config, things, lexicon, met: Met, bank, states, arm: dict) -> dict[str, np.ndarray]:
    """One arm: babbling with utterances, then the questions."""
    settings = words.Settings(
        config.embedding, config.batch, config.align_steps, config.learning_rate,
        config.weight_decay, config.blur,
    )  # fmt: skip
    align, name = programs(settings)
    seeds = config.seed + jnp.arange(config.seeds)
    striking = jnp.asarray(things.striking)
    meant = speaker.salient(lexicon, striking[met.thing][:, :, None], met.train.skill)
    if arm["only_a"]:
        meant = jnp.where((met.thing < config.household)[..., None], speaker.SILENT, meant)
    keys = jax.vmap(lambda s: jax.random.fold_in(jax.random.key(s), 1))(seeds)
    say = jax.vmap(lambda k, n: speaker.speak(lexicon, k, n, arm["share"], arm["wrong"]))
    said = say(keys, meant)
    train, test = (jnp.asarray(states[f"{arm['state']}/{p}"]) for p in ("train", "test"))
    train, test = _part(arm["part"], train), _part(arm["part"], test)
    act = jax.jit(jax.vmap(words.active))
    gates = jnp.asarray(bank["gates"])
    heard = act(gates, train, met.train.skill)
    heard = heard.reshape(config.seeds, -1, heard.shape[-1])
    texts = jnp.asarray(words_lib.embed(lexicon.utterances()))
    params, loss = align(keys, heard, said.utterance.reshape(config.seeds, -1), texts)
    every = jnp.arange(SKILLS)
    grid = jnp.broadcast_to(every, (*test.shape[:2], SKILLS))
    wide = jnp.broadcast_to(test[:, :, None], (*grid.shape, test.shape[-1]))
    asked = act(gates, wide, grid)
    choices = {
        "name": lexicon.names,
        "carrier": lexicon.said_as(lexicon.names),
        "form": lexicon.form,
        "word": lexicon.word,
    }
    answers = {
        f"answer/{kind}": name(params, asked, jnp.asarray(words_lib.embed(texts)))
        for kind, texts in choices.items()
    }
    out = {
        **answers,
        "right": speaker.salient(lexicon, striking[met.asked][:, :, None], grid),
        "said": speaker.salient(
            lexicon,
            striking[met.thing][:, :, None],
            jnp.broadcast_to(every, (*met.thing.shape, SKILLS)),
        ),
        "utterances": jnp.sum(said.utterance >= 0, (1, 2)),
        "loss": loss,
        **{f"aligner/{k}": v for k, v in _flat(params).items()},
    }
    return {k: np.asarray(v) for k, v in out.items()}


def main(config, run) -> dict:
    """Babbling, the bank, every arm, then the claims, the weights and the report."""
    lexicon, things = read_lexicon(config), gather(config)
    arrays = _parts.once(run, "babbling", lambda: babble(config, run, things))
    met = meet(config, things, arrays)
    flat = _parts.once(run, "bank", lambda: learn_slots(config, run, met))
    bank = traverse_util.unflatten_dict(flat, sep="/")
    states = _parts.once(run, "states", lambda: state_all(config, met, bank))
    arms = {
        name.replace(" ", "_"): functools.partial(
            converse, config, things, lexicon, met, bank, states, arm
        )
        for name, arm in conditions(config).items()
    }
    records = _parts.every(run, arms)
    records = dict(zip(conditions(config), records.values(), strict=True))
    seen = _words_report.Seen(things, lexicon, met, bank, states, records)
    result = run.result(
        seeds=list(range(config.seed, config.seed + config.seeds)),
        **_words_report.claims(config, seen),
    )
    _save(run, lexicon, bank, records["babbling"])
    _words_report.write(config, run, seen, result)
    return result


def _save(run, lexicon: speaker.Lexicon, bank: dict[str, Any], record) -> None:
    """words.npz: the bank, what is usual and the aligner, seeds first."""
    aligner = {k.removeprefix("aligner/"): v for k, v in record.items() if k.startswith("aligner/")}
    tree = {
        "bank": {k: bank[k] for k in ("params", "is_open", "gates", "usual")},
        "aligner": traverse_util.unflatten_dict(aligner, sep="/"),
    }
    run.save_weights("words", tree, names=lexicon.names, channels=words.CHANNELS)


def _part(part: str, state: jax.Array) -> jax.Array:
    own = jnp.arange(state.shape[-1]) < words.TABLE
    kept = {"all": own | ~own, "table": own, "free": ~own, "nothing": own & ~own}[part]
    return jnp.where(kept, state, 0.0)


def _plain(tree: Any) -> dict[str, Any]:
    """A flax dataclass as nested dicts of NumPy arrays."""
    return {
        k: _plain(v) if hasattr(v, "__dataclass_fields__") else np.asarray(v)
        for k, v in vars(tree).items()
    }


def _flat(tree: Any) -> dict[str, np.ndarray]:
    """Leaves of nested dicts by their path."""
    flat = traverse_util.flatten_dict(tree)
    return {"/".join(path): np.asarray(leaf) for path, leaf in flat.items()}


def _rows(arrays: dict[str, np.ndarray]) -> words.Rows:
    tree = traverse_util.unflatten_dict({k: jnp.asarray(v) for k, v in arrays.items()}, sep="/")
    return words.Rows(**{**tree, "outcome": types.Outcome(**tree["outcome"])})


if __name__ == "__main__":
    _launch.launch("words", main, check)
