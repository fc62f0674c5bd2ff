"""The PyTorch peer does the same work: the same loss and, update after update, the same numbers."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import jax
import numpy as np
import pytest

from benchmarks import torch_peer
from nsca_jax.training import learner

torch = pytest.importorskip("torch")
SMALL = learner.LearnerSettings(
    members=2, width=16, blocks=2, latent=8, batch=12, total_updates=4, memory_dropout=0.0,
    feature_noise=0.0, weight_decay=0.1, learning_rate=1e-3,
)  # fmt: skip


def test_losses_and_parameters_agree_update_after_update():
    from benchmarks import torch_model

    state, rows, memory = torch_peer.problem(SMALL)
    assert torch_peer.difference(SMALL, state, rows, memory) < 1e-5
    before = torch_model.params_of(state.params)
    params, step = torch_peer.make_torch(SMALL, state, rows, memory, compiled=False)
    update = jax.jit(lambda s, key: learner.update(SMALL, s, rows, memory, rows.finite, key))
    for number in range(3):
        state, _ = update(state, jax.random.key(number))
        step(torch.ones(SMALL.batch, 1), torch.zeros(SMALL.batch, learner.FEATURES))
    for name, theirs in torch_model.params_of(state.params).items():
        moved = np.abs(theirs.numpy() - before[name].numpy()).max()
        ours = params[name].detach().numpy()
        np.testing.assert_allclose(ours, theirs.numpy(), atol=max(1e-2 * moved, 1e-6))
        assert moved > 0
