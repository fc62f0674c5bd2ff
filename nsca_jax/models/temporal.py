"""What comes next: a causal model of an interaction, control step by control step.

`observe` filters the last N moments into a belief; `imagine` rolls it forward, open loop, under an
act that is only thought of: its motor programme is known (an efference copy, von Holst and
Mittelstaedt 1950), what will be sensed is not. A step is innate physics (priors/physics.py),
corrected by a residual through one weight, as in models/dynamics.py. Motion is told in the act's
own frame (ahead, left, up), so that what is learnt of one direction holds for all.

Shapes: B rows, N moments of history, H steps ahead, L latent, D senses.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportCallIssue=false
# (flax's setup, and jnp functions that return one array)

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax import types
from nsca_jax.models import dynamics
from nsca_jax.models.adaptive import RAW0
from nsca_jax.priors import physics
from nsca_jax.sim import scene as scene_lib
from nsca_jax.sim import skills

DT_S = scene_lib.SUBSTEPS * scene_lib.DT_S
UNIT_M = 0.05  # lengths of predictions and of their variance
STEP_M, STEP_M_S = 0.03, 0.75  # units of a step's correction
ALONE = 0.7  # without a prior: a correction of a third of its unit, as an aided one may grow to
ON_TABLE_M = 0.005  # so near the table a thing slides
FARTHEST_M, FASTEST_M_S = 2.5, 5.0  # keep an untrained roll-out from running away
BODY = 12  # hand from the object (m), its velocity (m/s), touch of both fingers (N)
ZERO = nn.initializers.zeros


@struct.dataclass
class History:
    """The last N moments, oldest first; what was not sensed is 0 and not `valid` or `seen`."""

    senses: jax.Array  # [B, N, D] standardised, nothing in it that tells where
    position_m: jax.Array  # [B, N, 3] of the object, as sensed
    velocity_m_s: jax.Array  # [B, 3] of the object, by the moments that saw it
    size_m: jax.Array  # [B] apparent size
    seen: jax.Array  # [B, N] bool: the object was in view
    valid: jax.Array  # [B, N] bool: there was such a moment
    body: jax.Array  # [B, BODY] of the last moment, in the world's frame
    touching: jax.Array  # [B] bool: the hand was already there; False: a look before the act
    place_m: jax.Array  # [B, 3] of the object when last seen


@struct.dataclass
class Act:
    """An act, under way for `begun` control steps at the last moment of the history."""

    skill: jax.Array  # [B] int32
    parameters: jax.Array  # [B, 4] in [-1, 1]
    begun: jax.Array  # [B] int32; 0: not begun


@struct.dataclass
class Belief:
    """What is held true now; in the world's frame."""

    latent: jax.Array  # [B, L]
    place_m: jax.Array  # [B, 3] where the object was last seen
    velocity_m_s: jax.Array  # [B, 3]
    floor_m: jax.Array  # [B] height of its centre when it rests on the table
    body: jax.Array  # [B, BODY]
    touching: jax.Array  # [B]


@struct.dataclass
class Future:
    """Gaussians over where the object will be and what will be sensed; H steps from now."""

    place_m: jax.Array  # [B, H, 3] mean, in the world's frame
    log_variance: jax.Array  # [B, H, 3] of UNIT_M, along the act's axes: ahead, left, up
    senses_mean: jax.Array  # [B, A, D] standardised, at the A steps asked for
    senses_log_variance: jax.Array  # [B, A, D]
    weight: jax.Array  # [B, H] trust in the prior
    penalty: jax.Array  # [B] price of the prior's correction


@struct.dataclass
class Programme:
    """What the hand is told to do over H control steps, in the act's frame."""

    path_m: jax.Array  # [H, B, 3] way of the hand from now to a step's start
    velocity_m_s: jax.Array  # [H, B, 3] over the step
    held: jax.Array  # [H, B] the fingers are closed on the object
    clock: jax.Array  # [H, B, 3] time ahead and since the act began


