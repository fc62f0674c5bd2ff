"""Speed, measured as ratios in one run."""

import experiments as _  # noqa: F401  (its environment, before JAX starts)
