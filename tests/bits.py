"""States as plain numbers, so that their bits can be compared."""

import jax
import jax.numpy as jnp
import numpy as np


def on_host(tree):
    """Every leaf as an array of NumPy, keys as their data: copies that outlive a donation."""
    return jax.tree.map(_plain, tree)


def _plain(leaf):
    is_key = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.array(jax.random.key_data(leaf) if is_key else leaf, copy=True)
