"""An agent reads an object's properties off one look: who can mislead it, and does it notice?

It babbles for a short while and fills its grounding table; an ensemble learns to read the table's
own estimates off looks, and to reconstruct them. Then looks are attacked, and a guard decides which
answers may enter a table. Presets: laptop (20 seeds), quick (3 seeds).
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
    truth = body.scene.properties
    paint = truth.replace(rgb=jax.random.uniform(jax.random.key(config.seed), truth.rgb.shape))
    recoloured = body.replace(scene=body.scene.replace(properties=paint))
    return Stage(body, recoloured, len(set_a.names), len(set_b.names))


def babble(config, stage: Stage) -> poison.Levels:
    """A short babble of every seed, and the levels of what its table then holds."""
    key, per_seed = jax.random.key(config.seed), config.interactions
    regions = stage.count * len(types.SKILLS) * BINS
    rounds = config.seeds * per_seed
    held = transfer.collect(stage.body, CAMERA, key, 0, stage.count, rounds, BINS, regions)
    rows = jax.tree.map(lambda x: x.reshape(config.seeds, -1, *x.shape[1:]), held.rows)

    def one(rows):
        table = table_lib.update(
            table_lib.init(stage.count),
            rows.object_id,
            rows.measured,
            rows.measured_ok,
            rows.outcome.broken,
        )
        return poison.levels(table, LEVELS)

    return jax.jit(jax.vmap(one))(rows)


def looks_at(config, body: experience.Body, first: int, count: int, times: int, purpose: int):
    """(object_id [S, n], looks [S, n, H, W, 4] uint8), every object as often."""
    ids = jnp.tile(first + jnp.arange(count), (config.seeds, times))
    keys = jax.vmap(jax.random.fold_in, (0, None))(_keys(config), purpose)
    return ids, _render(body, keys, ids, config.camera_noise)


def learn(config, run, stage: Stage, levels: poison.Levels) -> Agent:
    """The read-out, and the guard's limits from looks that it was not trained on."""
    settings, keys = settings_of(config), _keys(config)
    ids, looks = looks_at(config, stage.body, 0, stage.count, config.training, 1)
    _, fresh = looks_at(config, stage.body, 0, stage.count, config.calibration, 2)

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
    """name -> f(agent, look, answer [P], key) -> look, of one seed and one look in [0, 1]."""
    settings = settings_of(config)

    def flip(agent, answer, weight, x):
        """By how much wrong answers lead, less what the detector would say of it."""
        probs, residual = readout.read(settings, agent.eye, x)
        log = jnp.log(jnp.mean(probs, 0) + 1e-12)
        right = jax.nn.one_hot(answer, LEVELS, dtype=bool)
        lead = jnp.max(jnp.where(right, -jnp.inf, log), -1) - jnp.max(
            jnp.where(right, log, -jnp.inf), -1
        )
        gain = jnp.sum(jnp.minimum(lead, LEAD))
        if not weight:
            return gain
        suspicion = detection.score(agent.detector, residual, probs)
        return gain - weight * jnp.maximum(suspicion + MARGIN - 1, 0)

    def pgd(agent, x, answer, key, eps, steps, norm="linf", weight=0.0):
        loss = functools.partial(flip, agent, answer, weight)
        return attacks.pgd(loss, x, key, eps, steps, norm)

    def fgsm(agent, x, answer, key):
        return attacks.fgsm(functools.partial(flip, agent, answer, 0.0), x, eps)

    def signs(agent, x, answer, key):
        return jnp.clip(x + eps * jax.random.rademacher(key, x.shape, x.dtype), 0.0, 1.0)

    def dead(agent, x, answer, key, channel):
        return x.at[..., channel].set(0.0)

    eps, steps = config.eps / 255.0, config.attack_steps
    out = {"clean": lambda agent, x, answer, key: x, "random signs": signs, "FGSM": fgsm}
    for size in sorted({*config.curve, config.eps}):
        out[f"PGD {size}"] = functools.partial(pgd, eps=size / 255.0, steps=steps)
    out["PGD l2"] = functools.partial(pgd, eps=config.eps_l2, steps=steps, norm="l2")
    for weight in config.adaptive_weights:
        out[f"adaptive {weight:g}"] = functools.partial(
            pgd, eps=eps, steps=config.adaptive_steps, weight=weight
        )
    out["black"] = lambda agent, x, answer, key: 0.0 * x
    for channel, name in enumerate(CHANNELS):
        out[f"dead {name}"] = functools.partial(dead, channel=channel)
    return out


def judge(config, attack: Callable, agent: Agent, looks, answer) -> Mapping[str, np.ndarray]:
    """What the agent answers to attacked looks [S, n] and how suspicious they are.

    answer [S, n, P], surprise and disagreement [S, n] in units of their limits, and a few looks.
    """
    settings = settings_of(config)

    def one(agent, look, answer, key):
        look = jnp.round(255.0 * attack(agent, look / 255.0, answer, key))
        probs, residual = readout.read(settings, agent.eye, look / 255.0)
        limits = agent.detector
        return (
            jnp.argmax(jnp.mean(probs, 0), -1),
            detection.surprise(residual, limits.spread) / limits.surprise_limit,
            detection.disagreement(probs) / limits.disagreement_limit,
            look.astype(jnp.uint8),
        )

    def seed(agent, looks, answer, key):
        keys = jax.random.split(jax.random.fold_in(key, 9), len(looks))
        return jax.vmap(one, (None, 0, 0, 0))(agent, looks, answer, keys)

    answers, surprise, apart, seen = jax.jit(jax.vmap(seed))(agent, looks, answer, _keys(config))
    return {
        "answer": answers,
        "surprise": surprise,
        "disagreement": apart,
        "looks": seen[0, :EXAMPLES],
    }


def main(config, run) -> dict:
    """Babble, learn, attack; then the claims, then the report."""
    stage = make_stage(config)
    names = [*make_attacks(config), "recoloured", "Set B"]
    run.progress(0, len(names) + 2, "parts", next="babbling")
    levels = poison.Levels(**_parts.once(run, "levels", lambda: vars(babble(config, stage))))
    run.progress(1, len(names) + 2, "parts", next="learning to read looks")
    agent = learn(config, run, stage, levels)
    ids, looks = looks_at(config, stage.body, 0, stage.count, config.test, 3)
    nothing = jnp.zeros((*ids.shape, len(poison.READ)), jnp.int32)
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
        _, looks = looks_at(config, stage.recoloured, 0, stage.count, config.test, 4)
    elif name == "Set B":
        times = -(-stage.count * config.test // stage.count_b)
        _, looks = looks_at(config, stage.body, stage.count, stage.count_b, times, 5)
        answer = jnp.zeros((*looks.shape[:2], len(poison.READ)), jnp.int32)
    return judge(config, known.get(name, known["clean"]), agent, looks, answer)


@functools.partial(jax.jit, static_argnums=3)
def _render(body, keys_S, ids_Sxn, noise: float):
    def one(key, ids):
        return readout.spawn_looks(body, CAMERA, key, ids, noise)

    return jax.vmap(one)(keys_S, ids_Sxn)


def _keys(config) -> jax.Array:
    return jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))


if __name__ == "__main__":
    _launch.launch("adversarial", main, check)
