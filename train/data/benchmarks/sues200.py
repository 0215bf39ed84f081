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
from train.data.benchmarks.benchmark import BenchmarkPart, Count, CountLine, Deviation, count_deviations
from train.data.benchmarks.folders import PlaceFolders
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet
from train.data.sources.whole_pictures import WholeScene, WholeSource, held_out
from train.data.view_spec import ViewSpec

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
_SCENES: Mapping[BenchmarkPart, frozenset[str]] = {"train": TRAIN, "test": TEST}


def open_train(root: Path, choice: Choice, _view: ViewSpec, parts: Sequence[str] = ()) -> WholeSource:
    """Return a scene for each training place and height, one place in eight held out as ``val``; raises DataError."""
    satellite, drones = _read(root, parts)
    satellite = satellite.only(TRAIN)
    drones = {height: drone.only(TRAIN) for height, drone in drones.items()}
    folders.raise_first(_folder_faults(satellite, drones))
    scenes = [
        WholeScene(f"{NAME} {place}", drone.pictures[place], satellite.pictures[place])
        for place in held_out(sorted(satellite.pictures), choice)
        for drone in drones.values()
    ]
    return WholeSource(scenes, moving=choice.split == "train", drone_turns=False)


def retrieval_sets(root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]:
    """Return both directions at each height, all 200 scenes in every gallery; raises DataError."""
    satellite, drones = _read(root, parts)
    sets = []
    for height, drone in drones.items():
        folders.raise_first(folders.missing(satellite.only(TEST), drone.only(TEST)) + folders.empty(satellite, drone))
        for direction, queries, gallery, asks_from_drone in (
            ("drone -> satellite", drone, satellite, True),
            ("satellite -> drone", satellite, drone, False),
        ):
            name = f"{NAME} {height} m {direction}"
            tested = queries.only(TEST)
            sets.append(folders.retrieval_set(name, root, tested, gallery, asks_from_drone=asks_from_drone))
    return sets


def count_table(root: Path, parts: Sequence[str] = ()) -> list[CountLine]:
    """Count what is in the folder, beside the counts of the full benchmark; raises DataError."""
    satellite, drones = _read(root, parts, whole=True)
    lines = [
        CountLine(f"{SATELLITE} ({part})", part, satellite.only(scenes).count, Count(len(scenes), len(scenes)))
        for part, scenes in _SCENES.items()
    ]
    for height, drone in drones.items():
        for part, scenes in _SCENES.items():
            here = drone.only({place for place, paths in drone.pictures.items() if paths and place in scenes})
            full = Count(len(scenes), 50 * len(scenes))
            lines.append(CountLine(f"{DRONE} {height} m ({part})", part, here.count, full))
    return lines


def faults(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """Describe all that is wrong; raises DataError where ``root`` is no SUES-200."""
    satellite, drones = _read(root, parts)
    places = next(iter(drones.values())).pictures.keys()
    strange = sorted((satellite.pictures.keys() | places) - TRAIN - TEST)
    wrong = [f"{root} has scenes that {NAME} has not: {folders.name_few(strange)}"] if strange else []
    loose = [place for place in places if folders.pictures_in(root / DRONE / place)]
    if loose:
        wrong.append(f"{root / DRONE} has pictures outside the folders of heights in {folders.name_few(loose)}")
    heights = {place: [p.name for p in (root / DRONE / place).iterdir() if p.is_dir()] for place in places}
    return wrong + folders.mixed(heights, HEIGHTS_M, root / DRONE) + _folder_faults(satellite, drones)


def deviations(root: Path, parts: Sequence[str] = ()) -> list[Deviation]:
    """List what differs from the full benchmark at these heights; empty where scores may bear its name."""
    return count_deviations(count_table(root, parts))


def pictures(root: Path, parts: Sequence[str] = ()) -> list[Path]:
    """List every picture that training or the test reads."""
    satellite, drones = _read(root, parts)
    return [path for view in (satellite, *drones.values()) for paths in view.pictures.values() for path in paths]


def _read(root: Path, parts: Sequence[str], *, whole: bool = False) -> tuple[PlaceFolders, dict[str, PlaceFolders]]:
    """Read satellite pictures, and the drone's at each height; ``whole`` allows an empty one. Raises DataError."""
    heights = parts or HEIGHTS_M
    if set(heights) - set(HEIGHTS_M):
        raise DataError(f"#{','.join(parts)}: SUES-200 has the heights {', '.join(HEIGHTS_M)}, as #150 or #150,200")
    if (root / "Training").is_dir() and not (root / DRONE).is_dir():
        raise DataError(f"{root} is SUES-200 as split_datasets.py copies it; give the folder as released, with {DRONE}")
    folders.check_root(root, (DRONE,), NAME)
    drones = {height: folders.read_places(root / DRONE, height) for height in heights}
    there = [height for height, drone in drones.items() if drone.count.pictures]
    if len(there) < len(heights) and not whole:
        hint = f"; choose, as sues200:{root}#{','.join(there)}" if there else ""
        raise DataError(f"{root / DRONE} has pictures at {', '.join(there) or 'none'} of {', '.join(heights)} m{hint}")
    return folders.read_places(root / SATELLITE), drones


def _folder_faults(satellite: PlaceFolders, drones: Mapping[str, PlaceFolders]) -> list[str]:
    """Describe what is wrong with the folders of places."""
    wrong = folders.missing(satellite) + folders.empty(satellite)
    for height, drone in drones.items():
        holes = [place for place, paths in drone.pictures.items() if not paths]
        if holes:
            named = folders.name_few(holes)
            wrong.append(f"{len(holes)} scenes of {drone.folder} have no picture at {height} m: {named}")
    return wrong + folders.unpaired(satellite, next(iter(drones.values())))
