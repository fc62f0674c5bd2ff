"""Where the eye's frames come from: babbling films, or clips of a real dataset."""

import functools
import importlib.util
import json
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _launch, _ranges
from nsca_jax import objects, types
from nsca_jax.models import vision
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sensors import sound
from nsca_jax.training import experience, recording
from nsca_jax.training import vision as learning

VIDEO = ("something_something", "kinetics")
FILMS_LABELLED, FRAMES_OF_FILM = 100, 6  # of which the labels are drawn
MOST_LABELLED = 500  # the thing is out of sight in some frames
FILMS_JUDGED, FRAMES_JUDGED, MOST_JUDGED = 200, 5, 800
VISIBLE_PIXELS = 3  # a figure of fewer has neither size nor shape
BLOCK = 100  # frames looked at in one go
FILM_KEY = 7_000  # films are a common store: seeds draw among them


class Labelled(NamedTuple):
    """Frames of which the truth is told, N of them, in random order."""

    image: np.ndarray  # [N, H, W, 4] uint8
    responses: np.ndarray  # [N, cells, C] float16, what the innate filters say of it
    targets: np.ndarray  # [N, 4] x, y, z of the centre and the size: root 3 of the volume (m)
    label: np.ndarray  # [N] index into SHAPES
    group: np.ndarray  # [N] the film


def check(config) -> None:
    """Refuses films that cannot be had, in one sentence each."""
    for path in (config.objects_a, config.objects_b):
        objects.load(path)
    if config.learnt + FILMS_LABELLED > config.films:
        needs = f"config.learnt={config.learnt} and {FILMS_LABELLED} more, which labels are for"
        _ranges.refuse("films", config.films, needs)
    if min(config.labelled) < 10 or max(config.labelled) > MOST_LABELLED:
        _ranges.refuse("labelled", config.labelled, f"from 10 to {MOST_LABELLED} frames each")
    _ranges.one_of(config, "data", ("babbling", *VIDEO))
    if config.data in VIDEO and not (config.data_dir and Path(config.data_dir).is_dir()):
        needs = f"the folder of {config.data}, and is no folder"
        _ranges.refuse("data_dir", config.data_dir, needs)
    if config.data in VIDEO and importlib.util.find_spec("av") is None:
        raise _launch.BadInput(
            f"config.data={config.data} is read with PyAV: pip install 'nsca_jax[video]'"
        )
    if config.data in VIDEO:
        _open_video(config)


def record(config, run) -> dict[str, np.ndarray]:
    """`config.films` interactions with each set: what is needed of them, F frames a film."""
    camera = camera_lib.Camera(width=config.side, height=config.side)
    out = {}
    for number, (name, path) in enumerate((("a", config.objects_a), ("b", config.objects_b))):
        things = objects.load(path)
        body = experience.make_body(things.properties)
        key = jax.random.key(FILM_KEY + number)
        choice = recording.balanced(
            jax.random.fold_in(key, 1),
            jnp.arange(len(things.names)),
            jnp.arange(len(types.SKILLS)),
            config.films,
        )

        def tell(done, total, name=name):
            run.progress(done, total, f"films of Set {name.upper()}")
            if run.stopping:
                raise run.interrupted()

        film = recording.record(body, camera, key, choice, block=200, tell=tell)
        size = sound.volume_m3(things.properties.shape, things.properties.size_m) ** (1 / 3)
        out |= {
            f"{name}.image": film.image,
            f"{name}.seen": film.visual_code[..., 0] * config.side**2 >= VISIBLE_PIXELS,
            f"{name}.position": film.position_m,
            f"{name}.size": np.asarray(size)[film.object_id],
            f"{name}.label": np.asarray(things.properties.shape)[film.object_id],
            f"{name}.finite": film.finite,
        }
    return out


def source(config, run, films: dict[str, np.ndarray]):
    """`(eye, span, chunk) -> (Looks, pairs [S, P, 2])`: what a chunk of steps learns from."""
    if config.data in VIDEO:
        return lambda eye, span, chunk: _from_video(config, run, eye, span, chunk)
    moments = films["a.image"][:, :: config.every]
    kept: dict[vision.VisionEncoder, learning.Looks] = {}
    own = [_order(films, "a", seed)[: config.learnt] for seed in _seeds(config)]

    def babbling(eye, span, _chunk):
        if eye not in kept:
            kept.clear()  # one eye learns at a time
            kept[eye] = _look(config, eye, moments.reshape(-1, *moments.shape[2:]))
        pairs = jnp.stack([_within(chosen, moments.shape[1], span) for chosen in own])
        return kept[eye], pairs

    return babbling


def dealer(config, eye: vision.VisionEncoder, films: dict[str, np.ndarray]):
    """`(seed) -> labelled(...)`, with the innate responses of `eye`; dealt once a seed."""
    respond = jax.jit(lambda image: eye.cells(image)[1].astype(jnp.float16))

    @functools.cache
    def deal(seed: int) -> tuple[Labelled, ...]:
        parts = labelled(config, films, seed)
        return tuple(part._replace(responses=in_blocks(respond, part.image)) for part in parts)

    return deal


