"""A bank of property slots: what an object is like, told from what happened to it.

Interactions with an object go, in any order, through an encoder to nine known slots, which hold
what the senses measured, and 16 free ones, which stand for whatever else must be assumed of the
object to foresee what will come of the next interaction. Every pair of action and channel reads
the slots through gates of its own, which are either open or shut: hard concrete, Louizos et al.
(2018). A free slot pays KL to a unit Gaussian, Kingma & Welling (2014). Few gates and few slots
identify the properties: Lachapelle et al. (2022), Moran et al. (2022).

Shapes: N objects, I interactions, C channels, A actions, K = 9 known slots, F free ones.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from nsca_jax.models import rotation

KNOWN = (
    "hardness",
    "weight",
    "size",
    "animacy",
    "rigidity",
    "transparency",
    "roughness",
    "temperature",
    "containment",
)
FREE = 16
STRETCH_LOW, STRETCH_HIGH, HEAT = -0.1, 1.1, 2.0 / 3.0  # of hard concrete, as in its paper
LOG_VARIANCE_LIMIT = 8.0
FIRST_LOG_VARIANCE = -2.0  # a fresh slot speaks before the noise drowns it
FIRST_GATE_LOGIT = 2.0
ACTIVE = 0.5  # activation from which a slot counts as in use
CLOSED = 2**30  # later than any step
RIDGE = 1e-3  # of the mean square of what a fresh slot's head reads
TOLD = 0.8  # share of a slot's variance that the others explain, above which it is one too many
FOLDS = 3  # such slots that go at once, at most
CREDIT = 0.95  # share of a correlation that the prior of the slots knows of


@struct.dataclass
class Acts:
    """Interactions with N objects."""

    action: jax.Array  # [N, I] int32
    intensity: jax.Array  # [N, I]
    outcome: jax.Array  # [N, I, C], of order one


@struct.dataclass
class Slots:
    """Gaussian beliefs about N objects."""

    known: jax.Array  # [N, K] standard scores as measured, 0 where not measured
    mean: jax.Array  # [N, F]; 0 where the slot is closed
    log_variance: jax.Array  # [N, F]; 0 where the slot is closed

    def sample(self, key: jax.Array) -> jax.Array:
        """[N, K + F] draws of the free slots beside the known ones."""
        noise = jax.random.normal(key, self.mean.shape)
        free = self.mean + jnp.exp(0.5 * self.log_variance) * noise
        return jnp.concatenate([self.known, free], -1)

    def expected(self) -> jax.Array:
        """[N, K + F] means of all slots."""
        return jnp.concatenate([self.known, self.mean], -1)


class SlotBank(nn.Module):
    """Encoder and gated decoder; `encode` and `decode` are its two halves."""

    actions: int
    channels: int
    free: int = FREE
    width: int = 64
    hidden: int = 12  # units of each (action, channel)'s own read-out

    def setup(self):
        slots = len(KNOWN) + self.free
        cells = (self.actions, self.channels)
        self.look = nn.Dense(self.width)
        self.weigh = [nn.Dense(self.width), nn.Dense(self.width)]
        self.mean = nn.Dense(self.free, kernel_init=nn.initializers.orthogonal(1.0))
        self.log_variance = nn.Dense(
            self.free,
            kernel_init=nn.initializers.orthogonal(0.1),
            bias_init=nn.initializers.constant(FIRST_LOG_VARIANCE),
        )
        fan = nn.initializers.normal(slots**-0.5)
        self.gate_logits = self.param(
            "gate_logits", nn.initializers.constant(FIRST_GATE_LOGIT), (*cells, slots)
        )
        self.read = self.param("read", fan, (*cells, slots, self.hidden))
        self.force = self.param("force", nn.initializers.normal(1.0), (*cells, 2, self.hidden))
        out = nn.initializers.normal(self.hidden**-0.5)
        self.tell = self.param("tell", out, (*cells, 2, self.hidden))
        self.bias = self.param("bias", nn.initializers.zeros, (*cells, 2))
        self.log_noise = self.param("log_noise", nn.initializers.zeros, cells)

    def __call__(self, acts: Acts, seen: jax.Array, known: jax.Array, is_open: jax.Array):
        """Runs both halves once: for `init`."""
        slots = self.encode(acts, seen, known, is_open)
        gates = expected_gates(self.gate_logits)
        return self.decode(slots.expected(), gates, acts)

    def encode(self, acts: Acts, seen: jax.Array, known: jax.Array, is_open: jax.Array) -> Slots:
        """Beliefs from the interactions that `seen` [N, I] marks; is_open [F] is 1 or 0."""
        x = self.gist(acts, seen, known)
        limit = LOG_VARIANCE_LIMIT
        log_variance = jnp.clip(self.log_variance(x), -limit, limit)
        return Slots(known, self.mean(x) * is_open, log_variance * is_open)

    def gist(self, acts: Acts, seen: jax.Array, known: jax.Array) -> jax.Array:
        """[N, W] what the heads of the slots read; the order of interactions has no influence."""
        onehot = jax.nn.one_hot(acts.action, self.actions)
        values = [jnp.ones_like(acts.intensity)[..., None], acts.intensity[..., None], acts.outcome]
        facts = onehot[..., :, None] * jnp.concatenate(values, -1)[..., None, :]
        flat = facts.reshape(*acts.action.shape, -1)
        own = jnp.broadcast_to(known[:, None], (*acts.action.shape, known.shape[-1]))
        heard = nn.silu(self.look(jnp.concatenate([flat, own], -1)))
        total = jnp.einsum("niw,ni->nw", heard, seen)
        counts = jnp.einsum("nia,ni->na", onehot, seen)
        x = jnp.concatenate([total * 0.3, counts * 0.3, known], -1)
        for layer in self.weigh:
            x = nn.silu(layer(x))
        return x

    def decode(self, slots, gates, acts: Acts) -> tuple[jax.Array, jax.Array]:
        """Mean and log-variance [N, I, C] of outcomes, from slots [N, K + F]."""
        passed = slots[:, None, None] * gates  # [N, A, C, K + F]
        told = jnp.einsum("nacs,acsh->nach", passed, self.read)
        onehot = jax.nn.one_hot(acts.action, self.actions)
        mine = jnp.einsum("nia,nach->nich", onehot, told)
        force = jnp.einsum("nia,acoh->nioch", onehot, self.force)
        tell = jnp.einsum("nia,acoh->nioch", onehot, self.tell)
        bias = jnp.einsum("nia,aco->nioc", onehot, self.bias)
        q = (acts.intensity - 1.0)[..., None]
        hidden = nn.tanh(mine + force[:, :, 0] + force[:, :, 1] * q[..., None])
        flat = jnp.sum(hidden * tell[:, :, 0], -1) + bias[:, :, 0]
        steep = jnp.sum(hidden * tell[:, :, 1], -1) + bias[:, :, 1]
        log_noise = jnp.einsum("nia,ac->nic", onehot, self.log_noise)
        return flat + q * steep, 2 * log_noise


def expected_gates(logits: jax.Array) -> jax.Array:
    """Gates without noise, in [0, 1]: Louizos et al. (2018), eq. 13."""
    stretched = jax.nn.sigmoid(logits) * (STRETCH_HIGH - STRETCH_LOW) + STRETCH_LOW
    return jnp.clip(stretched, 0.0, 1.0)


def sampled_gates(key: jax.Array, logits: jax.Array, objects: int) -> jax.Array:
    """One draw of every gate, in [0, 1], mostly at its ends: Louizos et al. (2018), eq. 10."""
    u = jax.random.uniform(key, (objects, *logits.shape), minval=1e-6, maxval=1 - 1e-6)
    soft = jax.nn.sigmoid((jnp.log(u) - jnp.log1p(-u) + logits) / HEAT)
    return jnp.clip(soft * (STRETCH_HIGH - STRETCH_LOW) + STRETCH_LOW, 0.0, 1.0)


def gate_chance(logits: jax.Array) -> jax.Array:
    """Probability that a gate is not shut: Louizos et al. (2018), eq. 12."""
    return jax.nn.sigmoid(logits - HEAT * jnp.log(-STRETCH_LOW / STRETCH_HIGH))


def slot_chance(logits_ACS: jax.Array) -> jax.Array:
    """[S] probability that anything reads the slot at all."""
    shut = jax.nn.log_sigmoid(-(logits_ACS - HEAT * jnp.log(-STRETCH_LOW / STRETCH_HIGH)))
    return -jnp.expm1(jnp.sum(shut, (0, 1)))


def kl(slots: Slots) -> jax.Array:
    """[N, F] nats from belief to the unit Gaussian; 0 where a slot says nothing."""
    return 0.5 * (jnp.exp(slots.log_variance) + slots.mean**2 - 1.0 - slots.log_variance)


def concord(slots: Slots) -> jax.Array:
    """[] nats an object, at most 0: what a prior that knows the slots' correlations saves of `kl`.

    A unit Gaussian prices correlation, and so turns the slots of properties that go together into
    mixtures that do not. The best Gaussian prior of unit variances costs log(det R) / 2 less, R the
    correlation matrix of the aggregate posterior. That prior would take a copy for nothing, so the
    correlations are shrunk by `CREDIT` first: a copy saves 1.2 nats at most, and pays the rest.
    """
    moments = slots.mean.T @ slots.mean / len(slots.mean)
    moments += jnp.diag(jnp.mean(jnp.exp(slots.log_variance), 0))
    scale = jax.lax.rsqrt(jnp.diagonal(moments))
    shrunk = CREDIT * moments * scale * scale[:, None] + (1.0 - CREDIT) * jnp.eye(len(scale))
    return 0.5 * jnp.linalg.slogdet(shrunk)[1]


def activation(slots: Slots) -> jax.Array:
    """[F] in [0, 1]: var(means) / (var(means) + mean variance), over the objects.

    1 where the slot speaks of the object, 0 where it fell back to the prior.
    """
    between = jnp.var(slots.mean, 0)
    return between / (between + jnp.mean(jnp.exp(slots.log_variance), 0))


def likeness(slots: Slots, tolerated: float = 0.5) -> jax.Array:
    """[] diversity loss: how far squared correlations of free slots exceed what is tolerated.

    Properties may go together, so moderate correlations are free; copies are not.
    """
    centred = slots.mean - jnp.mean(slots.mean, 0)
    scaled = centred * jax.lax.rsqrt(jnp.mean(centred**2, 0) + 1e-3)
    squared = (scaled.T @ scaled / len(centred)) ** 2
    above = jnp.maximum(squared - tolerated, 0.0)
    return 0.5 * (jnp.sum(above) - jnp.sum(jnp.diagonal(above)))


def surprise(residual: jax.Array, action: jax.Array, actions: int) -> jax.Array:
    """Whether errors persist: [A, C] z-scores of residuals' agreement within an object.

    What the bank could know of an object but does not shows as errors of one sign whenever the
    same is done to it again; noise does not repeat. Under independent errors of mean 0 the sum of
    products over pairs, divided by the root of their summed squares, is a standard Gaussian.

    Args:
        residual: [N, I, C] outcome minus prediction.
        action: [N, I] int32.
    """
    onehot = jax.nn.one_hot(action, actions)
    usual = jnp.einsum("nia,nic->ac", onehot, residual) / jnp.maximum(
        jnp.sum(onehot, (0, 1))[:, None], 1.0
    )
    error = jnp.einsum("nia,nic->niac", onehot, residual) - onehot[..., None] * usual

    def pairs(x):
        return 0.5 * (jnp.sum(x, 1) ** 2 - jnp.sum(x**2, 1))

    products = jnp.sum(pairs(error), 0)
    return products * jax.lax.rsqrt(jnp.sum(pairs(error**2), 0) + 1e-12)


def open_next(
    opened: jax.Array, step: jax.Array, active: jax.Array, persists: jax.Array, patience: int
) -> jax.Array:
    """[F] bool: the one slot, or none, that opens now because errors persist.

    An idle slot of some age has missed what there is to say: it opens anew. As long as a younger
    one is idle, all wait for it. Else the next closed slot opens.

    Args:
        opened: [F] int32 step at which each slot opened, CLOSED where it did not.
        step: [] int32.
        active: [F] activation.
        persists: [] bool.
        patience: steps after which an idle slot opens anew.
    """
    closed = opened == CLOSED
    idle = ~closed & (active < ACTIVE)
    stale = idle & (step - opened >= patience)
    candidates = jnp.where(jnp.any(idle), stale, closed)
    return _first(candidates) & persists


def aim(surprise_AC: jax.Array, residual: jax.Array, action: jax.Array) -> tuple:
    """Where errors persist most, `[A, C]` one-hot, and how far off each object is there, `[N]`.

    Args:
        residual: [N, I, C] outcome minus prediction.
        action: [N, I] int32.
    """
    worst = jnp.zeros(surprise_AC.size).at[jnp.argmax(surprise_AC)].set(1.0)
    worst = worst.reshape(surprise_AC.shape)
    return worst, jnp.sum(residual * worst[action], (1, 2))


def reseeded(params, key: jax.Array, which: jax.Array, worst_AC, gist, off):
    """The bank's parameters with fresh encoder heads, read-outs and gates of `which` [F] slots.

    A fresh slot says, as well as a ridge regression can tell, how far off predictions are where
    errors persist most, and is read there alone. From a random start it would mostly be told to
    keep quiet where much is known.

    Args:
        worst_AC, off: as `aim` gives them.
        gist: [N, W] what the heads read.
    """
    usual = jnp.mean(gist, 0)
    x = gist - usual
    inner = x.T @ x
    ridge = RIDGE * jnp.trace(inner) / len(inner) * jnp.eye(len(inner))
    head = jnp.linalg.solve(inner + ridge, x.T @ (off - jnp.mean(off)))
    head /= jnp.std(x @ head) + 1e-6
    fresh = {
        "mean": {"kernel": head[:, None], "bias": -usual @ head},
        "log_variance": {"kernel": jnp.zeros_like(head)[:, None], "bias": FIRST_LOG_VARIANCE},
    }
    heads = {
        name: {part: jnp.where(which, fresh[name][part], x) for part, x in params[name].items()}
        for name in fresh
    }
    here = jnp.concatenate([jnp.zeros(len(KNOWN), bool), which])
    read = jax.random.normal(key, params["read"].shape) * worst_AC[..., None, None]
    read *= here.shape[0] ** -0.5
    return {
        **params,
        **heads,
        "read": jnp.where(here[:, None], read, params["read"]),
        "gate_logits": jnp.where(here, FIRST_GATE_LOGIT, params["gate_logits"]),
    }


def _first(candidates: jax.Array) -> jax.Array:
    return candidates & (jnp.cumsum(candidates) == 1)


def folded(loud: jax.Array, mean: jax.Array, used: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What passes the gates, without the slots that the others tell, and which slots remain [F].

    A slot whose mean is a linear combination of the others' means says nothing new. It is cheaper
    to shut, but for what reads it, which must read the others first: here that is solved for. One
    after another, the slot that is told best goes, if more than `TOLD` of its variance is.

    Args:
        loud: [A, C, F, H] read-outs of the free slots behind their gates.
        mean: [N, F].
        used: [F] bool.
    """

    def fold(_, carry):
        loud, used = carry
        shares, weights = told_by_others(mean, used)
        best = jnp.argmax(shares)
        goes = shares[best] > TOLD
        loud += (goes * weights[best])[:, None] * loud[:, :, best][:, :, None]
        return loud, used & ~(goes & (jnp.arange(len(used)) == best))

    return jax.lax.fori_loop(0, FOLDS, fold, (loud, used))


