"""Rigid bodies and a cloth on a floor, and what the C engine makes of them.

Metres, seconds, kilograms; z is up. A scene stands still until `start` and then moves. The target
is red and the zone yellow, as in Physion.
"""

# pyright: reportAttributeAccessIssue=false

import dataclasses
from collections.abc import Iterator
from typing import Literal, NamedTuple

import mujoco
import numpy as np

FRAMES, FRAME_HZ = 150, 30
SUBSTEPS, CLOTH_SUBSTEPS = 6, 4  # a frame
LOOKS = 2  # for contact, a frame
TARGET_RGB, ZONE_RGB = (0.85, 0.08, 0.08), (0.95, 0.85, 0.05)
CLOTH_ROWS = 5
CLOTH_BALL = 0.58  # radius, over the spacing, of the balls that stand for a cloth to the eye
ELASTIC = "-10000 -40"  # a bounce of about half the speed

Kind = Literal["box", "capsule"]
Vector = tuple[float, float, float]
Role = Literal["target", "zone", "other"]


@dataclasses.dataclass(frozen=True)
class Solid:
    """A part of a body; `size_m` as MuJoCo's, a ball being a capsule of half length 0."""

    kind: Kind
    size_m: Vector
    at_m: Vector = (0.0, 0.0, 0.0)  # in its body


@dataclasses.dataclass(frozen=True)
class Body:
    """Solids that move as one; `turn` is a quaternion (w, x, y, z)."""

    solids: tuple[Solid, ...]
    at_m: Vector
    rgb: Vector = (0.5, 0.5, 0.5)
    role: Role = "other"
    turn: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    velocity_m_s: Vector = (0.0, 0.0, 0.0)
    spin_rad_s: Vector = (0.0, 0.0, 0.0)  # along the world's axes
    fixed: bool = False
    density_kg_m3: float = 400.0
    friction: float = 0.5
    elastic: bool = False


@dataclasses.dataclass(frozen=True)
class Cloth:
    """A square sheet, the target where there is one; it falls from `at_m`, its middle."""

    at_m: Vector
    side_m: float


@dataclasses.dataclass(frozen=True)
class Scene:
    """Bodies on a floor, turned by `yaw_rad` about the vertical; moves from frame `start` on."""

    bodies: tuple[Body, ...]
    start: int
    yaw_rad: float = 0.0
    cloth: Cloth | None = None
    floor_rgb: Vector = (0.6, 0.6, 0.6)


class Motion(NamedTuple):
    """What a scene does, in K frames; P solids, those of the cloth last."""

    kinds: tuple[Kind, ...]
    position_m: np.ndarray  # [K, P, 3]
    rotation: np.ndarray  # [K, P, 3, 3]
    size_m: np.ndarray  # [P, 3]
    rgb: np.ndarray  # [P, 3]
    contact: np.ndarray  # [FRAMES] bool: target and zone touch, at that frame or just before


def physics() -> tuple:
    """The constants that decide what a scene does."""
    return FRAMES, FRAME_HZ, SUBSTEPS, CLOTH_SUBSTEPS, LOOKS, CLOTH_ROWS, CLOTH_BALL, ELASTIC


class Noise(NamedTuple):
    """What a simulator that sees imperfectly gets wrong at a frame."""

    frame: int
    position_m: float
    velocity: float  # share of each component
    seed: int


