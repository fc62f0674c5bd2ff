"""From filmed interactions to states: frozen encoders, the senses' windows, and their fusion.

Everything is for one seed. N interactions of T control steps give T + 1 moments; D = 256 numbers a
code; S senses. What the joints and the fingers tell is coded by foreseeing it; the fusion learns to
tell all senses' codes, now and a little later, from those that happen to be there.
"""

# jnp functions have one array to return, though not to pyright.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nsca_jax import types
from nsca_jax.models import audio, fusion, proprio, vision
from nsca_jax.training import descent, faults
from nsca_jax.training.recording import Recording

WINDOW = 25  # control steps that an ear, a hand or a joint's sense looks back: one second
FILMS_AT_ONCE = 16  # that an eye looks at: what its filters say of all would fill the memory
BODY = {"proprio": 3 * types.JOINTS, "touch": 6}  # the body's own senses, and their numbers a step


class Modules(NamedTuple):
    """One network a sense, and where they meet. Parameters are a dict of the networks' names."""

    vision: Any
    audio: Any
    proprio: Any
    touch: Any
    fusion: Any
    window: int = WINDOW


@dataclasses.dataclass(frozen=True)
class Settings:
    """Size and pace; hashable, hence static under `jit`."""

    width: int = 256  # of the fusion's hidden layer
    window: int = WINDOW
    steps: int = 300
    batch: int = 64
    learning_rate: float = 1e-3
    dropout: float = 0.3  # how often each sense is missing while the fusion learns
    likeness: float = 1.0  # weight of a bereft state's squared distance from the whole one
    later: int = 5  # control steps ahead
    principal: int = 64  # of a sense's principal numbers are foretold


def make_modules(eye: vision.VisionEncoder, ear: audio.AudioEncoder, width: int, window: int):
    """The networks around a given eye and ear."""
    joints, fingers = proprio.ProprioEncoder(), proprio.TouchEncoder()
    return Modules(eye, ear, joints, fingers, fusion.Fusion(width=width), window)


def init(modules: Modules, key: jax.Array, side: int) -> dict[str, Any]:
    """Fresh parameters of all networks, the eye's for pictures of side x side."""
    names = ("vision", "audio", *BODY, "fusion")
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    sizes = {"audio": types.SOUND_BANDS, **BODY}
    tracks = {n: jnp.zeros((modules.window, size)) for n, size in sizes.items()}
    tracks["vision"] = jnp.zeros((side, side, 4), jnp.uint8)
    params = {n: getattr(modules, n).init(keys[n], tracks[n]) for n in fusion.SENSES}
    blank = {n: jnp.zeros(vision.CODE) for n in fusion.SENSES}
    return {**params, "fusion": modules.fusion.init(keys["fusion"], blank)}


def codes(modules: Modules, params: Mapping[str, Any], film: Recording) -> dict[str, jax.Array]:
    """{sense: [N, T + 1, D]} at every moment: of its image, and of the others' recent past."""
    blind = codes_but_vision(modules, params, film.sound, film.proprio, film.touch_N)
    eye = functools.partial(modules.vision.apply, params["vision"])
    return {"vision": jax.lax.map(eye, film.image, batch_size=FILMS_AT_ONCE), **blind}


def codes_but_vision(modules: Modules, params, sound, joints, touch_N) -> dict[str, jax.Array]:
    """As `codes`, of sound [N, T + 1, F], proprio [N, T + 1, 15] and touch_N [N, T + 1, 2, 3]."""
    tracks = {"audio": sound, "proprio": joints, "touch": touch_N.reshape(*touch_N.shape[:2], -1)}
    return {
        name: getattr(modules, name).apply(params[name], windows(track, modules.window))
        for name, track in tracks.items()
    }


def states(modules: Modules, params: Mapping[str, Any], film: Recording) -> jax.Array:
    """[N, T + 1, 512] the fused state at every moment."""
    return modules.fusion.apply(params["fusion"], codes(modules, params, film))


def windows(track_NxTxD: jax.Array, length: int) -> jax.Array:
    """[N, T, length, D]: the `length` moments up to each one; before the first stand zeros."""
    padded = jnp.pad(track_NxTxD, ((0, 0), (length - 1, 0), (0, 0)))
    moments = track_NxTxD.shape[1]
    return jnp.stack([padded[:, t : t + length] for t in range(moments)], 1)


