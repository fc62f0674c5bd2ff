"""One network learns task after task: what it forgets, and what keeps it from forgetting.

Real handwritten digits, one head. Presets: laptop (20 seeds, every method), quick (3 seeds, the
criteria's methods), tune (chooses the penalties' strengths on other seeds).
"""

# flax dataclasses have `replace`, and Linen applies to one array, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _forgetting_report, _launch, _parts, _ranges
from nsca_jax.continual import arms
from nsca_jax.data import digits
from nsca_jax.evaluation import forgetting
from nsca_jax.models import mlp, taps
from nsca_jax.training import faults, parallel, sequence

SEQUENCES = {  # name -> (seed, config) -> Tasks
    "permuted": lambda seed, config: digits.permuted(seed, 5),
    "rotated": lambda seed, config: digits.rotated(seed, tuple(config.degrees)),
    "halves": lambda seed, config: digits.halves(seed),
    "classes": lambda seed, config: digits.class_incremental(seed),
    "permuted_ten": lambda seed, config: digits.permuted(seed, 10),
    # The same arc in finer steps: turned by 180 degrees, a 6 would be a 9.
    "rotated_ten": lambda seed, config: digits.rotated(
        seed, tuple(np.linspace(config.degrees[0], config.degrees[-1], 10))
    ),
}

TIE = 0.5  # points of average accuracy: less than seeds differ by


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    for name in config.methods:
        _ranges.some_of(config, f"methods.{name}", (*arms.NAMES, "ewc_stiff", "joint"), none=True)
        for method in (method.removesuffix("_stiff") for method in config.methods[name]):
            if method in config.unit and method not in config.strength[name]:
                raise _launch.BadInput(
                    f"--config.methods.{name}: config.strength.{name} says nothing of {method}."
                )
    for name, needed in _forgetting_report.NEEDED.items():
        if not config.tune and not set(needed) <= set(config.methods[name]):
            words = f"one that holds what its criteria compare: {', '.join(needed)}"
            _ranges.refuse(f"methods.{name}", config.methods[name], words)


def make(method: str, tasks: int, remembered: int, width: int, settings: sequence.Settings):
    """(init, learn) of one method; kept, so that sequences of a shape share programs."""
    if method not in arms.REMEMBERING:
        remembered = 0  # of no account
        tasks = tasks - 1 if method == "kfac" else 0  # nothing comes after the last
    return _make(method, tasks, remembered, width, settings)


@functools.cache
def _make(method: str, tasks: int, remembered: int, width: int, settings: sequence.Settings):
    network = mlp.MLP((width,))
    apply = taps.untapped(network)
    dimensions = digits.SIDE**2
    learner = arms.Learner(
        apply, taps.tapped(network), dimensions, tasks, remembered, settings.batch
    )
    return sequence.make_learner(
        lambda key: network.init(key, jnp.zeros(dimensions))["params"],
        apply,
        arms.make(method, learner),
        settings,
    )


@functools.cache
def tester(width: int):
    """The compiled `sequence.accuracies` of all rows; all methods share it."""
    apply = taps.untapped(mlp.MLP((width,)))
    return jax.jit(parallel.vmap(lambda p, x, y: sequence.accuracies(apply, p, x, y)))


def learn_sequence(
    config, run, name: str, method: str, data: digits.Tasks, strength
) -> dict[str, np.ndarray]:
    """`matrix` [rows, T, T] of accuracies; data and `strength` lead with rows, one a seed."""
    rows, tasks = data.y_TxN.shape[:2]
    settings = sequence.Settings(config.steps, config.batch, config.learning_rate)
    init, learn = make(method, tasks, config.remembered[name], config.width, settings)
    test, strength = tester(config.width), np.asarray(strength, np.float32)
    state = init(_keys(config, rows))
    seen = []
    for task in range(tasks):
        state = learn(state, data.x_TxNxD[:, task], data.y_TxN[:, task], strength)
        seen.append(np.asarray(test(state.params, data.x_test_TxMxD, data.y_test_TxM)))
        if run.stopping:
            raise run.interrupted()
    return faults.blanked(state.fault, {"matrix": np.stack(seen, 1)})


