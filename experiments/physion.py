"""Will the red thing touch the yellow one? Physion's question, asked of a model that foresees.

A world model learns from films without labels to foresee what is seen. Then it sees the beginning
of others, and imagines how they go on; a linear read-out is asked, from what it saw and from what
it saw and imagined. Without --config.data the scenes are physion_like, made here: not Physion.
Presets: laptop (20 seeds), quick (2 seeds), paper (Physion itself: give --config.data=FOLDER).
"""

# flax dataclasses have `replace`, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from experiments import _launch, _parts, _physion_report, _ranges
from experiments import _physion_world as world
from nsca_jax.data import physion
from nsca_jax.evaluation import physion as judge
from nsca_jax.models import foresight as model_lib
from nsca_jax.priors import figures
from nsca_jax.training import faults, foresight

CHUNK = 50  # gradient steps between two looks at the clock
SAVE_EVERY = 500  # gradient steps
SHOWN_PX = 32  # of the pictures kept for the report
STILL_PX = 16  # of the picture that the static heuristic has
SPLITS = ("dynamics", "readout", "test")


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    if config.steps % CHUNK and config.steps > CHUNK:
        _ranges.refuse("steps", config.steps, f"a multiple of {CHUNK}, or less than that")
    for name in SPLITS:
        if not config.data and (config[name] < 2 or config[name] % 2):
            needs = "an even number, 2 or more, unless config.data is a folder"
            _ranges.refuse(name, config[name], needs)
    if config.data:
        for split in SPLITS:
            _open(config, Path(config.data), split)


def perceive(config, run, folder: Path, split: str, scenario: str) -> dict[str, np.ndarray]:
    """Of N trials: percepts, pictures for the report, the last picture, label, scenario, ids."""
    dataset = _open(config, folder, split, scenario)
    stream = dataset.trials()
    rows = []
    try:
        for trial in stream:
            frames = trial.pop("frames")
            percept = jax.device_get(_percept(frames))
            looks = _shrink(frames[-foresight.OBSERVED :], SHOWN_PX)
            seen = {"things": percept.things, "near": percept.near, "looks": looks}
            alone = jax.device_get(_percept(frames[-1:]).near[0])
            rows.append(trial | seen | {"last": frames[-1], "last_near": alone})
            run.progress(len(rows), len(dataset.ids), f"{split} trials", of=scenario)
            if run.stopping:
                raise run.interrupted()
    except physion.DataError as error:
        raise _launch.BadInput(str(error)) from error
    return {
        **{name: np.stack([row[name] for row in rows]) for name in (rows or [{}])[0]},
        "skipped": np.array(sorted(f"{k}: {v}" for k, v in stream.skipped.items()), str),
    }


def gather(config, run, folder: Path, split: str) -> dict[str, np.ndarray]:
    """All trials of a split, scenario after scenario, each a part of its own."""
    parts = [
        _parts.once(run, f"{split}_{s}", functools.partial(perceive, config, run, folder, split, s))
        for s in physion.SCENARIOS
    ]
    dataset = _open(config, folder, split)
    full = [part for part in parts if "label" in part]
    if not full:
        raise _launch.BadInput(f"config.data: none of the {split} trials can be read")
    out = {name: np.concatenate([part[name] for part in full]) for name in full[0]}
    out["skipped"] = np.concatenate([part["skipped"] for part in parts])
    return out | {"missing": np.array(dataset.missing), "excluded": np.array(dataset.excluded)}


