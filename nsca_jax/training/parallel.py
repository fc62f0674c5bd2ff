"""Seeds, and the work of few seeds, spread over the local devices.

A function of whole seeds becomes one program a device (`jax.shard_map`): each holds and learns its
own, there is nothing to send, and a device's seeds have the bits of a run of those seeds alone.

Where devices are left over, several share a seed and all hold it. Each steps a part of its worlds
(`over_worlds`) and takes a part of every batch; what they learn of is the mean of their gradients
(`mean_of_parts`), so that all stay the same.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

SEEDS, PARTS = "seeds", "parts"
MOST_A_CORE = 4  # shares
PATIENCE_S = 86_400  # that a device waits for another, which may have been stopped with its process


class Spread(NamedTuple):
    """Over how many devices: `seeds` shares of the seeds, each held by `parts` devices."""

    seeds: int = 1
    parts: int = 1

    @property
    def devices(self) -> int:
        """How many there are in all."""
        return self.seeds * self.parts


ONE_DEVICE = Spread()


def devices_for(seeds: int) -> int:
    """How many of the local devices `seeds` seeds are spread over: the most that divides them."""
    return _most(seeds, jax.local_device_count())


def spread_for(seeds: int, parts: int, devices: int = 0) -> Spread:
    """Seeds over so many devices (0: all local ones), and each one's work over those left.

    `parts`: the work of a seed is that many equal pieces. Only a CPU's devices share a seed: what
    one seed has to do does not fill a GPU.
    """
    devices = devices or jax.local_device_count()
    over = _most(seeds, devices)
    left = devices // over if jax.default_backend() == "cpu" else 1
    return Spread(over, _most(parts, left))


def _most(count: int, devices: int) -> int:
    return max(n for n in range(1, min(count, devices) + 1) if count % n == 0)


def host_devices(seeds: int, cores: int, parts: bool) -> int:
    """With how many CPU devices JAX should start: one a share of the seeds; if they can work on
    `parts` of a seed, cores that are left over get one too.
    """
    over = shares(seeds, cores)
    return over * max(1, cores // over) if parts else over


def shares(seeds: int, cores: int) -> int:
    """Into how many equal shares `seeds` should go: as few as keep all cores at work.

    That may be more than there are cores, as 3 for 2: a core then turns from one to the next. Where
    that takes more than MOST_A_CORE, as many as keep most cores at work.
    """
    even = [n for n in range(1, min(seeds, MOST_A_CORE * cores) + 1) if seeds % n == 0]
    return min((n for n in even if n >= cores), default=max(even))


def mesh_of(spread: Spread) -> Mesh:
    """The first local devices."""
    return Mesh(np.array(jax.local_devices()[: spread.devices]).reshape(spread), (SEEDS, PARTS))


def over_seeds(one_device: Callable, spread: Spread, in_axes: Any, out_axes: Any) -> Callable:
    """`one_device`, made for a device's share of the seeds, over all of them.

    `in_axes`, one entry an argument, and `out_axes` say where seeds are: an axis, None for what all
    devices hold alike, or a tree of these (a prefix of the argument's).
    """
    if spread == ONE_DEVICE:
        return one_device
    return jax.shard_map(
        one_device,
        mesh=mesh_of(spread),
        in_specs=specs(in_axes),
        out_specs=specs(out_axes),
        check_vma=False,
    )


def part_of(tree: Any, devices: int) -> Any:
    """Within `over_seeds`: a device's part of rows [n, ...], where so many share a seed."""
    if devices == 1:
        return tree
    number = jax.lax.axis_index(PARTS)

    def part(x):
        return jax.lax.dynamic_slice_in_dim(x, number * (len(x) // devices), len(x) // devices)

    return jax.tree.map(part, tree)


def over_worlds(function: Callable, devices: int) -> Callable:
    """Within `over_seeds`: `function` of worlds [W, ...], of which each device that shares their
    seeds works out a part; all get the whole.
    """
    if devices == 1:
        return function

    def call(*arguments):
        out = function(*part_of(arguments, devices))
        return jax.tree.map(lambda x: jax.lax.all_gather(x, PARTS, tiled=True), out)

    return call


def mean_of_parts(tree: Any, devices: int) -> Any:
    """Within `over_seeds`: the mean over the devices that share a seed, sent as one array."""
    if devices == 1:
        return tree
    flat, unravel = ravel_pytree(tree)
    return unravel(jax.lax.pmean(flat, PARTS))


def vmap(function: Callable, in_axes: Any = 0) -> Callable:
    """`jax.vmap` over seeds, whose equal shares the local devices work out side by side.

    `in_axes`: 0 or None for each argument, or for all; what comes back leads with seeds.
    """

    @functools.wraps(function)
    def call(*arguments):
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(arguments)
        with_seeds = next(x for x, axis in zip(arguments, axes, strict=True) if axis is not None)
        seeds = len(jax.tree.leaves(with_seeds)[0])
        spread = Spread(devices_for(seeds))
        return over_seeds(jax.vmap(function, axes), spread, axes, 0)(*arguments)

    return call


def place(tree: Any, spread: Spread, axes: Any) -> Any:
    """`tree` laid out over the devices as `over_seeds` wants it; as it is on one device."""
    return tree if spread == ONE_DEVICE else jax.device_put(tree, shardings(spread, axes))


def layout(shapes: Any, spread: Spread, axes: Any) -> Any:
    """ShapeDtypeStructs laid out as `place` would lay out what they stand for."""
    if spread == ONE_DEVICE:
        return shapes
    return jax.tree.map(
        lambda where, part: jax.tree.map(lambda x: x.update(sharding=where), part),
        shardings(spread, axes),
        shapes,
    )


def gather(tree: Any, spread: Spread) -> Any:
    """`tree` on the first device alone, for programs that are not spread."""
    return tree if spread == ONE_DEVICE else jax.device_put(tree, jax.local_devices()[0])


def shardings(spread: Spread, axes: Any) -> Any:
    """Where each entry of `axes` lies, for `jit`: without it an empty array would come back
    elsewhere, and the next call be compiled anew. None on one device.
    """
    if spread == ONE_DEVICE:
        return None
    mesh = mesh_of(spread)
    return jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs(axes), is_leaf=_is_spec)


def compiler_options(spread: Spread) -> dict[str, int] | None:
    """For `jit`: devices that share a seed wait for each other as long as it takes."""
    if spread.parts == 1:
        return None
    return {"xla_cpu_collective_call_terminate_timeout_seconds": PATIENCE_S}


def specs(axes: Any) -> Any:
    """The partition of each entry of `axes`."""
    return jax.tree.map(_spec, axes, is_leaf=lambda x: x is None)


def _spec(axis: int | None) -> P:
    return P() if axis is None else P(*[None] * axis, SEEDS)


def _is_spec(x: Any) -> bool:
    return isinstance(x, P)
