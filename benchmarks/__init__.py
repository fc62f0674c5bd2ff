"""Ratios against peers: `python -m benchmarks.run`."""

import os

# before jax is imported: XLA complains at length that a cached program names features that this
# very machine invented
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
