"""From a choice to an experience: spawn, roll out, sense, measure. W flat worlds at once."""

# flax dataclasses have `replace`, and jnp functions one array to return, though not to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportCallIssue=false

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from nsca_jax import types
from nsca_jax.grounding import measures
from nsca_jax.priors import visual
from nsca_jax.sensors import camera as camera_lib
from nsca_jax.sensors import noise as noise_lib
from nsca_jax.sensors import proprio, sound, touch
from nsca_jax.sim import env, skills
from nsca_jax.sim import scene as scene_lib

FOVEA_DEG = 12.0  # vertical field of the close look
PLACE_M = 0.03  # objects stand within +- this of the table's middle
NOISE_LOUDNESS = 12.0  # spread of the noisy object's log band energies at its usual volume
MAIN_PARAMETER = np.array([0, 1, 1, 0], np.int32)  # per skill: its halves are the regions' bins
KNOT_STEPS = scene_lib.CONTROL_STEPS // types.KNOTS
CONTROL_DT_S = scene_lib.SUBSTEPS * scene_lib.DT_S


@dataclasses.dataclass(frozen=True)
class SensorNoise:
    """Standard deviations of the senses' own Gaussian noise; 0 draws none. Hashable, static."""

    rgb: float = 0.0  # of a pixel's colours, in [0, 1]
    depth_m: float = 0.0
    sound: float = 0.0  # of a band's log(1 + energy)
    touch_N: float = 0.0
    proprio: float = 0.0  # m and m/s


NO_NOISE = SensorNoise()


@struct.dataclass
class Choice:
    """What to do, for W worlds."""

    object_id: jax.Array  # [W] int32
    skill: jax.Array  # [W] int32
    parameters: jax.Array  # [W, 4] in [-1, 1]


@struct.dataclass
class Body:
    """Everything outside the agent: the scene, the objects' acoustics, which of them is noise."""

    scene: scene_lib.Scene
    modes: sound.Modes  # [N]
    response: jax.Array  # [N, 2, F] what one strike of each object sounds like, whole and broken
    noisy: jax.Array  # [N] bool: plays random noise whatever happens


@struct.dataclass
class Course:
    """The whole course of interactions, for pictures and sounds: not kept in memory."""

    qpos: jax.Array  # [T + 1, W, 12], the spawn first
    broken: jax.Array  # [T + 1, W] bool
    impact_Ns: jax.Array  # [T, W] sum over the object's contacts
    velocity_m_s: jax.Array  # [W, 3] of the object at the spawn
    spawn_depth_m: jax.Array  # [W]


@struct.dataclass
class Recording:
    """Interactions carried out beforehand, as many of each region, to be lived through again."""

    rows: types.Interaction  # [regions, n], without images


def recall(recording: Recording, keys, region) -> types.Interaction:
    """One of the interactions recorded of each region [W], drawn by keys [W]."""
    count = recording.rows.skill.shape[1]
    draw = jax.vmap(lambda k: jax.random.randint(jax.random.fold_in(k, 4), (), 0, count))(keys)
    return jax.tree.map(lambda x: x[region, draw], recording.rows)


def without_image(rows: types.Interaction) -> types.Interaction:
    """The image takes most of an interaction's memory, and no learner of outcomes sees it."""
    return rows.replace(spawn=rows.spawn.replace(image=rows.spawn.image[..., :0, :0, :]))


def make_body(
    properties: types.ObjectProperties, distractor: int = -1, backend: str = "jax"
) -> Body:
    """Body for N objects, stepped by one of scene.BACKENDS; object number `distractor` plays noise
    (-1: none does).
    """
    noisy = jnp.arange(properties.mass_kg.shape[0]) == distractor
    modes = sound.modes(properties)
    response = sound.band_response(modes, CONTROL_DT_S)
    return Body(scene_lib.build(properties, backend), modes, response, noisy)


def parameters_in_bin(key, skill, bin, bins: int):
    """Parameters [n, 4] uniform in [-1, 1], the skill's main one within its bin [n]."""
    free = jax.random.uniform(key, (*skill.shape, 4), minval=-1.0, maxval=1.0)
    main = jax.nn.one_hot(jnp.asarray(MAIN_PARAMETER)[skill], 4, dtype=bool)
    inside = (free + 1.0) / bins - 1.0 + 2.0 * bin[..., None] / bins
    return jnp.where(main, inside, free)


