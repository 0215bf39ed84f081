"""Pictures as files: read as RGB, or written where the path's ending says PNG or JPEG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from runtime.errors import FlightError, SettingsError, SkyfixError
from runtime.files import whole_file
from runtime.types import Picture


def read_picture(image: Path) -> Picture:
    """Read a picture as (H, W, 3) RGB, whatever way up EXIF would turn it; raises FlightError."""
    picture = cv2.imread(str(image), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise FlightError(f"{image} is not a picture that OpenCV can read; take its row out of telemetry.csv")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def check_ending(path: Path) -> None:
    """Raise SettingsError when a picture's path does not say PNG or JPEG."""
    if path.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
        raise SettingsError(f"{path} must end in .png or .jpg")


def write_picture(picture: Picture, path: Path) -> None:
    """Write (H, W, 3) RGB, whole or not at all, as the path's ending says; raises SettingsError or SkyfixError."""
    check_ending(path)
    done, data = cv2.imencode(path.suffix, picture[..., ::-1])
    if not done:
        raise SkyfixError(f"{path} could not be encoded")
    with whole_file(path) as partial:
        partial.write_bytes(data.tobytes())
