"""Pictures as the encoder will meet them: frames of a flight laid on the ground, tiles of a map, or plain pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.errors import DataError, FlightError
from runtime.flights.flight import Flight
from runtime.frame import Frame
from runtime.geo.rectify import rectify, seen_share
from runtime.locate.ground_view import GroundView, ground_views, unusable
from runtime.locate.limits import RETRIEVAL
from runtime.locate.mount import MountEstimate
from runtime.maps.imagery import Imagery
from runtime.model.preprocess import encoder_input
from runtime.pictures import read_picture
from runtime.tiles.building.window_filter import LeftOut, window_picture
from runtime.tiles.options import FOOTPRINTS_M, STRIDE_SHARE
from runtime.tiles.windows import windows_over
from runtime.types import Picture

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture as the encoder reads it, and where it came from."""

    source: str
    picture: Picture  # (S, S, 3) RGB


def samples(source: Path, count: int, side_px: int, rng: np.random.Generator) -> Iterator[Sample]:
    """Yield up to ``count`` samples of a flight, a map (``.mbtiles``) or a folder of pictures; raises DataError."""
    return _reader(source)(source, count, side_px, rng)


def _reader(source: Path) -> Callable[[Path, int, int, np.random.Generator], Iterator[Sample]]:
    """Return the reader for a source of this kind; raises DataError."""
    if (source / "telemetry.csv").is_file():
        return _frames
    if source.is_dir():
        return _pictures
    if source.suffix == ".mbtiles":
        return _windows
    raise DataError(
        f"{source} is not a recorded flight, a folder of pictures or a map.mbtiles; --from takes one of them"
    )


def _pictures(folder: Path, count: int, side_px: int, rng: np.random.Generator) -> Iterator[Sample]:
    """Yield a random square of each picture; one that has the encoder's size already is taken whole."""
    images = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not images:
        raise DataError(f"{folder} holds no pictures; expected {', '.join(SUFFIXES)}")
    for i in _some(len(images), count, rng):
        name = images[i].relative_to(folder.parent).as_posix()
        yield Sample(name, encoder_input(_square(_read(images[i]), side_px, rng), None, side_px))


def read_square(image: Path, side_px: int) -> Picture:  # (S, S, 3)
    """Return the middle square of a picture, at the encoder's size; raises DataError."""
    picture = _read(image)
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return encoder_input(np.ascontiguousarray(picture[top : top + side, left : left + side]), None, side_px)


def _read(image: Path) -> Picture:
    """Read a picture; raises DataError."""
    try:
        picture: Picture = read_picture(image)
    except FlightError:
        raise DataError(f"{image} is no picture that OpenCV can read; mend it, or take it out") from None
    return picture


def _square(picture: Picture, side_px: int, rng: np.random.Generator) -> Picture:
    """Cut a random square, half of the picture or more; a picture of the encoder's size stays whole."""
    height, width = picture.shape[:2]
    if height == width == side_px:
        return picture
    side = int(min(height, width) * rng.uniform(0.5, 1.0))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def ground_views_of(flight: Flight, indices: Iterable[int]) -> Iterator[tuple[Frame, GroundView]]:
    """Yield frames of a flight as the localizer lays them on the ground; those that it cannot use are left out."""
    for i in indices:
        frame = Frame(flight.telemetry[i], _read(flight.images[i]), flight.images[i].name)
        if unusable(frame, flight.camera) is None:
            for ground in ground_views(frame, flight.camera, MountEstimate())[:1]:
                yield frame, ground


def _frames(flight_folder: Path, count: int, side_px: int, rng: np.random.Generator) -> Iterator[Sample]:
    """Yield frames as the localizer embeds them: laid on the ground, north up, at a level that the frame fills."""
    flight = Flight.open(flight_folder)
    for frame, ground in ground_views_of(flight, _some(len(flight.images), count, rng)):
        full = [
            side_m for side_m in FOOTPRINTS_M if seen_share(ground, ground.middle_en_m, side_m) >= RETRIEVAL.well_seen
        ]
        patch = rectify(ground, ground.middle_en_m, rng.choice(full or FOOTPRINTS_M[:1]), side_px)
        yield Sample(f"{flight.path.name}/{frame.name}", encoder_input(patch.picture, patch.seen, side_px))


def _windows(map_file: Path, count: int, side_px: int, rng: np.random.Generator) -> Iterator[Sample]:
    """Yield windows of a map as the tile cache cuts them."""
    imagery = Imagery(map_file)
    levels = enumerate(FOOTPRINTS_M)
    windows = [
        w for level, side_m in levels for w in windows_over(imagery.bounds, level, side_m, side_m * STRIDE_SHARE)
    ]
    for i in _some(len(windows), count, rng):
        picture = window_picture(imagery, windows[i], side_px)
        if not isinstance(picture, LeftOut):
            yield Sample(f"{map_file.name}/{windows[i].centre.x:.0f},{windows[i].centre.y:.0f}", picture)
    imagery.close()


def _some(available: int, count: int, rng: np.random.Generator) -> list[int]:
    """Draw up to ``count`` of so many numbers, without repeats."""
    return [int(i) for i in rng.permutation(available)[:count]]
