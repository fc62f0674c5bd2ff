"""An agent reads an object's properties off one look: who can mislead it, and does it notice?

It babbles for a short while and fills its grounding table; an ensemble learns to read the table's
own estimates off looks, and to reconstruct them. Then looks are attacked, and a guard decides which
answers may enter a table and semantic memory. Presets: laptop (20 seeds), quick (3 seeds).
"""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from experiments import _adversarial_report, _launch, _parts, _ranges
from nsca_jax import objects, types
from nsca_jax.evaluation import poison, transfer
from nsca_jax.grounding import table as table_lib
from nsca_jax.reports import results
from nsca_jax.robustness import attacks, detection
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.training import experience, faults, readout

LEVELS = 3
BINS = 2
CHANNELS = ("red", "green", "blue", "depth")
CAMERA = camera_lib.Camera()
EXAMPLES = 4  # looks of the first seed that the report shows
MARGIN = 0.05  # by which an attacker that knows the limit stays below it
LEAD = 2.0  # nats by which a flipped answer leads: enough, the attacker turns to the next


@struct.dataclass
class Agent:
    """What attacks are carried out on; every leaf leads with S."""

    eye: readout.ReadOutState
    detector: detection.Detector


class Stage(NamedTuple):
    """The objects: 0 .. count - 1 are known, the rest are Set B; and the known ones recoloured."""

    body: experience.Body
    recoloured: experience.Body
    count: int
    count_b: int


def check(config) -> None:
    """Refuses what cannot run, in one sentence each."""
    _ranges.check(config)
    if not 0 < config.refusal_rate <= 0.05:
        _ranges.refuse("refusal_rate", config.refusal_rate, "above 0 and at most 0.05")
    if config.test % 2 == 0:
        _ranges.refuse("test", config.test, "odd, so that a median of answers is an answer")
    objects.concatenate([objects.load(config.objects_a), objects.load(config.objects_b)])


def settings_of(config) -> readout.ReadOutSettings:
    """The read-out's static settings."""
    return readout.ReadOutSettings(
        properties=len(poison.READ),
        levels=LEVELS,
        members=config.members,
        batch=config.batch,
        steps=config.steps,
        learning_rate=config.learning_rate,
        reconstruction=config.reconstruction,
    )


def make_stage(config) -> Stage:
    """Loads both sets; the recoloured one has the same things in colours drawn at random."""
    set_a, set_b = objects.load(config.objects_a), objects.load(config.objects_b)
    body = experience.make_body(objects.concatenate([set_a, set_b]).properties)
    paint = jax.random.uniform(jax.random.key(config.seed), body.scene.rgb.shape)
    recoloured = body.replace(scene=body.scene.replace(rgb=paint))
    return Stage(body, recoloured, len(set_a.names), len(set_b.names))


def babble(config, stage: Stage) -> poison.Levels:
    """A short babble of every seed, and the levels of what its table then holds."""
    regions, rounds = stage.count * len(types.SKILLS) * BINS, config.seeds * config.interactions
    dealt = transfer.deal(jax.random.key(config.seed), 0, stage.count, rounds, BINS)
    region, *acts = jax.device_get(dealt)
    felt = []
    for start in range(0, len(region), regions):  # a block of one program is every region once
        one = jax.tree.map(lambda x, n=start: x[n : n + regions], acts)
        felt.append(jax.device_get(_feel(stage.body, *one)))
    per_seed = config.seeds, config.interactions * regions
    rows = jax.tree.map(lambda *x: np.concatenate(x).reshape(*per_seed, *x[0].shape[1:]), *felt)

    def one_seed(rows):
        return poison.levels(table_lib.update(table_lib.init(stage.count), *rows), LEVELS)

    return jax.jit(jax.vmap(one_seed))(rows)


def looks_at(config, stage: Stage, body: experience.Body, things, times: int, purpose: int):
    """(object_id [S, n], looks [S, n, H, W, 4] uint8): each of the `things` so many times.

    Drawn in blocks of as many looks as there are known objects: one program serves them all.
    """
    ids, size, keys = np.tile(things, times), stage.count, _keys(config.seed, config.seeds)
    blocks = [
        _render(body, keys, purpose, n, np.resize(ids[n : n + size], size), config.camera_noise)
        for n in range(0, len(ids), size)
    ]
    looks = np.concatenate(blocks, 1)[:, : len(ids)]
    return np.broadcast_to(ids, (config.seeds, len(ids))), looks


