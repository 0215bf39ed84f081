"""Recorded flights: folders of ``flight.json``, ``camera.yaml``, ``telemetry.csv``, ``frames/`` and the truth, apart.

Everything is checked when the folder is opened, so that no flight fails half-way. The localizer sees telemetry and
frames; ``truth.csv`` is read by :func:`read_truth`, which only the scorer calls.
"""

from __future__ import annotations

import csv
import json
import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from runtime.errors import FlightError
from runtime.frame import Frame, Telemetry
from runtime.geo.camera import Camera
from runtime.geo.mercator import MAX_LATITUDE_DEG, LatLon

_REQUIRED = ("t_us", "image", "alt_agl_m", "cam_roll_deg", "cam_pitch_deg", "cam_yaw_deg")
_WITHOUT_IMAGES = tuple(name for name in _REQUIRED if name != "image")
_MOST = {  # larger ones are of another unit, or of a sensor that has failed; a yaw may be counted on past a turn
    "alt_agl_m": 20_000.0,
    "cam_roll_deg": 360.0,
    "cam_pitch_deg": 180.0,
    "cam_yaw_deg": 36_000.0,
    "vel_north_mps": 1_000.0,
    "vel_east_mps": 1_000.0,
    "alt_msl_m": 20_000.0,
}


@dataclass(frozen=True, slots=True)
class Flight:
    """A recorded flight whose files are all there."""

    path: Path
    info: Mapping[str, Any]
    camera: Camera
    telemetry: tuple[Telemetry, ...]
    images: tuple[Path, ...]

    @classmethod
    def open(cls, path: Path) -> Flight:
        """Read and check a flight; raises FlightError."""
        if not path.is_dir():
            raise FlightError(f"{path} is no flight: expected a folder with telemetry.csv, camera.yaml and frames/")
        info = _read_info(path / "flight.json")
        calibration = path / str(info.get("camera", "camera.yaml"))
        camera = Camera.from_yaml(calibration)
        telemetry, images = read_telemetry(path / "telemetry.csv")
        missing = [image for image in images if not image.is_file()]
        if missing:
            raise FlightError(
                f"{path}: {len(missing)} of {len(images)} pictures are missing, the first is {missing[0]}"
            )
        height, width = read_picture(images[0]).shape[:2]
        if not camera.takes(width, height):
            raise FlightError(
                f"{images[0]} is {width} x {height} pixels, and the camera of {calibration} takes "
                f"{camera.width_px} x {camera.height_px}: give the calibration of this camera (python -m calib.camera)"
            )
        return cls(path, info, camera, tuple(telemetry), tuple(images))

    @property
    def name(self) -> str:
        return str(self.info.get("name", self.path.name))

    def frames(self) -> Iterator[Frame]:
        """The frames in order; raises FlightError on a picture that cannot be read."""
        for telemetry, image in zip(self.telemetry, self.images, strict=True):
            yield Frame(telemetry, read_picture(image), image.name)


