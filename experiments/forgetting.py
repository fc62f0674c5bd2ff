"""One network learns task after task: what it forgets, and what keeps it from forgetting.

Real handwritten digits, one head. Presets: laptop (20 seeds, every method), quick (3 seeds, the
criteria's methods), tune (chooses the penalties' strengths on other seeds).
"""

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _forgetting_report, _launch
from nsca_jax.continual import arms
from nsca_jax.data import digits
from nsca_jax.evaluation import forgetting
from nsca_jax.models import mlp, taps
from nsca_jax.training import sequence

SEQUENCES = {  # name -> (seed, config) -> Tasks
    "permuted": lambda seed, config: digits.permuted(seed, 5),
    "rotated": lambda seed, config: digits.rotated(seed, tuple(config.degrees)),
    "halves": lambda seed, config: digits.halves(seed),
    "classes": lambda seed, config: digits.class_incremental(seed),
    "permuted_ten": lambda seed, config: digits.permuted(seed, 10),
}


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    if config.seeds < 1 or config.steps < 1:
        raise _launch.BadInput("config.seeds and config.steps must be 1 or more")
    for name, methods in config.methods.items():
        for method in methods:
            if method != "ewc_stiff" and method not in arms.NAMES:
                known = ", ".join((*arms.NAMES, "ewc_stiff"))
                raise _launch.BadInput(f"config.methods.{name}: {method!r} is not one of {known}")


def make(config, name: str, method: str, tasks: int, per_seed: int) -> tuple:
    """(init, learn, test) of one method on the sequence `name`; `learn` is compiled once."""
    network = mlp.MLP((config.width,))
    dimensions = digits.SIDE**2

    def apply(params, x):
        return network.apply({"params": params}, x)

    learner = arms.Learner(
        apply, taps.tapped(network), dimensions, tasks, config.remembered[name], config.batch
    )
    settings = sequence.Settings(config.steps * per_seed, config.batch, config.learning_rate)
    init, learn = sequence.make_learner(
        lambda key: network.init(key, jnp.zeros(dimensions))["params"],
        apply,
        arms.make(method, learner),
        settings,
    )
    return init, learn, jax.jit(jax.vmap(lambda p, x, y: sequence.accuracies(apply, p, x, y)))


def learn_sequence(config, run, name: str, method: str, data: digits.Tasks, strength) -> np.ndarray:
    """The accuracy matrix [rows, T, T]; data and `strength` lead with rows, one a seed."""
    rows, tasks = data.y_TxN.shape[:2]
    init, learn, test = make(config, name, method, tasks, 1)
    state = init(_keys(config, rows))
    seen = []
    for task in range(tasks):
        state = learn(state, data.x_TxNxD[:, task], data.y_TxN[:, task], jnp.asarray(strength))
        seen.append(np.asarray(test(state.params, data.x_test_TxMxD, data.y_test_TxM)))
        if run.stopping:
            raise run.interrupted()
    return np.stack(seen, 1)


def learn_jointly(config, run, name: str, data: digits.Tasks) -> np.ndarray:
    """All tasks at once, in as many steps: accuracies [S, 1, T]."""
    rows, tasks = data.y_TxN.shape[:2]
    init, learn, test = make(config, name, "plain", tasks, tasks)
    x, y = data.x_TxNxD.reshape(rows, -1, digits.SIDE**2), data.y_TxN.reshape(rows, -1)
    state = learn(init(_keys(config, rows)), x, y, jnp.zeros(rows))
    if run.stopping:
        raise run.interrupted()
    return np.asarray(test(state.params, data.x_test_TxMxD, data.y_test_TxM))[:, None]


def load(config, name: str) -> digits.Tasks:
    """The tasks of all seeds, stacked: every array leads with S."""
    seeds = range(config.seed, config.seed + config.seeds)
    return digits.Tasks(*map(np.stack, zip(*(SEQUENCES[name](s, config) for s in seeds))))


def judge(config, run) -> dict:
    """Every method on every sequence: records[sequence][method] is [S, T, T], joint [S, 1, T]."""
    plan = [(n, m) for n in SEQUENCES if config.methods[n] for m in (*config.methods[n], "joint")]
    records: dict = {name: {} for name, _ in plan}
    for number, (name, method) in enumerate(plan):
        run.progress(number, len(plan), "arms", next=f"{name} {method}")
        done = run.workdir / "arms" / f"{name}-{method}.npz"
        if done.exists():
            with np.load(done) as stored:
                records[name][method] = stored["matrix"]
            continue
        data = load(config, name)
        if method == "joint":
            matrix = learn_jointly(config, run, name, data)
        else:
            kind = method.removesuffix("_stiff")
            strength = config.strength[name].get(kind, 0.0)
            strength *= config.stiff if kind != method else 1.0
            rows = np.full(config.seeds, strength, np.float32)
            matrix = learn_sequence(config, run, name, kind, data, rows)
        run.write_arrays(done, {"matrix": matrix})
        records[name][method] = matrix
    run.progress(len(plan), len(plan), "arms")
    return records


def tune(config, run) -> dict:
    """Average accuracy of every strength of the grid: baselines[sequence][method]."""
    scores: dict = {}
    for name in SEQUENCES:
        data = load(config, name)
        for method in config.strength[name]:
            grid = np.array(config.grid, np.float32) * config.unit[method]
            repeated = digits.Tasks(*(np.tile(part, (len(grid), *[1] * (part.ndim - 1))) for part in data))
            strength = np.repeat(grid, config.seeds)
            matrix = learn_sequence(config, run, name, method, repeated, strength)
            values = {
                measure: f(matrix).reshape(len(grid), -1).mean(1)
                for measure, f in forgetting.MEASURES.items()
            }
            chosen = float(grid[np.nanargmax(values["average"])])
            run.say(f"{name} {method}: strength {chosen:g}")
            table = {
                f"{s:g}": {m: _plain(v[i]) for m, v in values.items()} for i, s in enumerate(grid)
            }
            scores.setdefault(name, {})[method] = {"chosen": chosen, "grid": table}
    return scores


def main(config, run) -> dict:
    """Every method on every sequence, then the claims, then the report."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    if config.tune:
        return {"criteria": [], "seeds": seeds, "baselines": tune(config, run)}
    records = judge(config, run)
    result = {"seeds": seeds, **_forgetting_report.claims(records)}
    _forgetting_report.write(config.to_dict(), run, records, result)
    return result


def _keys(config, rows: int) -> jax.Array:
    numbers = config.seed + jnp.arange(rows) % config.seeds
    return jax.vmap(jax.random.key)(numbers)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


if __name__ == "__main__":
    _launch.launch("forgetting", main, check)
