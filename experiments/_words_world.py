"""The things of the words experiment, what comes of acting on them, and what each seed meets."""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from experiments import _launch
from nsca_jax import documents, objects, types
from nsca_jax.evaluation import transfer
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import experience, words
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


def read_lexicon(config) -> speaker.Lexicon:
    """What the speaker says; raises BadInput."""
    try:
        return speaker.lexicon(documents.read(config.speaker))
    except documents.DocumentError as error:
        raise _launch.BadInput(f"{config.speaker}: {error}.") from error
    except ValueError as error:
        raise _launch.BadInput(f"{config.speaker} is no lexicon: {error}.") from error


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
    if diverged := int((~rows.finite).sum()):
        run.say(f"{diverged} of {len(ids)} interactions diverged and were cut off there")
    return flat(plain(rows))


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


def plain(tree: Any) -> dict[str, Any]:
    """A flax dataclass as nested dicts of NumPy arrays."""
    return {
        k: plain(v) if hasattr(v, "__dataclass_fields__") else np.asarray(v)
        for k, v in vars(tree).items()
    }


def flat(tree: Any) -> dict[str, np.ndarray]:
    """Leaves of nested dicts by their path."""
    flat = traverse_util.flatten_dict(tree)
    return {"/".join(path): np.asarray(leaf) for path, leaf in flat.items()}


def _rows(arrays: dict[str, np.ndarray]) -> words.Rows:
    tree = traverse_util.unflatten_dict({k: jnp.asarray(v) for k, v in arrays.items()}, sep="/")
    return words.Rows(**{**tree, "outcome": types.Outcome(**tree["outcome"])})