@struct.dataclass
class Setting:
    """What holds for a whole future, in the act's frame; friction and bounce are the thing's."""

    drive: jax.Array  # [B, L]
    raw: jax.Array  # [] trust in the prior, before its gate
    floor_m: jax.Array  # [B] above the place now
    gap_m: jax.Array  # [B] the hand's way to the object
    friction: jax.Array  # [B] coefficient
    bounce: jax.Array  # [B] share of the speed that an impact on the table leaves


def heading(act: Act) -> jax.Array:
    """[B, 2] cosine and sine of the act's direction; a lift has none and heads along x."""
    angle = jnp.pi * act.parameters[..., types.SKILL_PARAMETERS.index("direction")]
    angle = jnp.where(act.skill == skills.LIFT, 0.0, angle)
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)


def into_frame(x: jax.Array, heading_Bx2: jax.Array) -> jax.Array:
    """Vectors [B, ..., 3] from the world's frame to the act's."""
    lead = (slice(None),) + (None,) * (x.ndim - 2)
    cos, sin = heading_Bx2[..., 0][lead], heading_Bx2[..., 1][lead]
    turned = [cos * x[..., 0] + sin * x[..., 1], cos * x[..., 1] - sin * x[..., 0], x[..., 2]]
    return jnp.stack(turned, -1)


def out_of_frame(x: jax.Array, heading_Bx2: jax.Array) -> jax.Array:
    """The inverse of `into_frame`."""
    return into_frame(x, heading_Bx2 * jnp.array([1.0, -1.0]))


def programme(act: Act, steps: int) -> Programme:
    """The motor programme that the act sends, as if nothing resisted it: `skills.command`."""
    low, high = jnp.moveaxis(jnp.asarray(skills.RANGES)[act.skill], -1, 0)
    height, speed, _, _ = jnp.moveaxis(low + 0.5 * (act.parameters + 1.0) * (high - low), -1, 0)
    lifting = (act.skill == skills.LIFT)[..., None]
    ahead = jnp.where(lifting, jnp.array([0.0, 0.0, 1.0]), jnp.array([1.0, 0.0, 0.0]))
    nothing = jnp.zeros_like(speed)
    plan = skills.Plan(
        skill=act.skill,
        start_m=jnp.zeros_like(ahead),
        velocity_m_s=speed[..., None] * ahead,
        reach_m=nothing + skills.STRIKE_GAP_M + skills.FOLLOW_M,
        lift_m=height,
        opening_m=nothing,
        force_N=nothing + 1e6,
    )
    at_rest = jnp.zeros(5)
    number = act.begun + jnp.arange(steps + 1)[:, None]  # [H + 1, B]

    def target(row, t):
        return skills.command(row, t * DT_S, at_rest, at_rest)[:3]

    path = jax.vmap(jax.vmap(target), (None, 0))(plan, number)
    time = number[:-1] * DT_S
    grip = (act.skill == skills.LIFT) | ((act.skill == skills.DROP) & (time < skills.HOLD_S))
    ahead_s = jnp.broadcast_to(jnp.arange(steps)[:, None] * DT_S, time.shape)
    clock = jnp.stack([ahead_s, jnp.log(ahead_s + DT_S), time], -1)
    return Programme(path[:-1] - path[0], jnp.diff(path, axis=0) / DT_S, grip, clock)


