"""The outcome model's ensemble and its loss in PyTorch, for benchmarks/torch_peer.py.

The same layers, widths and arithmetic as models/dynamics.py and training/outcome_loss.py, member
by member one batched product. Parameters are a flat dict of Flax's names to tensors [E, ...].
Shapes as in models/dynamics.py.
"""

# pyright: reportMissingImports=false
# (PyTorch is no dependency)

import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
import torch
import torch.nn.functional as F

from nsca_jax import types
from nsca_jax.models import dynamics, normalise
from nsca_jax.models import thing as thing_lib
from nsca_jax.priors import physics, visual
from nsca_jax.training import outcome_loss
from nsca_jax.training.learner import LearnerSettings

LOG_BANDS = torch.from_numpy(dynamics.LOG_BANDS)
EAR_TONES, EAR_SHARES = map(torch.from_numpy, (dynamics.EAR_TONES, dynamics.EAR_SHARES))
LOSS_LIMIT = 7.0  # losses.LOG_VARIANCE_LIMIT
STANDARD_LIMIT = 10.0  # of normalise.apply

Params = Mapping[str, torch.Tensor]
Moments = tuple[torch.Tensor, torch.Tensor]  # mean and standard deviation


class Rows(NamedTuple):
    """Interactions [B] as the learner gets them."""

    visual_code: torch.Tensor  # [B, V]
    shape_code: torch.Tensor  # [B, G]
    body: torch.Tensor  # [B, 6 + 3 J] touch, then proprioception
    skill: torch.Tensor  # [B] int64
    parameters: torch.Tensor  # [B, 4]
    motion: torch.Tensor  # [B, K, M]
    outcome: torch.Tensor  # [B, O - V] all but the look at rest
    image_code: torch.Tensor  # [B, V] the look at rest
    memory: torch.Tensor  # [B, 10]


class Thing(NamedTuple):
    """What the eye tells of a thing, as models/thing.py has it."""

    stuff: torch.Tensor  # [E, B, STUFF]
    form: torch.Tensor  # [E, B, FORM]
    outline: torch.Tensor  # [B, OUTLINE]
    size: torch.Tensor  # [B, 1]


class Moods(NamedTuple):
    """Running moments of what is standardised."""

    features: Moments
    motion: Moments
    outcome: Moments


def tensor(array) -> torch.Tensor:
    """A copy of an array."""
    return torch.from_numpy(np.array(array))


def params_of(tree) -> dict[str, torch.Tensor]:
    """Flax's parameters [E, ...] by their names."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree["params"])
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tensor(leaf)
        for path, leaf in leaves
    }


def moods_of(statistics: dynamics.Statistics) -> Moods:
    """The moments of JAX's statistics."""
    parts = (statistics.features, statistics.motion, statistics.outcome)
    return Moods(*((tensor(s.mean), tensor(normalise.std(s))) for s in parts))


def rows_of(rows: types.Interaction, memory) -> Rows:
    """JAX's interactions [B] and memory [B, 10]."""
    spawn, outcome = rows.spawn, dynamics.outcome_vector(rows.outcome)
    touch = np.asarray(spawn.touch_N).reshape(len(spawn.touch_N), -1)
    body = np.concatenate([touch, np.asarray(spawn.proprio)], -1)
    parts = np.split(np.asarray(outcome), [dynamics.OUTCOMES - types.VISUAL_CODE], -1)
    skill = np.asarray(rows.skill, np.int64)
    arrays = (spawn.visual_code, spawn.shape_code, body, skill, rows.parameters, rows.motion)
    return Rows(*map(tensor, (*arrays, *parts, memory)))


def loss(
    settings: LearnerSettings, params: Params, moods: Moods, rows: Rows, keep, noise
) -> torch.Tensor:
    """[] as learner.loss of the same rows; keep [B, 1], noise [B, D]: what it draws by its key."""
    code = rows.visual_code
    lengths = code[:, visual.LENGTHS].clamp_min(dynamics.SMALLEST_M).log()
    parts = [code[:, :4], lengths, code[:, 8:], rows.shape_code, rows.body]
    features = standard(moods.features, torch.cat(parts, -1)) + noise
    action, memory = actions(rows.skill, rows.parameters), rows.memory * keep
    silent = torch.zeros_like(rows.outcome)
    looks = standard(moods.outcome, torch.cat([silent, code], -1))[:, -types.VISUAL_CODE :]
    persistence = torch.cat([silent, looks], -1)
    told = predict(settings, params, moods, features, action, memory, code, persistence)
    motion_mean, motion_spread, outcome_mean, outcome_spread, penalty = told
    motion = standard(moods.motion, rows.motion)
    outcome = standard(moods.outcome, torch.cat([rows.outcome, rows.image_code], -1))
    beta = settings.beta_nll
    motion_nll = nll(motion_mean, motion_spread, motion, beta)
    parts = torch.split(
        nll(outcome_mean, outcome_spread, outcome, beta), [*dynamics.OUTCOME_SIZES.values()], -1
    )
    pose = torch.cat(parts[:2], -1).mean(-1)
    each = [pose, *(part.mean(-1) for part in parts[2:]), motion_nll.mean((-2, -1))]
    assert len(each) == len(outcome_loss.MODALITIES)
    return (torch.stack(each).mean(0) + penalty).mean(-1).sum()


