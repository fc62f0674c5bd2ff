"""Does a state in which four senses meet tell more of a thing than the best of them alone?

Encoders are frozen; the fusion alone learns, to tell what is missing and what comes next. Linear
read-outs of its state are judged on Set B, which nothing learnt from; then each sense in turn is
taken away. Presets: laptop (20 seeds), quick (3 seeds), paper.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import dataclasses
import functools
import hashlib

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _encoders, _fusion_report, _launch, _parts, _ranges, _senses, _weights
from nsca_jax.evaluation import probes
from nsca_jax.models import vision
from nsca_jax.models.fusion import SENSES
from nsca_jax.reports import results
from nsca_jax.training import audio, faults, fusion
from nsca_jax.training import vision as seeing

TRACKS = ("image", "sound", "proprio", "touch_N")
FRAMES = 1024  # from which an eye learns where none is given
BLOCK = 260  # frames at a time for the innate filters


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    _senses.check(config)
    if config.dropout == 0.0:
        _ranges.refuse("dropout", config.dropout, "above 0 and below 1")
    loaders = {"vision": _encoders.load_vision, "audio": _weights.load_audio}
    for name, load in loaders.items():
        if config[name]:
            _senses.refuse_too_few(name, load(config[name])[1], config)


def settings_of(config, dropout: float) -> fusion.Settings:
    """The fusion's size and pace."""
    return fusion.Settings(
        width=config.width,
        window=config.window,
        steps=config.steps,
        batch=config.batch,
        learning_rate=config.learning_rate,
        dropout=dropout,
    )


def films(config, run) -> dict[str, np.ndarray]:
    """Both sets' interactions: `a_image` [N, T + 1, H, W, 4], `a_sound`, ..., `a_thing` [N]."""
    out = {}
    for number, (name, things) in enumerate(zip("ab", _senses.load(config), strict=True)):
        n = config[f"interactions_{name}"]
        film = _senses.film(run, things, config.seed + 6000 + number, n, f"set {name.upper()}")
        out |= {f"{name}_{track}": getattr(film, track) for track in TRACKS}
        out[f"{name}_thing"] = film.object_id
    return out


def encoders(config, run, film) -> tuple[fusion.Modules, dict]:
    """The networks, and eye and ear as given or as learnt here: {name: [S, ...]}."""
    seeds = jnp.arange(config.seed, config.seed + config.seeds)
    keys = jax.vmap(jax.random.key)(seeds)
    eye, ear = vision.VisionEncoder(), audio.encoder(audio.Settings())
    if config.vision:
        eye, eyes = _encoders.load_vision(config.vision)
    else:
        eyes = _learn_eyes(config, run, eye, film["a_image"])
    if config.audio:
        ear, ears = _weights.load_audio(config.audio)
    else:
        rows = np.stack([own_rows(config, s, len(film["a_sound"])) for s in range(config.seeds)])
        settings = audio.Settings(steps=config.steps)
        learn = jax.jit(jax.vmap(functools.partial(audio.learn, settings)))
        ears, _, fault = learn(keys, jnp.asarray(film["a_sound"])[rows])
        run.tell_faults("ears", faults.found(fault))
    modules = fusion.make_modules(eye, ear, config.width, config.window)
    return modules, {"vision": eyes, "audio": ears}


def own_rows(config, seed: int, n: int) -> np.ndarray:
    """The interactions with Set A, of n, that a seed learns from and labels."""
    return _senses.draw(config.seed + seed, n, config.share)[0]


def make_seed(config, modules: fusion.Modules):
    """The compiled course of one seed: (key, given encoders, films) -> what came of it."""
    with_dropout, without = (settings_of(config, p) for p in (config.dropout, 0.0))
    names = ("sound", "proprio", "touch_N")

    @jax.jit
    def body(key, joints, touch_N):
        tracks = {"proprio": joints, "touch": touch_N.reshape(*touch_N.shape[:2], -1)}
        return {
            name: fusion.learn_body(
                with_dropout, jax.random.fold_in(key, i), name, getattr(modules, name), track
            )
            for i, (name, track) in enumerate(tracks.items())
        }

    @jax.jit
    def see(params, cells):
        encode = lambda c: modules.vision.apply(params, *c, method=modules.vision.encode)  # noqa: E731
        return jax.lax.map(encode, cells, batch_size=fusion.FILMS_AT_ONCE)

    @jax.jit
    def feel(params, film):
        return fusion.codes_but_vision(modules, params, *(film[n] for n in names))

    @jax.jit
    def meet(key, codes):
        return [fusion.learn_fusion(s, key, modules.fusion, codes) for s in (with_dropout, without)]

    return body, see, feel, meet