def learn_body(settings: Settings, key: jax.Array, name: str, module, track_NxTxD: jax.Array):
    """(parameters, losses [steps], a fault if any) of an encoder of the body's own sense `name`.

    From the code of a window, one linear map must tell the window once more and the step after it,
    each number as a share of its own spread.
    """
    past = windows(track_NxTxD[:, :-1], settings.window)
    flat = past.reshape(*past.shape[:2], -1)
    target = jnp.concatenate([flat, track_NxTxD[:, 1:]], -1)
    if name == "touch":
        target = jnp.arcsinh(target)
    middle, spread = jnp.mean(target, (0, 1)), jnp.std(target, (0, 1))
    target = (target - middle) / (spread + 1e-2)
    rows, goals = past.reshape(-1, *past.shape[2:]), target.reshape(-1, target.shape[-1])
    teller = fusion.Teller(goals.shape[-1])
    keys = jax.random.split(key)
    params = {
        "sense": module.init(keys[0], rows[0]),
        "tell": teller.init(keys[1], jnp.zeros(module.code)),
    }

    def loss(params, key):
        pick = jax.random.randint(key, (settings.batch,), 0, len(rows))
        said = teller.apply(params["tell"], module.apply(params["sense"], rows[pick]))
        return jnp.mean((said - goals[pick]) ** 2)

    params, course, fault = _descend(settings, jax.random.fold_in(key, 2), params, loss)
    return params["sense"], course, fault


def learn_fusion(
    settings: Settings, key: jax.Array, module: fusion.Fusion, codes: Mapping[str, jax.Array]
) -> tuple[Any, jax.Array, faults.Frozen]:
    """(parameters, losses [steps], a fault if any) of the fusion alone, its codes frozen.

    From the state one linear map tells every sense's code ({sense: [N, T + 1, D]}), now and `later`
    steps on (at the film's end where it is over before). So it does once more with senses missing,
    each with the probability `dropout` and never all of them; that state is also drawn to the whole
    one, so that whoever reads it need not know what is missing.
    """
    frozen = jax.lax.stop_gradient(dict(codes))
    goals = jnp.concatenate([_principal(frozen[n], settings.principal) for n in fusion.SENSES], -1)
    films, moments = goals.shape[:2]
    teller = fusion.Teller(2 * goals.shape[-1])
    keys = jax.random.split(key, 3)
    params = {
        "fusion": module.init(keys[0], {n: frozen[n][0, 0] for n in fusion.SENSES}),
        "tell": teller.init(keys[1], jnp.zeros(module.state)),
    }

    def loss(params, key):
        film_key, moment_key, drop_key = jax.random.split(key, 3)
        film = jax.random.randint(film_key, (settings.batch,), 0, films)
        now = jax.random.randint(moment_key, (settings.batch,), 0, moments)
        after = jnp.minimum(now + settings.later, moments - 1)
        present = missing_some(drop_key, settings.batch, settings.dropout)
        seen = {n: frozen[n][film, now] for n in fusion.SENSES}
        goal = jnp.concatenate([goals[film, now], goals[film, after]], -1)
        whole = module.apply(params["fusion"], seen)
        missed = jnp.mean((teller.apply(params["tell"], whole) - goal) ** 2)
        if settings.dropout == 0.0:
            return missed
        part = module.apply(params["fusion"], seen, present)
        astray = jnp.mean((part - jax.lax.stop_gradient(whole)) ** 2)
        missed_too = jnp.mean((teller.apply(params["tell"], part) - goal) ** 2)
        return missed + missed_too + settings.likeness * astray

    params, course, fault = _descend(settings, keys[2], params, loss)
    return params["fusion"], course, fault


def missing_some(key: jax.Array, batch: int, dropout: float) -> dict[str, jax.Array]:
    """{sense: [batch] bool} which senses are there; one, drawn at random, always is."""
    drop_key, keep_key = jax.random.split(key)
    count = len(fusion.SENSES)
    there = jax.random.bernoulli(drop_key, 1.0 - dropout, (batch, count))
    kept = jax.random.randint(keep_key, (batch,), 0, count)
    there = there | jax.nn.one_hot(kept, count, dtype=bool)
    return {name: there[:, i] for i, name in enumerate(fusion.SENSES)}


def _principal(code_NxTxD: jax.Array, kept: int) -> jax.Array:
    """[N, T, kept] leading principal numbers, each divided by the fourth root of its variance.

    Half way to whitening: what varies little is not forgotten, and noise is not all that counts.
    The sum over numbers has a mean square of `kept`.
    """
    flat = code_NxTxD.reshape(-1, code_NxTxD.shape[-1])
    flat = flat - flat.mean(0)
    power, axes = jnp.linalg.eigh(flat.T @ flat / len(flat))
    power, axes = jnp.maximum(power[-kept:], 1e-8), axes[:, -kept:]
    scale = power**-0.25 / jnp.sqrt(jnp.mean(jnp.sqrt(power)))
    return (flat @ axes * scale).reshape(*code_NxTxD.shape[:2], kept)


def _descend(settings: Settings, key: jax.Array, params, loss):
    """`descent.descend` by Adam; step i draws by `fold_in(key, i)`."""

    def drawn(params, number):
        value = loss(params, jax.random.fold_in(key, number))
        return value, value

    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    return descent.descend(optax.adam(rate), params, drawn, settings.steps)
