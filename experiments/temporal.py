"""What comes next: a causal model of interactions, and pushes chosen by imagination.

Learns from films of Set A, by the agent's senses alone; judged on Set B, by the truth. Two arms:
with innate physics inside, and the same network without. Then pushes are chosen in imagination and
carried out in the real world. Presets: laptop (20 seeds), quick (3 seeds), paper.
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _launch, _parts, _ranges, _temporal_report, _weights
from nsca_jax import objects
from nsca_jax.evaluation import planning
from nsca_jax.evaluation import temporal as judging
from nsca_jax.models import temporal as model_lib
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import experience, faults, fusion, recording, temporal

ARMS = {"prior": True, "none": False}
KEPT = (
    "object_id",
    "skill",
    "parameters",
    "visual_code",
    "proprio",
    "touch_N",
    "sound",
    "position_m",
)  # of a recording
BLOCK = 16  # interactions fused at a time
CHUNK = 100  # gradient steps between two looks at the clock
CAMERA = camera_lib.Camera()


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    _ranges.one_of(config, "state", ("innate", "fused"))
    if config.state == "fused":
        _weights.load_fusion(config.fusion)
    least = judging.NOWS[-1] + temporal.HORIZONS[-1]
    fewest = {"moments": least, "candidates": planning.ELITE, "interactions": 80, "judged": 80}
    for name, low in (fewest | {"tries": max(_temporal_report.TRIES)}).items():
        if config[name] < low:
            _ranges.refuse(name, config[name], f"{low} or more")
    if config.interactions > config.pool:
        _ranges.refuse("interactions", config.interactions, f"at most config.pool={config.pool}")
    if config.steps % CHUNK:
        _ranges.refuse("steps", config.steps, f"a multiple of {CHUNK}")
    known = objects.load(config.objects_a)
    objects.concatenate([known, objects.load(config.objects_b)])
    if config.held >= len(known.names):
        _ranges.refuse("held", config.held, f"below the {len(known.names)} of config.objects_a")


def main(config, run) -> dict:
    """Films, both arms, their judgement, the plans, the report."""
    things = [objects.load(config.objects_a), objects.load(config.objects_b)]
    known, novel = (len(part.names) for part in things)
    body = experience.make_body(objects.concatenate(things).properties)
    ids = {"a": np.arange(known), "b": known + np.arange(novel)}
    counts = {"a": config.pool, "b": config.judged}
    films = {
        name: _parts.once(
            run, f"film_{name}", functools.partial(film, config, run, body, ids[name], counts[name])
        )
        for name in ids
    }
    learners = {arm: learn(config, run, films["a"], arm) for arm in ARMS}
    records = {
        arm: _parts.once(
            run, f"judged_{arm}", functools.partial(judge, config, films, arm, learners[arm])
        )
        for arm in ARMS
    }
    records["rivals"] = _parts.once(run, "rivals", functools.partial(rivals, films["b"]))
    records["plans"] = _parts.once(
        run, "plans", functools.partial(plans, config, run, body, ids["b"], learners["prior"])
    )
    records["plans"]["names"] = np.array(things[1].names)
    for arm, learner in learners.items():
        name = "temporal" if arm == "prior" else f"temporal_{arm}"
        kept = {"params": learner.params, "statistics": learner.statistics}
        run.save_weights(name, {**kept, "scale": records[arm]["scale"]}, arm=arm)
    result = run.result(seeds=_seeds(config).tolist(), **_temporal_report.claims(config, records))
    _temporal_report.write(config, run, films["b"], records, result)
    return result


def film(config, run, body, ids, n: int) -> dict[str, np.ndarray]:
    """n interactions with the objects `ids`, all skills in turn; without worlds that diverged."""
    keys = jax.random.split(jax.random.key(config.seed + int(ids[0])))
    choice = recording.balanced(keys[0], jnp.asarray(ids), jnp.arange(4), n)

    def tell(done: int, total: int) -> None:
        run.progress(done, total, "interactions filmed")
        if run.stopping:
            raise run.interrupted()

    filmed = recording.record(body, CAMERA, keys[1], choice, config.moments, tell=tell)
    kept = {name: np.asarray(getattr(filmed, name)) for name in KEPT}
    if config.state == "fused":
        kept["fused"] = fuse(config, filmed)
    return {name: x[filmed.finite] for name, x in kept.items()}


def fuse(config, filmed: recording.Recording) -> np.ndarray:
    """[N, T + 1, 512] float16: the fused state of every moment."""
    modules, params = _weights.load_fusion(config.fusion)
    first = jax.tree.map(lambda x: x[0], params)
    states = jax.jit(functools.partial(fusion.states, modules, first))
    total = len(filmed.skill)
    index = np.minimum(np.arange(-(-total // BLOCK) * BLOCK), total - 1).reshape(-1, BLOCK)
    parts = [states(jax.tree.map(lambda x, i=i: x[i], filmed)) for i in index]
    return np.concatenate([np.asarray(part, np.float16) for part in parts])[:total]


def tracks(filmed: dict[str, np.ndarray]) -> temporal.Tracks:
    """What the agent has of the films; the truth stays behind."""
    fused = jnp.asarray(filmed["fused"], jnp.float32) if "fused" in filmed else None
    return temporal.tracks(SimpleNamespace(**filmed), CAMERA, fused)


def learn(config, run, filmed: dict[str, np.ndarray], arm: str) -> temporal.Learner:
    """One arm, all seeds at once; goes on where it was interrupted."""
    of = tracks(filmed)
    settings = settings_of(config)
    init, step = temporal.make_learner(model_of(config, of, arm), settings, CAMERA)
    keys = jax.vmap(jax.random.key)(_seeds(config))
    learner = jax.jit(jax.vmap(init, (0, None, 0)))(keys, of, dealt(config, filmed)[0])
    learner = run.restore(learner, arm) or learner
    chunk = jax.jit(jax.vmap(functools.partial(step, steps=CHUNK), (0, 0, None)), donate_argnums=0)
    run.tell_faults(arm, faults.found(learner.optimiser))
    for done in range(int(learner.step[0]), settings.steps, CHUNK):
        learner, loss = chunk(learner, keys, of)
        run.tell_faults(arm, faults.found(learner.optimiser))
        mean = np.asarray(loss).mean(1)
        run.log(done + CHUNK, {f"{arm}_loss": [float(x) if np.isfinite(x) else None for x in mean]})
        run.progress(done + CHUNK, settings.steps, f"steps, {arm}", loss=float(np.nanmean(mean)))
        if run.stopping or done + CHUNK == settings.steps:
            run.save(done + CHUNK, learner, arm)
        if run.stopping:
            raise run.interrupted()
    return learner


def judge(config, films, arm: str, learner: temporal.Learner) -> dict[str, np.ndarray]:
    """What an arm foresees of Set B, and how far from the truth."""
    of = {name: tracks(filmed) for name, filmed in films.items()}
    model = model_of(config, of["a"], arm)
    scale = judging.band_scale(model, learner, of["a"], dealt(config, films["a"])[1])
    row, now = judging.every_window(of["b"])
    foreseen = judging.forecast(model, learner, of["b"], row, now)
    truth = _true_places(films["b"], row, now)
    act = model_lib.Act(of["b"].skill[row], of["b"].parameters[row], jnp.asarray(now))
    scored = judging.judge(foreseen, np.asarray(scale), truth, np.asarray(model_lib.heading(act)))
    seen = np.asarray(of["b"].seen)[row[:, None], now[:, None] + judging.AT]
    found = faults.found(learner.optimiser)
    return {
        **{name: faults.blank(found, x) for name, x in scored.items()},
        **judging.senses_skill(learner, of["b"], row, now, foreseen),
        "scale": np.asarray(scale),
        "in_view_m": judging.error_where(foreseen, truth, seen),
        "by_skill_m": judging.error_by(foreseen, truth, films["b"]["skill"][row]),
        "weight": foreseen.weight.mean(1),
        "prior_error": judging.squared_error(
            judging.forecast(model, judging.uncorrected(learner), of["b"], row, now), truth
        ),
        "shown_m": foreseen.place_m[0],
        "shown_spread_m": foreseen.spread_m[0] * np.asarray(scale)[0, :, None],
    }


def rivals(filmed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Errors [A] m of the predictors that learn nothing, and the windows judged."""
    of = tracks(filmed)
    row, now = judging.every_window(of)
    truth = _true_places(filmed, row, now)
    places = judging.rivals(of, row, now)
    errors = {n: np.linalg.norm(truth - place, axis=-1).mean(0) for n, place in places.items()}
    stays = ((truth - places["persistence"]) ** 2).sum(-1).mean(0)
    kept = {"persistence_squared": stays, "ballistic_m": places["ballistic"]}
    return {**errors, **kept, "row": row, "now": now}


