from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from calib.int8 import main
from calib.samples.stored_set import read_set
from runtime.model.bundle import write_manifest
from runtime.model.manifest import FORMAT
from tests.calib.samples.made import write_pictures

SIDE_PX = 48


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A manifest is all that choosing pictures needs."""
    path = tmp_path / "tiny.bundle"
    path.mkdir()
    encoder = {"side_px": SIDE_PX, "dim": 8}
    write_manifest(path, {"format": FORMAT, "kind": "encoder", "name": "tiny", "files": {}, "encoder": encoder})
    return path


def test_a_broken_picture_is_named_in_one_line(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    (folder / "05.png").write_bytes(b"not a picture")
    assert main(["--from", str(folder), "--bundle", str(bundle), "--count", "12"]) == 1
    error = capsys.readouterr().err
    assert "05.png is no picture that OpenCV can read" in error and error.count("\n") == 1
    assert not (bundle / "calibration.safetensors").exists()


def test_the_set_is_listed_with_hashes_and_entered_in_the_manifest(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    sheet = tmp_path / "sheet.png"
    assert main(["--from", str(folder), "--bundle", str(bundle), "--count", "12", "--sheet", str(sheet)]) == 0
    stored = read_set(bundle)
    assert stored.pictures.shape == (12, SIDE_PX, SIDE_PX, 3)
    assert json.loads((bundle / "manifest.json").read_text())["calibration"]["sha256"] == stored.sha256
    assert len(json.loads((bundle / "calibration.json").read_text())["pictures"]) == 12
    assert cv2.imread(str(sheet)) is not None
    assert "12 pictures of 1 sources" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "message"),
    [("none", "is not a recorded flight, a folder of pictures"), ("few", "3 usable pictures are too few")],
)
def test_a_source_that_does_not_do_is_one_line_and_exit_1(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str], source: str, message: str
) -> None:
    write_pictures(tmp_path / "few", 3)
    assert main(["--from", str(tmp_path / source), "--bundle", str(bundle)]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (bundle / "calibration.safetensors").exists()
