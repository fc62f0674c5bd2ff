"""What the phases of hearing and fusion share: films of both sets, and the truth to score by."""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _launch, _ranges
from nsca_jax import documents, objects, types
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sensors import sound
from nsca_jax.training import experience, recording

PROPERTIES = ("hardness", "weight", "size", "elasticity", "friction")


class Truth(NamedTuple):
    """What a set's N things are; it scores read-outs and teaches nothing."""

    targets: np.ndarray  # [N, PROPERTIES]: logarithms of the first three
    material: np.ndarray  # [N] int
    materials: tuple[str, ...]


def load(config) -> tuple[objects.ObjectSet, objects.ObjectSet]:
    """Both object sets; raises BadInput where one cannot be read."""
    try:
        return objects.load(config.objects_a), objects.load(config.objects_b)
    except objects.ObjectError as error:
        raise _launch.BadInput(str(error)) from error


def check(config) -> None:
    """Refuses sizes and sets that cannot be learnt from; raises BadInput."""
    for name, least in {"interactions_a": 160, "interactions_b": 160, "batch": 8}.items():
        if config[name] < least:
            _ranges.refuse(name, config[name], f"{least} or more")
    if config.share < 0.1:
        _ranges.refuse("share", config.share, "from 0.1 to 1")
    for things in load(config):
        truth(things, config.materials)


def refuse_too_few(name: str, params, config) -> None:
    """Raises BadInput where the weights in a field are of fewer seeds than the run has."""
    if (stored := len(jax.tree.leaves(params)[0])) < config.seeds:
        needs = f"of config.seeds={config.seeds} seeds or more, and holds {stored}"
        _ranges.refuse(name, config[name], needs)


def truth(things: objects.ObjectSet, path: str) -> Truth:
    """The truth of a set's things, their materials by the file at `path`.

    Raises BadInput where that file cannot be read or does not know a thing.
    """
    p = things.properties
    damping = np.asarray(p.damping_ratio, np.float64)
    bounce = np.exp(-np.pi * damping / np.sqrt(1.0 - damping**2))
    size = np.cbrt(np.asarray(sound.volume_m3(p.shape, p.size_m)))
    targets = [np.log(p.contact_stiffness), np.log(p.mass_kg), np.log(size), bounce, p.friction]
    material = _materials(path)
    unknown = [name for name in things.names if name not in material]
    if unknown:
        raise _launch.BadInput(f"{path}: says nothing of {', '.join(unknown)}.")
    known = tuple(dict.fromkeys(material.values()))
    labels = np.array([known.index(material[name]) for name in things.names])
    return Truth(np.stack(targets, -1).astype(np.float64), labels, known)


def film(run, things: objects.ObjectSet, seed: int, n: int, what: str) -> recording.Recording:
    """n interactions, all skills with all things in turn; stops where the run is asked to."""
    count = len(things.names)
    keys = jax.random.split(jax.random.key(seed))
    choice = recording.balanced(keys[0], jnp.arange(count), jnp.arange(len(types.SKILLS)), n)
    body = experience.make_body(things.properties)

    def tell(done: int, total: int) -> None:
        run.progress(done, total, f"interactions filmed, {what}")
        if run.stopping:
            raise run.interrupted()

    filmed = recording.record(body, camera_lib.Camera(), keys[1], choice, tell=tell)
    return jax.tree.map(lambda x: x[filmed.finite], filmed)


def draw(seed: int, n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """(rows that this seed has, all others), in order, of n."""
    order = np.random.default_rng(seed).permutation(n)
    first = round(share * n)
    return np.sort(order[:first]), np.sort(order[first:])


def _materials(path: str) -> dict[str, str]:
    """{thing: material} from a file of lists, one a material."""
    try:
        document = documents.read(path)
    except documents.DocumentError as error:
        raise _launch.BadInput(f"{path}: {error}.") from error
    if not isinstance(document, dict) or not all(isinstance(v, list) for v in document.values()):
        raise _launch.BadInput(f"{path}: needs one list of names a material.")
    return {str(name): str(kind) for kind, names in document.items() for name in names}