def carry_out(
    body: Body,
    camera: camera_lib.Camera,
    keys,
    choice: Choice,
    noise: SensorNoise = NO_NOISE,
    forced: bool = True,
) -> tuple[types.Interaction, Course]:
    """Carry out W interactions, one key [W] each -> (Interaction [W, ...], Course).

    Not `forced`, the hand starts anywhere: a drop then has nothing to let go, and what was not
    touched is not measured, but for its size.
    """
    worlds_n = choice.object_id.shape[0]
    place = jax.vmap(lambda k: jax.random.uniform(k, (2,), minval=-PLACE_M, maxval=PLACE_M))(keys)
    astray = [] if forced else [jax.vmap(lambda k: jax.random.fold_in(k, 3))(keys)]
    start = jax.vmap(lambda *a: env.reset(body.scene, *a))(
        choice.object_id, choice.skill, choice.parameters, place, *astray
    )
    _, readings = env.rollout(body.scene, start)
    course = Course(
        qpos=jnp.concatenate([start.qpos[None], readings.qpos]),
        broken=jnp.concatenate([start.broken[None], readings.broken]),
        impact_Ns=readings.impact_Ns.sum(-1),
        velocity_m_s=start.qvel[:, :3],
        spawn_depth_m=readings.spawn_depth_m.max(0),
    )
    eye_keys, ear_keys, hand_keys = jax.vmap(
        lambda k: jax.random.split(jax.random.fold_in(k, 2), 3)
    )(keys).T
    images, codes = look(body, camera, choice.object_id, course, KNOT_STEPS, eye_keys, noise)
    spawn_code, shape = look_closely(
        body, camera, choice.object_id, start, codes[0], eye_keys, noise
    )
    energy = hear(body, choice.object_id, readings)
    spectrum = sound.log_spectrum(energy.sum(0))
    babble = jax.vmap(_noise)(keys)
    spectrum = jnp.where(body.noisy[choice.object_id][:, None], babble, spectrum)
    spectrum = noise_lib.add(ear_keys[0], spectrum, noise.sound, 0.0)
    felt = noise_lib.add(hand_keys[0], touch.touch(readings.touch_Ns, CONTROL_DT_S), noise.touch_N)
    interaction = types.Interaction(
        object_id=choice.object_id,
        skill=choice.skill,
        parameters=choice.parameters,
        spawn=_observe(start, readings, images[0], spawn_code, shape, hand_keys[0], noise),
        motion=_motion(start, readings),
        outcome=types.Outcome(
            displacement_m=readings.qpos[-1, :, :3] - start.qpos[:, :3],
            rotation_rad=readings.rotation_rad[-1],
            sound=spectrum,
            touch_peak_N=jnp.max(jnp.abs(felt), 0),
            broken=readings.broken[-1].astype(jnp.float32),
            image_code=codes[-1],
        ),
        measured=jnp.zeros((worlds_n, 5)),
        measured_ok=jnp.zeros((worlds_n, 5), bool),
        contact=jax.vmap(env.promised_contact, (0, 1))(choice.skill, readings),
        finite=readings.finite[-1],
    )
    looks = jnp.concatenate([spawn_code[None], codes[1:]])
    measured, ok = _measure(interaction, readings, felt, energy.sum(-1), looks)
    if not forced:
        met = interaction.contact & (choice.skill != skills.DROP)
        interaction = interaction.replace(contact=met)
        ok &= met[:, None] | (jnp.arange(ok.shape[1]) == measures.SIZE)
    return interaction.replace(measured=measured, measured_ok=ok), course


def _noise(key) -> jax.Array:
    """Noise of random volume [F]: what the noisy object plays, whatever is done to it."""
    volume_key, band_key = jax.random.split(jax.random.fold_in(key, 1))
    volume = jnp.abs(jax.random.normal(volume_key))
    return NOISE_LOUDNESS * volume * jnp.abs(jax.random.normal(band_key, (types.SOUND_BANDS,)))


def look(
    body: Body,
    camera,
    object_id,
    course: Course,
    every: int,
    keys=None,
    noise: SensorNoise = NO_NOISE,
):
    """Packed images [n, W, H, Wd, 4] uint8 and visual codes [n, W, V] at every `every`-th step.

    `keys` [W] are needed where the eye has noise.
    """

    def one(object_id, qpos, broken, key):
        solids = env.primitives(body.scene, object_id, qpos, broken)
        image = camera_lib.render(camera, scene_lib.KINDS, scene_lib.SEGMENTS, solids)
        image = _blur(key, image, noise)
        return camera_lib.pack(camera, image), visual.figure_code(image, camera)

    poses, broken = course.qpos[::every], course.broken[::every]
    moments = jnp.arange(poses.shape[0])
    over_worlds = jax.vmap(one, (0, 0, 0, 0 if keys is not None else None))

    def moment(number, qpos, broken):
        now = None if keys is None else jax.vmap(jax.random.fold_in, (0, None))(keys, number)
        return over_worlds(object_id, qpos, broken, now)

    return jax.vmap(moment)(moments, poses, broken)


