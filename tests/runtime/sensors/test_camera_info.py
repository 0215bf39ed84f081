"""A camera's file, written and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import CameraError
from runtime.flights.flight import Flight
from runtime.sensors.camera_info import read_camera, write_camera


def test_a_camera_comes_back_from_its_file(small_world: Path, tmp_path: Path) -> None:
    camera = Flight.open(small_world / "flight").camera
    write_camera(camera, tmp_path / "camera.yaml")
    again = read_camera(tmp_path / "camera.yaml")
    assert (again.matrix == camera.matrix).all()
    assert (again.width_px, again.height_px) == (640, 360)


@pytest.mark.parametrize(
    ("said", "sigma"),
    [
        ("", None),
        ("calibrated: false\n", None),
        ("calibrated: true\n", 0.005),
        ("focal_length_sigma_percent: 2\n", 0.02),
    ],
)
def test_a_lens_is_nominal_unless_its_file_says_how_well_it_was_measured(
    said: str, sigma: float | None, small_world: Path, tmp_path: Path
) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text((small_world / "flight/camera.yaml").read_text() + said)
    camera = read_camera(path)
    assert camera.focal_sigma == sigma
    write_camera(camera, path)
    assert read_camera(path).focal_sigma == sigma


@pytest.mark.parametrize(
    "said", ["calibrated: well\n", "focal_length_sigma_percent: 40\n", "focal_length_sigma_percent: -1\n",
             "focal_length_sigma_percent: .nan\n", "focal_length_sigma_percent: wide\n"]
)  # fmt: skip
def test_a_lens_that_is_measured_to_no_number_is_refused(said: str, small_world: Path, tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text((small_world / "flight/camera.yaml").read_text() + said)
    with pytest.raises(CameraError, match=r"expected|could not convert"):
        read_camera(path)
