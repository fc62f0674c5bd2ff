"""Pictures by `mujoco.Renderer`: `python mujoco_reference.py IN.npz OUT.npz`.

A program of its own because MuJoCo reads MUJOCO_GL once, when it is imported. IN holds the model
(`xml`), the camera's name and poses `qpos` [N, nq]; OUT gets the geom ids [N, H, W] (-1 where
there is none) and the depths [N, H, W] in metres.
"""

# pyright: reportAttributeAccessIssue=false
# (the C extension's names have no stubs)

import sys

import mujoco
import numpy as np


def pictures(xml: str, qpos_NxQ: np.ndarray, width: int, height: int):
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    geoms, depths = [], []
    with mujoco.Renderer(model, height, width) as renderer:
        for qpos in qpos_NxQ:
            data.qpos[:] = qpos
            mujoco.mj_kinematics(model, data)
            mujoco.mj_camlight(model, data)
            renderer.update_scene(data, "eye")
            renderer.enable_segmentation_rendering()
            geoms.append(renderer.render()[..., 0].copy())
            renderer.enable_depth_rendering()
            depths.append(renderer.render().copy())
    return np.stack(geoms), np.stack(depths)


if __name__ == "__main__":
    asked = np.load(sys.argv[1])
    geoms, depths = pictures(
        str(asked["xml"]), asked["qpos"], int(asked["width"]), int(asked["height"])
    )
    np.savez(sys.argv[2], geoms=geoms, depths=depths)
