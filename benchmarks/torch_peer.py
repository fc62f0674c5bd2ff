"""The peer: one gradient step of the world model in PyTorch, on all cores of the CPU.

The same ensemble, batch, loss, clipping and AdamW (benchmarks/torch_model.py), eager and, where
there is a C++ compiler, by torch.compile; the quicker one is the peer. It does not look for what is
not finite. Steps are called one by one from Python on both sides. PyTorch is no dependency:
`python -m pip install torch`, of which its CPU build suffices.
"""

# flax dataclasses have `replace`, though not to pyright, which does not know PyTorch here.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportMissingImports=false

import dataclasses
import functools
import importlib.util
import os
import shutil
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import clock
from nsca_jax import types
from nsca_jax.training import learner

MISSING = (
    "PyTorch is not installed, and its ratio is left out: `python -m pip install torch` installs "
    "it (the CPU build suffices)"
)
TOLERANCE = 1e-4  # of the two losses' difference, relative
STEPS = 10  # a repeat


def there() -> bool:
    """Whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


def measure(settings: learner.LearnerSettings, repeats: int) -> tuple[list, list]:
    """(figures, ratios) of gradient steps a second; ValueError where the two differ in the loss."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    state, rows, memory = problem(settings)
    apart = difference(settings, state, rows, memory)
    if not apart < TOLERANCE:
        raise ValueError(f"the losses of JAX and PyTorch are {apart:.2g} apart, relative")
    works = {"jax": jax_step(settings, state, rows, memory)}
    works["torch"] = torch_step(settings, state, rows, memory, compiled=False)
    if shutil.which("c++") or shutil.which("g++"):
        works["torch_compiled"] = torch_step(settings, state, rows, memory, compiled=True)
    times = clock.interleave(works, repeats)
    rates = {
        name: clock.rate(f"step_{name}", "gradient steps/s", STEPS, times[name].wall_s)
        for name in works
    }
    peer = max((name for name in works if name != "jax"), key=lambda n: rates[n]["median"])
    same = clock.figure("torch_loss_difference", "relative", [apart])
    return [*rates.values(), same], [clock.ratio("step_to_torch", rates["jax"], rates[peer])]


def problem(settings: learner.LearnerSettings):
    """(LearnerState, interactions [B], memory [B, 10]) of made-up numbers of the usual sizes."""
    n = settings.batch
    rng = np.random.default_rng(0)

    def some(*shape):
        return jnp.asarray(np.abs(rng.normal(size=(n, *shape))), jnp.float32)

    rows = types.Interaction(
        object_id=jnp.zeros(n, jnp.int32),
        skill=jnp.arange(n, dtype=jnp.int32) % len(types.SKILLS),
        parameters=jnp.asarray(rng.uniform(-1, 1, (n, 4)), jnp.float32),
        spawn=types.Observation(
            image=jnp.zeros((n, 0, 0, 4), jnp.uint8),
            visual_code=some(types.VISUAL_CODE),
            shape_code=some(types.SHAPE_CODE),
            touch_N=some(2, 3),
            proprio=some(3 * types.JOINTS),
        ),
        motion=some(types.KNOTS, types.MOTION),
        outcome=types.Outcome(
            displacement_m=some(3),
            rotation_rad=some(3),
            sound=some(types.SOUND_BANDS),
            touch_peak_N=some(2, 3),
            broken=some(),
            image_code=some(types.VISUAL_CODE),
        ),
        measured=some(len(types.PROPERTIES)),
        measured_ok=jnp.ones((n, len(types.PROPERTIES)), bool),
        contact=jnp.ones(n, bool),
        finite=jnp.ones(n, bool),
    )
    known = rng.random((n, len(types.PROPERTIES))) < 0.5
    memory = jnp.asarray(np.concatenate([rng.normal(size=known.shape) * known, known], 1))
    state = jax.jit(functools.partial(learner.init, settings))(jax.random.key(0))
    state = state.replace(statistics=jax.jit(learner.observe)(state.statistics, rows))
    # what begins at zero would hide a mistake behind it
    drawn = [
        x + 0.03 * jnp.asarray(rng.normal(size=x.shape), jnp.float32)
        for x in jax.tree.leaves(state.params)
    ]
    params = jax.tree.unflatten(jax.tree.structure(state.params), drawn)
    return state.replace(params=params), rows, memory.astype(jnp.float32)


def difference(settings: learner.LearnerSettings, state, rows, memory) -> float:
    """How far the two losses of the same parameters and rows are apart, relative; nothing drawn."""
    import torch

    from benchmarks import torch_model

    still = dataclasses.replace(settings, memory_dropout=0.0, feature_noise=0.0)
    loss = jax.jit(functools.partial(learner.loss, still))
    theirs = float(
        loss(state.params, state.statistics, rows, memory, rows.finite, jax.random.key(0))
    )
    with torch.no_grad():
        ours = torch_model.loss(
            still,
            torch_model.params_of(state.params),
            torch_model.moods_of(state.statistics),
            torch_model.rows_of(rows, memory),
            torch.ones(settings.batch, 1),
            torch.zeros(settings.batch, learner.FEATURES),
        ).item()
    return abs(ours - theirs) / abs(theirs)


def jax_step(settings: learner.LearnerSettings, state, rows, memory) -> Callable[[], None]:
    """STEPS steps of learner.update, as compiled for one seed."""
    program = jax.jit(functools.partial(learner.update, settings), donate_argnums=0)
    now, key = jax.tree.map(jnp.copy, state), jax.random.key(1)

    def work():
        nonlocal now
        for number in range(STEPS):
            drawn = jax.random.fold_in(key, number)
            now, value = program(now, rows, memory, rows.finite, drawn)
        jax.block_until_ready((now.params, value))

    return work


def torch_step(
    settings: learner.LearnerSettings, state, rows, memory, compiled: bool
) -> Callable[[], None]:
    """STEPS steps of the same learning in PyTorch."""
    import torch

    step = make_torch(settings, state, rows, memory, compiled)[1]

    def work():
        for _ in range(STEPS):
            keep = (torch.rand(settings.batch, 1) >= settings.memory_dropout).float()
            step(keep, settings.feature_noise * torch.randn(settings.batch, learner.FEATURES))

    return work


def make_torch(settings: learner.LearnerSettings, state, rows, memory, compiled: bool):
    """(parameters by name, step(keep [B, 1], noise [B, D]) that moves them)."""
    import torch

    from benchmarks import torch_model

    params = torch_model.params_of(state.params)
    params = {name: x.requires_grad_() for name, x in params.items()}
    moods, data = torch_model.moods_of(state.statistics), torch_model.rows_of(rows, memory)
    network = [x for name, x in params.items() if name != "raw"]
    rate, decay = settings.learning_rate, settings.weight_decay
    groups = [
        {"params": network, "lr": rate, "weight_decay": decay},
        {"params": [params["raw"]], "lr": learner.PRIOR_RATE * rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, fused=True)
    fall = functools.partial(_cosine, settings.total_updates)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, fall)
    loss = functools.partial(torch_model.loss, settings)
    loss = torch.compile(loss) if compiled else loss

    def step(keep, noise):
        loss(params, moods, data, keep, noise).backward()
        torch.nn.utils.clip_grad_norm_([*network, params["raw"]], settings.clip)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()

    return params, step


def _cosine(steps: int, number: int) -> float:
    """optax.cosine_decay_schedule to a twentieth."""
    return 0.05 + 0.95 * 0.5 * (1.0 + np.cos(np.pi * min(number, steps) / steps))
