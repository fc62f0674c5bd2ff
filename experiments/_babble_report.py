"""Figures, films, sounds and the page of a babbling run."""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

import jax
import jax.numpy as jnp
import numpy as np

from nsca_jax import types
from nsca_jax.evaluation import babbling_claims as claims_lib
from nsca_jax.evaluation import transfer
from nsca_jax.reports import figures, html, media
from nsca_jax.reports import metrics as metrics_lib
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sensors import sound
from nsca_jax.training import experience
from nsca_jax.types import PROPERTIES, SKILLS

UNITS = ("1/s²", "kg", "m", "minus damping ratio", "N s")
FILM_PIXELS = 96
SAMPLE_RATE_HZ = 22_050
SHOWN = 6  # interactions in the films


def write(config: dict, run, stage, settings, learner, records: dict, result: dict):
    """Write figures/, report.html and what it shows; returns the report's path."""
    folder = run.workdir / "figures"
    folder.mkdir(exist_ok=True)
    history, _ = metrics_lib.read(run.workdir / "metrics.jsonl")
    main = records["competence"]
    sections = [
        _learning(folder, history, stage, records),
        _exploration(folder, settings, stage, main, records),
        _grounding(folder, stage, main),
        _prediction(folder, settings, stage, learner),
        _films(folder, config, stage),
    ]
    return html.write_report(
        run.workdir / "report.html",
        title="Babbling",
        summary=_summary(result, stage),
        criteria=result["criteria"],
        sections=sections,
        config=config,
        versions=result["versions"],
        monitors=result["monitors"],
    )


def _summary(result: dict, stage) -> str:
    passed = sum(c["passed"] for c in result["criteria"])
    return (
        f"An agent without labels dropped, struck, pushed and lifted {stage.count_a} objects and "
        f"then predicted {stage.count_b} that it had never met. {passed} of "
        f"{len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds."
    )


def _learning(folder, history, stage, records) -> html.Section:
    lines = {}
    for line in history:  # a resumed run may have logged a step twice: the later one counts
        if line["arm"] == "competence":
            lines[line["step"]] = line
    steps = np.array(sorted(lines))
    names = {"a": "Set A", "b": "Set B, never met"}
    skill = {
        m: {
            name: np.array([lines[s][f"skill_{part}_{m}"] for s in steps]).T
            for part, name in names.items()
        }
        for m in transfer.MODALITIES
    }
    curve = figures.learning_curves(folder / "learning.png", steps, skill)
    base = claims_lib.baselines(stage)
    bars = {}
    for arm, record in records.items():
        bars[arm] = {m: record[f"skill_b_{m}"] for m in transfer.MODALITIES}
    bars["persistence"] = {m: np.array([base["persistence_b"][m]]) for m in transfer.MODALITIES}
    bars["Set B's mean"] = {m: np.zeros(1) for m in transfer.MODALITIES}
    bar = figures.skill_bars(folder / "skill.png", bars)
    return html.Section(
        "Prediction",
        "From the senses at the spawn, the skill and its parameters, the world model predicts the "
        "state at rest. Skill is 1 - MSE / variance on held-out interactions.",
        [(curve, "Skill while it babbles"), (bar, "Skill on Set B at the end")],
    )


def _exploration(folder, settings, stage, main, records) -> html.Section:
    visits = main["visits"].sum(0)  # [periods, R]
    periods = visits.shape[0]
    share = visits / np.maximum(visits.sum(-1, keepdims=True), 1)
    share = share.reshape(periods, stage.known, len(SKILLS), settings.bins).sum(-1)
    total = settings.iterations * settings.worlds
    moments = total * (np.arange(periods) + 1) / periods
    names = list(stage.names[: stage.known])
    shown = [
        (
            figures.region_heat_map(
                folder / "regions.png", moments, np.moveaxis(share, 0, -1), names, SKILLS
            ),
            "Where the agent spends its time",
        )
    ]
    if stage.known > stage.count_a:
        shares = {}
        for arm, record in records.items():
            by_object = record["visits"].reshape(*record["visits"].shape[:2], stage.known, -1)
            counts = by_object.sum(-1)
            shares[arm] = counts[..., -1] / np.maximum(counts.sum(-1), 1)
        figure = figures.distractor_share(
            folder / "distractor.png", moments, shares, 1.0 / stage.known
        )
        shown.append((figure, "The object that plays random noise"))
    return html.Section(
        "Exploration",
        "After a random phase the agent retries what it can still learn: objects by their measured "
        "learnability, and of an object those regions (skill, parameter bin) where it errs most.",
        shown,
    )


