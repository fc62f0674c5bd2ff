"""The nouns of the project: frozen pytrees, with a shape and an SI unit for every field.

Leading axes are written `...`: every noun may carry batch axes (worlds, seeds, time).
Sizes that do not change:

    K = KNOTS            moments of an interaction at which the agent looks
    F = 32               mel-spaced sound bands
    V = VISUAL_CODE      length of the innate visual code (priors/visual.py)
    G = SHAPE_CODE       length of the innate code of shape
    J = JOINTS           gripper joints: x, y, z slides, left and right finger slides
"""

import jax
from flax import struct

SHAPES = ("sphere", "capsule", "box")
SKILLS = ("drop", "strike", "push", "lift")
PROPERTIES = ("hardness", "weight", "size", "elasticity", "fragility")
SKILL_PARAMETERS = ("height", "speed", "direction", "force")

KNOTS = 5
SHAPE_CODE = 3
SOUND_BANDS = 32
VISUAL_CODE = 11
JOINTS = 5
MOTION = 9  # displacement (3), rotation (3), velocity (3)


@struct.dataclass
class ObjectProperties:
    """Physical truth of objects, `[..., ]` one row an object. Scores the agent, never trains it."""

    shape: jax.Array  # [...] int32, index into SHAPES
    size_m: jax.Array  # [..., 3] sphere (r, 0, 0), capsule (r, half_length, 0), box half extents
    mass_kg: jax.Array  # [...]
    contact_stiffness: jax.Array  # [...] hardness, 1/s^2 (MuJoCo's direct solref stiffness)
    damping_ratio: jax.Array  # [...] 1; small means elastic
    friction: jax.Array  # [...] sliding coefficient
    fragility_Ns: jax.Array  # [...] impulse that breaks it; inf: never
    rgb: jax.Array  # [..., 3] in [0, 1]


@struct.dataclass
class Primitives:
    """What the camera can see: P solids. Their kinds are static and live in the camera's scene."""

    position_m: jax.Array  # [..., P, 3] centre in the world
    rotation: jax.Array  # [..., P, 3, 3] columns are the solid's axes in the world
    size_m: jax.Array  # [..., P, 3] as MuJoCo's geom_size; a size of 1e-4 m is never hit
    rgb: jax.Array  # [..., P, 3] in [0, 1]


@struct.dataclass
class Image:
    """One look of the camera, H x W pixels, row 0 on top."""

    rgb: jax.Array  # [..., H, W, 3] float32 in [0, 1]
    depth_m: (
        jax.Array
    )  # [..., H, W] distance along the optical axis; far plane where nothing is hit
    segmentation: jax.Array  # [..., H, W] int32: 0 background, 1 object, 2 gripper


@struct.dataclass
class Observation:
    """What the agent senses at the spawn, before it acts."""

    image: jax.Array  # [..., H, W, 4] uint8: red, green, blue, depth (0 near .. 255 far plane)
    visual_code: jax.Array  # [..., V] innate figure-ground code; its lengths are the fovea's
    shape_code: jax.Array  # [..., G] roundness of the figure in the fovea (priors/visual.py)
    touch_N: jax.Array  # [..., 2, 3] per finger: normal, horizontal shear, vertical shear
    proprio: jax.Array  # [..., 3 * J] positions (m), velocities (m/s), commands (m)


@struct.dataclass
class Outcome:
    """What came of it, at rest or at the time limit."""

    displacement_m: jax.Array  # [..., 3] of the object's centre since the spawn
    rotation_rad: jax.Array  # [..., 3] accumulated rotation (integral of angular velocity)
    sound: jax.Array  # [..., F] log(1 + band energy) over the interaction
    touch_peak_N: jax.Array  # [..., 2, 3] largest absolute force of each component
    broken: jax.Array  # [...] float32, 1 where the object broke
    image_code: jax.Array  # [..., V] innate visual code of the last look


@struct.dataclass
class Interaction:
    """One skill carried out on one object, from spawn to rest: the unit of experience."""

    object_id: jax.Array  # [...] int32, row of the object set
    skill: jax.Array  # [...] int32, index into SKILLS
    parameters: jax.Array  # [..., 4] in [-1, 1], see SKILL_PARAMETERS
    spawn: Observation
    motion: (
        jax.Array
    )  # [..., K, MOTION] displacement (m), rotation (rad), velocity (m/s) at the knots
    outcome: Outcome
    measured: (
        jax.Array
    )  # [..., 5] the senses' raw estimate of each of PROPERTIES (grounding/table.py)
    measured_ok: jax.Array  # [..., 5] bool: the skill and its course allowed that estimate
    contact: jax.Array  # [...] bool: the contact that the skill promises happened
    finite: jax.Array  # [...] bool: False where the world went non-finite and was frozen
