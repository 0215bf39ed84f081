"""``denseuav:ROOT``: a drone that looks straight down on campuses from three heights, every 20 m or so.

Source: Dai et al., Vision-Based UAV Self-Positioning in Low-Altitude Urban Environments, TIP 2024; counts of its table.
``H80|H90|H100.JPG`` from the drone, ``H*.tif`` and, of an older date, ``H*_old.tif`` from above.
``Dense_GPS_ALL.txt`` has lines ``PATH E<lon> N<lat> HEIGHT``. The galleries hold the training places too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.errors import DataError
from train.data.benchmarks import folders
from train.data.benchmarks.folders import Count, Line
from train.data.benchmarks.two_views import DIRECTIONS, TwoViews, Views, faults
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet
from train.data.sources.whole_pictures import WholeSource, whole_source
from train.data.view_pair import ViewSpec

GPS = "Dense_GPS_ALL.txt"
HEIGHTS = ("H80", "H90", "H100")
NAME = "DenseUAV"
LAYOUT = TwoViews(
    NAME,
    {
        "train/drone": Count(2256, 6768),
        "train/satellite": Count(2256, 13_536),
        "test/query_drone": Count(777, 2331),
        "test/gallery_satellite": Count(3033, 18_198),
        "test/query_satellite": Count(777, 4662),
        "test/gallery_drone": Count(3033, 9099),
    },
)
_RUN = 32  # places held out in a row: numbers follow the flight, and a lone place's neighbours show its ground


def open_train(root: Path, choice: Choice, _view: ViewSpec, parts: Sequence[str] = ()) -> WholeSource:
    """Pairs of the training places: any height with any height and date, as the authors train; raises DataError.

    Runs of neighbouring places are held out as ``val``. Neighbours overlap and are negatives all the same: to tell
    them apart is what the benchmark asks.
    """
    drone, satellite = LAYOUT.train(root, parts)
    run = min(max(len(drone.pictures) // 16, 1), _RUN)
    return whole_source(drone.pictures, satellite.pictures, choice, name=NAME, drone_turns=True, run=run)


def retrieval_sets(root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]:
    """Both directions where their folders are; shots have degrees where the GPS file is there. Raises DataError."""
    views = LAYOUT.read(root, parts)
    if not (root / GPS).is_file():
        return LAYOUT.retrieval_sets(root, views)
    lat_lon = read_gps(root / GPS)
    folders.raise_first(_unplaced(views, lat_lon))
    return LAYOUT.retrieval_sets(root, views, lat_lon)


def read_gps(path: Path) -> dict[str, tuple[float, float]]:
    """(lat, lon) in degrees of each place; of several lines of a place the last counts. Raises DataError."""
    lat_lon = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.replace("\\", "/").split()
        if not words:
            continue
        try:
            name, lon, lat = words[:3]
            lat_lon[name.split("/")[-2]] = float(lat.removeprefix("N")), float(lon.removeprefix("E"))
        except (ValueError, IndexError):
            raise DataError(f"{path} line {number} is {line!r}; expected PATH E<lon> N<lat> HEIGHT") from None
    return lat_lon


def table(root: Path, parts: Sequence[str] = ()) -> list[Line]:
    """What was found, against the full benchmark; raises DataError."""
    return LAYOUT.table(root, parts)


def check(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """All that is wrong, in words; raises DataError where ``root`` is no DenseUAV."""
    views = LAYOUT.read(root, parts)
    found = faults(views, galleries_hold_train=True)
    for name, view in views.items():
        known = HEIGHTS if name.endswith("drone") else (*HEIGHTS, *(f"{height}_old" for height in HEIGHTS))
        kinds = {place: [path.stem for path in paths] for place, paths in view.pictures.items() if paths}
        found += folders.mixed(kinds, known, view.folder)
    if (root / GPS).is_file():
        found += _unplaced(views, read_gps(root / GPS))
    return found


def is_complete(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """What differs from the full benchmark; nothing where scores may bear its name."""
    no_gps = [] if (root / GPS).is_file() else [f"{GPS} is missing: no SDM@K, and no metres"]
    return folders.deviations(table(root, parts)) + no_gps


def pictures(root: Path, parts: Sequence[str] = ()) -> list[Path]:
    """Every picture that training or the test reads."""
    return LAYOUT.pictures(root, parts)


def _unplaced(views: Views, lat_lon: Mapping[str, tuple[float, float]]) -> list[str]:
    asked = {place for _, *names in DIRECTIONS for name in names for place in views[name].pictures}
    lost = sorted(asked - lat_lon.keys())
    return [f"{GPS} has no line for {len(lost)} places of the test: {folders.some(lost)}"] if lost else []
