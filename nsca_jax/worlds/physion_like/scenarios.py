"""The eight scenarios: what is drawn in each, one function a scenario.

Each builds its scene along +x; `draw` turns it about the vertical. The zone is a mat on the floor,
in `drape` a block. Cutoff: the frame up to which a scene is observed.
"""

import colorsys
import dataclasses
import hashlib
import math

import numpy as np

from nsca_jax.worlds.physion_like import scene as lib
from nsca_jax.worlds.physion_like.scene import Body, Scene, Solid

VERSION = 2  # as 1, on which the model was made, and other draws
MAT_M = 0.004  # half its height
STARTS = {"collide": (1, 6), "contain": (32, 39), "link": (37, 42), "drape": (34, 41)}
START = (28, 37)  # of the other scenarios; the first and past the last frame


def draw(scenario: str, key: tuple[int, ...]) -> Scene:
    """The scene of a scenario that the whole numbers `key` name."""
    rng = np.random.default_rng((VERSION, list(SCENARIOS).index(scenario), *key))
    scene = SCENARIOS[scenario](rng)
    yaw = rng.uniform(-1.0, 1.0) + math.pi * rng.integers(2)
    shade = rng.uniform(0.5, 0.7)
    start = int(rng.integers(*STARTS.get(scenario, START)))
    bodies = tuple(_coloured(rng, body) for body in scene.bodies)
    return dataclasses.replace(
        scene, bodies=bodies, start=start, yaw_rad=yaw, floor_rgb=(shade, shade, shade)
    )


def fingerprint() -> str:
    """Of what is drawn and how it moves: a file names the generator that made it."""
    drawn = [draw(name, (0, number)) for name in SCENARIOS for number in range(4)]
    return hashlib.sha256(repr((VERSION, lib.physics(), drawn)).encode()).hexdigest()[:16]


def dominoes(rng: np.random.Generator) -> Scene:
    """A row of upright slabs; the first is tipped, the last is the target."""
    count = int(rng.integers(3, 6))
    height, width, thick = rng.uniform(0.3, 0.42), rng.uniform(0.16, 0.26), 0.06
    gaps = rng.uniform(0.14, 0.28, count - 1)
    if rng.random() < 0.25:
        gaps[rng.integers(count - 1)] = height * rng.uniform(1.0, 1.4)
    places = np.concatenate([[0.0], np.cumsum(gaps + thick)])
    places -= places[-1] / 2 + 0.2
    slab = (Solid("box", (thick / 2, width / 2, height / 2)),)
    bodies = [
        Body(slab, (x, rng.uniform(-0.03, 0.03), height / 2), turn=_yaw(rng.uniform(-0.12, 0.12)))
        for x in places
    ]
    spin = rng.uniform(1.2, 2.4)
    bodies[0] = dataclasses.replace(
        bodies[0],
        turn=_yaw(0.0),
        spin_rad_s=(0.0, spin, 0.0),
        velocity_m_s=(spin * height / 2, 0.0, spin * thick / 2),
    )
    bodies[-1] = _target(bodies[-1])
    away = places[-1] + height * rng.uniform(0.5, 1.35) + 0.14
    return Scene((*bodies, _mat(away, rng.uniform(-0.15, 0.15), 0.14)), 0)


def support(rng: np.random.Generator) -> Scene:
    """A stack of blocks that stands or falls; the uppermost is the target."""
    count = int(rng.integers(3, 5))
    bodies, top, x, y = [], 0.0, 0.0, 0.0
    for number in range(count):
        wide, high = rng.uniform(0.1, 0.16), rng.uniform(0.08, 0.12)
        if number:
            x += rng.uniform(0.01, 0.13)
            y += rng.uniform(-0.03, 0.03)
        block = (Solid("box", (wide, wide, high)),)
        bodies.append(Body(block, (x, y, top + high), turn=_yaw(rng.uniform(-0.2, 0.2))))
        top += 2 * high
    bodies[-1] = _target(bodies[-1])
    away = rng.uniform(0.42, 0.72) * (1 if rng.random() < 0.85 else -1)
    return Scene((*bodies, _mat(away, rng.uniform(-0.12, 0.12), 0.24)), 0)


