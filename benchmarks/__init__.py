"""Speed, measured as ratios in one run."""

import os

import experiments

# Before JAX starts: physics alone is spread over a device for each core (benchmarks/physics.py).
os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(experiments.CORES))
