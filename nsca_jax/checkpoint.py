"""Saving and restoring a run's state: the only file that knows orbax.

    save(folder, step, state)            write beside, check, rename; keep the last two
    restore(folder, template)            the newest good one: (state, step)
    latest(folder)                       its step, or None
    save_weights / load_weights          a small pretrained tree in one file, without pickle
    write_arrays / read_arrays           named arrays in one .npz, whole or not at all

A checkpoint is a folder `step_000000042` with orbax's `state/` and a `manifest.json` that holds the
shape and type of every leaf and a CRC-32 of every file, so that a truncated or altered checkpoint
is noticed. Typed PRNG keys come back as the same typed keys. States hold arrays, keys and plain
numbers; the tree's structure comes from the template.
"""

import errno
import json
import logging
import math
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as orbax

KEEP = 2
MAX_WEIGHTS_BYTES = 5_000_000
MAX_ARRAYS_BYTES = 2 * 2**30  # of a stranger's .npz once unpacked: a small one may claim any size
_READ_BYTES = 1 << 24
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_log = logging.getLogger(__name__)


class CheckpointError(RuntimeError):
    """No checkpoint can be restored; the message says which, where and why."""


def save(folder: str | Path, step: int, state: Any) -> None:
    """Write `state` as the checkpoint of `step` (>= 0) and delete all but the newest two.

    A reader sees the whole checkpoint or none. A checkpoint of the same step is replaced.
    Raises OSError if the folder cannot be written or its disk has no room.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    named = _named_leaves(state)
    leaves = {name: _storable(leaf) for name, leaf in named.items() if np.size(leaf)}
    _refuse_full_disk(folder, sum(leaf.nbytes for leaf in leaves.values()))
    beside = folder / f".writing_{step:09d}"
    beside.mkdir()
    with _quick():
        orbax.save(str(beside / "state"), leaves)
    manifest = {
        "step": step,
        "leaves": {name: _kind(leaf) for name, leaf in named.items()},
        "keys": {name: jax.random.key_impl(leaf) for name, leaf in named.items() if _is_key(leaf)},
        "files": {name: _crc32(beside / name) for name in _files(beside)},
    }
    with open(beside / "manifest.json", "w") as file:
        json.dump(manifest, file)
        file.flush()
        os.fsync(file.fileno())
    final = _path(folder, step)
    if final.exists():
        final.rename(folder / f".replaced_{step:09d}")
    beside.rename(final)
    _sweep(folder)
    for old in steps(folder)[:-KEEP]:
        shutil.rmtree(_path(folder, old))


def restore(folder: str | Path, template: Any) -> tuple[Any, int]:
    """Read the newest good checkpoint: `(state, step)`.

    `template` gives structure, shapes, types and placement: a state of the same run, or
    `jax.eval_shape` of it. A damaged checkpoint is skipped with a logged warning. Raises
    CheckpointError if none is left, or if the checkpoint is of another structure (not skipped:
    an older one would not fit either).
    """
    folder = Path(folder).resolve()
    damage = []
    for step in reversed(steps(folder)):
        path = _path(folder, step)
        found = _damage(path)
        if found is None:
            if damage:
                _log.warning("%s; going on from the one before it, step %d", damage[-1], step)
            return _read(path, template), step
        damage.append(f"checkpoint {path} is damaged ({found})")
    raise CheckpointError("; ".join(damage) or f"no checkpoint in {folder}")


def latest(folder: str | Path) -> int | None:
    """Step of the newest checkpoint, damaged or not; None where there is none."""
    return max(steps(folder), default=None)


def steps(folder: str | Path) -> list[int]:
    """Steps of the checkpoints in `folder`, ascending."""
    return sorted(int(path.name[5:]) for path in Path(folder).glob("step_" + "[0-9]" * 9))


def save_weights(path: str | Path, tree: Any, header: dict[str, Any]) -> None:
    """Write a small tree of arrays and a JSON header (config, scores, origin) as one .npz file.

    Raises ValueError where a leaf's type is not NumPy's own or the file would pass 5 MB.
    """
    path = Path(path)
    arrays = {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"weights {name}: type {array.dtype} cannot be stored")
    text = json.dumps(header, allow_nan=False).encode()
    beside = path.with_name(f".{path.name}.writing.npz")
    np.savez_compressed(beside, **{"header": np.frombuffer(text, np.uint8), **arrays})
    if (size := beside.stat().st_size) > MAX_WEIGHTS_BYTES:
        beside.unlink()
        raise ValueError(f"weights {path} would take {size} bytes; at most {MAX_WEIGHTS_BYTES}")
    beside.replace(path)


def load_weights(path: str | Path, template: Any) -> tuple[Any, dict[str, Any]]:
    """Read what `save_weights` wrote: `(tree, header)`, the tree in the template's structure.

    Raises CheckpointError if the file is damaged or does not fit, FileNotFoundError without one.
    """
    arrays, header = _read_weights(path)
    _refuse_misfit(path, {name: _kind(array) for name, array in arrays.items()}, template)
    leaves = [jax.numpy.asarray(arrays[name]) for name in _named_leaves(template)]
    return jax.tree.unflatten(jax.tree.structure(template), leaves), header


def read_weights_header(path: str | Path) -> dict[str, Any]:
    """The header alone of what `save_weights` wrote; raises as `load_weights` does."""
    return _read_weights(path)[1]


def write_arrays(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Writes arrays by name as one .npz file, whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.writing.npz")
    named: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez_compressed(beside, **named)
    beside.replace(path)


def read_arrays(path: str | Path, max_bytes: float = MAX_ARRAYS_BYTES) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name, without pickle and within `max_bytes` once unpacked.

    Raises CheckpointError if the file is damaged, holds anything else, or is larger than that;
    FileNotFoundError without one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if (size := sum(member.file_size for member in members)) > max_bytes:
                raise CheckpointError(f"{path} unpacks to {size} bytes, more than {max_bytes:.0f}")
            return {m.filename.removesuffix(".npy"): _read_array(archive, m) for m in members}
    except CheckpointError:
        raise
    except Exception as error:  # of a dozen kinds: a stranger's file may be wrong in any way
        raise CheckpointError(f"{path} is damaged ({_in_a_line(error)})") from error


def read_header(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Takes the JSON header out of the arrays of weights; ValueError where there is none."""
    if "header" not in arrays:
        raise ValueError("it has no header")
    try:
        header = json.loads(arrays.pop("header").tobytes())
    except RecursionError as error:
        raise ValueError("its header is no JSON") from error
    if not isinstance(header, dict):
        raise ValueError(f"its header holds a {type(header).__name__}")
    return header


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array; ValueError where its header claims more than the file holds."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = _HEADERS.get(version)
        if read is None:
            raise ValueError(f"{member.filename}: version {version}")
        shape, _, dtype = read(file)
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise ValueError(f"{member.filename}: claims {dtype}{list(shape)[:9]} and is not")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


