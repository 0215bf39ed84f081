"""Pictures read and written: RGB, as they lie in the file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import FlightError, SettingsError
from runtime.pictures import read_picture, write_picture

RED_LEFT = np.zeros((32, 48, 3), np.uint8)
RED_LEFT[:, :24] = (200, 10, 30)


def test_a_png_comes_back_to_the_byte(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    write_picture(picture, tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png") == picture).all()
    assert cv2.imread(str(tmp_path / "a.png"))[0, 0].tolist() == picture[0, 0, ::-1].tolist(), "others see RGB too"


@pytest.mark.parametrize("ending", [".jpg", ".JPEG"])
def test_a_jpeg_has_its_colours_in_place(ending: str, tmp_path: Path) -> None:
    write_picture(RED_LEFT, tmp_path / f"a{ending}")
    read = read_picture(tmp_path / f"a{ending}").astype(int)
    assert np.abs(read[16, 8] - (200, 10, 30)).max() < 12
    assert read[16, 40].max() < 12


def test_a_picture_is_not_turned_by_its_metadata(tmp_path: Path) -> None:
    """EXIF orientation 6 (a quarter turn) in front of a JPEG: calibration is of the sensor, not of a viewer."""
    write_picture(RED_LEFT, tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    turned = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    (tmp_path / "b.jpg").write_bytes(turned)
    assert cv2.imread(str(tmp_path / "b.jpg")).shape == (48, 32, 3), "OpenCV alone would turn it"
    assert (read_picture(tmp_path / "b.jpg") == read_picture(tmp_path / "a.jpg")).all()


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(FlightError, match="is not a picture that OpenCV can read"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a", "a.gif", "a.png.txt"])
def test_a_path_that_says_no_picture_is_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must end in \.png or \.jpg"):
        write_picture(RED_LEFT, tmp_path / name)
    assert not list(tmp_path.iterdir())