def predict(
    settings: LearnerSettings, p: Params, moods: Moods, features, action, memory, code, persistence
):
    """dynamics.OutcomeModel of all members: means, log-variances, penalty [E, B]."""
    dense, norm = functools.partial(_dense, p), functools.partial(_norm, p)
    look = features[:, : dynamics.LOOK]
    thing = looked_at(p, moods.features, look)
    parts = [look[:, visual.CENTROID], features[:, dynamics.LOOK :], action, memory]
    rest = torch.cat([thing.size / thing_lib.USUAL, *parts], -1)
    rest = rest.expand(settings.members, *rest.shape)
    x = dense("Trunk_0/Dense_0", torch.cat([thing.stuff, thing.form, rest], -1))
    for i in range(settings.blocks):
        x = x + dense(f"Trunk_0/Dense_{i + 1}", F.silu(norm(f"Trunk_0/LayerNorm_{i}", x)))
    context = F.silu(norm(f"Trunk_0/LayerNorm_{settings.blocks}", x))
    raw = p["raw"][:, None]
    gate = torch.bmm(context, p["gate/kernel"])[..., 0]
    floor = physics.WEIGHT_FLOOR
    weight = (floor + F.softplus(raw + gate - floor)).clamp_max(1.0)[..., None]
    lowest = code[:, dynamics.CENTROID_Z] - p["reach"][:, None] * code[:, dynamics.SPREAD_Z]
    z, motion, spread, residual = unroll(
        settings, p, moods, context, weight, -lowest.clamp_min(0.0)
    )
    seen = torch.cat([context, z, motion[..., -1, :]], -1)
    mean, outcome_raw = dense("Dense_0", seen).chunk(2, -1)
    mean, miss = by_traits(p, moods.outcome, mean + persistence, seen, thing, memory)
    price = 0.01 * residual.square().mean(-1) + 0.15 * (raw - dynamics.RAW0).square()[..., None]
    penalty = price.mean(-1) + 0.03 * gate.square() + dynamics.TEACHING * miss
    return motion, spread, mean, soft_clip(outcome_raw), penalty


def looked_at(p: Params, moments: Moments, look) -> Thing:
    """thing.Look of a look [B, L]."""
    lengths = (look * moments[1][: look.shape[-1]])[:, visual.LENGTHS]
    size = lengths[:, -1:]
    ratios = thing_lib.KEEN * (lengths[:, :-1] - size)
    outline = torch.cat([ratios, look[:, types.VISUAL_CODE :]], -1)
    hue = F.silu(_dense(p, "look/hue", look[:, visual.COLOURS]))
    curves = F.silu(_dense(p, "look/outline", outline))
    return Thing(_dense(p, "look/stuff", hue), _dense(p, "look/form", curves), outline, size)


def unroll(settings: LearnerSettings, p: Params, moods: Moods, context, weight, floor_m):
    """OutcomeModel.unroll: z [E, B, latent], mean, log-variance, residual [E, B, K, M]."""
    dense, norm = functools.partial(_dense, p), functools.partial(_norm, p)
    drive, clock = dense("drive", context), p["clock"]
    z, motion = torch.zeros_like(drive), context.new_zeros(*context.shape[:2], types.MOTION)
    (middle, scale), seen, knots, dt_s = moods.motion, motion, [], 0.2
    fall = physics.GRAVITY_M_S2 * dt_s
    for knot in range(types.KNOTS):
        prior = (ballistic(motion, dt_s, fall, floor_m) - middle[knot]) / scale[knot]
        inner = torch.cat([norm("KnotCell_0/LayerNorm_0", z), seen], -1)
        driven = drive + clock[:, None, knot] + dense("KnotCell_0/Dense_1", inner)
        z = z + dense("KnotCell_0/Dense_0", F.silu(driven))
        residual, spread = dense("KnotCell_0/Dense_2", z).chunk(2, -1)
        mean = prior + (1.0 - weight) * residual
        seen = mean.clamp(-dynamics.STATE_LIMIT, dynamics.STATE_LIMIT)
        motion = seen * scale[knot] + middle[knot]
        knots.append((mean, soft_clip(spread), residual))
    return z, *(torch.stack(parts, -2) for parts in zip(*knots, strict=True))


