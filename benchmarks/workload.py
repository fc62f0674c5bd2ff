"""What is measured: the babbling experiment as its presets set it up."""

# pyright: reportAttributeAccessIssue=false
# (a struct's replace)

import os
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np

from configs.babble import get_config
from experiments import babble
from nsca_jax import objects, types
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sim import env
from nsca_jax.training import babbling, experience, parallel

# the learner that the target for the loop's rate is set for, else as `laptop`: 236,000 parameters
# in all members, one update a control step
PROTOTYPE = {"width": 96, "blocks": 2, "updates": 25}


def use_compile_cache() -> None:
    """The persistent compilation cache: JAX_COMPILATION_CACHE_DIR, or the experiments' folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(home / "nsca_jax" / "xla")
    jax.config.update("jax_compilation_cache_dir", folder)


def load(preset: str, seeds: int, worlds: int, updates: int = 0, things: int = 0, pixels: int = 0):
    """(BabbleSettings, Body) of a preset of configs/babble.py with S seeds x B worlds.

    `prototype` is one too, here alone.
    `updates`: gradient steps an iteration, `things`: objects in all, Set A's over and over,
    `pixels`: of the eye, a side; 0: the preset's own.
    """
    config: Any = get_config("laptop" if preset == "prototype" else preset)
    if preset == "prototype":
        config.learner.update(PROTOTYPE)
    config.seeds, config.worlds = seeds, worlds
    config.learner.updates = updates or config.learner.updates
    config.image_size = pixels or config.image_size
    known = [objects.load(config.objects_a), objects.load(config.distractor_object)]
    properties = objects.concatenate(known).properties
    count = things or len(properties.mass_kg)
    row = np.arange(count) % len(properties.mass_kg)
    body = experience.make_body(jax.tree.map(lambda x: x[row], properties), count - 1)
    return babble.settings_of(config, "competence", count), body


def start(settings: babbling.BabbleSettings, spread: parallel.Spread = parallel.ONE_DEVICE):
    """(compiled init's TrainState, chunk) of the one compiled loop."""
    init, chunk = babbling.make_train(settings, spread)
    keys = jax.random.split(jax.random.key(0), settings.seeds)
    return babbling.place(settings, jax.jit(init)(keys), spread), chunk


def random_choice(things: int, worlds: int):
    """(keys [W], Choice [W]): any object, any skill, any parameters."""
    world_keys, pick, how, action = jax.random.split(jax.random.key(1), 4)
    return jax.random.split(world_keys, worlds), experience.Choice(
        object_id=jax.random.randint(pick, (worlds,), 0, things),
        skill=jax.random.randint(how, (worlds,), 0, len(types.SKILLS)),
        parameters=jax.random.uniform(action, (worlds, 4), minval=-1.0, maxval=1.0),
    )


@jax.jit
def spawn(body: experience.Body, keys, choice: experience.Choice) -> env.World:
    """World [W, ...] at the spawn, where experience.carry_out puts it for the same keys."""
    near = experience.PLACE_M
    place = jax.vmap(lambda k: jax.random.uniform(k, (2,), minval=-near, maxval=near))(keys)
    reset = jax.vmap(env.reset, in_axes=(None, 0, 0, 0, 0))
    return reset(body.scene, choice.object_id, choice.skill, choice.parameters, place)


def sense(body: experience.Body, camera: camera_lib.Camera, keys, choice, readings: env.Reading):
    """What experience.carry_out makes of a roll-out's readings: all of it but the physics.

    Returns the Interaction [W, ...] without images, as the loop remembers it.
    """
    with mock.patch.object(env, "rollout", lambda scene, worlds: (worlds, readings)):
        rows, _ = experience.carry_out(body, camera, keys, choice)
    return rows.replace(spawn=rows.spawn.replace(image=rows.spawn.image[:, :0, :0]))


def learn(settings: babbling.BabbleSettings, state: babbling.TrainState, keys, region, rows):
    """All that the loop does after its senses: region [S, B], rows [S, B, ...], keys [S]."""
    state, _ = babbling._appraise(settings, state, region, rows)
    state = babbling._remember(settings, state, rows, keys)
    state, loss = babbling._learn(settings, state, keys)
    return babbling._age(settings, state, region, rows), loss