def learn(config, run, stage: Stage, levels: poison.Levels) -> Agent:
    """The read-out, and the guard's limits from looks that it was not trained on."""
    settings, keys, known = settings_of(config), _keys(config.seed, config.seeds), _known(stage)
    ids, looks = looks_at(config, stage, stage.body, known, config.training, 1)
    _, fresh = looks_at(config, stage, stage.body, known, config.calibration, 2)

    def one(key, ids, looks, fresh, levels):
        eye, losses = readout.learn(settings, key, looks, levels.level[ids], levels.known[ids])
        probs, residual = jax.vmap(lambda x: readout.read(settings, eye, x / 255.0))(fresh)
        apart = jax.vmap(detection.disagreement)(probs)
        return Agent(eye, detection.calibrate(residual, apart, config.refusal_rate)), losses

    program = jax.jit(jax.vmap(one))
    args = (keys, ids, looks, fresh, levels)
    agent = run.restore(jax.eval_shape(program, *args)[0], name="agent")
    if agent is None:
        agent, losses = program(*args)
        last = np.asarray(losses[:, -1])
        run.log(config.steps, {"loss": [float(x) if np.isfinite(x) else None for x in last]})
        run.save(config.steps, agent, name="agent")
    run.tell_faults("reading looks", faults.found(agent.eye.fault))
    return agent


def make_attacks(config) -> dict[str, Callable]:
    """name -> f(agent, looks [S, n, H, W, 4], answer [S, n, P], keys [S]) -> looks, in [0, 255]."""
    settings, eps = settings_of(config), config.eps / 255.0

    def pgd(size, steps, norm="linf", weight=0.0):
        climb = climber(settings, steps, norm, wary=weight > 0)
        return lambda *given: climb(*given, size, weight)

    out: dict[str, Callable] = {
        "clean": lambda agent, looks, answer, keys: looks,
        "random signs": lambda *given: signs()(*given, eps, 0.0),
        "FGSM": lambda *given: fgsm(settings)(*given, eps, 0.0),
    }
    for size in sorted({*config.curve, config.eps}):
        out[f"PGD {size}"] = pgd(size / 255.0, config.attack_steps)
    out["PGD l2"] = pgd(config.eps_l2, config.attack_steps, "l2")
    for weight in config.adaptive_weights:
        out[f"adaptive {weight:g}"] = pgd(eps, config.adaptive_steps, weight=weight)
    out["black"] = lambda agent, looks, answer, keys: np.zeros_like(looks)
    for channel, name in enumerate(CHANNELS):
        alive = np.arange(len(CHANNELS)) != channel
        out[f"dead {name}"] = lambda agent, looks, answer, keys, alive=alive: looks * alive
    return out


def flip(settings: readout.ReadOutSettings, agent: Agent, answer, weight, wary: bool, x):
    """By how much wrong answers lead; of a `wary` attacker less what the detector would say."""
    probs, residual = readout.read(settings, agent.eye, x)
    log = jnp.log(jnp.mean(probs, 0) + 1e-12)
    right = jax.nn.one_hot(answer, LEVELS, dtype=bool)
    lead = jnp.max(jnp.where(right, -jnp.inf, log), -1) - jnp.max(
        jnp.where(right, log, -jnp.inf), -1
    )
    gain = jnp.sum(jnp.minimum(lead, LEAD))
    if not wary:
        return gain
    suspicion = detection.score(agent.detector, residual, probs)
    return gain - weight * jnp.maximum(suspicion + MARGIN - 1, 0)


@functools.cache
def climber(settings: readout.ReadOutSettings, steps: int, norm: attacks.Norm, wary: bool):
    """PGD of any size, and of any weight where `wary`; kept, so that sizes share a program."""

    def one(agent, x, answer, key, eps, weight):
        loss = functools.partial(flip, settings, agent, answer, weight, wary)
        return attacks.pgd(loss, x, key, eps, steps, norm)

    return _on_looks(one)


@functools.cache
def fgsm(settings: readout.ReadOutSettings):
    """One step of any size."""

    def one(agent, x, answer, key, eps, weight):
        return attacks.fgsm(functools.partial(flip, settings, agent, answer, 0.0, False), x, eps)

    return _on_looks(one)


@functools.cache
def signs():
    """The control: a step of that size that knows nothing."""

    def one(agent, x, answer, key, eps, weight):
        return jnp.clip(x + eps * jax.random.rademacher(key, x.shape, x.dtype), 0.0, 1.0)

    return _on_looks(one)


def judge(config, attack: Callable, agent: Agent, looks, answer) -> Mapping[str, np.ndarray]:
    """What the agent answers to attacked looks [S, n] and how suspicious they are.

    answer [S, n, P], surprise and disagreement [S, n] in units of their limits, and a few looks.
    """
    seen = np.asarray(attack(agent, looks, answer, _keys(config.seed, config.seeds)), np.uint8)
    told = jax.device_get(examiner(settings_of(config))(agent, seen))
    return {**told, "looks": seen[0, :EXAMPLES]}


