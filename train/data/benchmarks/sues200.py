"""``sues200:ROOT`` or ``sues200:ROOT#150``: 200 scenes that a drone circles at 150, 200, 250 and 300 m.

Source: Zhu et al., SUES-200, TCSVT 2023. ``drone_view_512/<0001..0200>/<height>`` has 50 pictures and
``satellite-view/<id>`` one. The 120 training scenes are those of ``script/indexs.yaml`` in the authors'
SUES-200-Benchmark; the galleries hold all 200. By convention one model is trained for each height.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.errors import DataError
from train.data.benchmarks import folders
from train.data.benchmarks.folders import Count, Line, PlaceFolders
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet
from train.data.sources.whole_pictures import WholeScene, WholeSource, held_out
from train.data.view_pair import ViewSpec

NAME = "SUES-200"
HEIGHTS_M = ("150", "200", "250", "300")
DRONE, SATELLITE = "drone_view_512", "satellite-view"
_TRAIN = """
    1 2 3 4 5 6 7 9 10 11 13 15 16 20 21 24 25 26 27 28 29 30 31 32 33 34 36 37 39 43 44 45 51 55 56 57 58 60 64 66 67
    69 70 73 74 76 77 80 81 82 84 85 86 87 88 89 90 91 94 96 97 100 101 102 103 104 105 106 113 116 118 119 120 123 125
    126 127 129 132 134 137 139 141 142 145 146 147 148 149 151 152 155 156 157 158 159 160 163 166 167 168 169 171 174
    179 180 182 183 184 185 186 187 191 192 193 196 197 198 199 200
"""
TRAIN = frozenset(f"{int(k):04d}" for k in _TRAIN.split())
TEST = frozenset(f"{k:04d}" for k in range(1, 201)) - TRAIN
_SCENES = {"train": TRAIN, "test": TEST}


def open_train(root: Path, choice: Choice, _view: ViewSpec, parts: Sequence[str] = ()) -> WholeSource:
    """A scene for each training place and height, one place in eight held out as ``val``; raises DataError."""
    satellite, drones = _read(root, parts)
    satellite = satellite.only(TRAIN)
    drones = {height: drone.only(TRAIN) for height, drone in drones.items()}
    folders.raise_first(_faults(satellite, drones))
    scenes = [
        WholeScene(f"{NAME} {place}", drone.pictures[place], satellite.pictures[place])
        for place in held_out(sorted(satellite.pictures), choice)
        for drone in drones.values()
    ]
    return WholeSource(scenes, moving=choice.split == "train", drone_turns=False)


def retrieval_sets(root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]:
    """Both directions at each height, all 200 scenes in every gallery; raises DataError."""
    satellite, drones = _read(root, parts)
    sets = []
    for height, drone in drones.items():
        folders.raise_first(folders.missing(satellite.only(TEST), drone.only(TEST)) + folders.empty(satellite, drone))
        for direction, query, gallery in (
            ("drone -> satellite", drone, satellite),
            ("satellite -> drone", satellite, drone),
        ):
            name = f"{NAME} {height} m {direction}"
            sets.append(folders.retrieval_set(name, root, query.only(TEST), gallery))
    return sets


def table(root: Path, parts: Sequence[str] = ()) -> list[Line]:
    """What was found, against the full benchmark; raises DataError."""
    satellite, drones = _read(root, parts, whole=True)
    lines = [
        Line(f"{SATELLITE} ({split})", satellite.only(scenes).count, Count(len(scenes), len(scenes)))
        for split, scenes in _SCENES.items()
    ]
    for height, drone in drones.items():
        for split, scenes in _SCENES.items():
            found = drone.only({place for place, paths in drone.pictures.items() if paths and place in scenes})
            lines.append(Line(f"{DRONE} {height} m ({split})", found.count, Count(len(scenes), 50 * len(scenes))))
    return lines


def check(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """All that is wrong, in words; raises DataError where ``root`` is no SUES-200."""
    satellite, drones = _read(root, parts)
    places = next(iter(drones.values())).pictures.keys()
    strange = sorted((satellite.pictures.keys() | places) - TRAIN - TEST)
    found = [f"{root} has scenes that {NAME} has not: {folders.some(strange)}"] if strange else []
    loose = [place for place in places if folders.pictures_in(root / DRONE / place)]
    if loose:
        found.append(f"{root / DRONE} has pictures outside the folders of heights in {folders.some(loose)}")
    heights = {place: [p.name for p in (root / DRONE / place).iterdir() if p.is_dir()] for place in places}
    return found + folders.mixed(heights, HEIGHTS_M, root / DRONE) + _faults(satellite, drones)


def is_complete(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """What differs from the full benchmark at these heights; nothing where scores may bear its name."""
    return folders.deviations(table(root, parts))


def pictures(root: Path, parts: Sequence[str] = ()) -> list[Path]:
    """Every picture that training or the test reads."""
    satellite, drones = _read(root, parts)
    return [path for view in (satellite, *drones.values()) for paths in view.pictures.values() for path in paths]


def _read(root: Path, parts: Sequence[str], *, whole: bool = False) -> tuple[PlaceFolders, dict[str, PlaceFolders]]:
    """Satellite pictures, and the drone's at each height; with ``whole`` a height may have none. Raises DataError."""
    heights = parts or HEIGHTS_M
    if set(heights) - set(HEIGHTS_M):
        raise DataError(f"#{','.join(parts)}: SUES-200 has the heights {', '.join(HEIGHTS_M)}, as #150 or #150,200")
    if (root / "Training").is_dir() and not (root / DRONE).is_dir():
        raise DataError(f"{root} is SUES-200 as split_datasets.py copies it; give the folder as released, with {DRONE}")
    folders.check_root(root, (DRONE,), NAME)
    drones = {height: folders.read_places(root / DRONE, height) for height in heights}
    there = [height for height, drone in drones.items() if drone.count.pictures]
    if len(there) < len(heights) and not whole:
        asked = f"; choose, as sues200:{root}#{','.join(there)}" if there else ""
        raise DataError(f"{root / DRONE} has pictures at {', '.join(there) or 'none'} of {', '.join(heights)} m{asked}")
    return folders.read_places(root / SATELLITE), drones


def _faults(satellite: PlaceFolders, drones: Mapping[str, PlaceFolders]) -> list[str]:
    found = folders.missing(satellite) + folders.empty(satellite)
    for height, drone in drones.items():
        holes = [place for place, paths in drone.pictures.items() if not paths]
        if holes:
            found.append(f"{len(holes)} scenes of {drone.folder} have no picture at {height} m: {folders.some(holes)}")
    return found + folders.unpaired(satellite, next(iter(drones.values())))