def _blur(key, image: types.Image, noise: SensorNoise) -> types.Image:
    if noise.rgb == noise.depth_m == 0.0:
        return image
    return noise_lib.add_to_image(key, image, noise.rgb, noise.depth_m)


def look_closely(body: Body, camera, object_id, start: env.World, codes, keys, noise: SensorNoise):
    """A saccade at the spawn, to the figure that the periphery found, or else to the hand.

    codes [W, V] are the peripheral look's. Returns them with the lengths as the fovea sees them,
    and the code of shape [W, G]. What is held too high for the periphery is seen by the fovea
    alone, and covers nothing. Turning the eye is moving the world under it.
    """
    eye = dataclasses.replace(camera, fovy_deg=FOVEA_DEG)

    def one(object_id, qpos, code, key):
        solids = env.primitives(body.scene, object_id, qpos, False)
        found = code[visual.COVERED] > 0
        gaze = jnp.where(found, code[visual.CENTROID], qpos[env.HAND][:3])
        turn = gaze - jnp.asarray(camera.target_m)
        solids = solids.replace(position_m=solids.position_m - turn)
        image = camera_lib.render(eye, scene_lib.KINDS, scene_lib.SEGMENTS, solids)
        image = _blur(jax.random.fold_in(key, 9), image, noise)
        close = visual.figure_code(image, eye)
        there = close.at[visual.CENTROID].add(turn).at[visual.COVERED].set(0.0)
        there = jnp.where(close[visual.COVERED] > 0, there, 0.0)
        code = jnp.where(found, code.at[visual.LENGTHS].set(close[visual.LENGTHS]), there)
        return code, visual.shape_code(image, close[visual.APPARENT_SIZE])

    return jax.vmap(one)(object_id, start.qpos, codes, keys)


def hear(body: Body, object_id, readings: env.Reading):
    """Energy per band [T, W, F] of every control step's impacts."""
    before = jnp.concatenate([jnp.zeros_like(readings.broken[:1]), readings.broken[:-1]])
    return sound.strike_energy(body.response[object_id], readings.impact_Ns.sum(-1), before)


def _observe(
    start: env.World, readings: env.Reading, image, code, shape, key, noise: SensorNoise
) -> types.Observation:
    first_s = env.FIRST_FEEL_STEPS * scene_lib.DT_S
    command = jax.vmap(lambda w: skills.command(w.plan, 0.0, w.qpos[env.HAND], w.qvel[6:]))(start)
    felt = touch.touch(readings.first_touch_Ns[0], first_s)
    joints = proprio.proprio(start.qpos[:, env.HAND], start.qvel[:, 6:], command)
    return types.Observation(
        image=image,
        visual_code=code,
        shape_code=shape,
        touch_N=noise_lib.add(jax.random.fold_in(key, 1), felt, noise.touch_N),
        proprio=noise_lib.add(jax.random.fold_in(key, 2), joints, noise.proprio),
    )


def _motion(start: env.World, readings: env.Reading):
    """Displacement, rotation, velocity at the knots: [W, K, MOTION]."""
    at = slice(KNOT_STEPS - 1, None, KNOT_STEPS)
    moved = readings.qpos[at, :, :3] - start.qpos[:, :3]
    rows = jnp.concatenate([moved, readings.rotation_rad[at], readings.qvel[at, :, :3]], -1)
    return jnp.swapaxes(rows, 0, 1)


def _measure(interaction: types.Interaction, readings: env.Reading, felt, energy, codes):
    low, high = skills.RANGES[skills.DROP, 0]
    clearance = low + 0.5 * (interaction.parameters[:, 0] + 1.0) * (high - low)
    pitch = sound.dominant_frequency_Hz(interaction.outcome.sound)
    measured, ok = jax.vmap(measures.measure, (0, 0, 1, 1, 1, 1, 0, 1, 0))(
        interaction.skill,
        clearance,
        readings.qpos[..., :3],
        readings.qvel[..., :3],
        felt,
        energy,
        pitch,
        codes,
        readings.broken[-1],
    )
    return measured, ok & interaction.finite[:, None]
