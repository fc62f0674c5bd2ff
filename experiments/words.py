"""Does the agent learn what words mean, from a speaker beside it, for things that it never met?

It babbles with random things and Set A while a speaker, who knows the truth, now and then names
what stands out. Of each thing it has only its own interactions: its grounding table and the free
slots of its bank. Then it meets Set B in silence, and chooses among all names the one that the
speaker would say. Presets: laptop (20 seeds), quick (3 seeds), paper.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from experiments import _launch, _parts, _ranges, _words_report
from experiments import _words_world as world
from nsca_jax import objects
from nsca_jax.grounding import words as words_lib
from nsca_jax.models import slots as slots_lib
from nsca_jax.training import faults, slot_bank, words
from nsca_jax.worlds import speaker


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    if config.interactions % world.SKILLS:
        _ranges.refuse("interactions", config.interactions, f"a multiple of {world.SKILLS}")
    if config.met >= config.household:
        _ranges.refuse("met", config.met, f"less than config.household={config.household}")
    if config.bank_steps < 1000 or config.bank_steps % 100:
        _ranges.refuse("bank_steps", config.bank_steps, "a multiple of 100, at least ten of them")
    if config.examples > config.met:
        _ranges.refuse("examples", config.examples, f"at most config.met={config.met}")
    _ranges.one_of(config, "describer", ("statistical", "endpoint"))
    world.read_lexicon(config)
    for path in (config.objects_a, config.objects_b):
        objects.load(path)


@functools.cache
def bank_of(width: int, hidden: int) -> slots_lib.SlotBank:
    """The bank over what the senses tell of the four skills."""
    return slots_lib.SlotBank(world.SKILLS, len(words.CHANNELS), width=width, hidden=hidden)


def learn_slots(config, run, met: world.Met) -> dict[str, np.ndarray]:
    """The bank of each seed, learnt from its babbling, and what it says of things."""
    bank = bank_of(config.width, config.hidden)
    steps = config.bank_steps
    settings = slot_bank.Settings(
        steps=steps,
        ripen=steps * 3 // 20,
        patience=steps // 10,
        likeness_price=config.likeness_price,
    )
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
        run.tell_faults("bank", faults.found(state.moments))
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
        "usual": world.plain(norm),
    }
    return {**world.flat(jax.device_get(tree)), "faults": faults.found(state.moments)}


@jax.jit
def feel(met: world.Met) -> tuple[words.Usual, words.Felt, words.Felt]:
    """What is usual to each seed, and what it made of both its parts."""
    norm = jax.vmap(words.usual)(met.train)
    return norm, jax.vmap(words.feel)(norm, met.train), jax.vmap(words.feel)(norm, met.test)


def state_all(config, met: world.Met, bank: dict[str, Any]) -> dict[str, np.ndarray]:
    """States [S, N, I, X] while babbling and [S, M, X] when asked, of each way to have them."""
    tell = jax.jit(jax.vmap(functools.partial(words.states, bank_of(config.width, config.hidden))))
    norm, train, test = feel(met)
    opened = jnp.asarray(bank["is_open"])
    keys = jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))
    deal = jax.vmap(lambda k, n, rows: words.feel(n, words.deal(k, rows)))
    ways = {
        "babbling": (bank["params"], opened, train, test),
        "dealt": (bank["params"], opened, deal(keys, norm, met.train), deal(keys, norm, met.test)),
        "untrained": (bank["fresh"], jnp.ones_like(opened), train, test),
    }
    out = {}
    for name, (params, is_open, while_babbling, when_asked) in ways.items():
        out[f"{name}/train"] = np.asarray(tell(params, is_open, while_babbling))
        out[f"{name}/test"] = np.asarray(tell(params, is_open, when_asked)[:, :, -1])
    return out


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


def converse(
    config, things, lexicon, met: world.Met, bank, states, arm: dict
) -> dict[str, np.ndarray]:
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
    params, loss, fault = align(keys, heard, said.utterance.reshape(config.seeds, -1), texts)
    every = jnp.arange(world.SKILLS)
    grid = jnp.broadcast_to(every, (*test.shape[:2], world.SKILLS))
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
            jnp.broadcast_to(every, (*met.thing.shape, world.SKILLS)),
        ),
        "utterances": jnp.sum(said.utterance >= 0, (1, 2)),
        "loss": loss,
        "faults": faults.found(fault),
        **{f"aligner/{k}": v for k, v in world.flat(params).items()},
    }
    return {k: np.asarray(v) for k, v in out.items()}


def main(config, run) -> dict:
    """Babbling, the bank, every arm, then the claims, the weights and the report."""
    lexicon, things = world.read_lexicon(config), world.gather(config)
    arrays = _parts.once(run, "babbling", lambda: world.babble(config, run, things))
    met = world.meet(config, things, arrays)
    flat = _parts.once(run, "bank", lambda: learn_slots(config, run, met))
    bank = traverse_util.unflatten_dict(flat, sep="/")
    states = _parts.once(run, "states", lambda: state_all(config, met, bank))
    arms = {
        f"arm_{name.replace(' ', '_')}": functools.partial(
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


if __name__ == "__main__":
    _launch.launch("words", main, check)
