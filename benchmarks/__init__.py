"""Ratios against peers: `python -m benchmarks.run`."""