@functools.cache
def examiner(settings: readout.ReadOutSettings):
    """The compiled (agent, looks [S, n, ...]) -> what `judge` tells of them."""

    def one(agent, look):
        probs, residual = readout.read(settings, agent.eye, look / 255.0)
        limits = agent.detector
        return {
            "answer": jnp.argmax(jnp.mean(probs, 0), -1),
            "surprise": detection.surprise(residual, limits.spread) / limits.surprise_limit,
            "disagreement": detection.disagreement(probs) / limits.disagreement_limit,
        }

    return jax.jit(jax.vmap(jax.vmap(one, (None, 0))))


def main(config, run) -> dict:
    """Babble, learn, attack; then the claims, then the report."""
    stage = make_stage(config)
    names = [*make_attacks(config), "recoloured", "Set B"]
    run.progress(0, len(names) + 2, "parts", next="babbling")
    levels = poison.Levels(**_parts.once(run, "levels", lambda: vars(babble(config, stage))))
    run.progress(1, len(names) + 2, "parts", next="learning to read looks")
    agent = learn(config, run, stage, levels)
    ids, looks = looks_at(config, stage, stage.body, _known(stage), config.test, 3)
    nothing = np.zeros((*ids.shape, len(poison.READ)), np.int32)
    records: dict[str, Mapping[str, np.ndarray]] = {}
    for number, name in enumerate(names):
        if run.stopping:
            raise run.interrupted()
        run.progress(number + 2, len(names) + 2, "parts", next=name)
        answer = records["clean"]["answer"] if records else nothing
        part = functools.partial(_arm, config, stage, agent, name, looks, answer)
        records[name] = _parts.once(run, name.replace(" ", "-"), part)
    run.progress(len(names) + 2, len(names) + 2, "parts")
    seeds_apart = [{k: x for k, x in r.items() if k != "looks"} for r in records.values()]
    levels, ids, kept = run.without_failed((levels, ids, seeds_apart))
    records = {n: {**records[n], **mine} for n, mine in zip(records, kept, strict=True)}
    facts = _adversarial_report.Facts(levels, ids, records, config.eps)
    claims = _adversarial_report.claims(facts)
    claims["criteria"] = results.with_failed(claims["criteria"], run.failed)
    result = run.result(seeds=[config.seed + i for i in range(config.seeds)], **claims)
    _adversarial_report.write(config.to_dict(), run, facts, result)
    return result


def _arm(config, stage: Stage, agent: Agent, name: str, looks, answer):
    known = make_attacks(config)
    if name == "recoloured":
        _, looks = looks_at(config, stage, stage.recoloured, _known(stage), config.test, 4)
    elif name == "Set B":
        things = stage.count + np.arange(stage.count_b)
        times = -(-stage.count * config.test // stage.count_b)
        _, looks = looks_at(config, stage, stage.body, things, times, 5)
        answer = np.zeros((*looks.shape[:2], len(poison.READ)), np.int32)
    return judge(config, known.get(name, known["clean"]), agent, looks, answer)


def _on_looks(one: Callable) -> Callable:
    """`one(agent, look in [0, 1], answer [P], key, eps, weight)` over seeds and packed looks."""

    def seed(agent, looks, answer, key, eps, weight):
        keys = jax.random.split(jax.random.fold_in(key, 9), len(looks))
        over = jax.vmap(one, (None, 0, 0, 0, None, None))
        return jnp.round(255.0 * over(agent, looks / 255.0, answer, keys, eps, weight))

    return jax.jit(jax.vmap(seed, (0, 0, 0, 0, None, None)))


@jax.jit
def _feel(body: experience.Body, key_data, choice: experience.Choice):
    """What a table is told of interactions; no more is asked, or compiled."""
    keys = jax.random.wrap_key_data(key_data)
    rows, _ = experience.carry_out(body, CAMERA, keys, choice)
    return rows.object_id, rows.measured, rows.measured_ok, rows.outcome.broken


@functools.partial(jax.jit, static_argnums=5)
def _render(body, keys_S, purpose, block, ids_n, noise: float):
    def one(key):
        key = jax.random.fold_in(jax.random.fold_in(key, purpose), block)
        return readout.spawn_looks(body, CAMERA, key, ids_n, noise)

    return jax.vmap(one)(keys_S)


@functools.cache
def _keys(first: int, seeds: int) -> jax.Array:
    return jax.jit(jax.vmap(jax.random.key))(np.arange(first, first + seeds))


def _known(stage: Stage) -> np.ndarray:
    return np.arange(stage.count)


if __name__ == "__main__":
    _launch.launch("adversarial", main, check)