def collide(rng: np.random.Generator) -> Scene:
    """Something slides or rolls into the target, on whose way lies the zone, or not."""
    hitter, hit = _lump(rng, 0.11, 0.16), _lump(rng, 0.1, 0.15)
    aim = rng.uniform(-0.15, 0.15)
    agent = _standing(
        hitter, -rng.uniform(0.9, 1.1), aim, velocity_m_s=(rng.uniform(2.0, 3.8), 0.0, 0.0)
    )
    angle, away = rng.uniform(-0.6, 0.6), rng.uniform(0.35, 0.75)
    mat = _mat(away * math.cos(angle), away * math.sin(angle), 0.16)
    return Scene((agent, _target(_standing(hit, 0.0, 0.0)), mat), 0)


def contain(rng: np.random.Generator) -> Scene:
    """The target is thrown at an open box: the zone lies in it or behind it."""
    half, high, wall = rng.uniform(0.2, 0.28), rng.uniform(0.03, 0.08), 0.02
    sides = tuple(
        Solid("box", size, at)
        for size, at in (
            ((wall, half, high), (half, 0.0, 0.0)),
            ((wall, half, high), (-half, 0.0, 0.0)),
            ((half, wall, high), (0.0, half, 0.0)),
            ((half, wall, high), (0.0, -half, 0.0)),
        )
    )
    box = Body(sides, (0.0, 0.0, high), fixed=True)
    fall = rng.uniform(0.5, 0.8)
    speed, land = rng.uniform(0.6, 1.6), rng.uniform(-half - 0.3, half + 0.25)
    start = land - speed * math.sqrt(2 * fall / 9.81)
    lump = _lump(rng, 0.07, 0.1)
    target = Body(
        lump,
        (start, rng.uniform(-0.1, 0.1), fall + 0.1),
        velocity_m_s=(speed, 0.0, 0.0),
        elastic=True,
    )
    inside = rng.random() < 0.5
    mat = _mat(0.0, 0.0, half - 0.04) if inside else _mat(half + 0.3, 0.0, 0.2)
    return Scene((box, _target(target), mat), 0)


def drop(rng: np.random.Generator) -> Scene:
    """The target falls on a slanted block and goes off to one side."""
    slant = rng.uniform(-0.5, 0.5)
    block = Body(
        (Solid("box", (rng.uniform(0.12, 0.2), 0.2, 0.06)),),
        (0.0, 0.0, rng.uniform(0.2, 0.35)),
        turn=_pitch(slant),
        fixed=True,
    )
    target = Body(
        _lump(rng, 0.08, 0.12),
        (rng.uniform(-0.28, 0.28), rng.uniform(-0.05, 0.05), rng.uniform(0.9, 1.3)),
        elastic=True,
    )
    away = rng.uniform(0.3, 0.7) * rng.choice([-1, 1])
    return Scene((block, _target(target), _mat(away, rng.uniform(-0.1, 0.1), 0.2)), 0)


def link(rng: np.random.Generator) -> Scene:
    """A ring is struck; a pole in it, or in its way, keeps it from the zone."""
    half, bar = rng.uniform(0.13, 0.19), 0.03
    ring = tuple(
        Solid("box", size, at)
        for size, at in (
            ((bar, half, bar), (half, 0.0, 0.0)),
            ((bar, half, bar), (-half, 0.0, 0.0)),
            ((half, bar, bar), (0.0, half, 0.0)),
            ((half, bar, bar), (0.0, -half, 0.0)),
        )
    )
    target = Body(
        ring, (0.0, 0.0, bar), turn=_yaw(rng.uniform(-0.5, 0.5)), friction=0.2, density_kg_m3=250.0
    )
    place = rng.choice(["in", "before", "aside"], p=[0.35, 0.15, 0.5])
    at = {
        "in": (rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)),
        "before": (half + rng.uniform(0.15, 0.25), rng.uniform(-0.08, 0.08)),
        "aside": (rng.uniform(-0.2, 0.2), rng.choice([-1, 1]) * (half + rng.uniform(0.2, 0.4))),
    }[place]
    pole = Body((Solid("capsule", (0.03, 0.2, 0.0)),), (*at, 0.2), fixed=True)
    ball = _standing(
        (Solid("capsule", (0.12, 0.0, 0.0)),),
        -rng.uniform(0.75, 1.0),
        rng.uniform(-0.06, 0.06),
        velocity_m_s=(rng.uniform(1.8, 4.5), 0.0, 0.0),
        density_kg_m3=900.0,
    )
    mat = _mat(half + rng.uniform(0.26, 0.5), rng.uniform(-0.1, 0.1), 0.2)
    return Scene((ball, pole, _target(target), mat), 0)


