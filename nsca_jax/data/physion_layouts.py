"""Where Physion keeps its trials, as it is distributed (Bear et al. 2021).

HDF5 trials, unpacked from the archives SCENARIO_{dynamics_training,readout_training,testing}_HDF5s:

    FOLDER/**/dynamics_training*/**/*.hdf5    or SCENARIO_dynamics_training_HDF5s/..., and so on
        frames/%04d/images/_img                      bytes of an encoded image
        frames/%04d/labels/target_contacting_zone    bool

The later edition of films (Physion v1.5, seven scenarios without drape; `train` serves both for
dynamics and for the read-out):

    FOLDER/physion_mp4s/{train,test}/NAME.mp4
    FOLDER/physion_mp4s/{train,test}/all_video_labels.json    NAME -> {"label": bool, ...}

A trial's scenario is told by its name, or else by the folders that it lies in.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nsca_jax.data import _files
from nsca_jax.data._files import DataError

SCENARIOS = ("dominoes", "support", "collide", "contain", "drop", "link", "roll", "drape")
SPLITS = ("dynamics", "readout", "test")
# in this order: the names of some rolling trials say "collision" too
_KEYS = {
    "roll": ("roll",),
    "collide": ("collision", "collide"),
    "support": ("towers", "support"),
    "drape": ("cloth", "drape"),
    "dominoes": ("dominoes",),
    "contain": ("contain",),
    "link": ("link",),
    "drop": ("drop",),
}
_FOLDERS = {
    "dynamics": ("dynamics_training",),
    "readout": ("readout_training",),
    "test": ("testing", "readout_test"),
}
# Test trials with glitches of their physics, left out by the official evaluation, a kind a line:
# the name up to the number, and the numbers.
_GLITCHES = """
pilot-containment-cone-plate 17 22 29 34
pilot-containment-multi-bowl 42 48
pilot-containment-vase_torus 31
pilot_dominoes_SJ020_d3chairs_o1plants_tdwroom 5
pilot_it2_collision_non-sphere_box 2
pilot_it2_collision_non-sphere_tdw_1_dis_1_occ 4 7
pilot_it2_drop_simple_box 0 42
pilot_it2_drop_simple_tdw_1_dis_1_occ 3
pilot_it2_rollingSliding_simple_collision_box 8
pilot_it2_rollingSliding_simple_collision_box_large_force 9
pilot_it2_rollingSliding_simple_collision_tdw_1_dis_1_occ 2
pilot_it2_rollingSliding_simple_ledge_tdw_1_dis_1_occ_sphere_small_zone 22
pilot_it2_rollingSliding_simple_ramp_box_small_zone 6
pilot_it2_rollingSliding_simple_ramp_tdw_1_dis_1_occ_small_zone 4 17
pilot_linking_nl1-8_mg000_aCyl_bCyl_tdwroom1_long_a 22
pilot_linking_nl1-8_mg000_aCylcap_bCyl_tdwroom1 12
pilot_linking_nl1-8_mg000_aCylcap_bCyl_tdwroom_small_rings 6 10 29 36
pilot_linking_nl6_aNone_bCone_occ1_dis1_boxroom 28
pilot_towers_nb4_fr015_SJ000_gr000sph_mono1_dis0_occ0_tdwroom_stable 0 2 3 10 13 17 18 32 36
pilot_towers_nb4_fr015_SJ000_gr01_mono0_dis1_occ1_tdwroom_unstable 21 41
pilot_towers_nb5_fr015_SJ030_mono0_dis0_occ0_boxroom_unstable 6 9
"""
GLITCHES = frozenset(
    f"{name}_{int(n):04d}"
    for name, *numbers in map(str.split, _GLITCHES.strip().splitlines())
    for n in numbers
)


class Listing(NamedTuple):
    """The trials of one split, by name."""

    layout: str
    ids: tuple[str, ...]
    paths: tuple[Path, ...]
    scenario: tuple[int, ...]
    labels: tuple[int | None, ...]  # None where the trial itself says it
    missing: tuple[str, ...]
    excluded: tuple[str, ...]

    def of(self, rows: Sequence[int]) -> "Listing":
        """The listing of these rows alone."""
        return self._replace(
            ids=tuple(self.ids[i] for i in rows),
            paths=tuple(self.paths[i] for i in rows),
            scenario=tuple(self.scenario[i] for i in rows),
            labels=tuple(self.labels[i] for i in rows),
        )


def find(folder: Path, split: str) -> Listing:
    """Raises DataError, one sentence, where neither layout is there."""
    if not folder.is_dir():
        raise DataError(f"Physion is missing: {folder} is no folder.")
    if (folder / "physion_mp4s").is_dir():
        return _films(folder / "physion_mp4s", split)
    return _trials(folder, split)


def scenario_of(name: str) -> int | None:
    """Index into SCENARIOS of what a trial or a folder is called; None where it does not tell."""
    lower = name.lower()
    for scenario, keys in _KEYS.items():
        if any(key in lower for key in keys):
            return SCENARIOS.index(scenario)
    return None


def _trials(folder: Path, split: str) -> Listing:
    rows = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        within = Path(place).relative_to(folder)
        if not any(key in part for part in within.parts for key in _FOLDERS[split]):
            continue
        for name in sorted(names):
            if name.endswith(".hdf5"):
                rows.append((str(within / name)[: -len(".hdf5")], Path(place, name)))
    if not rows:
        wanted = " or ".join(f"**/{key}*/**/*.hdf5" for key in _FOLDERS[split])
        raise DataError(
            f"Physion's {split} trials are missing: expected {wanted} or physion_mp4s in {folder}."
        )
    return _sorted("hdf5", rows, {name: None for name, _ in rows}, (), split)


def _films(folder: Path, split: str) -> Listing:
    place = folder / ("test" if split == "test" else "train")
    path = place / "all_video_labels.json"
    if not path.exists():
        raise DataError(f"Physion's labels are missing: expected {path}.")
    labels = {}
    for name, entry in _files.read_json(path, dict).items():
        label = entry.get("label") if isinstance(entry, dict) else None
        if label not in (0, 1):  # False and True are these too
            raise DataError(f"{path}: {name[:80]!r} needs a label that is false or true.")
        labels[name] = int(label)
    there = {p.stem for p in place.glob("*.mp4")}
    rows = [(name, place / f"{name}.mp4") for name in labels if name in there]
    missing = tuple(sorted(labels.keys() - there))
    return _sorted("mp4", rows, labels, missing, split)


def _sorted(layout: str, rows, labels, missing: tuple[str, ...], split: str) -> Listing:
    """The listing of rows (name, path), by name, without glitches."""
    glitched = GLITCHES if split == "test" else frozenset()
    excluded = tuple(name for name, path in rows if path.stem in glitched)
    kept = sorted((name, path) for name, path in rows if path.stem not in glitched)
    scenario = []
    for name, path in kept:
        told = (scenario_of(part) for part in reversed(Path(name).parts))
        number = next((x for x in told if x is not None), None)
        if number is None:
            raise DataError(f"{path}: neither its name nor its folder tells a scenario.")
        scenario.append(number)
    names = tuple(name for name, _ in kept)
    return Listing(
        layout,
        names,
        tuple(path for _, path in kept),
        tuple(scenario),
        tuple(labels[name] for name in names),
        missing,
        excluded,
    )