def innate_step(place_m, velocity_m_s, moment: Programme, setting: Setting):
    """One control step of innate physics, in the act's frame and from the place now.

    What is gripped goes with the hand; what the hand reaches is moved by it; what slides slows
    down; all else flies until the table stops it or throws it back. [B, 3] twice -> [B, 3] twice.
    """
    fall = physics.GRAVITY_M_S2 * DT_S
    hand = moment.velocity_m_s
    ahead = jnp.array([1.0, 0.0, 0.0])
    gap = setting.gap_m + place_m[..., 0] - moment.path_m[..., 0]
    lying = place_m[..., 2] < setting.floor_m + ON_TABLE_M
    slid = _slow(velocity_m_s, jnp.where(lying, setting.friction * fall, 0.0))
    pushed = physics.contact_step(slid, hand, ahead, jnp.maximum(gap, 0.0), DT_S)
    after, moving = physics.ballistic_step(place_m, pushed, DT_S, setting.floor_m)
    landed = place_m[..., 2] + (pushed[..., 2] - 0.5 * fall) * DT_S <= setting.floor_m
    speed = jnp.where(landed, jnp.maximum(-pushed[..., 2], 0.0), 0.0)  # 0 for a thing at rest
    thrown = setting.bounce * speed
    moving = _slow(moving, setting.friction * (speed + thrown)).at[..., 2].add(thrown)
    held = moment.held[..., None]
    return jnp.where(held, place_m + hand * DT_S, after), jnp.where(held, hand, moving)


def _slow(velocity_m_s, lost_m_s):
    """Coulomb's friction: velocity [B, 3], its horizontal speed less by lost [B], to 0 at most."""
    speed = jnp.sqrt(jnp.sum(velocity_m_s[..., :2] ** 2, -1) + 1e-8)
    left = jnp.maximum(1.0 - lost_m_s / speed, 0.0)
    return velocity_m_s * jnp.stack([left, left, jnp.ones_like(left)], -1)


class Filter(nn.Module):
    """History -> latent [B, L], by a gated recurrent cell (Cho et al. 2014) over its moments."""

    latent: int

    @nn.compact
    def __call__(self, history: History) -> jax.Array:
        cell = nn.GRUCell(self.latent)
        steps = history.senses.shape[1]
        state = jnp.zeros((*history.senses.shape[:1], self.latent))
        flags = jnp.stack([history.seen, history.valid], -1).astype(jnp.float32)
        inputs = nn.silu(nn.Dense(self.latent)(jnp.concatenate([history.senses, flags], -1)))
        for n in range(steps):
            after, _ = cell(state, inputs[:, n])
            state = jnp.where(history.valid[:, n, None], after, state)
        return state


class Step(nn.Module):
    """A control step: latent [B, L], place and velocity [B, 3] -> the same, and log-variance."""

    latent: int
    aided: bool

    @nn.compact
    def __call__(self, carry, moment: Programme, setting: Setting):
        z, place, velocity = carry
        seen = [place / 0.1, velocity, moment.path_m / 0.1, moment.velocity_m_s]
        seen += [(place - moment.path_m) / 0.1, (place[..., 2:] - setting.floor_m[:, None]) / 0.1]
        seen += [moment.held[:, None].astype(jnp.float32), moment.clock]
        moved, moving = place, velocity
        if self.aided:
            moved, moving = innate_step(place, velocity, moment, setting)
            seen += [(moved - place) / STEP_M, moving]
        x = jnp.concatenate([nn.LayerNorm()(z), *seen], -1)
        z = z + nn.Dense(self.latent)(nn.silu(setting.drive + nn.Dense(self.latent)(x)))
        residual = nn.Dense(6, kernel_init=ZERO, name="residual")(z)
        log_variance = dynamics.soft_clip(
            nn.Dense(3, kernel_init=ZERO, bias_init=nn.initializers.constant(-2.0), name="spread")(
                z
            )
        )
        gate = nn.Dense(1, kernel_init=ZERO, use_bias=False, name="gate")(z)[..., 0]
        weight = physics.gated_weight(setting.raw, gate)
        trust = weight[:, None] if self.aided else ALONE
        after = physics.blend(moved, STEP_M * residual[..., :3], trust)
        fast = physics.blend(moving, STEP_M_S * residual[..., 3:], trust)
        fast = fast if self.aided else (after - place) / DT_S
        after = jnp.clip(after, -FARTHEST_M, FARTHEST_M)
        fast = jnp.clip(fast, -FASTEST_M_S, FASTEST_M_S)
        return (z, after, fast), (z, after, log_variance, residual, weight, gate)


