"""A checkpoint restores exactly, resists damage, and says what is wrong."""

import errno
import logging

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nsca_jax import checkpoint
from tests import bits

ADAM = optax.adam(1e-3)


def make_state(seed=0):
    params = {"w": jax.random.normal(jax.random.key(seed), (3, 5)), "none": jnp.zeros((0, 4))}
    return {
        "keys": jax.random.split(jax.random.key(seed), 4),
        "hardware_key": jax.random.key(seed, impl="rbg"),
        "params": params,
        "half": jnp.full(3, 0.1, jnp.bfloat16),
        "adam": ADAM.init(params),
        "images": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "step": 7,
        "missing": None,
    }


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def largest_file(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def test_binds_an_array_to_a_device_only_where_the_template_does(tmp_path):
    """What is bound needlessly makes another program of what it enters: one more compile."""
    device = jax.devices()[0]
    state = {"free": jnp.ones(3), "bound": jax.device_put(jnp.ones(3), device)}
    state |= {"key": jax.random.key(0), "empty": jnp.zeros((0, 2))}
    checkpoint.save(tmp_path, 1, state)
    for template in (state, jax.eval_shape(lambda: state)):
        restored, _ = checkpoint.restore(tmp_path, template)
        bound = {name for name, leaf in restored.items() if leaf.committed}
        assert bound == {name for name, leaf in template.items() if getattr(leaf, "committed", 0)}
    assert state["bound"].committed


@pytest.mark.parametrize("abstract", [False, True])
def test_restores_every_leaf_and_typed_key_exactly(tmp_path, abstract):
    state = make_state(1)
    checkpoint.save(tmp_path, 12, state)
    template = jax.eval_shape(lambda: make_state(2)) if abstract else make_state(2)
    restored, step = checkpoint.restore(tmp_path, template)
    assert step == 12
    chex.assert_trees_all_equal(bits.on_host(restored), bits.on_host(state))
    assert restored["keys"].dtype == state["keys"].dtype
    draw = jax.random.normal(restored["hardware_key"], (8,))
    np.testing.assert_array_equal(draw, jax.random.normal(state["hardware_key"], (8,)))
    if not abstract:
        assert isinstance(restored["step"], int)


def test_keeps_the_last_two_and_replaces_a_step(tmp_path):
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, make_state(step))
    checkpoint.save(tmp_path, 3, make_state(9))
    assert checkpoint.steps(tmp_path) == [2, 3]
    assert checkpoint.latest(tmp_path) == 3
    restored, _ = checkpoint.restore(tmp_path, make_state())
    chex.assert_trees_all_equal(bits.on_host(restored), bits.on_host(make_state(9)))


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove", "manifest"])
def test_damage_is_noticed_and_the_last_good_one_used(tmp_path, harm, caplog):
    checkpoint.save(tmp_path, 1, make_state(1))
    checkpoint.save(tmp_path, 2, make_state(2))
    folder = tmp_path / "step_000000002"
    victim = largest_file(folder)
    if harm == "flip":
        flip_a_bit(victim)
    elif harm == "truncate":
        victim.write_bytes(victim.read_bytes()[:-1])
    elif harm == "remove":
        victim.unlink()
    else:
        (folder / "manifest.json").write_text('{"step"')
    with caplog.at_level(logging.WARNING):
        restored, step = checkpoint.restore(tmp_path, make_state())
    assert step == 1
    chex.assert_trees_all_equal(bits.on_host(restored), bits.on_host(make_state(1)))
    assert "step_000000002 is damaged" in caplog.text
    assert "step 1" in caplog.text


def test_only_damaged_ones_or_none_is_an_error(tmp_path):
    with pytest.raises(checkpoint.CheckpointError, match="no checkpoint in"):
        checkpoint.restore(tmp_path, make_state())
    checkpoint.save(tmp_path, 5, make_state())
    flip_a_bit(largest_file(tmp_path))
    with pytest.raises(checkpoint.CheckpointError, match="step_000000005 is damaged"):
        checkpoint.restore(tmp_path, make_state())


def test_another_structure_is_refused_with_the_leaf(tmp_path):
    checkpoint.save(tmp_path, 1, make_state())
    other = make_state()
    other["params"]["w"] = jnp.zeros((3, 6))
    with pytest.raises(checkpoint.CheckpointError, match=r"params\.w is float32\[3, 5\] there"):
        checkpoint.restore(tmp_path, other)
    with pytest.raises(checkpoint.CheckpointError, match="extra is absent there"):
        checkpoint.restore(tmp_path, {**make_state(), "extra": jnp.zeros(2)})


def test_an_interrupted_save_leaves_the_old_one(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, 1, make_state(1))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_crc32", lambda path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            checkpoint.save(tmp_path, 2, make_state(2))
    assert checkpoint.restore(tmp_path, make_state())[1] == 1
    (tmp_path / "step_000000001").rename(tmp_path / ".replaced_000000001")
    checkpoint.save(tmp_path, 2, make_state(2))
    assert checkpoint.steps(tmp_path) == [1, 2]
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_refused_before_writing(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, 1, make_state(1))
    usage = checkpoint.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: usage._replace(free=10))
    with pytest.raises(OSError, match="a checkpoint takes") as refused:
        checkpoint.save(tmp_path, 2, make_state(2))
    assert refused.value.errno == errno.ENOSPC
    assert checkpoint.steps(tmp_path) == [1]


def test_weights_round_trip_and_refuse(tmp_path):
    noise = jax.random.normal(jax.random.key(0), (20, 30))
    tree = {"a": {"w": noise}, "b": [jnp.ones(2, jnp.int32)]}
    path = tmp_path / "weights.npz"
    checkpoint.save_weights(path, tree, {"skill": 0.5, "config": {"width": 3}})
    loaded, header = checkpoint.load_weights(path, jax.tree.map(jnp.zeros_like, tree))
    chex.assert_trees_all_equal(loaded, tree)
    assert header == {"skill": 0.5, "config": {"width": 3}}
    with pytest.raises(checkpoint.CheckpointError, match=r"a\.w is float32\[20, 30\] there"):
        checkpoint.load_weights(path, {**tree, "a": {"w": jnp.zeros(2)}})
    flip_a_bit(path)
    with pytest.raises(checkpoint.CheckpointError, match="damaged"):
        checkpoint.load_weights(path, tree)


def test_weights_that_do_not_fit_a_repository_are_refused(tmp_path):
    big = np.random.default_rng(0).standard_normal(700_000)
    with pytest.raises(ValueError, match="at most 5000000"):
        checkpoint.save_weights(tmp_path / "big.npz", {"w": big}, {})
    with pytest.raises(ValueError, match="bfloat16 cannot be stored"):
        checkpoint.save_weights(tmp_path / "half.npz", {"w": jnp.ones(2, jnp.bfloat16)}, {})
    assert not list(tmp_path.iterdir())