def roll(rng: np.random.Generator) -> Scene:
    """The target rolls or slides down a ramp, towards the zone or past it."""
    angle, length = rng.uniform(0.2, 0.5), rng.uniform(0.35, 0.5)  # half its length
    ramp = Body(
        (Solid("box", (length, 0.25, 0.03)),),
        (-0.45, 0.0, length * math.sin(angle)),
        turn=_pitch(angle),
        fixed=True,
        friction=rng.uniform(0.15, 0.45),
    )
    lump = _lump(rng, 0.09, 0.13)
    radius, up = lump[0].size_m[-1 if lump[0].kind == "box" else 0], 0.7 * length
    over = 0.035 + radius
    at = (
        -0.45 - up * math.cos(angle) + over * math.sin(angle),
        rng.uniform(-0.12, 0.12),
        length * math.sin(angle) + up * math.sin(angle) + over * math.cos(angle),
    )
    target = Body(lump, at, turn=_pitch(angle), friction=rng.uniform(0.15, 0.45))
    bodies = [ramp, _target(target)]
    if rng.random() < 0.35:
        bump = (Solid("box", (0.04, 0.15, rng.uniform(0.02, 0.1))),)
        bodies.append(Body(bump, (0.22, rng.uniform(-0.25, 0.25), bump[0].size_m[2]), fixed=True))
    mat = _mat(rng.uniform(0.45, 0.9), rng.uniform(-0.35, 0.35), 0.2)
    return Scene((*bodies, mat), 0)


def drape(rng: np.random.Generator) -> Scene:
    """A cloth falls over a block; the zone is another block, within its reach or not."""
    wide, high = rng.uniform(0.1, 0.2), rng.uniform(0.12, 0.25)
    block = Body((Solid("box", (wide, wide, high)),), (0.0, 0.0, high), fixed=True)
    half, tall = rng.uniform(0.08, 0.12), rng.uniform(0.04, 0.18)
    angle, away = rng.uniform(0, 2 * math.pi), wide + half + rng.uniform(0.05, 0.3)
    zone = Body(
        (Solid("box", (half, half, tall)),),
        (away * math.cos(angle), away * math.sin(angle), tall),
        rgb=lib.ZONE_RGB,
        role="zone",
        fixed=True,
    )
    at = (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), 2 * high + rng.uniform(0.45, 0.75))
    return Scene((block, zone), 0, cloth=lib.Cloth(at, rng.uniform(0.6, 0.9)))


SCENARIOS = {
    "dominoes": dominoes,
    "support": support,
    "collide": collide,
    "contain": contain,
    "drop": drop,
    "link": link,
    "roll": roll,
    "drape": drape,
}


def _lump(rng: np.random.Generator, low: float, high: float) -> tuple[Solid, ...]:
    """A ball or a cube of about that radius."""
    size = float(rng.uniform(low, high))
    if rng.random() < 0.5:
        return (Solid("capsule", (size, 0.0, 0.0)),)
    return (Solid("box", (0.9 * size, 0.9 * size, 0.9 * size)),)


def _standing(solids: tuple[Solid, ...], x: float, y: float, **more) -> Body:
    size = solids[0].size_m
    height = size[2] if solids[0].kind == "box" else size[0]
    return Body(solids, (x, y, height), **more)


def _target(body: Body) -> Body:
    return dataclasses.replace(body, role="target", rgb=lib.TARGET_RGB)


def _mat(x: float, y: float, half_m: float) -> Body:
    return Body(
        (Solid("box", (half_m, half_m, MAT_M)),),
        (x, y, MAT_M),
        rgb=lib.ZONE_RGB,
        role="zone",
        fixed=True,
    )


def _coloured(rng: np.random.Generator, body: Body) -> Body:
    """Whatever is neither target nor zone is green to violet."""
    rgb = colorsys.hsv_to_rgb(rng.uniform(0.33, 0.83), rng.uniform(0.6, 0.9), rng.uniform(0.5, 0.9))
    return body if body.role != "other" else dataclasses.replace(body, rgb=rgb)


def _yaw(angle: float) -> tuple[float, float, float, float]:
    return (math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2))


def _pitch(angle: float) -> tuple[float, float, float, float]:
    """Positive tips the side of +x down."""
    return (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)