def plans(config, run, body, ids, learner: temporal.Learner) -> dict[str, np.ndarray]:
    """Final distances (m) of pushes: planned, planned with shuffled dynamics, straight, random."""
    keys = jax.random.split(jax.random.key(config.seed + 1), 3)
    task = planning.tasks(keys[0], ids, config.tasks)
    code = planning.look(body, CAMERA, task)
    out: dict[str, Any] = {"target_m": task.target_m, "place_m": task.place_m}
    everyone = [jnp.concatenate([x] * config.seeds) for x in (task.object_id, task.place_m)]

    def tell(done: int, total: int) -> None:
        run.progress(done, total, "pushes carried out")
        if run.stopping:
            raise run.interrupted()

    for name in ("planned", "shuffled"):
        chosen, imagined = choose(config, learner, code, task, name == "shuffled")
        pushes = chosen.reshape(-1, 4)
        ends = planning.in_blocks(body.scene, everyone[0], pushes, everyone[1], tell=tell)
        out |= {f"{name}_push": chosen, f"{name}_end_m": ends.reshape(*chosen.shape[:2], 2)}
        out[f"{name}_imagined_m"] = imagined
    straight = planning.straight_pushes(task)
    out["straight_end_m"] = planning.in_blocks(body.scene, task.object_id, straight, task.place_m)
    tried = jnp.repeat(jnp.asarray(ids, jnp.int32), config.tries)
    pushes = planning.random_pushes(keys[1], tried.shape)
    ways = planning.in_blocks(body.scene, tried, pushes, jnp.zeros((len(tried), 2)), tell=tell)
    ways = ways.reshape(len(ids), config.tries, 2)[np.asarray(task.object_id) - int(ids[0])]
    out["random_end_m"] = np.asarray(task.place_m)[:, None] + ways  # [W, tries, 2]
    return {name: np.asarray(x) for name, x in out.items()}


