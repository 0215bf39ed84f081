from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.int8 import choose, main
from calib.sets import read_set
from runtime.errors import DataError
from runtime.model.bundle import FORMAT, write_manifest

SIDE_PX = 48


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A manifest is all that choosing pictures needs."""
    path = tmp_path / "tiny.bundle"
    path.mkdir()
    encoder = {"side_px": SIDE_PX, "dim": 8}
    write_manifest(path, {"format": FORMAT, "kind": "encoder", "name": "tiny", "files": {}, "encoder": encoder})
    return path


def write_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:02d}.png"), rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    return folder


def write_flight(folder: Path, yaw_deg: float) -> Path:
    (folder / "frames").mkdir(parents=True)
    (folder / "flight.json").write_text('{"name": "made"}')
    (folder / "camera.yaml").write_text(
        "image_width: 320\nimage_height: 240\ndistortion_model: plumb_bob\n"
        "camera_matrix: {rows: 3, cols: 3, data: [300, 0, 159.5, 0, 300, 119.5, 0, 0, 1]}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}\n"
    )
    rows = ["t_us,image,session,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg"]
    for i in range(10):
        picture = np.full((240, 320, 3), 40, np.uint8)
        picture[:120] = (0, 0, 220)  # the upper half of the frame is red
        cv2.imwrite(str(folder / f"frames/{i}.png"), picture)
        rows.append(f"{i + 1},frames/{i}.png,a,100,0,-90,{yaw_deg}")
    (folder / "telemetry.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_the_same_seed_chooses_the_same_pixels_and_another_seed_others(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 20)
    first, again, other = (choose([folder], 8, SIDE_PX, seed) for seed in (1, 1, 2))
    assert all((a.picture == b.picture).all() for a, b in zip(first, again, strict=True))
    assert [s.source for s in first] != [s.source for s in other]


def test_what_one_folder_lacks_the_next_makes_up(tmp_path: Path) -> None:
    few, many = write_pictures(tmp_path / "few", 3), write_pictures(tmp_path / "many", 30)
    chosen = choose([few, many], 20, SIDE_PX, 0)
    assert sum(s.source.startswith("few/") for s in chosen) == 3
    assert sum(s.source.startswith("many/") for s in chosen) == 17


def test_frames_of_a_flight_are_turned_north_up(tmp_path: Path) -> None:
    chosen = choose([write_flight(tmp_path / "flight", yaw_deg=90)], 8, SIDE_PX, 0)
    for sample in chosen:
        red = sample.picture[..., 0] > 150
        assert red[:, SIDE_PX * 2 // 3 :].mean() > 0.7  # the rest was not seen; flying east, ahead is on the right
        assert red[:, : SIDE_PX // 3].mean() < 0.1


def test_the_set_is_listed_with_hashes_and_entered_in_the_manifest(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    sheet = tmp_path / "sheet.png"
    assert main(["--from", str(folder), "--bundle", str(bundle), "--count", "12", "--sheet", str(sheet)]) == 0
    pictures, sha256 = read_set(bundle)
    assert pictures.shape == (12, SIDE_PX, SIDE_PX, 3)
    assert json.loads((bundle / "manifest.json").read_text())["calibration"]["sha256"] == sha256
    assert len(json.loads((bundle / "calibration.json").read_text())["pictures"]) == 12
    assert cv2.imread(str(sheet)) is not None
    assert "12 pictures of 1 sources" in capsys.readouterr().out


def test_a_set_that_is_not_there_names_the_command_that_makes_it(bundle: Path) -> None:
    with pytest.raises(DataError, match=r"has no calibration set .* python -m calib.int8"):
        read_set(bundle)


@pytest.mark.parametrize(
    ("source", "told"),
    [("none", "is not a recorded flight, a folder of pictures"), ("few", "3 usable pictures are too few")],
)
def test_a_source_that_does_not_do_is_one_line_and_exit_1(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str], source: str, told: str
) -> None:
    write_pictures(tmp_path / "few", 3)
    assert main(["--from", str(tmp_path / source), "--bundle", str(bundle)]) == 1
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (bundle / "calibration.safetensors").exists()
