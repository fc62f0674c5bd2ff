"""The replay ring: order, wrap-around, validity, seeds apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nsca_jax.memory import replay

SEEDS, BLOCK, CAPACITY = 2, 3, 9
KEYS = jax.random.split(jax.random.key(0), SEEDS)
EXAMPLE = {"x": jnp.zeros(2), "id": jnp.zeros((), jnp.int32)}


def make_block(start):
    """Rows numbered from `start`; the second seed's numbers are 1000 higher."""
    number = start + jnp.arange(BLOCK)[:, None] + 1000 * jnp.arange(SEEDS)
    return {"x": jnp.stack([number, -number], -1).astype(jnp.float32), "id": number}


def fill(blocks):
    buffer = replay.init(EXAMPLE, CAPACITY, SEEDS, BLOCK)
    add = jax.jit(replay.add, donate_argnums=0)
    for block in range(blocks):
        buffer = add(buffer, make_block(BLOCK * block), jnp.ones((BLOCK, SEEDS), bool))
    return buffer


def test_a_full_ring_forgets_the_oldest_block():
    buffer = fill(4)
    assert int(buffer.size) == CAPACITY
    assert int(buffer.next) == BLOCK
    np.testing.assert_array_equal(np.sort(buffer.rows["id"][:, 0]), np.arange(3, 12))
    np.testing.assert_array_equal(buffer.rows["x"][..., 1], -buffer.rows["id"])


def test_samples_come_uniformly_from_what_is_filled_each_seed_from_its_own():
    rows, valid = replay.sample(fill(2), KEYS, 6000)
    assert rows["x"].shape == (SEEDS, 6000, 2)
    assert bool(valid.all())
    counts = np.bincount(rows["id"][0], minlength=6)
    np.testing.assert_allclose(counts, 1000, atol=150)
    assert int(rows["id"][1].min()) == 1000
    assert not np.array_equal(rows["id"][0], rows["id"][1] - 1000)


def test_bad_rows_are_zeroed_and_marked():
    block = make_block(0)
    block["x"] = block["x"].at[1, 0, 1].set(jnp.nan)
    valid = jnp.ones((BLOCK, SEEDS), bool).at[2, 1].set(False)
    buffer = replay.add(replay.init(EXAMPLE, CAPACITY, SEEDS, BLOCK), block, valid)
    rows, valid = replay.sample(buffer, KEYS, 300)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(rows))
    assert set(np.asarray(rows["id"][0][valid[0]]).tolist()) == {0, 2}
    assert set(np.asarray(rows["id"][1][valid[1]]).tolist()) == {1000, 1001}
    assert float(valid.mean()) == pytest.approx(2 / 3, abs=0.1)


def test_an_empty_buffer_has_nothing_valid():
    _, valid = replay.sample(fill(0), KEYS, 5)
    assert not bool(valid.any())


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="10 is no multiple"):
        replay.init(EXAMPLE, 10, SEEDS, BLOCK)
    with pytest.raises(AssertionError):
        replay.add(fill(0), make_block(0), jnp.ones((BLOCK + 1, SEEDS), bool))