def one_seed(config, run, film, cells, modules, given, programs, seed: int):
    """Learns and judges one seed: its parameters (`w.NAME`), its scores and losses."""
    body, see, feel, meet = programs
    key = jax.random.key(config.seed + seed)
    params = jax.tree.map(lambda x: x[seed], given)
    rows = own_rows(config, seed, len(film["a_sound"]))
    felt = body(key, film["a_proprio"][rows], film["a_touch_N"][rows])
    params |= {name: learnt for name, (learnt, *_) in felt.items()}
    before = digest(params)
    coded = {}
    for name in "ab":
        part = {n: film[f"{name}_{n}"] for n in ("sound", "proprio", "touch_N")}
        chosen = rows if name == "a" else np.arange(len(film["b_sound"]))
        part = {n: x[chosen] for n, x in part.items()}
        seen = see(params["vision"], jax.tree.map(lambda x, r=chosen: x[r], cells[name]))
        coded[name] = {"vision": seen, **feel(params, part)}
    (met, losses, fault), (plain, _, other) = meet(jax.random.fold_in(key, 9), coded["a"])
    met_by = {"the fusion": fault, "the fusion without dropout": other}
    learnt_by = {name: fault for name, (_, _, fault) in felt.items()} | met_by
    scores = judge(config, film, modules, rows, coded, met, plain, seed)
    weights = _encoders.named({**params, "fusion": met})
    return {
        **{f"w.{n}": np.asarray(x) for n, x in weights.items()},
        **{f"score.{n}": x for n, x in scores.items()},
        "losses": np.asarray(losses),
        **{f"losses.{n}": np.asarray(x) for n, (_, x, _) in felt.items()},
        "faults": faults.alone(learnt_by, seed, config.seeds),
        "frozen": np.array([before[n] for n in SENSES]),
    }


def judge(config, film, modules, rows, coded, met, plain, seed: int) -> dict[str, np.ndarray]:
    """{what is read: [2 protocols, PROPERTIES]} R^2 of every property.

    Read is the last moment of each interaction. Protocols as in `experiments.audio`. `without X` is
    judged by the read-out that was fitted with all senses there; `undropped` is the control.
    """
    last = {s: {n: np.asarray(c[n][:, -1]) for n in SENSES} for s, c in coded.items()}
    fuse = lambda params, codes: np.asarray(modules.fusion.apply(params, codes))  # noqa: E731
    truths = [_senses.truth(things, config.materials) for things in _senses.load(config)]
    thing = {"a": film["a_thing"][rows], "b": film["b_thing"]}
    halves = _senses.draw(config.seed + seed, len(film["b_sound"]), 0.5)
    read = functools.partial(_read, truths, thing, halves)
    singles = {n: {s: c[n] for s, c in last.items()} for n in SENSES}
    together = {s: np.concatenate([c[n] for n in SENSES], -1) for s, c in last.items()}
    out = {n: read(x, [x["b"]])[0] for n, x in {**singles, "all codes": together}.items()}
    for name, params in (("fused", met), ("undropped", plain)):
        full = {s: fuse(params, c) for s, c in last.items()}
        bereft = [
            fuse(params, {n: c for n, c in last["b"].items() if n != gone}) for gone in SENSES
        ]
        told = read(full, [full["b"], *bereft])
        out |= {name: told[0]}
        out |= {f"{name} without {n}": x for n, x in zip(SENSES, told[1:], strict=True)}
    return out


def digest(params: dict) -> dict[str, str]:
    """{network: hexadecimal digest of its parameters' bytes}."""
    return {
        name: hashlib.sha256(
            b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(tree))
        ).hexdigest()
        for name, tree in params.items()
    }


