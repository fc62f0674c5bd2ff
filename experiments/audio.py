"""Does the ear tell of what a thing is made, and how hard it is, what the eye does not?

An encoder learns from impact sounds without labels; linear read-outs of its frozen codes are judged
on things that it never heard, beside the eye's. Presets: laptop (20 seeds), quick (3 seeds), paper.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _audio_report, _encoders, _launch, _parts, _ranges, _senses, _weights
from nsca_jax.evaluation import probes
from nsca_jax.reports import results
from nsca_jax.training import audio, faults

LOOK_EVERY = 5  # control steps between the eye's looks at an interaction
COLOURS = slice(9, 11)  # of the innate code: red-green and blue-yellow


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    _senses.check(config)
    if config.vision:
        _senses.refuse_too_few("vision", _encoders.load_vision(config.vision)[1], config)


def settings_of(config) -> audio.Settings:
    """The ear's size and pace."""
    return audio.Settings(
        width=config.width,
        steps=config.steps,
        batch=config.batch,
        learning_rate=config.learning_rate,
    )


def films(config, run) -> dict[str, np.ndarray]:
    """Both sets' interactions by ear and by eye: `a_sound` [N, T, F], `a_innate` [N, V], ..."""
    out = {}
    for number, (name, things) in enumerate(zip("ab", _senses.load(config), strict=True)):
        n = config[f"interactions_{name}"]
        film = _senses.film(run, things, config.seed + 5000 + number, n, f"set {name.upper()}")
        out |= {
            f"{name}_sound": film.sound[:, 1:],
            f"{name}_innate": film.visual_code.mean(1),
            f"{name}_thing": film.object_id,
        }
        if config.vision:
            looks = film.image[:, ::LOOK_EVERY]
            out[f"{name}_eye"] = _seen(config, looks)
    return out


