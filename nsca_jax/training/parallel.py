"""Seeds spread over the local devices: each holds and learns its own, and none waits for another.

A function of whole seeds becomes one program a device (`jax.shard_map`): there is nothing to send,
and a device's seeds have the bits of a run of those seeds alone.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

SEEDS = "seeds"
MOST_A_CORE = 4  # shares


def devices_for(seeds: int) -> int:
    """How many of the local devices `seeds` seeds are spread over: the most that divides them."""
    return max(n for n in range(1, min(seeds, jax.local_device_count()) + 1) if seeds % n == 0)


def shares(seeds: int, cores: int) -> int:
    """Into how many equal shares `seeds` should go: as few as keep all cores at work.

    That may be more than there are cores, as 3 for 2: a core then turns from one to the next. Where
    that takes more than MOST_A_CORE, as many as keep most cores at work.
    """
    even = [n for n in range(1, min(seeds, MOST_A_CORE * cores) + 1) if seeds % n == 0]
    return min((n for n in even if n >= cores), default=max(even))


def mesh_of(devices: int) -> Mesh:
    """The first so many local devices."""
    return Mesh(np.array(jax.local_devices()[:devices]), (SEEDS,))


def over_seeds(one_device: Callable, devices: int, in_axes: Any, out_axes: Any) -> Callable:
    """`one_device`, made for a device's share of the seeds, over all of them.

    `in_axes`, one entry an argument, and `out_axes` say where seeds are: an axis, None for what all
    devices hold alike, or a tree of these (a prefix of the argument's).
    """
    if devices == 1:
        return one_device
    return jax.shard_map(
        one_device,
        mesh=mesh_of(devices),
        in_specs=specs(in_axes),
        out_specs=specs(out_axes),
        check_vma=False,
    )


def vmap(function: Callable, in_axes: Any = 0) -> Callable:
    """`jax.vmap` over seeds, whose equal shares the local devices work out side by side.

    `in_axes`: 0 or None for each argument, or for all; what comes back leads with seeds.
    """

    @functools.wraps(function)
    def call(*arguments):
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(arguments)
        with_seeds = next(x for x, axis in zip(arguments, axes, strict=True) if axis is not None)
        seeds = len(jax.tree.leaves(with_seeds)[0])
        return over_seeds(jax.vmap(function, axes), devices_for(seeds), axes, 0)(*arguments)

    return call


def place(tree: Any, devices: int, axes: Any) -> Any:
    """`tree` laid out over the devices as `over_seeds` wants it; as it is on one device."""
    return tree if devices == 1 else jax.device_put(tree, shardings(devices, axes))


def layout(shapes: Any, devices: int, axes: Any) -> Any:
    """ShapeDtypeStructs laid out as `place` would lay out what they stand for."""
    if devices == 1:
        return shapes
    return jax.tree.map(
        lambda where, part: jax.tree.map(lambda x: x.update(sharding=where), part),
        shardings(devices, axes),
        shapes,
    )


def gather(tree: Any, devices: int) -> Any:
    """`tree` on the first device alone, for programs that are not spread."""
    return tree if devices == 1 else jax.device_put(tree, jax.local_devices()[0])


def shardings(devices: int, axes: Any) -> Any:
    """Where each entry of `axes` lies, for `jit`: without it an empty array would come back
    elsewhere, and the next call be compiled anew. None on one device.
    """
    if devices == 1:
        return None
    mesh = mesh_of(devices)
    return jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs(axes), is_leaf=_is_spec)


def specs(axes: Any) -> Any:
    """The partition of each entry of `axes`."""
    return jax.tree.map(_spec, axes, is_leaf=lambda x: x is None)


def _spec(axis: int | None) -> P:
    return P() if axis is None else P(*[None] * axis, SEEDS)


def _is_spec(x: Any) -> bool:
    return isinstance(x, P)
