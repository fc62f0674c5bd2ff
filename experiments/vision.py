"""Does an eye with innate filters learn to see from fewer labels than one without?

Two eyes learn from films of Set A, without labels; then they are frozen, and linear read-outs of a
thing's place, size and shape are fitted on few labelled frames of Set B. Presets: laptop (20
seeds), quick (3 seeds), paper (the plan's numbers, on Something-Something v2).
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _encoders, _launch, _parts, _ranges, _vision_films, _vision_report
from nsca_jax.evaluation import probes
from nsca_jax.models import vision
from nsca_jax.priors import visual
from nsca_jax.training import faults
from nsca_jax.training import vision as learning
from nsca_jax.types import SHAPES

ARMS = ("with", "temporal", "without")  # temporal consistency alone must collapse
FEATURES = ("with", "without", "untrained", "innate", "pixels", "temporal")
BLIND = visual.Innate(False, False, False)


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    if config.patch % 2:
        _ranges.refuse("patch", config.patch, "even")
    if config.side % config.patch:
        _ranges.refuse("side", config.side, f"a multiple of config.patch={config.patch}")
    if config.steps % config.chunk:
        _ranges.refuse("steps", config.steps, f"a multiple of config.chunk={config.chunk}")
    if not any(config.priors.values()):
        raise _launch.BadInput("config.priors are all off: there is nothing to compare")
    _vision_films.check(config)


def eye_of(config, arm: str) -> vision.VisionEncoder:
    """The eye of an arm; all have as many channels and the same learnt maps."""
    innate = BLIND if arm == "without" else visual.Innate(**config.priors)
    return vision.VisionEncoder(innate, config.patch, config.width)


def settings_of(config, arm: str) -> learning.Settings:
    """An arm's pace and the weights of its losses."""
    alone, own = arm == "temporal", _own(config, arm)
    return learning.Settings(
        batch=config.batch,
        steps=config.steps,
        learning_rate=own.rate,
        nt_xent=0.0 if alone else config.nt_xent,
        vicreg=0.0 if alone else own.vicreg,
        temporal=config.temporal,
    )


