"""Physics alone: MJX's roll-out at several batch sizes against the C engine.

`mjx` is one program, as the loop of one seed has it; `mjx_all_cores` one program a core, as the
loop of several seeds has it.
"""

import os

import jax
import numpy as np
from mujoco import rollout as c_rollout

from benchmarks import c_engine, clock, workload
from nsca_jax.sim import env
from nsca_jax.sim import scene as scene_lib
from nsca_jax.training import parallel

STEPS = scene_lib.CONTROL_STEPS * scene_lib.SUBSTEPS
UNIT = "physics steps/s"


def measure(body, batches: tuple[int, ...], repeats: int) -> tuple[list, list]:
    """(figures, ratios): steps a second by the wall clock, and a second of one core.

    Both engines run as one piece of work and on all cores. `agreement` is the median distance,
    over worlds, between where the C engine's objects end and where MJX's do.
    """
    models = c_engine.models(body.scene.properties)
    figures, ratios = [], []
    for worlds in batches:
        more, quotients = _batch(body, models, worlds, repeats)
        figures += more
        ratios += quotients
    return figures, ratios


def _batch(body, models, worlds: int, repeats: int) -> tuple[list, list]:
    keys, choice = workload.random_choice(len(models), worlds)
    start = workload.spawn(body, keys, choice)
    rollout = jax.jit(env.rollout).lower(body.scene, start).compile()
    _, readings = rollout(body.scene, start)
    run_c = c_engine.make_rollout(models, start, c_engine.commands(start, readings))
    cores = os.cpu_count() or 1
    over = parallel.Spread(parallel.devices_for(worlds))
    everywhere = parallel.over_seeds(env.rollout, over, (None, 0), (0, 1))
    apart = parallel.place(start, over, 0)
    rollout_all = jax.jit(everywhere).lower(body.scene, apart).compile()
    with c_rollout.Rollout(nthread=0) as alone, c_rollout.Rollout(nthread=cores) as pool:
        times = clock.interleave(
            {
                "mjx": lambda: jax.block_until_ready(rollout(body.scene, start)),
                "mjx_all_cores": lambda: jax.block_until_ready(rollout_all(body.scene, apart)),
                "c_one_thread": lambda: run_c(alone, 0),
                "c_all_cores": lambda: run_c(pool, cores),
            },
            repeats,
        )
        qpos, _ = run_c(pool, cores)
    count, tail = worlds * STEPS, f"{worlds}_worlds"
    wall = {k: clock.rate(f"{k}_{tail}", UNIT, count, t.wall_s) for k, t in times.items()}
    core = {k: clock.rate(f"{k}_{tail}_per_core", UNIT, count, times[k].core_s) for k in times}
    away_mm = 1e3 * np.linalg.norm(qpos[-1, :, :3] - readings.qpos[-1, :, :3], axis=-1)
    agreement = clock.figure(f"agreement_{tail}", "mm", [float(np.median(away_mm))])
    return [*wall.values(), *core.values(), agreement], [
        clock.ratio(f"physics_to_c_one_program_{tail}", wall["mjx"], wall["c_one_thread"]),
        clock.ratio(f"physics_to_c_all_cores_{tail}", wall["mjx_all_cores"], wall["c_all_cores"]),
        clock.ratio(f"physics_to_c_per_core_{tail}", core["mjx_all_cores"], core["c_all_cores"]),
    ]