def learn_jointly(config, run, name: str, data: digits.Tasks) -> dict[str, np.ndarray]:
    """All tasks at once, in as many steps: `matrix` [S, 1, T]."""
    rows, tasks = data.y_TxN.shape[:2]
    settings = sequence.Settings(config.steps * tasks, config.batch, config.learning_rate)
    init, learn = make("plain", tasks, config.remembered[name], config.width, settings)
    x = data.x_TxNxD.reshape(rows, -1, digits.SIDE**2)
    y = data.y_TxN.reshape(rows, -1)
    state = learn(init(_keys(config, rows)), x, y, np.zeros(rows, np.float32))
    if run.stopping:
        raise run.interrupted()
    right = np.asarray(tester(config.width)(state.params, data.x_test_TxMxD, data.y_test_TxM))
    return faults.blanked(state.fault, {"matrix": right[:, None]})


def load(config, name: str) -> digits.Tasks:
    """The tasks of all seeds, stacked: every array leads with S."""
    seeds = range(config.seed, config.seed + config.seeds)
    parts = zip(*(SEQUENCES[name](seed, config) for seed in seeds), strict=True)
    return digits.Tasks(*map(np.stack, parts))


def judge(config, run) -> dict:
    """Every method on every sequence: records[sequence][method] is [S, T, T], joint [S, 1, T]."""
    plan = [(name, method) for name in SEQUENCES for method in config.methods[name]]
    records: dict = {name: {} for name, _ in plan}
    for number, (name, method) in enumerate(plan):
        run.progress(number, len(plan), "arms", next=f"{name} {method}")
        records[name][method] = _parts.once(
            run, f"{name}-{method}", functools.partial(_arm, config, run, name, method)
        )["matrix"]
    run.progress(len(plan), len(plan), "arms")
    return records


def tune(config, run) -> dict:
    """Every strength of the grid, on seeds of its own: baselines[sequence][method]."""
    scores: dict = {name: {} for name in config.strength}
    plan = [(name, method) for name in config.strength for method in config.strength[name]]
    for number, (name, method) in enumerate(plan):
        run.progress(number, len(plan), "arms", next=f"{name} {method}")
        grid = np.array(config.grid, np.float32) * config.unit[method]
        one = functools.partial(_grid, config, run, name, method, grid)
        matrix = _parts.once(run, f"{name}-{method}", one)["matrix"]
        tried = {
            f"{strength:g}": {m: float(f(part).mean()) for m, f in forgetting.MEASURES.items()}
            for strength, part in zip(grid, np.split(matrix, len(grid)), strict=True)
            if np.isfinite(part).all()
        }
        chosen = _choose(tried)
        run.say(f"{name} {method}: strength {chosen}")
        scores[name][method] = {"chosen": float(chosen), "grid": tried}
    return scores


def main(config, run) -> dict:
    """Every method on every sequence, then the claims, then the report."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    if config.tune:
        return run.result([], seeds, baselines=tune(config, run))
    records = judge(config, run)
    result = run.result(seeds=seeds, **_forgetting_report.claims(records))
    _forgetting_report.write(config.to_dict(), run, records, result)
    return result


def _arm(config, run, name: str, method: str) -> dict[str, np.ndarray]:
    data = load(config, name)
    if method == "joint":
        return learn_jointly(config, run, name, data)
    kind = method.removesuffix("_stiff")
    strength = config.strength[name].get(kind, 0.0)
    strength *= config.stiff if kind != method else 1.0
    return learn_sequence(config, run, name, kind, data, np.full(config.seeds, strength))


def _grid(config, run, name: str, method: str, grid: np.ndarray) -> dict[str, np.ndarray]:
    """As `_arm`, a row for each strength and seed: no run's seeds, whose faults would be told."""
    data = load(config, name)
    repeated = (np.concatenate([part] * len(grid)) for part in data)
    rows = np.repeat(grid, config.seeds)
    learnt = learn_sequence(config, run, name, method, digits.Tasks(*repeated), rows)
    return {"matrix": learnt["matrix"]}


def _choose(tried: dict[str, dict[str, float]]) -> str:
    """Of the strengths within TIE of the best average, the one that keeps the first task best."""
    best = max(row["average"] for row in tried.values())
    near = [strength for strength, row in tried.items() if row["average"] >= best - TIE]
    return max(near, key=lambda strength: tried[strength]["first"])


def _keys(config, rows: int) -> jax.Array:
    return jax.vmap(jax.random.key)(config.seed + jnp.arange(rows) % config.seeds)


if __name__ == "__main__":
    _launch.launch("forgetting", main, check)