def told_by_others(mean: jax.Array, used: jax.Array) -> tuple:
    """Of every used slot: the share of its variance that a linear regression on the others
    explains [F], 0 of the unused; and the regression's weights [F, F], a row each.

    Both follow from the inverse of the covariance P: 1 - 1 / (P_ii cov_ii), and -P_ij / P_ii.

    Args:
        mean: [N, F].
        used: [F] bool.
    """
    both, eye = used[:, None] & used[None, :], jnp.eye(len(used))
    centred = mean - jnp.mean(mean, 0)
    moments = jnp.where(both, centred.T @ centred / len(mean), eye)
    moments += 1e-4 * jnp.diag(jnp.diagonal(moments))
    precision = jnp.linalg.inv(moments)
    own = jnp.diagonal(precision)
    weights = jnp.where(both & (eye == 0), -precision / own[:, None], 0.0)
    shares = 1.0 - 1.0 / (own * jnp.diagonal(moments))
    return jnp.where(used, shares, 0.0), weights


def turned(params, key: jax.Array, used: jax.Array, mean: jax.Array, folds: jax.Array) -> tuple:
    """The bank's parameters with the used free slots [F] turned to simple structure, and which of
    them remain [F]: if it `folds` [] bool, those that the others tell go first.

    What passed a gate is turned with the rest, and all gates of these slots stand open again.

    Args:
        mean: [N, F] of the slots, as the bank has them.
    """
    free = slice(len(KNOWN), None)
    logits, read = params["gate_logits"], params["read"]
    loud = expected_gates(logits[..., free])[..., None] * read[:, :, free]
    loud, remain = folded(loud, mean, used & folds)
    used = jnp.where(folds, remain, used)
    loudness = jnp.linalg.norm(params["tell"], axis=2)[:, :, None]
    loadings_ACFH = loud * loudness
    groups = jnp.swapaxes(loadings_ACFH, -1, -2).reshape(-1, loudness.shape[-1], used.shape[0])
    turn = rotation.simple_structure(key, groups, used)
    told = jnp.einsum("acsh,st->acth", loud, jnp.linalg.inv(turn))
    told /= expected_gates(jnp.array(FIRST_GATE_LOGIT))
    told = jnp.where(used[:, None], told, read[:, :, free])
    opened = jnp.where(used, FIRST_GATE_LOGIT, logits[..., free])
    fresh = {
        "mean": {name: x @ turn.T for name, x in params["mean"].items()},
        "read": read.at[:, :, free].set(told),
        "gate_logits": logits.at[..., free].set(opened),
    }
    return {**params, **fresh}, used
