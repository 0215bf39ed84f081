"""From pictures to ``camera.yaml``, or to one line that says what is wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calib.camera.__main__ import main
from calib.camera.board import Board
from calib.camera.shots import BoardShot
from runtime.geo.camera import Camera
from runtime.sensors.camera_info import read_camera
from tests.calib.camera.drawn import CHESSBOARD, SIZE, parameters, write_shots
from tests.calib.camera.rendered import BOARD, LENS, Studio, poses, shots


def refusal(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which the command refuses; nothing is left behind."""
    assert main([*arguments, "--out", str(out / "camera.yaml")]) == 1
    message = capsys.readouterr()
    assert not list(out.glob("camera*"))
    assert message.out == ""
    assert message.err.count("\n") == 1
    return message.err


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shots(tmp_path_factory.mktemp("good"), list(shots(Studio(LENS, BOARD), 20, seed=7)))


def test_the_command_writes_what_the_runtime_reads_and_two_pictures(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "camera.yaml"
    assert main([str(good), "--out", str(out)]) == 0
    camera = read_camera(out)
    assert parameters(camera)[:4] == pytest.approx(parameters(LENS)[:4], abs=1.0)
    assert {"rectification_matrix", "projection_matrix"} <= yaml.safe_load(out.read_text()).keys()  # ROS wants them
    for name in ("residuals", "coverage"):
        assert min(cv2.imread(str(tmp_path / f"camera.{name}.png")).shape[:2]) > 400
    message = capsys.readouterr().out
    for expected in ("20 used", "field of view", "at 100 m", "held out"):
        assert expected in message


def test_too_few_views_are_refused_with_the_blurred_and_the_empty_ones_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for path in sorted(good.iterdir())[:8]:
        shutil.copy(path, folder)
    studio, rng = Studio(LENS, BOARD), np.random.default_rng(0)
    smeared = studio.shot(next(poses(BOARD, LENS, rng)), rng, motion_px=9)
    empty = rng.integers(0, 255, SIZE[::-1], dtype=np.uint8)
    write_shots(folder, [BoardShot("smeared.png", smeared), BoardShot("empty.png", empty)])
    message = refusal([str(folder)], tmp_path, capsys)
    assert "8 usable views are too few" in message
    assert "1 are blurred (smeared.png)" in message
    assert "1 show no board (empty.png)" in message


@pytest.mark.parametrize("same_tilt_deg", [0, 30])
def test_one_angle_is_refused_because_focal_length_and_distance_cannot_be_told_apart(
    same_tilt_deg: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studio, rng = Studio(LENS, BOARD), np.random.default_rng(1)
    tilted, _ = cv2.Rodrigues(np.array([np.radians(same_tilt_deg), 0, 0]))
    shown = []
    for i, (rotation, offset) in zip(range(14), poses(BOARD, LENS, rng, tilts_deg=(0, 2)), strict=False):
        middle = np.array([BOARD.columns, BOARD.rows, 0]) * BOARD.square_mm / 2
        pose = tilted @ rotation, offset + rotation @ middle - tilted @ rotation @ middle
        shown.append(BoardShot(f"{i}.png", studio.shot(pose, rng)))
    message = refusal([str(write_shots(tmp_path / "shots", shown))], tmp_path, capsys)
    assert "one angle" in message
    assert "focal length and distance cannot be told apart" in message


def test_a_board_in_the_middle_only_is_refused_because_distortion_was_not_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = list(shots(Studio(LENS, BOARD), 16, 0, middle=(0.44, 0.56), fill=(0.25, 0.35)))
    message = refusal([str(write_shots(tmp_path / "shots", shown))], tmp_path, capsys)
    assert "in the middle of the frame only" in message


def test_a_side_that_never_saw_the_board_is_refused_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for picture in shots(Studio(LENS, BOARD), 24, 2, fill=(0.4, 0.5)):
        grey = picture.grey.copy()
        grey[:, 420:] = 110
        shown.append(BoardShot(picture.name, grey))
    message = refusal([str(write_shots(tmp_path / "shots", shown))], tmp_path, capsys)
    assert "never seen in these parts (top right, right, bottom right)" in message


@pytest.mark.parametrize(
    ("shown", "message", "mend"),
    [
        (BOARD, ["--squares", "10x6"], "(those are its inner corners; --squares counts squares)"),
        (BOARD, ["--dictionary", "6X6_250"], "the pictures show 11x7 squares, ChArUco 4X4_50"),
        (Board(9, 8, dictionary="5X5_50", legacy=True), [], "give --squares 9x8 --dictionary 5X5_50 --legacy"),
        (CHESSBOARD, [], "give --chessboard"),
        (BOARD, ["--chessboard"], "leave the options of the board away"),
    ],
)
def test_a_wrong_board_is_refused_with_the_board_that_was_seen(
    shown: Board, message: list[str], mend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = list(shots(Studio(LENS, shown), 8, 4, fill=(0.5, 0.7), middle=(0.45, 0.55)))
    line = refusal([str(write_shots(tmp_path / "shots", taken)), *message], tmp_path, capsys)
    assert "wrong board" in line
    assert mend in line


def test_pictures_of_two_sizes_are_refused_with_the_odd_ones_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turned = cv2.rotate(cv2.imread(str(good / "000.png"), cv2.IMREAD_GRAYSCALE), cv2.ROTATE_90_CLOCKWISE)
    folder = write_shots(tmp_path / "shots", [BoardShot("portrait.png", turned)])
    message = refusal([str(good), str(folder)], tmp_path, capsys)
    assert "20 of 640x480, 1 of 480x640" in message
    assert "portrait.png" in message


def test_a_camera_that_zoomed_between_pictures_is_refused_after_the_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zoomed = Camera(*SIZE, LENS.matrix * [[1.06, 1, 1], [1, 1.06, 1], [1, 1, 1]], LENS.distortion)
    shown = [
        BoardShot(f"{name}{shot.name}", shot.grey)
        for name, camera, seed in (("near", LENS, 7), ("far", zoomed, 8))
        for shot in shots(Studio(camera, BOARD), 12, seed)
    ]
    message = refusal([str(write_shots(tmp_path / "shots", shown))], tmp_path, capsys)
    assert "the focal length is known to" in message and "0.5% is wanted to fly" in message