def learn(config, run, films: figures.Percept) -> dict[str, np.ndarray]:
    """Parameters of every seed, newborn ("fresh") and grown, and the loss [S, chunks]."""
    init, one = foresight.make_learner(_model(config), _settings(config))
    chunk = min(CHUNK, config.steps)
    many = jax.vmap(functools.partial(one, steps=chunk), (0, 0, None))
    grow = jax.jit(many, donate_argnums=0)
    keys = jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))
    newborn = jax.jit(jax.vmap(init, (0, None)))(keys, films)
    fresh = jax.tree.map(jnp.copy, newborn.params)
    told = jnp.zeros((config.seeds, config.steps // chunk))
    learner, told = run.restore((newborn, told)) or (newborn, told)
    for step in range(int(learner.step[0]) + chunk, config.steps + 1, chunk):
        learner, loss = grow(learner, keys, films)
        run.tell_faults("models", faults.found(learner.optimiser))
        mean = loss.mean(1)
        told = told.at[:, step // chunk - 1].set(mean)
        run.log(step, {"loss": [float(x) if np.isfinite(x) else None for x in mean]})
        run.progress(step, config.steps, "steps", loss=float(np.nanmean(mean)))
        if run.stopping or step % SAVE_EVERY == 0:
            run.save(step, (learner, told))
        if run.stopping:
            raise run.interrupted()
    tree = jax.device_get({"grown": learner.params, "fresh": fresh})
    flat: dict = traverse_util.flatten_dict(tree, sep="/")
    return {**flat, "loss": np.asarray(told), "faults": faults.found(learner.optimiser)}


def read_outs(config, run, seen, films, flat: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Answers [S, N] right or not, C and training accuracy [S] of every arm, and one future."""
    tree = traverse_util.unflatten_dict({k: v for k, v in flat.items() if "/" in k}, sep="/")
    tell = jax.jit(jax.vmap(functools.partial(foresight.features, _model(config)), (0, None)))
    out: dict[str, np.ndarray] = {}
    done, total = 0, len(_physion_report.ARMS) * config.seeds
    for born in ("grown", "fresh"):
        told = {split: tell(tree[born], films[split]) for split in ("readout", "test")}
        if born == "grown":
            out["peak"] = np.asarray(told["test"][2])
        for arm in _physion_report.ARMS:
            if not arm.startswith(born):
                continue
            parts = slice(0, 2) if arm.endswith("imagined") else slice(0, 1)
            x = {k: np.concatenate([np.asarray(f) for f in v[parts]], -1) for k, v in told.items()}
            answers = []
            for s in range(config.seeds):
                answers.append(_answer(seen, x["readout"][s], x["test"][s]))
                done += 1
                run.progress(done, total, "read-outs", arm=arm)
                if run.stopping:
                    raise run.interrupted()
            out |= {f"{arm}/{k}": np.stack(v) for k, v in _columns(answers).items()}
    return out


def stills(seen: dict[str, dict]) -> dict[str, np.ndarray]:
    """What the last observed picture tells by itself: its pixels and how near red is to yellow."""

    def x(split: str) -> np.ndarray:
        pixels = _shrink(seen[split]["last"], STILL_PX).reshape(len(seen[split]["last"]), -1)
        return np.concatenate([pixels / 255.0, seen[split]["last_near"]], -1)

    return {k: np.stack(v) for k, v in _columns([_answer(seen, x("readout"), x("test"))]).items()}


def simulate(config, run, folder: Path, test: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """[scenarios] accuracy of the noisy simulator on the first test trials of each."""
    right = []
    for number, scenario in enumerate(physion.SCENARIOS):
        run.progress(number, len(physion.SCENARIOS), "scenarios", oracle=scenario)
        label = test["label"][test["scenario"] == number][: config.oracle]
        said = world.oracle(folder, "test", scenario, len(label), config.oracle_tries) > 0.5
        right.append(float(np.mean(said == label)))
        if run.stopping:
            raise run.interrupted()
    return {"accuracy": np.array(right)}


def main(config, run) -> dict:
    """The scenes, what is seen of them, learning, read-outs, then the claims and the report."""
    folder = Path(config.data) if config.data else run.workdir / "physion_like"
    if not config.data:
        world.make(run, folder, {split: config[split] for split in SPLITS})
    seen = {split: gather(config, run, folder, split) for split in SPLITS}
    films = {split: figures.Percept(rows["things"], rows["near"]) for split, rows in seen.items()}
    films = jax.tree.map(jnp.asarray, films)
    flat = _parts.once(run, "models", lambda: learn(config, run, films["dynamics"]))
    answers = _parts.once(run, "answers", lambda: read_outs(config, run, seen, films, flat))
    still = _parts.once(run, "still", lambda: stills(seen))
    oracle = {}
    if not config.data:
        oracle = _parts.once(run, "oracle", lambda: simulate(config, run, folder, seen["test"]))
    found = _physion_report.Found(seen, flat["loss"], answers, still, oracle)
    result = run.result(
        seeds=list(range(config.seed, config.seed + config.seeds)),
        **_physion_report.claims(config, found),
    )
    _physion_report.write(config, run, found, result, folder)
    return result


def _open(config, folder: Path, split: str, scenario: str = "") -> physion.Dataset:
    """A split with the frames that are needed of it; raises BadInput."""
    every = range(0, world.FRAMES, world.EVERY)
    observed = foresight.OBSERVED * world.EVERY
    ends = (judge.CUTOFF, judge.CUTOFF_COLLIDE)
    frames = (
        (tuple(every),) * 2
        if split == "dynamics"
        else tuple(tuple(range(end + world.EVERY - observed, end + 1, world.EVERY)) for end in ends)
    )
    settings = physion.Settings(*frames, height=world.EYE.height, width=world.EYE.width)
    limit = config[split] if config.data else 0
    try:
        return physion.open_dataset(folder, split, settings, limit, scenario)
    except physion.DataError as error:
        raise _launch.BadInput(f"config.data: {error}") from error


@jax.jit
def _percept(frames: jax.Array) -> figures.Percept:
    return figures.percept(frames.astype(jnp.float32) / 255.0, foresight.OBSERVED)


def _shrink(images: np.ndarray, side: int) -> np.ndarray:
    """[..., side, side, 3] uint8 means over squares."""
    *lead, height, width, _ = images.shape
    blocks = images.reshape(*lead, side, height // side, side, width // side, 3)
    return blocks.mean((-4, -2)).round().astype(np.uint8)


@functools.cache
def _network(width: int) -> model_lib.Foresight:
    return model_lib.Foresight(width=width)


def _model(config) -> model_lib.Foresight:
    return _network(config.width)


def _settings(config) -> foresight.Settings:
    return foresight.Settings(config.batch, config.steps, config.learning_rate, config.weight_decay)


def _answer(seen, train_x: np.ndarray, test_x: np.ndarray) -> judge.Answer:
    return judge.read_out(train_x, seen["readout"]["label"], test_x, seen["test"]["label"])


def _columns(answers: list[judge.Answer]) -> dict[str, list]:
    return {name: [getattr(a, name) for a in answers] for name in judge.Answer._fields}


if __name__ == "__main__":
    _launch.launch("physion", main, check)
