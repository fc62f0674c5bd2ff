"""The simulated world: one scene, four skills, a pure environment."""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):  # MJX prints that the optional warp is not there
    from mujoco import mjx as mjx
