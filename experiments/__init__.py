"""One short launcher a command: reads a config, calls a room, writes a run."""

import os

# XLA's notes on loading its own cached programs are many lines long and say nothing to a user.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A program for each core, where seeds are spread over devices (nsca_jax/training/parallel.py); a
# GPU's are counted by itself.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(CORES))