def _grounding(folder, stage, main) -> html.Section:
    truth = transfer.true_properties(jax.tree.map(np.asarray, stage.body.scene.properties))
    true, estimated = {}, {}
    for name, part, first, count in (
        ("Set A", "a", 0, stage.count_a),
        ("Set B", "b", stage.first_b, stage.count_b),
    ):
        true[name] = truth[first : first + count]
        estimated[name] = np.where(main[f"table_{part}_known"][0], main[f"table_{part}"][0], np.nan)
    figure = figures.grounding_scatter(folder / "grounding.png", true, estimated, PROPERTIES, UNITS)
    return html.Section(
        "Grounding",
        "The table starts empty and is filled by the agent's own senses; the truth only scores it. "
        "First seed.",
        [(figure, "Own estimates against the truth")],
    )


def _prediction(folder, settings, stage, state) -> html.Section:
    held = stage.held_b
    picks = _picks(stage, held)
    rows = jax.tree.map(lambda x: x[np.array(picks)], held.rows)
    memory = jnp.zeros((len(picks), 10))
    foresee = jax.jit(transfer.open_loop, static_argnums=0)
    mean, std = foresee(settings.learner, state, rows, memory)
    ballistic = claims_lib.ballistic_end(stage, held)[picks]
    steps = np.arange(1, types.KNOTS + 1) / types.KNOTS
    figure = figures.trajectories(
        folder / "trajectories.png",
        np.asarray(rows.motion[..., :3]),
        np.asarray(mean),
        np.asarray(std),
        ballistic[:, None] * steps[:, None],
        [_caption(stage, held, i) for i in picks],
    )
    return html.Section(
        "Open-loop motion on Set B",
        "Paths of a whole second, predicted from the spawn alone; ellipses hold 90 %.",
        [(figure, "Predicted against true paths")],
    )


def _films(folder, config, stage) -> html.Section:
    held = stage.held_b
    picks = _picks(stage, held)
    eye = camera_lib.Camera(width=FILM_PIXELS, height=FILM_PIXELS)
    course = held.course.replace(
        qpos=held.course.qpos[:, picks], broken=held.course.broken[:, picks]
    )
    ids = held.rows.object_id[np.array(picks)]
    images, _ = jax.jit(experience.look, static_argnums=(1, 4))(stage.body, eye, ids, course, 1)
    frames = np.moveaxis(np.asarray(images[..., :3]), 0, 1)  # [n, T + 1, H, W, 3]
    captions = [_caption(stage, held, i) for i in picks]
    times = np.arange(frames.shape[1]) * experience.CONTROL_DT_S
    every = slice(None, None, 5)
    strip = media.filmstrip(
        folder / "filmstrip.png",
        frames[:, every],
        captions,
        [f"{t:.1f} s" for t in times[every]],
        1,
    )
    film = media.animation(folder / "film.gif", frames, captions, times, 3)
    shown = [(strip, "Set B through the agent's eye"), (film, "The same, moving")]
    modes = jax.tree.map(lambda leaf: leaf[ids], stage.body.modes)
    play = jax.jit(sound.waveform, static_argnums=(2, 3))
    for n, i in enumerate(picks):
        one = jax.tree.map(lambda leaf, n=n: leaf[n], modes)
        blows, broken = held.course.impact_Ns[:, i], held.course.broken[:-1, i]
        wave = np.asarray(play(one, blows, experience.CONTROL_DT_S, SAMPLE_RATE_HZ, broken))
        if np.abs(wave).max() > 1e-9:
            file = media.write_wav(folder / f"sound_{n}.wav", wave, SAMPLE_RATE_HZ)
            shown.append((file, captions[n]))
    return html.Section("What it sees and hears", "Novel objects, as sensed.", media=shown)


def _picks(stage, held) -> list[int]:
    """A few interactions that differ in skill and object."""
    skill = np.asarray(held.rows.skill)
    thing = np.asarray(held.rows.object_id) - stage.first_b
    picks = []
    for n in range(SHOWN):
        wanted = (skill == (0, 1, 2, 0, 1, 3)[n]) & (thing == (3 * n + 1) % stage.count_b)
        picks.append(int(np.argmax(wanted)))
    return picks


def _caption(stage, held, i: int) -> str:
    row = held.rows
    broke = ", breaks" if float(row.outcome.broken[i]) > 0.5 else ""
    return f"{SKILLS[int(row.skill[i])]} {stage.names[int(row.object_id[i])]}{broke}"