def main(config, run) -> dict:
    """Films, encoders, each seed, then the claims, the weights and the report.

    Seeds go one after another: each one's products fill the cores, and all their codes at once
    would not fit a laptop's memory.
    """
    film = _parts.once(run, "films", functools.partial(films, config, run))
    run.say("eyes and ears")
    modules, given = encoders(config, run, film)
    given = jax.tree.map(lambda x: x[: config.seeds], given)
    cells = {s: _cells(modules.vision, film[f"{s}_image"]) for s in "ab"}
    programs = make_seed(config, modules)
    course = functools.partial(one_seed, config, run, film, cells, modules, given, programs)
    parts = {f"seed-{s}": functools.partial(course, s) for s in range(config.seeds)}
    records = list(_parts.every(run, parts).values())
    stacked = {name: np.stack([r[name] for r in records]) for name in records[0]}
    seeds = list(range(config.seed, config.seed + config.seeds))
    side = film["a_image"].shape[2]
    template = jax.eval_shape(lambda k: fusion.init(modules, k, side), jax.random.key(0))
    leaves = [stacked[f"w.{name}"] for name in _encoders.named(template)]
    params = jax.tree.unflatten(jax.tree.structure(template), leaves)
    path = _weights.save_fusion(run, modules, params, side, seeds)
    stored = _weights.load_fusion(path)[1]
    shipped = [digest(jax.tree.map(lambda x, s=s: x[s], stored)) for s in range(config.seeds)]
    unchanged = np.array([[d[n] for n in SENSES] for d in shipped]) == stacked["frozen"]
    scores = {n[6:]: x for n, x in stacked.items() if n.startswith("score.")}
    scores = run.without_failed(scores)
    claims = _fusion_report.claims(scores, run.without_failed(unchanged))
    claims["criteria"] = results.with_failed(claims["criteria"], run.failed)
    result = run.result(seeds=seeds, **claims)
    losses = {n: stacked[n] for n in ("losses", "losses.proprio", "losses.touch")}
    _fusion_report.write(config, run, scores, losses, result)
    return result


def _read(truths, thing, halves, x, judged) -> list[np.ndarray]:
    """[2, PROPERTIES] of each of `judged` [N, D]: read-outs fitted on x, two protocols."""
    target = {s: truth.targets[thing[s]] for s, truth in zip("ab", truths, strict=True)}
    labelled, others = halves
    within = probes.fit(x["b"][labelled], target["b"][labelled], labelled)
    novel = probes.fit(x["a"], target["a"], thing["a"])
    return [
        np.array(
            [
                probes.r2(target["b"][others], probes.predict(within, features[others])),
                probes.r2(target["b"], probes.predict(novel, features)),
            ]
        )
        for features in judged
    ]


def _cells(eye: vision.VisionEncoder, image: np.ndarray):
    """What the eye's innate filters say of images [N, T + 1, H, W, 4]: nothing in it is learnt."""
    flat = image.reshape(-1, *image.shape[2:])
    cells = jax.jit(lambda x: tuple(y.astype(jnp.float16) for y in eye.cells(x)[1:]))
    blocks = np.array_split(flat, -(-len(flat) // BLOCK))
    responses = np.concatenate([np.asarray(cells(b)[0]) for b in blocks])
    pixels = np.asarray(vision.split_patches(flat, eye.patch))
    return tuple(x.reshape(*image.shape[:2], *x.shape[1:]) for x in (pixels, responses))


def _learn_eyes(config, run, eye: vision.VisionEncoder, image: np.ndarray):
    """[S, ...] eyes that learn from pairs of neighbouring frames, each in two lights."""
    rng = np.random.default_rng(config.seed)
    film = rng.integers(len(image), size=FRAMES // 2)
    moment = rng.integers(image.shape[1] - 1, size=FRAMES // 2)
    frames = np.concatenate([image[film, moment], image[film, moment + 1]])
    keys = jax.random.split(jax.random.key(config.seed), 2)
    lit = jnp.stack([seeing.relight(k, jnp.asarray(frames)) for k in keys], 1)
    looks = jax.jit(seeing.look, static_argnums=0)(eye, lit)
    settings = dataclasses.replace(seeing.Settings(), steps=config.steps)
    start, learn = seeing.make_learner(eye, settings)
    seeds = jax.vmap(jax.random.key)(jnp.arange(config.seed, config.seed + config.seeds))
    pairs = jnp.arange(FRAMES).reshape(2, -1).T
    state = jax.jit(jax.vmap(start, (0, None)))(seeds, looks)
    program = jax.jit(jax.vmap(learn, (0, None, None, None)), static_argnums=3)
    state, _ = program(state, looks, pairs, config.steps)
    run.tell_faults("eyes", faults.found(state.moments))
    return state.params


if __name__ == "__main__":
    _launch.launch("fusion", main, check)
