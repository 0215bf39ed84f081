"""``camera.yaml``: the ROS ``camera_info`` file of a camera, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from runtime.errors import CameraError
from runtime.geo.camera import Camera

SIGMA_KEY = "focal_length_sigma_percent"
CALIBRATED_SIGMA = 0.005
"""Of a lens that ``calib.camera`` measured: what it refuses is worse."""
_MOST_SIGMA = 0.3


def read_camera(path: Path) -> Camera:
    """Read a ROS ``camera_info`` file; raises CameraError naming the field that does not fit."""
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        matrix = np.array(fields["camera_matrix"]["data"], float).reshape(3, 3)
        distortion = np.array(fields.get("distortion_coefficients", {}).get("data", [0.0] * 5), float)
        size = int(fields["image_width"]), int(fields["image_height"])
        focal_sigma = _focal_sigma(fields)
    except FileNotFoundError:
        raise CameraError(f"{path} is missing; a flight needs its camera (ROS camera_info YAML)") from None
    except OSError as error:
        raise CameraError(f"{path} cannot be read: {error.strerror}; expected a ROS camera_info YAML") from None
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise CameraError(f"{path} is not a ROS camera_info file: {error}") from None
    model = fields.get("distortion_model", "plumb_bob")
    if model != "plumb_bob" or distortion.shape != (5,):
        raise CameraError(f"{path}: distortion {model} with {distortion.size} numbers; expected plumb_bob with 5")
    if not (matrix[0, 0] > 0 and matrix[1, 1] > 0 and min(size) > 0):
        raise CameraError(f"{path}: focal lengths and picture size must be positive numbers")
    if not (np.isfinite([*matrix.ravel(), *distortion]).all() and matrix[2].tolist() == [0.0, 0.0, 1.0]):
        raise CameraError(f"{path}: camera_matrix must be [fx, 0, cx, 0, fy, cy, 0, 0, 1] and all numbers finite")
    if focal_sigma is not None and not 0.0 < focal_sigma < _MOST_SIGMA:
        raise CameraError(
            f"{path}: {SIGMA_KEY} is {100 * focal_sigma:g}, expected a number between 0 and {100 * _MOST_SIGMA:g}; "
            "leave it out where nobody measured the lens"
        )
    return Camera(*size, matrix, distortion, focal_sigma)


def _focal_sigma(fields: Mapping[str, Any]) -> float | None:
    """Return one sigma of the focal length, a share of it; None where the lens is nominal. May raise ValueError."""
    if SIGMA_KEY in fields:
        return float(fields[SIGMA_KEY]) / 100.0
    calibrated = fields.get("calibrated", False)
    if not isinstance(calibrated, bool):
        raise ValueError(f"calibrated is {calibrated!r}, expected true or false")
    return CALIBRATED_SIGMA if calibrated else None


def write_camera(camera: Camera, path: Path) -> None:
    """Write the file that :func:`read_camera` reads."""
    fields: dict[str, Any] = {
        "image_width": camera.width_px,
        "image_height": camera.height_px,
        "camera_name": "main",
        "camera_matrix": {"rows": 3, "cols": 3, "data": [float(v) for v in camera.matrix.ravel()]},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [float(v) for v in camera.distortion]},
    }
    if camera.focal_sigma is not None:
        fields[SIGMA_KEY] = round(100.0 * camera.focal_sigma, 3)
    path.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
