"""The viewer: what it shows, and one sentence where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import mujoco
import numpy as np
import pytest

from experiments import view
from nsca_jax import objects
from nsca_jax.sim import scene as scene_lib

# pyright: reportAttributeAccessIssue=false
# (mujoco's names live in its C extension)

ROOT = Path(__file__).parent.parent
SET_A = str(ROOT / "configs" / "objects_set_a.yaml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--object=unicorn"], ("unicorn", "steel bearing", "foam ball")),
        (["--skill=juggle"], ("juggle", "drop, strike, push, lift")),
        (["--set=no_such.yaml"], ("no_such.yaml", "cannot be read")),
    ],
)
def test_an_unknown_name_is_told_with_what_is_allowed(arguments, words, capsys):
    assert view.main(["--set=" + SET_A, *arguments]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    for word in words:
        assert word in told


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac finds its screen without DISPLAY")
def test_without_a_screen_it_says_so():
    bare = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-m", "experiments.view"],
        cwd=ROOT,
        env=bare,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("No screen was found here")
    assert done.stderr.count("\n") == 1


class Window:
    """Stands for MuJoCo's window: keeps what it was shown, and is closed after some frames."""

    def __init__(self, data, frames):
        self._data, self._left, self.shown = data, frames, []

    def is_running(self):
        return self._left > 0

    def sync(self):
        self._left -= 1
        self.shown.append(self._data.qpos.copy())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._left = 0


@pytest.fixture
def window(monkeypatch):
    """The window that `view` opens, after 30 frames closed, and no waiting between frames."""
    opened = []

    def launch(model, data):
        del model
        opened.append(Window(data, 30))
        return opened[0]

    tracks = np.random.default_rng(0).normal(size=(26, 3, 12))
    monkeypatch.setattr(mujoco.viewer, "launch_passive", launch)
    monkeypatch.setattr(view, "need_screen", lambda: None)
    monkeypatch.setattr(view, "replays", lambda *_: tracks)
    monkeypatch.setattr(view.time, "sleep", lambda _: None)
    return opened, tracks


def test_it_shows_every_frame_in_turn(window, capsys):
    opened, tracks = window
    assert view.main(["--set=" + SET_A, "--object=glass marble", "--skill=lift"]) == 0
    shown = np.stack(opened[0].shown)
    np.testing.assert_array_equal(shown, np.concatenate([tracks[:, 0], tracks[:4, 1]]))
    assert "lift of glass marble" in capsys.readouterr().out


def test_a_mac_without_mjpython_is_told_to_use_it(window, monkeypatch, capsys):
    def refuse(*_):
        raise RuntimeError("`launch_passive` requires `mjpython`")

    monkeypatch.setattr(mujoco.viewer, "launch_passive", refuse)
    assert view.main(["--set=" + SET_A]) == 2
    assert "write mjpython in place of python" in capsys.readouterr().err


def test_the_object_has_its_shape_and_colour():
    known = objects.load(SET_A)
    for name, seen, unseen in (
        ("oak block", scene_lib.BOX, scene_lib.CAPSULE),
        ("oak ball", scene_lib.CAPSULE, scene_lib.BOX),
    ):
        thing = known.names.index(name)
        model = view.model_of(known, thing)
        rgb = known.properties.rgb[thing]
        np.testing.assert_allclose(model.geom_rgba[seen, :3], rgb, rtol=1e-6)
        assert model.geom_rgba[seen, 3] == 1.0
        assert model.geom_rgba[unseen, 3] == 0.0
        assert model.nq == 12


def test_replays_differ_and_start_at_the_spawn(monkeypatch):
    """Without the physics, which has its own tests: the spawns of a drop, the object held."""

    def frozen(scene, start):
        del scene
        return start, start.replace(qpos=start.qpos[None])

    monkeypatch.setattr(view.env, "rollout", frozen)
    tracks = view.replays(objects.load(SET_A), 3, 0, jax.random.key(0))
    assert tracks.shape == (2, view.REPLAYS, 12)
    np.testing.assert_array_equal(tracks[0], tracks[1])
    assert np.ptp(tracks[0, :, 2]) > 0.1  # from heights of 4 to 35 cm
