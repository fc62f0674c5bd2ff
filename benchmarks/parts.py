"""One iteration taken apart: physics, sensing, learning; and the loop with the C engine as host.

Physics and the whole loop are spread over the devices as the launcher does it; senses and learner
are timed on one. The peer steps the same worlds in the C engine on all cores, hands their course to
the same senses and the same learner, and waits for them. It is spared the commands (which follow
the hand's recorded path) and the contact forces (recorded too).
"""

import functools
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
from mujoco import rollout as c_rollout

from benchmarks import c_engine, clock, workload
from nsca_jax.sim import env
from nsca_jax.training import babbling, parallel

PARTS = ("physics", "sensing", "learning")


def measure(settings: babbling.BabbleSettings, body, repeats: int) -> tuple[list, list]:
    """(figures, ratios) of one seed: seconds of an iteration's parts, and the shares of their sum.

    The whole loop and the peer's iteration are timed by turns with the parts.
    """
    cores = os.cpu_count() or 1
    with c_rollout.Rollout(nthread=cores) as pool:
        times = clock.interleave(_works(settings, body, pool, cores), repeats)
    wall = {k: times[k].wall_s for k in times}
    figures = [clock.figure(f"{k}_seconds", "s an iteration", v) for k, v in wall.items()]
    sums = [sum(parts) for parts in zip(*(wall[k] for k in PARTS), strict=True)]
    figures += [
        clock.figure(f"{k}_share", "1", [a / b for a, b in zip(wall[k], sums, strict=True)])
        for k in PARTS
    ]
    whole = [a / b for a, b in zip(sums, wall["loop"], strict=True)]
    figures.append(clock.figure("parts_to_loop", "1", whole))
    rates = {
        k: clock.rate(f"{k}_interactions", "interactions/s", settings.worlds, wall[k])
        for k in ("loop", "c_host")
    }
    ratio = clock.ratio("loop_to_c_host", rates["loop"], rates["c_host"])
    return [*figures, *rates.values()], [ratio]


def _works(settings, body, pool, cores: int) -> dict[str, Callable[[], object]]:
    """The parts, the whole loop and the peer, each waiting for its own end."""
    keys, choice = workload.random_choice(settings.objects, settings.worlds)
    start = workload.spawn(body, keys, choice)
    _, readings = jax.jit(env.rollout)(body.scene, start)
    spread = parallel.spread_for(1, babbling.parts(settings))
    over = parallel.Spread(spread.parts)  # the worlds of a roll-out are as apart as seeds are
    rollout = jax.jit(parallel.over_seeds(env.rollout, over, (None, 0), (0, 1)))
    apart = parallel.place(start, over, 0)
    senses = jax.jit(functools.partial(workload.sense, body, settings.camera))
    sense = functools.partial(senses, keys, choice)

    @functools.partial(jax.jit, donate_argnums=0)
    def learn(state, rows):
        region = jnp.zeros((1, settings.worlds), jnp.int32)
        seeded = jax.tree.map(lambda x: x[None], rows)
        return workload.learn(settings, state, state.keys, region, seeded)

    rows = sense(readings)
    models = c_engine.models(body.scene.properties)
    run_c = c_engine.make_rollout(models, start, c_engine.commands(start, readings))
    states = {name: workload.start(settings)[0] for name in ("learning", "c_host")}
    states["loop"], chunk = workload.start(settings, spread)
    program = chunk.lower(body, states["loop"], 1).compile()
    learner = learn.lower(states["learning"], rows).compile()

    def learning(name="learning", rows=rows):
        states[name], loss = learner(states[name], rows)
        jax.block_until_ready(loss)

    def loop():
        states["loop"], metrics = program(body, states["loop"])
        jax.block_until_ready(metrics)

    def c_host():
        qpos, qvel = (jnp.asarray(x, jnp.float32) for x in run_c(pool, cores))
        learning("c_host", sense(readings.replace(qpos=qpos, qvel=qvel)))

    return {
        "physics": lambda: jax.block_until_ready(rollout(body.scene, apart)[1].qpos),
        "sensing": lambda: jax.block_until_ready(sense(readings)),
        "learning": learning,
        "loop": loop,
        "c_host": c_host,
    }
