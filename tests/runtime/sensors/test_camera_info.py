"""A camera's file, written and read."""

from __future__ import annotations

from pathlib import Path

from runtime.flights.flight import Flight
from runtime.sensors.camera_info import read_camera, write_camera


def test_a_camera_comes_back_from_its_file(small_world: Path, tmp_path: Path) -> None:
    camera = Flight.open(small_world / "flight").camera
    write_camera(camera, tmp_path / "camera.yaml")
    again = read_camera(tmp_path / "camera.yaml")
    assert (again.matrix == camera.matrix).all()
    assert (again.width_px, again.height_px) == (640, 360)