def learn(config, run, arm: str, films) -> dict[str, np.ndarray]:
    """An arm's parameters (`w.NAME` [S, ...]) and its losses [S, steps], all seeds at once."""
    eye, settings = eye_of(config, arm), settings_of(config, arm)
    init, steps = learning.make_learner(eye, settings)
    program = jax.jit(jax.vmap(steps, (0, None, 0, None)), static_argnums=3, donate_argnums=0)
    span, chunks = _own(config, arm).span, config.steps // config.chunk
    looks, pairs = films(eye, span, 0)
    keys = jax.vmap(jax.random.key)(_seeds(config))
    state = jax.jit(jax.vmap(init, (0, None)))(keys, looks)
    blank = jnp.zeros((len(_vision_report.LOSSES), config.seeds, config.steps))
    state, trace = run.restore((state, blank), arm) or (state, blank)
    for number in range(int(state.step[0]) // config.chunk, chunks):
        looks, pairs = films(eye, span, number)
        state, said = program(state, looks, pairs, config.chunk)
        said = jnp.stack([said[name] for name in _vision_report.LOSSES])
        trace = jax.lax.dynamic_update_slice(trace, said, (0, 0, number * config.chunk))
        done = (number + 1) * config.chunk
        run.progress(done, config.steps, f"steps, eye {arm}")
        run.log(done, _logged(arm, said))
        run.tell_faults(f"eye-{arm}", faults.found(state.moments))
        if run.stopping or (number + 1) % config.save_every == 0:
            run.save(done, (state, trace), arm)
        if run.stopping:
            raise run.interrupted()
    weights = {f"w.{name}": x for name, x in _encoders.named(state.params).items()}
    return {**weights, "losses": np.asarray(trace), "faults": faults.found(state.moments)}


def read_outs(config, deal, weights: dict, features: str, shuffled: bool = False):
    """What read-outs of one kind of features tell of Set B: {"told": [S, N + 1, 5], ...}.

    The last row of N is fitted on labelled frames of Set A instead, 500 of them. NaN where the eye
    stopped learning.
    """
    encode = _encoder(config, weights, features)
    part = weights.get(features, {"faults": np.full(config.seeds, "")})
    told, rank = [], []
    for number, seed in enumerate(range(config.seed, config.seed + config.seeds)):
        a, b, judged = deal(seed)
        if len(b.label) < max(config.labelled):
            raise _launch.BadInput(f"seed {seed}: only {len(b.label)} frames of Set B show a thing")
        codes = [encode(number, part) for part in (a, b, judged)]
        rank.append(probes.effective_rank(codes[2]))
        if shuffled:
            a, b = (_vision_films.shuffle(part, seed) for part in (a, b))
        fits = [(b, codes[1], n) for n in config.labelled] + [(a, codes[0], len(codes[0]))]
        told.append([_read_out(*fit, judged, codes[2]) for fit in fits])
    read = {"told": np.array(told), "rank": np.array(rank)}
    return {name: faults.blank(part["faults"], x) for name, x in read.items()}


def main(config, run) -> dict:
    """Films, both eyes and the one that must collapse, read-outs, claims, report."""
    store = functools.partial(_vision_films.record, config, run)
    films = _parts.once(run, "films", store)
    source = _vision_films.source(config, run, films)
    parts = _parts.every(
        run, {f"eye-{arm}": functools.partial(learn, config, run, arm, source) for arm in ARMS}
    )
    weights = {arm: parts[f"eye-{arm}"] for arm in ARMS}
    deal = _vision_films.dealer(config, eye_of(config, "with"), films)
    reads = {name: functools.partial(read_outs, config, deal, weights, name) for name in FEATURES}
    reads["shuffled"] = functools.partial(read_outs, config, deal, weights, "with", True)
    parts |= _parts.every(run, {f"read-{name}": read for name, read in reads.items()})
    seeds = list(range(config.seed, config.seed + config.seeds))
    eye = eye_of(config, "with")
    _encoders.save_vision(run, eye, _params(config, eye, weights["with"]), config.side, seeds)
    result = run.result(seeds=seeds, **_vision_report.claims(config, parts))
    _vision_report.write(config, run, parts, films, result)
    return result


def _read_out(rows, codes, n: int, judged, seen) -> np.ndarray:
    """[5] of one fit on `n` labelled frames; NaN where a code is not finite."""
    if not (np.isfinite(codes).all() and np.isfinite(seen).all()):
        return np.full(5, np.nan)
    train = probes.Rows(codes[:n], rows.targets[:n], rows.label[:n], rows.group[:n])
    test = probes.Rows(seen, judged.targets, judged.label, judged.group)
    return probes.read_out(train, test, len(SHAPES))


def _encoder(config, weights: dict, features: str):
    """`(number of the seed, Labelled [N]) -> features [N, D]`."""
    if features == "pixels":
        return lambda _, rows: rows.image.reshape(len(rows.image), -1) / 255.0
    if features == "innate":
        return lambda _, rows: rows.responses.reshape(len(rows.image), -1)
    eye = eye_of(config, features)
    if features == "untrained":
        look = jnp.zeros((config.side, config.side, 4), jnp.uint8)
        keys = jax.vmap(jax.random.key)(_seeds(config))
        params = jax.vmap(eye.init, (0, None))(keys, look)
    else:
        params = _params(config, eye, weights[features])

    @jax.jit
    def encode(own, image, responses):
        kept = responses[..., : eye.innate.channels]
        return eye.apply(own, vision.split_patches(image, eye.patch), kept, method="encode")

    def of_seed(number: int, rows: _vision_films.Labelled) -> np.ndarray:
        own = functools.partial(encode, jax.tree.map(lambda x: x[number], params))
        return _vision_films.in_blocks(own, rows.image, rows.responses)

    return of_seed


def _params(config, eye: vision.VisionEncoder, part: dict[str, np.ndarray]):
    """The eye's parameters [S, ...] out of what `learn` gave."""
    named = {name[2:]: x for name, x in part.items() if name.startswith("w.")}
    return _encoders.tree_of(eye, config.side, named)


def _logged(arm: str, said_LxSxT: jax.Array) -> dict[str, list[float | None]]:
    """A chunk's mean losses, per seed; None where one is not finite."""
    means = np.asarray(said_LxSxT.mean(-1), float)
    return {
        f"{arm}.{name}": [float(v) if np.isfinite(v) else None for v in row]
        for name, row in zip(_vision_report.LOSSES, means, strict=True)
    }


def _own(config, arm: str):
    return config.eye_without if arm == "without" else config.eye_with


def _seeds(config) -> jax.Array:
    return config.seed + jnp.arange(config.seeds)


if __name__ == "__main__":
    _launch.launch("vision", main, check)
