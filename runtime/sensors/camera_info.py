"""``camera.yaml``: the ROS ``camera_info`` file of a camera, read and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from runtime.errors import CameraError
from runtime.geo.camera import Camera


def read_camera(path: Path) -> Camera:
    """Read a ROS ``camera_info`` file; raises CameraError naming the field that does not fit."""
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        matrix = np.array(fields["camera_matrix"]["data"], float).reshape(3, 3)
        distortion = np.array(fields.get("distortion_coefficients", {}).get("data", [0.0] * 5), float)
        size = int(fields["image_width"]), int(fields["image_height"])
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
    return Camera(*size, matrix, distortion)


def write_camera(camera: Camera, path: Path) -> None:
    """Write the file that :func:`read_camera` reads."""
    fields = {
        "image_width": camera.width_px,
        "image_height": camera.height_px,
        "camera_name": "main",
        "camera_matrix": {"rows": 3, "cols": 3, "data": [float(v) for v in camera.matrix.ravel()]},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [float(v) for v in camera.distortion]},
    }
    path.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
