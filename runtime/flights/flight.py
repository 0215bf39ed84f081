"""Recorded flights: folders of ``flight.json``, ``camera.yaml``, ``telemetry.csv`` and ``frames/``.

All is checked when the folder is opened, so that no flight fails half-way. The truth lies apart
(:mod:`runtime.flights.truth`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from runtime.errors import FlightError
from runtime.frame import Frame, Telemetry
from runtime.geo.camera import Camera
from runtime.pictures import read_picture
from runtime.sensors.camera_info import read_camera
from runtime.sensors.telemetry import read_telemetry

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FlightInfo:
    """What ``flight.json`` says; blank where it says nothing."""

    name: str
    camera: str = "camera.yaml"  # file in the flight's folder
    map: str = "map.tif"  # file in the flight's folder
    place: str = ""
    date: str = ""
    platform: str = ""
    notes: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Flight:
    """A recorded flight whose files are all there."""

    path: Path
    info: FlightInfo
    camera: Camera
    telemetry: tuple[Telemetry, ...]
    images: tuple[Path, ...]

    @classmethod
    def open(cls, path: Path) -> Flight:
        """Read and check a flight; raises FlightError or CameraError."""
        if not path.is_dir():
            raise FlightError(f"{path} is no flight: expected a folder with telemetry.csv, camera.yaml and frames/")
        info = _read_info(path)
        calibration = path / info.camera
        camera = read_camera(calibration)
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
        logger.debug("opened %s: %d frames of %d x %d pixels", path, len(images), width, height)
        return cls(path, info, camera, tuple(telemetry), tuple(images))

    @property
    def name(self) -> str:
        """The name that ``flight.json`` gives, or the folder's."""
        return self.info.name

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order; raises FlightError on a picture that cannot be read."""
        for telemetry, image in zip(self.telemetry, self.images, strict=True):
            yield Frame(telemetry, read_picture(image), image.name)


def _read_info(flight: Path) -> FlightInfo:
    """Read ``flight.json``; raises FlightError."""
    path = flight / "flight.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FlightError(f'{path} is missing; a flight needs at least {{"name": ..}} in it') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FlightError(f"{path} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise FlightError(f"{path} must hold one JSON object")
    known = {field.name: str(values[field.name]) for field in fields(FlightInfo) if field.name in values}
    return FlightInfo(**{"name": flight.name, **known})
