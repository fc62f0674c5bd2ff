"""Learning to tell an object's properties from one look, without touching it.

Looks are spawns of interactions that are never carried out. What the properties are is the agent's
own word: levels of its grounding table's estimates (see `evaluation/poison.py`), never the truth.
Everything but `spawn_looks` is for one seed; callers `vmap`.
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from nsca_jax import types
from nsca_jax.models import readout
from nsca_jax.sensors import noise
from nsca_jax.sim import env
from nsca_jax.training import descent, experience, faults


@dataclasses.dataclass(frozen=True)
class ReadOutSettings:
    """Size and pace; hashable, hence static under `jit`."""

    properties: int = 4
    levels: int = 3
    members: int = 3
    width: int = 32
    code: int = 64
    batch: int = 32
    steps: int = 600
    learning_rate: float = 1e-2
    reconstruction: float = 20.0  # weight of its squared error beside the levels' nats


@struct.dataclass
class ReadOutState:
    """An ensemble that has learnt."""

    params: Any  # [E, ...]
    usual: jax.Array  # [H, W, 4] the mean look
    fault: faults.Frozen  # [E] of each member, without moments


def spawn_looks(body: experience.Body, camera, key, object_id_W: jax.Array, std: float):
    """Packed looks [W, H, Wd, 4] uint8 at random spawns: any skill, place and parameters.

    `std` is the camera's noise, as a share of every reading's whole range.
    """
    key_skill, key_parameters, key_place, key_noise = jax.random.split(key, 4)
    worlds = len(object_id_W)
    skill = jax.random.randint(key_skill, (worlds,), 0, len(types.SKILLS))
    parameters = jax.random.uniform(key_parameters, (worlds, 4), minval=-1.0, maxval=1.0)
    place = experience.PLACE_M * jax.random.uniform(key_place, (worlds, 2), minval=-1.0, maxval=1.0)
    start = jax.vmap(env.reset, (None, 0, 0, 0, 0))(
        body.scene, object_id_W, skill, parameters, place
    )
    course = experience.Course(
        qpos=start.qpos[None],
        broken=start.broken[None],
        impact_Ns=jnp.zeros((0, worlds)),
        velocity_m_s=start.qvel[:, :3],
        spawn_depth_m=jnp.zeros(worlds),
    )
    images, _ = experience.look(body, camera, object_id_W, course, 1)
    seen = noise.add(key_noise, images[0].astype(jnp.float32) / 255.0, std, 0.0, 1.0)
    return jnp.round(255.0 * seen).astype(jnp.uint8)


def make_model(settings: ReadOutSettings) -> readout.ReadOut:
    """The ensemble's member."""
    return readout.ReadOut(
        settings.properties, settings.levels, width=settings.width, code=settings.code
    )


def learn(
    settings: ReadOutSettings, key, packed_NxHxWx4, level_NxP, known_NxP
) -> tuple[ReadOutState, jax.Array]:
    """(what was learnt, losses [steps]); each member starts and draws its batches by itself.

    Args:
        packed_NxHxWx4: uint8 looks. level_NxP: int32 in [0, levels).
        known_NxP: bool; unknown levels teach nothing.
    """
    model = make_model(settings)
    usual = jnp.mean(packed_NxHxWx4.astype(jnp.float32), 0) / 255.0
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)

    def loss(params, rows):
        departure = packed_NxHxWx4[rows].astype(jnp.float32) / 255.0 - usual
        logits, again = model.apply(params, departure)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, level_NxP[rows])
        known = known_NxP[rows]
        nats = jnp.sum(jnp.where(known, nats, 0.0)) / jnp.maximum(jnp.sum(known), 1)
        return nats + settings.reconstruction * jnp.mean((departure - again) ** 2)

    def member(key):
        params = model.init(jax.random.fold_in(key, 0), jnp.zeros(usual.shape))

        def drawn(params, number):
            draw = jax.random.fold_in(key, number + 1)
            rows = jax.random.randint(draw, (settings.batch,), 0, len(packed_NxHxWx4))
            value = loss(params, rows)
            return value, value

        return descent.descend(optax.adam(rate), params, drawn, settings.steps)

    params, losses, fault = jax.vmap(member)(jax.random.split(key, settings.members))
    return ReadOutState(params, usual, fault), jnp.mean(losses, 0)


def read(
    settings: ReadOutSettings, state: ReadOutState, look_HxWx4: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """One look in [0, 1] -> (members' probabilities [E, P, L], what they leave unexplained).

    The latter is [H, W, 4]: the look less the mean of the members' reconstructions.
    """
    departure = look_HxWx4 - state.usual
    apply = jax.vmap(make_model(settings).apply, (0, None))
    logits, again = apply(state.params, departure)
    return jax.nn.softmax(logits), departure - jnp.mean(again, 0)