def ears(config, run, heard: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All seeds learn to hear; their codes of every interaction, and those of unlearnt ears."""
    settings = settings_of(config)
    seeds = jnp.arange(config.seed, config.seed + config.seeds)
    keys = jax.vmap(jax.random.key)(seeds)
    rows = np.stack([own_rows(config, s, len(heard["a_sound"])) for s in range(config.seeds)])
    learn = jax.jit(jax.vmap(functools.partial(audio.learn, settings)))
    params, losses, fault = learn(keys, jnp.asarray(heard["a_sound"])[rows])
    ear = audio.encoder(settings)
    fresh = jax.vmap(ear.init, (0, None))(keys, heard["a_sound"][:1])
    apply = jax.jit(jax.vmap(ear.apply, (0, None)))
    _weights.save_audio(run, settings.width, params, seeds.tolist())
    out = {"losses": losses, "faults": faults.found(fault)}
    for name in "ab":
        out[f"{name}_learnt"] = apply(params, heard[f"{name}_sound"])
        out[f"{name}_unlearnt"] = apply(fresh, heard[f"{name}_sound"])
    out["silence"] = apply(params, jnp.zeros_like(heard["b_sound"][:1]))[:, 0]
    return {k: np.asarray(v) for k, v in out.items()}


def own_rows(config, seed: int, n: int) -> np.ndarray:
    """The interactions with Set A, of n, that a seed learns from and labels."""
    return _senses.draw(config.seed + seed, n, config.share)[0]


def judge(config, run, heard, coded) -> dict[str, np.ndarray]:
    """{what is read: [S, 2 protocols, 2]}: R^2 of hardness and material's balanced accuracy.

    Protocol 0: labelled interactions with Set B, judged on others; 1: labelled ones with Set A,
    judged on all with Set B, whose things the read-out never met.
    """
    truths = [_senses.truth(things, config.materials) for things in _senses.load(config)]
    scores: dict[str, list] = {}
    for seed in range(config.seeds):
        run.progress(seed, config.seeds, "seeds read out")
        if run.stopping:
            raise run.interrupted()
        rows = own_rows(config, seed, len(heard["a_sound"]))
        half = _senses.draw(config.seed + seed, len(heard["b_sound"]), 0.5)
        a_all, b_all = features(config, seed, heard, coded)
        for name, a in a_all.items():
            b = b_all[name]
            classes = len(truths[0].materials)
            part = functools.partial(_rows, truths[1], b, heard["b_thing"])
            within = probes.read_out(*(part(r, group=r) for r in half), classes)
            # folds leave whole things out: a new thing's is the error that the penalty must serve
            group = heard["a_thing"][rows]
            labelled = _rows(truths[0], a, heard["a_thing"], rows, group)
            everything = np.arange(len(b))
            novel = probes.read_out(labelled, part(everything, group=everything), classes)
            scores.setdefault(name, []).append([within, novel])
    return {name: np.array(rows) for name, rows in scores.items()}


def features(config, seed: int, heard, coded) -> tuple[dict, dict]:
    """What a seed's read-outs may read of each interaction, of Set A and of Set B: [N, D] each."""
    rng = np.random.default_rng(config.seed + seed)
    out = []
    for name in "ab":
        learnt, innate = coded[f"{name}_learnt"][seed], heard[f"{name}_innate"]
        sound = heard[f"{name}_sound"]
        said = {
            "ear": learnt,
            "unlearnt ear": coded[f"{name}_unlearnt"][seed],
            "spectrum": np.concatenate([sound.max(1), sound.mean(1)], -1),
            "shuffled ear": learnt[rng.permutation(len(learnt))],
            "silent ear": np.broadcast_to(coded["silence"][seed], learnt.shape),
            "innate eye": innate,
            "innate eye without colours": np.delete(innate, COLOURS, 1),
            # as many numbers of each, so that both weigh the same
            "ear and innate eye": np.concatenate(
                [learnt, np.tile(innate, learnt.shape[1] // innate.shape[1])], -1
            ),
        }
        if config.vision:
            seen = heard[f"{name}_eye"][seed]
            said |= {
                "trained eye": seen,
                "ear and trained eye": np.concatenate([learnt, seen], -1),
            }
        out.append(said)
    return out[0], out[1]


def main(config, run) -> dict:
    """Films, ears, read-outs, then the claims and the report."""
    heard = _parts.once(run, "films", functools.partial(films, config, run))
    run.say("listening")
    coded = _parts.once(run, "ears", functools.partial(ears, config, run, heard))
    scores = _parts.once(run, "scores", functools.partial(judge, config, run, heard, coded))
    seeds = list(range(config.seed, config.seed + config.seeds))
    scores = run.without_failed(scores)
    claims = _audio_report.claims(scores)
    claims["criteria"] = results.with_failed(claims["criteria"], run.failed)
    result = run.result(seeds=seeds, **claims)
    example = {k: heard[f"b_{k}"] for k in ("sound", "thing")}
    _audio_report.write(config, run, scores, coded["losses"], example, result)
    return result


def _seen(config, looks_NxLxHxWx4: np.ndarray) -> np.ndarray:
    """[S, N, D] mean code of each interaction's looks by each seed's trained eye."""
    eye, params = _encoders.load_vision(config.vision)
    params = jax.tree.map(lambda x: x[: config.seeds], params)
    cells = jax.jit(eye.cells)
    encode = jax.jit(jax.vmap(lambda p, c: eye.apply(p, *c, method=eye.encode).mean(1), (0, None)))
    blocks = np.array_split(looks_NxLxHxWx4, -(-len(looks_NxLxHxWx4) // 80))
    return np.concatenate([np.asarray(encode(params, cells(b))) for b in blocks], 1)


def _rows(truth: _senses.Truth, x, thing, rows, group) -> probes.Rows:
    """Some rows of the features x [N, D] of interactions with things [N]; hardness, material."""
    things = thing[rows]
    return probes.Rows(x[rows], truth.targets[things][:, :1], truth.material[things], group)


if __name__ == "__main__":
    _launch.launch("audio", main, check)
