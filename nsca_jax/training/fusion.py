"""From filmed interactions to states: frozen encoders, the senses' windows, and their fusion.

Everything is for one seed; callers `vmap`, or map over few seeds at a time. N interactions of T
control steps give T + 1 moments; S senses; D = 256 numbers a code.
"""

# jnp functions have one array to return, though not to pyright.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nsca_jax.models import audio, fusion, proprio
from nsca_jax.training.recording import Recording

WINDOW = 25  # control steps that an ear, a hand or a joint's sense looks back: one second


class Modules(NamedTuple):
    """One network a sense, and where they meet. Parameters are a dict of the same names."""

    vision: Any
    audio: Any = audio.AudioEncoder()
    proprio: Any = proprio.ProprioEncoder()
    touch: Any = proprio.TouchEncoder()
    fusion: Any = fusion.Fusion()


def codes(
    modules: Modules, params: Mapping[str, Any], film: Recording, window: int = WINDOW
) -> dict[str, jax.Array]:
    """{sense: [N, T + 1, D]} at every moment, from that moment's image and the past of the rest."""
    tracks = {
        "audio": film.sound,
        "proprio": film.proprio,
        "touch": film.touch_N.reshape(*film.touch_N.shape[:2], -1),
    }
    seen = {"vision": jax.lax.stop_gradient(modules.vision.apply(params["vision"], film.image))}
    for name, track in tracks.items():
        seen[name] = getattr(modules, name).apply(params[name], windows(track, window))
    return seen


def states(
    modules: Modules, params: Mapping[str, Any], film: Recording, window: int = WINDOW
) -> jax.Array:
    """[N, T + 1, 512] the fused state at every moment."""
    return modules.fusion.apply(params["fusion"], codes(modules, params, film, window))


def windows(track_NxTxD: jax.Array, length: int) -> jax.Array:
    """[N, T, length, D]: the `length` moments up to each one; before the first stand zeros."""
    padded = jnp.pad(track_NxTxD, ((0, 0), (length - 1, 0), (0, 0)))
    moments = track_NxTxD.shape[1]
    return jnp.stack([padded[:, t : t + length] for t in range(moments)], 1)
