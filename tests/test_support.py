"""The block on the table: the world, and the innate rule that reads its picture."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import _config, _support_report
from nsca_jax.priors import support as rule
from nsca_jax.worlds import support as world


def look(blocks, n):
    keys = jax.random.split(jax.random.key(1), n)
    return jax.jit(jax.vmap(world.picture))(keys, blocks)


def test_a_block_stays_where_its_middle_is_held():
    values = {"edge": 0.5, "top": 0.3, "width": 0.3, "height": 0.2, "mirrored": False}
    block = world.Blocks(
        middle=jnp.array([0.49, 0.51, 0.51]), glued=jnp.array([False, False, True]), **values
    )
    np.testing.assert_array_equal(block.stays, [True, False, True])


def test_the_rule_reads_lengths_from_the_picture():
    n = 50
    blocks = world.scenes(jax.random.key(0), n, 0.0)
    middle, width, low, high = jax.vmap(rule.read)(look(blocks, n))
    true_middle = jnp.where(blocks.mirrored, 1.0 - blocks.middle, blocks.middle)
    assert float(jnp.abs(middle - true_middle).mean()) < 1.0 / world.SIDE
    assert float(jnp.abs(width - blocks.width).mean()) < 1.0 / world.SIDE
    assert float(jnp.abs(high - low - blocks.edge).mean()) < 1.0 / world.SIDE
    np.testing.assert_allclose(jnp.where(blocks.mirrored, high, low), blocks.mirrored * 1.0)


def test_the_rule_judges_plain_blocks_and_knows_of_no_glue():
    n = 100
    for share, low, high in ((0.0, 0.94, 1.0), (0.5, 0.6, 0.85)):
        blocks = world.scenes(jax.random.key(2), n, share)
        right = (jax.vmap(rule.stays_logit)(look(blocks, n)) > 0.0) == blocks.stays
        assert low < float(right.mean()) <= high
        half = float(blocks.stays.mean())
        assert 0.4 < half - 0.25 * (share > 0) < 0.6


def test_a_rule_that_is_trusted_among_glued_blocks_is_reported():
    config: Any = _config.load("configs/support.py:quick")
    shape = (config.seeds, len(config.sizes), 1)
    part = {"hits": np.full(shape, 90.0), "prior_hits": np.full(shape, 75.0)}
    part |= {"prior_error": np.full(shape, 0.8), "weight": np.full(shape, 0.9)}
    parts = {f"{w}-{arm}": part for w in ("bare", "glued") for arm in ("both", "base")}

    def watched(**of_glued):
        glued = {**part, **{name: x * np.ones(shape) for name, x in of_glued.items()}}
        return _support_report.claims(config, {**parts, "glued-both": glued})["monitors"][0]

    assert watched().alarm
    early = np.arange(len(config.sizes))[:, None] < len(config.sizes) - 1
    assert not watched(weight=0.3 + 0.6 * early).alarm  # with the fewest pictures it may be
    assert not watched(prior_error=0.3).alarm  # and where it is right