def read_picture(image: Path) -> Any:
    """(H, W, 3) RGB uint8; raises FlightError."""
    picture = cv2.imread(str(image), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise FlightError(f"{image} is not a picture that OpenCV can read; take its row out of telemetry.csv")
    return np.ascontiguousarray(picture[..., ::-1])


def _read_info(path: Path) -> dict[str, Any]:
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FlightError(f'{path} is missing; a flight needs at least {{"name": ..}} in it') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FlightError(f"{path} is not JSON: {error}") from None
    if not isinstance(info, dict):
        raise FlightError(f"{path} must hold one JSON object")
    return info


def read_telemetry(path: Path, *, needs_images: bool = True) -> tuple[list[Telemetry], list[Path]]:
    """Rows of a ``telemetry.csv`` and the pictures they name; raises FlightError with the line."""
    telemetry: list[Telemetry] = []
    images: list[Path] = []
    for where, row in _rows(path, _REQUIRED if needs_images else _WITHOUT_IMAGES):
        t_us = _whole(where, row, "t_us")
        if telemetry and t_us <= telemetry[-1].t_us:
            raise FlightError(f"{where}: t_us {t_us} does not come after {telemetry[-1].t_us}; sort the rows by time")
        values = {name: _measured(where, row, name) for name in _MOST}
        telemetry.append(Telemetry(t_us=t_us, session=row.get("session") or "", **values))
        images.append(path.parent / row.get("image", ""))
    if not telemetry:
        raise FlightError(f"{path} has no rows; expected one a picture")
    return telemetry, images


def newest_row(path: Path) -> tuple[Telemetry, Path] | None:
    """The last row of a ``telemetry.csv`` that is written in flight, and its picture; None where the row has no time.

    In flight nothing is refused: what cannot be read of the row is unknown. Raises FlightError for a table without its
    columns.
    """
    rows = deque(_rows(path, _REQUIRED, whole=False), maxlen=1)
    if not rows:
        return None
    where, row = rows.pop()
    try:
        t_us = _whole(where, row, "t_us")
    except FlightError:
        return None
    values = {}
    for name in _MOST:
        try:
            values[name] = _measured(where, row, name)
        except FlightError:
            values[name] = math.nan
    return Telemetry(t_us=t_us, session=row.get("session") or "", **values), path.parent / (row.get("image") or "")


@dataclass(frozen=True, slots=True)
class Truth:
    """Where the drone really was; None where unknown."""

    drone: LatLon | None
    ground: LatLon | None  # at the picture's centre
    verified: bool


def read_truth(path: Path) -> dict[int, Truth]:
    """``truth.csv`` by exposure time; raises FlightError."""
    columns = ("t_us", "true_lat", "true_lon", "true_ground_lat", "true_ground_lon")
    return {
        _whole(where, row, "t_us"): Truth(
            _place(where, row, "true_lat", "true_lon"),
            _place(where, row, "true_ground_lat", "true_ground_lon"),
            (row.get("truth_ok") or "1").strip() == "1",
        )
        for where, row in _rows(path, columns)
    }


def _rows(path: Path, required: tuple[str, ...], *, whole: bool = True) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row stands, and its cells; ``whole`` refuses a row of another number of cells than the header."""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="strict" if whole else "replace") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in required if name not in (reader.fieldnames or ())]
            if lacking:
                raise FlightError(f"{path} lacks the column {', '.join(lacking)}; it needs {','.join(required)}")
            for row in reader:
                if whole and (None in row or None in row.values()):
                    raise FlightError(f"{path} line {reader.line_num} has another number of cells than the header")
                yield f"{path} line {reader.line_num}", row
    except FileNotFoundError:
        raise FlightError(f"{path} is missing; it needs the columns {','.join(required)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise FlightError(f"{path} is not a CSV file: {error}") from None


def _whole(where: str, row: Mapping[str, str], name: str) -> int:
    try:
        return int(row[name] or "")
    except ValueError:
        raise FlightError(f"{where}: {name} is {row[name]!r}, expected whole microseconds") from None


def _measured(where: str, row: Mapping[str, str], name: str) -> float:
    """A number that the aircraft can have measured."""
    value = _number(where, row, name)
    if abs(value) > _MOST[name]:
        raise FlightError(
            f"{where}: {name} is {value:g}, expected at most {_MOST[name]:g} (leave the cell blank when it is unknown)"
        )
    return value


def _number(where: str, row: Mapping[str, str], name: str) -> float:
    """A blank cell is unknown (NaN); a written NaN or infinity is a mistake."""
    text = (row.get(name) or "").strip()
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FlightError(f"{where}: {name} is {text!r}, expected a number (leave the cell blank when it is unknown)")
    return value


def _place(where: str, row: Mapping[str, str], lat: str, lon: str) -> LatLon | None:
    place = LatLon(_number(where, row, lat), _number(where, row, lon))
    if math.isnan(place.lat) or math.isnan(place.lon):
        return None
    if not (abs(place.lat) <= MAX_LATITUDE_DEG and abs(place.lon) <= 180.0):
        raise FlightError(f"{where}: {lat}, {lon} is {place.lat}, {place.lon}, expected degrees on a Mercator map")
    return place