class TemporalModel(nn.Module):
    """`observe` a history, `imagine` an act; not `aided`: the same network without the prior."""

    senses: int
    latent: int = 48
    width: int = 64
    aided: bool = True

    def setup(self):
        self.filter = Filter(self.latent)
        self.trunk = dynamics.Trunk(self.width, 2)
        self.drive = nn.Dense(self.latent)
        self.start = nn.Dense(self.latent)
        self.outset = nn.Dense(6, kernel_init=ZERO)
        self.matter = nn.Dense(2, kernel_init=ZERO)
        self.raw = self.param("raw", nn.initializers.constant(RAW0), ())
        self.reach = self.param("reach", nn.initializers.constant(0.55), ())
        self.step = nn.scan(
            Step,
            variable_broadcast="params",
            split_rngs={"params": False},
            in_axes=(0, nn.broadcast),
        )(self.latent, self.aided)
        self.read = nn.Dense(2 * self.senses, kernel_init=ZERO)

    def __call__(self, history: History, act: Act, steps: int, at: tuple[int, ...]) -> Future:
        return self.imagine(self.observe(history), act, steps, at)

    def observe(self, history: History) -> Belief:
        """Filters what was sensed."""
        floor_m = self.reach * history.size_m
        return Belief(
            self.filter(history),
            history.place_m,
            history.velocity_m_s,
            floor_m,
            history.body,
            history.touching,
        )

    def imagine(self, belief: Belief, act: Act, steps: int, at: tuple[int, ...]) -> Future:
        """Open loop, `steps` control steps ahead; senses are read off at the steps `at`, from 1."""
        ahead = heading(act)
        body = into_frame(belief.body.reshape(-1, BODY // 3, 3), ahead).reshape(-1, BODY)
        velocity = into_frame(belief.velocity_m_s, ahead)
        known = [belief.latent, velocity, body * jnp.array([10.0] * 3 + [1.0] * 3 + [0.1] * 6)]
        known += [belief.touching[:, None].astype(jnp.float32), belief.place_m[:, 2:] / 0.1]
        known += [belief.floor_m[:, None] / 0.03, act.begun[:, None] / 10.0, ahead]
        acting = dynamics.action_features(act.skill, act.parameters)
        context = self.trunk(jnp.concatenate([*known, acting], -1))
        friction, bounce = jnp.moveaxis(jax.nn.sigmoid(self.matter(context)), -1, 0)
        moments = programme(act, steps)
        setting = Setting(
            self.drive(context),
            self.raw,
            jnp.minimum(belief.floor_m - belief.place_m[..., 2], 0.0),
            _gap_m(act),
            friction,
            bounce,
        )
        outset = self.outset(context)  # the noise of the last look, and of its velocity
        place = STEP_M * outset[..., :3]
        velocity = velocity + STEP_M_S * outset[..., 3:]
        carry = (self.start(context), place, velocity)
        _, (z, places, log_variance, residual, weight, gate) = self.step(carry, moments, setting)
        late = jnp.swapaxes(z[jnp.array(at) - 1], 0, 1)
        mean, raw_variance = jnp.split(self.read(late), 2, -1)
        price = physics.blend_penalty(residual, self.raw, RAW0) + physics.gate_penalty(gate)
        return Future(
            belief.place_m[:, None] + out_of_frame(jnp.swapaxes(places, 0, 1), ahead),
            jnp.swapaxes(log_variance, 0, 1),
            mean,
            dynamics.soft_clip(raw_variance),
            jnp.swapaxes(weight, 0, 1),
            jnp.mean(price, 0) * float(self.aided),
        )


def _gap_m(act: Act) -> jax.Array:
    """[B] what is left of a blow's run-up; 0 for the other skills."""
    speed = skills.RANGES[skills.STRIKE, 1]
    fast = speed[0] + 0.5 * (act.parameters[..., 1] + 1.0) * (speed[1] - speed[0])
    left = jnp.maximum(skills.STRIKE_GAP_M - fast * act.begun * DT_S, 0.0)
    return jnp.where(act.skill == skills.STRIKE, left, 0.0)
