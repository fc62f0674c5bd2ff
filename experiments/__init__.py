"""One short launcher a command: reads a config, calls a room, writes a run."""

import os

# XLA's notes on loading its own cached programs are many lines long and say nothing to a user.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