def choose(config, learner, code, task: planning.Tasks, shuffled: bool):
    """Every seed's pushes [S, W, 4], and where it imagines the objects to end [S, W, 2]."""
    senses = learner.statistics.mean.shape[-1]
    model = model_lib.TemporalModel(senses, config.latent, config.width)
    how = (config.candidates, config.rounds, shuffled)

    def one(params, statistics, key):
        history = planning.history(code, senses, statistics, CAMERA)
        belief = temporal.observe(model, params, history)
        return planning.choose(model, params, belief, task.target_m, key, how)

    keys = jax.vmap(jax.random.key)(_seeds(config))
    run = jax.jit(lambda *args: jax.lax.map(lambda a: one(*a), args))
    return jax.device_get(run(learner.params, learner.statistics, keys))


def dealt(config, filmed: dict[str, np.ndarray]) -> tuple[jax.Array, jax.Array]:
    """Per seed: the interactions it learns from, and those with the objects that it keeps aside."""
    keys = jax.vmap(lambda s: jax.random.fold_in(jax.random.key(s), 1))(_seeds(config))
    parts = [
        judging.deal(key, filmed["object_id"], config.interactions, config.held) for key in keys
    ]
    learnt, aside = zip(*parts, strict=True)
    return jnp.stack(learnt), jnp.stack(aside)


def model_of(config, of: temporal.Tracks, arm: str) -> model_lib.TemporalModel:
    """The network of one arm."""
    return model_lib.TemporalModel(of.senses.shape[-1], config.latent, config.width, ARMS[arm])


def settings_of(config) -> temporal.Settings:
    """The pace of learning."""
    return temporal.Settings(steps=config.steps, batch=config.batch, price=config.prior_price)


def _true_places(filmed: dict[str, np.ndarray], row, now) -> np.ndarray:
    return filmed["position_m"][row[:, None], now[:, None] + judging.AT]


def _seeds(config) -> jax.Array:
    return config.seed + jnp.arange(config.seeds)


if __name__ == "__main__":
    _launch.launch("temporal", main, check)
