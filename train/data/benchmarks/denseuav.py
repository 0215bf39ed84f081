"""``denseuav:ROOT``: a drone that looks straight down on campuses from three heights, every 20 m or so.

Source: Dai et al., Vision-Based UAV Self-Positioning in Low-Altitude Urban Environments, TIP 2024; counts of its table.
``H80|H90|H100.JPG`` from the drone, ``H*.tif`` and, of an older date, ``H*_old.tif`` from above.
``Dense_GPS_ALL.txt`` has lines ``PATH E<lon> N<lat> HEIGHT``. The galleries hold the training places too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.errors import DataError
from train.data.benchmarks import folders, two_views
from train.data.benchmarks.benchmark import Count, CountLine, Deviation, count_deviations
from train.data.benchmarks.two_views import DIRECTIONS, TwoViews, ViewFolders
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet
from train.data.sources.whole_pictures import WholeSource, whole_source
from train.data.view_spec import ViewSpec

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
    """Return pairs of the training places; raises DataError.

    Any height is paired with any height and date, as the authors train.
    Runs of neighbouring places are held out as ``val``. Neighbours overlap and are negatives all the same: to tell
    them apart is what the benchmark asks.
    """
    drone, satellite = LAYOUT.train(root, parts)
    run = min(max(len(drone.pictures) // 16, 1), _RUN)
    return whole_source(drone.pictures, satellite.pictures, choice, name=NAME, drone_turns=True, run=run)


def retrieval_sets(root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]:
    """Return both directions where their folders are; raises DataError. Shots have degrees where the GPS file is."""
    views = LAYOUT.read(root, parts)
    if not (root / GPS).is_file():
        return LAYOUT.retrieval_sets(root, views)
    lat_lon = read_gps(root / GPS)
    folders.raise_first(_unplaced(views, lat_lon))
    return LAYOUT.retrieval_sets(root, views, lat_lon)


def read_gps(path: Path) -> dict[str, tuple[float, float]]:
    """Read (lat, lon) in degrees of each place; of several lines of a place the last counts. Raises DataError."""
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


def count_table(root: Path, parts: Sequence[str] = ()) -> list[CountLine]:
    """Count what is in the folder, beside the counts of the full benchmark; raises DataError."""
    return LAYOUT.count_table(root, parts)


def faults(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """Describe all that is wrong; raises DataError where ``root`` is no DenseUAV."""
    views = LAYOUT.read(root, parts)
    wrong = two_views.faults(views, galleries_hold_train=True)
    for name, view in views.items():
        known = HEIGHTS if name.endswith("drone") else (*HEIGHTS, *(f"{height}_old" for height in HEIGHTS))
        kinds = {place: [path.stem for path in paths] for place, paths in view.pictures.items() if paths}
        wrong += folders.mixed(kinds, known, view.folder)
    if (root / GPS).is_file():
        wrong += _unplaced(views, read_gps(root / GPS))
    return wrong


def deviations(root: Path, parts: Sequence[str] = ()) -> list[Deviation]:
    """List what differs from the full benchmark; empty where scores may bear its name."""
    no_gps = [] if (root / GPS).is_file() else [Deviation("test", f"{GPS} is missing: no SDM@K, and no metres")]
    return count_deviations(count_table(root, parts)) + no_gps


def pictures(root: Path, parts: Sequence[str] = ()) -> list[Path]:
    """List every picture that training or the test reads."""
    return LAYOUT.pictures(root, parts)


def _unplaced(views: ViewFolders, lat_lon: Mapping[str, tuple[float, float]]) -> list[str]:
    """Describe the places of the test that have no degrees, if any."""
    tested = {
        place
        for direction in DIRECTIONS
        for name in (direction.queries, direction.gallery)
        for place in views[name].pictures
    }
    lost = sorted(tested - lat_lon.keys())
    return [f"{GPS} has no line for {len(lost)} places of the test: {folders.name_few(lost)}"] if lost else []