def ballistic(motion, dt_s: float, fall: float, floor_m):
    """physics.ballistic_step of [E, B, M] in SI units; floor_m [E, B]."""
    place, turn, speed = motion.split(3, -1)
    ahead = place + speed * dt_s
    height = ahead[..., 2] - 0.5 * fall * dt_s
    arrested = height <= floor_m
    height = torch.where(arrested, floor_m, height)
    sinking = torch.where(arrested, 0.0, speed[..., 2] - fall)
    flat = [ahead[..., :2], height[..., None], turn, speed[..., :2], sinking[..., None]]
    return torch.cat(flat, -1)


def by_traits(p: Params, moments: Moments, usual, seen, thing, memory):
    """OutcomeModel.by_traits: [E, B, O] and the look's miss [E, B]."""
    (mean, scale), dense = moments, functools.partial(_dense, p)
    template = dense("SoundHead_0/template", seen)
    pitch, pitch_miss = _trait(p, "SoundHead_0/pitch", "hardness", thing, memory)
    pitch = pitch + dense("SoundHead_0/detune", seen)
    log_pitch = LOG_BANDS.mean() + dynamics.PITCH_RANGE * torch.tanh(pitch / dynamics.PITCH_RANGE)
    lowest, highest = dynamics.TEMPLATE_RANGE
    at = (EAR_TONES - log_pitch - lowest) * (dynamics.TEMPLATE - 1) / (highest - lowest)
    at = at.clamp(0.0, dynamics.TEMPLATE - 1.0)
    low = at.long().clamp_max(dynamics.TEMPLATE - 2)
    below, above = template.gather(-1, low), template.gather(-1, low + 1)
    tones = (below + (at - low) * (above - below)).clamp_max(dynamics.LOUDEST)
    loud = torch.log1p(torch.exp(tones) @ EAR_SHARES)
    heard = (loud - mean[dynamics.SOUND]) / scale[dynamics.SOUND]
    load, load_miss = _trait(p, "TouchHead_0/load", "weight", thing, memory)
    heavy = torch.exp(dynamics.LOAD_RANGE * torch.tanh(load / dynamics.LOAD_RANGE))
    felt = usual[..., dynamics.TOUCH] + dense("TouchHead_0/usual", seen) * heavy
    before, after = usual[..., : dynamics.SOUND.start], usual[..., dynamics.TOUCH.stop :]
    return torch.cat([before, heard, felt, after], -1), pitch_miss + load_miss


def actions(skill, parameters):
    """dynamics.action_features: [B, 26]."""
    onehot = F.one_hot(skill, len(types.SKILLS)).float()
    products = (onehot[:, :, None] * parameters[:, None]).flatten(1)
    angle = math.pi * parameters[:, types.SKILL_PARAMETERS.index("direction"), None]
    return torch.cat([onehot, parameters, products, angle.sin(), angle.cos()], -1)


def standard(moments: Moments, x):
    """normalise.apply."""
    return ((x - moments[0]) / moments[1]).clamp(-STANDARD_LIMIT, STANDARD_LIMIT)


def nll(mean, log_variance, target, beta: float):
    """losses.gaussian_nll."""
    log_variance = log_variance.clamp(-LOSS_LIMIT, LOSS_LIMIT)
    square = (target - mean).square() * torch.exp(-log_variance)
    value = 0.5 * (math.log(2.0 * math.pi) + log_variance + square)
    return value * torch.exp(beta * log_variance).detach()


def soft_clip(raw):
    """dynamics.soft_clip."""
    low, high = dynamics.LOG_VARIANCE_LOW, dynamics.LOG_VARIANCE_HIGH
    return low + F.softplus(high - F.softplus(high - raw) - low)


def _dense(p: Params, name: str, x):
    """x [B, in] or [E, B, in] -> [E, B, out]."""
    kernel, bias = p[f"{name}/kernel"], p[f"{name}/bias"][:, None]
    if x.ndim == 2:
        x = x.expand(len(kernel), *x.shape)
    return torch.baddbmm(bias, x, kernel)


def _norm(p: Params, name: str, x):
    """Flax's LayerNorm of [E, B, width]."""
    plain = F.layer_norm(x, x.shape[-1:], eps=1e-6)
    return torch.addcmul(p[f"{name}/bias"][:, None], plain, p[f"{name}/scale"][:, None])


def _trait(p: Params, name: str, known_by: str, thing, memory):
    """thing.Trait: [E, B, 1] and the look's miss [E, B]."""
    which = types.PROPERTIES.index(known_by)
    known = memory[:, len(types.PROPERTIES) + which] > 0.0
    usual, gain = p[f"{name}/memory"].T[..., None, None]
    remembered = usual + gain * memory[:, which, None]
    outline = thing.outline.expand(len(thing.stuff), *thing.outline.shape)
    seen = _dense(p, f"{name}/look", torch.cat([thing.stuff, outline], -1))
    seen = seen + p[f"{name}/exponent"][:, None, None] * thing.size
    miss = (seen - remembered.detach()).square()[..., 0]
    return torch.where(known[:, None], remembered, seen), torch.where(known, miss, 0.0)
