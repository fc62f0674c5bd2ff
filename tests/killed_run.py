"""A small life under the launcher, to be killed: `python -m tests.killed_run --config=FILE`.

It has all that a run must not lose: learner and optimiser, slow copies, curiosity, slots, buffer,
tables, keys, and the Fisher information of a stage that is over. The file is a config like any.
"""

import jax
import numpy as np
from ml_collections import config_dict

from experiments import _launch
from nsca_jax import objects
from nsca_jax.reports import results
from nsca_jax.sensors import camera
from nsca_jax.training import babbling, experience, learner

PRESETS = ()
NAMES = ("steel bearing", "glass marble", "oak peg", "clay ball", "foam cube", "clay tile")
ITERATIONS = 24
SETTINGS = babbling.BabbleSettings(
    learner=learner.LearnerSettings(
        members=2, width=16, blocks=1, latent=8, batch=16, total_updates=2 * ITERATIONS
    ),
    camera=camera.Camera(width=16, height=16),
    objects=len(NAMES),
    seeds=2,
    worlds=8,
    updates=2,
    random_iterations=4,
    iterations=ITERATIONS,
    capacity=8 * ITERATIONS,
    window=8,
    warmup=2,
    slow_every=4,
    stages=2,
    stiffness=0.1,
)


def get_config():
    return config_dict.ConfigDict({"seed": 0})


def fresh(seed: int) -> babbling.TrainState:
    """The state before the first iteration."""
    init, _ = babbling.make_train(SETTINGS)
    return init(jax.random.split(jax.random.key(seed), SETTINGS.seeds))


def body() -> experience.Body:
    """The six objects."""
    known = objects.load("configs/objects_set_a.yaml")
    pick = np.array([known.names.index(name) for name in NAMES])
    return experience.make_body(jax.tree.map(lambda x: x[pick], known.properties))


def main(config, run):
    things = body()
    _, chunk = babbling.make_train(SETTINGS)
    settle = babbling.make_settle(SETTINGS)
    start = jax.jit(fresh, static_argnums=0)
    state = run.restore(jax.eval_shape(start, config.seed)) or start(config.seed)
    while (done := int(state.iteration)) < ITERATIONS:
        state, metrics = chunk(things, state, 1)
        if (done + 1) % (ITERATIONS // SETTINGS.stages) == 0:
            state = settle(state)
        run.log(done + 1, {"error": metrics["error"][-1]})
        run.save(done + 1, state)
        if run.stopping:
            raise run.interrupted()
    end = [results.criterion("iterations", "It came to its end", [ITERATIONS], ITERATIONS, ">=")]
    return run.result(end, [config.seed])


if __name__ == "__main__":
    _launch.launch("killed_run", main)