def in_blocks(program, *arrays: np.ndarray) -> np.ndarray:
    """`program` over N rows by blocks of one size, so that it is compiled once."""
    rows = len(arrays[0])
    padded = [np.resize(x, (-(-rows // BLOCK) * BLOCK, *x.shape[1:])) for x in arrays]
    blocks = zip(*(x.reshape(-1, BLOCK, *x.shape[1:]) for x in padded), strict=True)
    return np.concatenate([np.asarray(program(*block)) for block in blocks])[:rows]


def labelled(config, films: dict[str, np.ndarray], seed: int) -> tuple[Labelled, ...]:
    """A seed's frames of Set A, of Set B, and those of Set B, of other films, that are judged.

    Set A's are of films that this seed did not learn from.
    """
    rng = np.random.default_rng(seed)
    rest = _order(films, "a", seed)[config.learnt :][:FILMS_LABELLED]
    new = _order(films, "b", seed)
    return (
        _frames(films, "a", rest, FRAMES_OF_FILM, MOST_LABELLED, rng),
        _frames(films, "b", new[:FILMS_LABELLED], FRAMES_OF_FILM, MOST_LABELLED, rng),
        _frames(films, "b", new[FILMS_LABELLED:][:FILMS_JUDGED], FRAMES_JUDGED, MOST_JUDGED, rng),
    )


def shuffle(rows: Labelled, seed: int) -> Labelled:
    """The control: every frame gets another's labels."""
    order = np.random.default_rng([seed, 1]).permutation(len(rows.label))
    return rows._replace(targets=rows.targets[order], label=rows.label[order])


def _frames(films, name: str, chosen: np.ndarray, count: int, most: int, rng) -> Labelled:
    """At most `most`, and `count` of each chosen film, of the frames in which the thing is seen."""
    places = [
        (film, moment)
        for film in chosen
        for moment in rng.permutation(np.flatnonzero(films[f"{name}.seen"][film]))[:count]
    ]
    film, moment = rng.permutation(np.array(places))[:most].T
    position, size = films[f"{name}.position"][film, moment], films[f"{name}.size"][film]
    return Labelled(
        films[f"{name}.image"][film, moment],
        np.zeros((len(film), 0, 0), np.float16),
        np.concatenate([position, size[:, None]], 1),
        films[f"{name}.label"][film],
        film,
    )


def _order(films, name: str, seed: int) -> np.ndarray:
    """A seed's own order of the films whose world stayed finite."""
    return np.random.default_rng([seed, ord(name)]).permutation(
        np.flatnonzero(films[f"{name}.finite"])
    )


def _within(films_N: np.ndarray, moments: int, span: int) -> np.ndarray:
    """[P, 2] numbers of frames of one film, at most `span` looks apart."""
    first, second = np.triu_indices(moments, 1)
    near = second - first <= span
    offsets = np.stack([first[near], second[near]], 1)
    return (films_N[:, None, None] * moments + offsets).reshape(-1, 2)


def _look(config, eye, image_FxHxWx4: np.ndarray) -> learning.Looks:
    """Every frame in `config.lights` lights, the same ones for every eye."""
    keys = jax.random.split(jax.random.key(FILM_KEY), config.lights)

    @jax.jit
    def look(image):
        lit = jax.vmap(learning.relight, (0, None), 1)(keys, image)
        return learning.look(eye, lit)

    return look(image_FxHxWx4)


def _open_video(config):
    """The clips of real video; raises BadInput where they are not there as distributed."""
    from nsca_jax.data import video  # PyAV is needed for real video alone

    tolerance = video.Tolerance(config.broken, config.missing)
    settings = video.Settings(
        config.frames, height=config.side, width=config.side, tolerance=tolerance
    )
    try:
        return video.open_dataset(config.data, config.data_dir, settings)
    except video.DataError as error:
        raise _launch.BadInput(f"config.data_dir: {error}") from error


def _from_video(config, run, eye, span: int, chunk: int):
    """A chunk's own clips. Real video has no depth: its channel says "far" everywhere."""
    from nsca_jax.data import video

    dataset = _open_video(config)
    stream = dataset.batches(config.clips, seed=config.seed + chunk)
    try:
        clips = next(stream)["frames"]
    except video.DataError as error:
        raise _launch.BadInput(str(error)) from error
    _list_left_out(run, dataset.missing, stream.skipped)
    packed = np.concatenate([clips, np.full((*clips.shape[:-1], 1), 255, np.uint8)], -1)
    pairs = _within(np.arange(len(clips)), clips.shape[1], span)
    looks = _look(config, eye, packed.reshape(-1, *packed.shape[2:]))
    return looks, jnp.broadcast_to(pairs, (config.seeds, *pairs.shape))


def _list_left_out(run, missing, skipped: dict[str, str]) -> None:
    """Says how many clips were left out so far; left_out.json lists them with their reasons."""
    path = run.workdir / "left_out.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = known | dict.fromkeys(missing, "is missing") | skipped
    if found != known:
        run.say(f"{len(found)} clips left out so far: {path}")
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _seeds(config) -> range:
    return range(config.seed, config.seed + config.seeds)