def simulate(scene: Scene, frames: tuple[int, ...], noise: Noise | None = None) -> Motion:
    """Runs a scene for FRAMES and keeps the solids' poses at `frames`.

    Raises:
        FloatingPointError: the simulation diverged.
    """
    model = mujoco.MjModel.from_xml_string(_xml(scene))
    data = mujoco.MjData(model)
    _set_off(scene, model, data)
    mujoco.mj_forward(model, data)
    touching = _toucher(scene, model)
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    contact = np.zeros(FRAMES, bool)
    for frame in range(FRAMES):
        if frame > scene.start:
            for _ in range(LOOKS):
                mujoco.mj_step(model, data, _substeps(scene) // LOOKS)
                contact[frame] |= touching(data)
        if noise is not None and frame == noise.frame:
            _disturb(model, data, noise)
        if frame in frames:
            kept.append(_poses(scene, data))
    if data.warning.number.any() or not np.isfinite(data.qpos).all():
        raise FloatingPointError("the simulation diverged")
    position, rotation = (np.stack(x) for x in zip(*kept, strict=True))
    solids = [(solid, body.rgb) for body in scene.bodies for solid in body.solids]
    if scene.cloth is not None:
        ball = CLOTH_BALL * scene.cloth.side_m / (CLOTH_ROWS - 1)
        solids += [(Solid("capsule", (ball, 0.0, 0.0)), TARGET_RGB)] * CLOTH_ROWS**2
    return Motion(
        tuple(solid.kind for solid, _ in solids),
        position,
        rotation,
        np.array([solid.size_m for solid, _ in solids]),
        np.array([rgb for _, rgb in solids]),
        contact,
    )


def _substeps(scene: Scene) -> int:
    return SUBSTEPS if scene.cloth is None else CLOTH_SUBSTEPS


def _xml(scene: Scene) -> str:
    bodies = "\n".join(_body(scene, number, body) for number, body in enumerate(scene.bodies))
    cloth = "" if scene.cloth is None else _cloth(scene.cloth)
    return (
        f'<mujoco><option timestep="{1 / (FRAME_HZ * _substeps(scene))}" integrator="Euler"/>'
        '<size memory="20M"/>'
        f'<worldbody><geom type="plane" size="9 9 1" friction="0.5"/>{bodies}{cloth}</worldbody>'
        "</mujoco>"
    )


def _body(scene: Scene, number: int, body: Body) -> str:
    position, turn = _placed(scene, body)
    bounce = f' solref="{ELASTIC}"' if body.elastic else ""
    more = f'density="{body.density_kg_m3}" friction="{body.friction}"{bounce}'
    geoms = "".join(
        f'<geom name="{number}_{i}" type="{s.kind if s.size_m[1] else "sphere"}"'
        f' size="{_text(s.size_m)}" pos="{_text(s.at_m)}" {more}/>'
        for i, s in enumerate(body.solids)
    )
    joint = "" if body.fixed else '<freejoint align="false"/>'
    where = f'pos="{_text(position)}" quat="{_text(turn)}"'
    return f'<body name="{number}" {where}>{joint}{geoms}</body>'


def _cloth(cloth: Cloth) -> str:
    spacing = cloth.side_m / (CLOTH_ROWS - 1)
    return (
        f'<flexcomp name="cloth" type="grid" dim="2" count="{CLOTH_ROWS} {CLOTH_ROWS} 1"'
        f' spacing="{spacing} {spacing} 0.1" pos="{_text(cloth.at_m)}" radius="0.02" mass="0.4">'
        '<contact selfcollide="none" condim="3"/><edge equality="true" damping="0.02"/></flexcomp>'
    )


def _placed(scene: Scene, body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Position [3] and quaternion [4] of a body in the world."""
    yaw, position, turn = np.zeros(4), np.zeros(3), np.zeros(4)
    mujoco.mju_axisAngle2Quat(yaw, np.array([0.0, 0.0, 1.0]), scene.yaw_rad)
    mujoco.mju_rotVecQuat(position, np.array(body.at_m), yaw)
    mujoco.mju_mulQuat(turn, yaw, np.array(body.turn))
    return position, turn


def _set_off(scene: Scene, model: mujoco.MjModel, data: mujoco.MjData) -> None:
    yaw = np.zeros(4)
    mujoco.mju_axisAngle2Quat(yaw, np.array([0.0, 0.0, 1.0]), scene.yaw_rad)
    for number, body in enumerate(scene.bodies):
        if body.fixed:
            continue
        at = model.joint(int(model.body(str(number)).jntadr[0])).dofadr[0]
        _, turn = _placed(scene, body)
        back, spin = np.zeros(4), np.zeros(3)
        mujoco.mju_negQuat(back, turn)
        mujoco.mju_rotVecQuat(data.qvel[at : at + 3], np.array(body.velocity_m_s), yaw)
        mujoco.mju_rotVecQuat(spin, np.array(body.spin_rad_s), yaw)
        mujoco.mju_rotVecQuat(data.qvel[at + 3 : at + 6], spin, back)


def _disturb(model: mujoco.MjModel, data: mujoco.MjData, noise: Noise) -> None:
    rng = np.random.default_rng(noise.seed)
    for joint in np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE):
        at = model.jnt_qposadr[joint]
        data.qpos[at : at + 3] += noise.position_m * rng.standard_normal(3)
    data.qvel *= 1 + noise.velocity * rng.standard_normal(model.nv)
    mujoco.mj_forward(model, data)


def _toucher(scene: Scene, model: mujoco.MjModel):
    """Whether target and zone touch, from the simulation's data."""

    def geoms(role: Role) -> np.ndarray:
        return np.array(list(_geoms(scene, model, role)))

    target, zone = geoms("target"), geoms("zone")

    def touching(data: mujoco.MjData) -> bool:
        pair = data.contact.geom
        if scene.cloth is None:
            first, second = np.isin(pair, target), np.isin(pair, zone)
            return bool((first & second[:, ::-1]).any())
        cloth = (data.contact.flex >= 0).any(-1)
        return bool((cloth & np.isin(pair, zone).any(-1)).any())

    return touching


def _geoms(scene: Scene, model: mujoco.MjModel, role: Role) -> Iterator[int]:
    for number, body in enumerate(scene.bodies):
        if body.role == role:
            yield from (model.geom(f"{number}_{i}").id for i in range(len(body.solids)))


def _poses(scene: Scene, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
    """Position [P, 3] and rotation [P, 3, 3] of all solids: geom 0 is the floor."""
    position, rotation = data.geom_xpos[1:].copy(), data.geom_xmat[1:].reshape(-1, 3, 3).copy()
    if scene.cloth is not None:
        knots = data.flexvert_xpos.copy()
        position = np.concatenate([position, knots])
        rotation = np.concatenate([rotation, np.broadcast_to(np.eye(3), (len(knots), 3, 3))])
    return position, rotation


def _text(values) -> str:
    return " ".join(f"{v:.6g}" for v in values)