def _in_a_line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:120]


def _read_weights(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays = read_arrays(path)
    try:
        return arrays, read_header(arrays)
    except ValueError as error:
        raise CheckpointError(f"weights {path} are damaged ({_in_a_line(error)})") from error


def _read(path: Path, template: Any) -> Any:
    manifest = json.loads((path / "manifest.json").read_text())
    _refuse_misfit(path, manifest["leaves"], template)
    named = _named_leaves(template)
    wanted = {name: _abstract(leaf) for name, leaf in named.items() if np.size(leaf)}
    stored = orbax.load(str(path / "state"), wanted)
    keys = manifest["keys"]
    leaves = [_like(stored.get(name), leaf, keys.get(name)) for name, leaf in named.items()]
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _named_leaves(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _kind(leaf: Any) -> list[Any]:
    """`[shape, type]` of a leaf; a plain number counts as the array JAX would make of it."""
    if not hasattr(leaf, "dtype"):
        return [[], str(jax.numpy.result_type(leaf))]
    return [list(leaf.shape), str(leaf.dtype)]


def _storable(leaf: Any) -> jax.Array | np.ndarray:
    if _is_key(leaf):
        return jax.random.key_data(leaf)
    return leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)


def _abstract(leaf: Any) -> Any:
    """What orbax shall read for this leaf of the template: onto its devices, or as NumPy."""
    if _is_key(leaf):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    elif not isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        return np.asarray(leaf)
    if (sharding := _placement(leaf)) is None:
        return np.zeros(leaf.shape, leaf.dtype)
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _placement(leaf: Any) -> jax.sharding.Sharding | None:
    """Where the template wants this leaf; None leaves it to JAX.

    An array that is bound to a device makes another program than one that is not: bound without
    need, a restored state would compile the whole run's loop once more.
    """
    bound = not isinstance(leaf, jax.Array) or leaf.committed
    return getattr(leaf, "sharding", None) if bound else None


def _like(stored: Any, leaf: Any, implementation: str | None) -> Any:
    if stored is None:  # orbax stores no array without elements
        return jax.numpy.zeros(leaf.shape, leaf.dtype)
    if implementation is not None:
        return jax.random.wrap_key_data(stored, impl=implementation)
    if isinstance(leaf, bool | int | float):
        return type(leaf)(stored.item())
    return stored if isinstance(stored, jax.Array) else jax.numpy.array(stored)


def _refuse_misfit(path: Any, stored: dict[str, list[Any]], template: Any) -> None:
    wanted = {name: _kind(leaf) for name, leaf in _named_leaves(template).items()}
    for name in sorted(stored.keys() | wanted.keys()):
        if stored.get(name) != wanted.get(name):
            raise CheckpointError(
                f"{path} does not fit this program: {name} is {_tell(stored.get(name))} there "
                f"and {_tell(wanted.get(name))} here"
            )


def _tell(kind: list[Any] | None) -> str:
    return "absent" if kind is None else f"{kind[1]}{kind[0]}"


def _damage(path: Path) -> str | None:
    """The first difference between a checkpoint's files and its manifest, or None."""
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        files, _, _ = (dict(manifest[part]) for part in ("files", "leaves", "keys"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return f"manifest.json: {_in_a_line(error)}"
    for name, crc in files.items():
        if not (path / name).is_file():
            return f"{name} is missing"
        if _crc32(path / name) != crc:
            return f"{name}: its checksum differs"
    return None


def _files(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def _crc32(path: Path) -> int:
    crc = 0
    with open(path, "rb") as file:
        while block := file.read(_READ_BYTES):
            crc = zlib.crc32(block, crc)
    return crc


def _path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:09d}"


def _sweep(folder: Path) -> None:
    """Delete what an interrupted save left behind, putting back what it had moved aside."""
    for left in folder.glob(".replaced_*"):
        final = _path(folder, int(left.name[len(".replaced_") :]))
        if final.exists():
            shutil.rmtree(left)
        else:
            left.rename(final)
    for left in folder.glob(".writing_*"):
        shutil.rmtree(left)


def _refuse_full_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:  # told here: what orbax raises half-way is no OSError
        why = f"a checkpoint takes {needed / 1e9:.2f} GB and the disk has {free / 1e9:.2f} GB free"
        raise OSError(errno.ENOSPC, why, str(folder))


def _quick() -> orbax.Context:
    # float noise barely compresses, and compressing takes longer than writing
    context = orbax.Context()
    context.array.saving.use_compression = False
    return context
