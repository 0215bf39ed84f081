from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calib.camera.__main__ import main
from calib.camera.board import Board
from calib.camera.checks import check_result
from calib.camera.intrinsics import Calibration, calibrate, covariance_of, fit, pixel_std
from calib.camera.print_board import fitted, page, write
from calib.camera.shots import Picture, pictures
from calib.camera.views import View, novel, survey
from runtime.errors import DataError, SettingsError
from runtime.geo.camera import Camera
from runtime.sensors.camera_info import read_camera
from tests.calib.rendered import BOARD, LENS, Studio, poses, shots

CHESSBOARD = Board(dictionary=None)
SIZE = LENS.width_px, LENS.height_px


def parameters(camera: Camera) -> np.ndarray:
    return np.array([*camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]], *camera.distortion])


def off_in_std(found: Calibration, truth: Camera) -> np.ndarray:
    """How many of its own standard deviations each parameter is away from the truth."""
    free = found.fit.std > 0
    return (parameters(found.fit.camera) - parameters(truth))[free] / found.fit.std[free]


def drawn_views(camera: Camera, count: int, seed: int, noise_px: float = 0.1, **how: tuple[float, float]) -> list[View]:
    """Views as a detector of that noise would give them."""
    studio, rng = Studio(camera, BOARD), np.random.default_rng(seed)
    seen = (studio.view(pose, rng, noise_px) for pose in poses(BOARD, camera, rng, **how))
    return [view for view, _ in zip(filter(None, seen), range(count), strict=False)]


def write_shots(folder: Path, shown: list[Picture]) -> Path:
    folder.mkdir(exist_ok=True)
    for picture in shown:
        cv2.imwrite(str(folder / picture.name), picture.grey)
    return folder


def refusal(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which the command refuses; nothing is left behind."""
    assert main([*arguments, "--out", str(out / "camera.yaml")]) == 1
    told = capsys.readouterr()
    assert not list(out.glob("camera*"))
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shots(tmp_path_factory.mktemp("good"), list(shots(Studio(LENS, BOARD), 20, seed=7)))


@pytest.mark.parametrize(("board", "seed"), [(BOARD, 0), (BOARD, 1), (CHESSBOARD, 2)])
def test_the_true_lens_lies_within_three_of_the_standard_deviations_that_are_told(board: Board, seed: int) -> None:
    inside = {"fill": (0.4, 0.6), "middle": (0.35, 0.65)} if board is CHESSBOARD else {}
    seen = survey(board, shots(Studio(LENS, board), 18, seed, **inside))
    assert len(seen.views) >= 16
    found = calibrate(seen.views, SIZE)
    assert np.abs(off_in_std(found, LENS)).max() < 3.5
    assert found.fit.std[0] < 0.001 * LENS.matrix[0, 0]
    assert found.held_out_px[found.model] < 0.1


def test_standard_deviations_are_honest_over_many_seeds_for_parameters_and_for_pixels() -> None:
    corner = np.array([[20.0, 460.0]])
    ray = np.array([[-0.55, 0.4, 1.0]])
    off, where, told = [], [], []
    for seed in range(16):
        views = drawn_views(LENS, 14, seed)
        whole = fit(views, SIZE, "k1 k2 p1 p2")
        off.append((parameters(whole.camera) - parameters(LENS))[:8] / whole.std[:8])
        where.append(cv2.projectPoints(ray, np.zeros(3), np.zeros(3), whole.camera.matrix, whole.camera.distortion)[0])
        told.append(pixel_std(whole.camera, covariance_of(whole, views), corner)[0])
    assert np.abs(off).max() < 4.5
    assert np.sqrt(np.mean(np.square(off), axis=0)) == pytest.approx(np.ones(8), abs=0.45)
    assert np.sqrt(np.var(where, axis=0).sum()) == pytest.approx(np.mean(told), rel=0.35)


def test_the_covariance_has_the_standard_deviations_of_opencv_on_its_diagonal() -> None:
    found = calibrate(drawn_views(LENS, 14, 0), SIZE)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(found.fit.std, rel=1e-4)


@pytest.mark.parametrize(
    ("distortion", "expected"),
    [((0, 0, 0, 0, 0), 0), ((-0.3, 0.12, 0, 0, 0), 2), ((-0.3, 0.12, 2e-3, -2e-3, 0), 4)],
)
def test_a_lens_gets_the_coefficients_that_held_out_views_ask_for(distortion: tuple[float, ...], expected: int) -> None:
    camera = Camera(*SIZE, LENS.matrix, np.array(distortion, float))
    found = calibrate(drawn_views(camera, 15, 1, 0.05), SIZE)
    assert (found.fit.std[4:] > 0).sum() == expected
    assert found.held_out_px[found.model] == pytest.approx(0.05 * 2**0.5, rel=0.1)


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
    told = capsys.readouterr().out
    for expected in ("20 used", "field of view", "at 100 m", "held out"):
        assert expected in told


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
    write_shots(folder, [Picture("smeared.png", smeared), Picture("empty.png", empty)])
    told = refusal([str(folder)], tmp_path, capsys)
    assert "8 usable views are too few" in told
    assert "1 are blurred (smeared.png)" in told
    assert "1 show no board (empty.png)" in told


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
        shown.append(Picture(f"{i}.png", studio.shot(pose, rng)))
    told = refusal([str(write_shots(tmp_path / "shots", shown))], tmp_path, capsys)
    assert "one angle" in told
    assert "focal length and distance cannot be told apart" in told


def test_a_board_in_the_middle_only_is_refused_because_distortion_was_not_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = list(shots(Studio(LENS, BOARD), 16, 0, middle=(0.44, 0.56), fill=(0.25, 0.35)))
    told = refusal([str(write_shots(tmp_path / "shots", shown))], tmp_path, capsys)
    assert "in the middle of the frame only" in told


def test_a_side_that_never_saw_the_board_is_refused_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for picture in shots(Studio(LENS, BOARD), 24, 2, fill=(0.4, 0.5)):
        grey = picture.grey.copy()
        grey[:, 420:] = 110
        shown.append(Picture(picture.name, grey))
    told = refusal([str(write_shots(tmp_path / "shots", shown))], tmp_path, capsys)
    assert "never seen in these parts (top right, right, bottom right)" in told


@pytest.mark.parametrize(
    ("shown", "told", "mend"),
    [
        (BOARD, ["--squares", "10x6"], "(those are its inner corners; --squares counts squares)"),
        (BOARD, ["--dictionary", "6X6_250"], "the pictures show 11x7 squares, ChArUco 4X4_50"),
        (Board(9, 8, dictionary="5X5_50", legacy=True), [], "give --squares 9x8 --dictionary 5X5_50 --legacy"),
        (CHESSBOARD, [], "give --chessboard"),
        (BOARD, ["--chessboard"], "leave the options of the board away"),
    ],
)
def test_a_wrong_board_is_refused_with_the_board_that_was_seen(
    shown: Board, told: list[str], mend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = list(shots(Studio(LENS, shown), 8, 4, fill=(0.5, 0.7), middle=(0.45, 0.55)))
    line = refusal([str(write_shots(tmp_path / "shots", taken)), *told], tmp_path, capsys)
    assert "wrong board" in line
    assert mend in line


def test_pictures_of_two_sizes_are_refused_with_the_odd_ones_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turned = cv2.rotate(cv2.imread(str(good / "000.png"), cv2.IMREAD_GRAYSCALE), cv2.ROTATE_90_CLOCKWISE)
    folder = write_shots(tmp_path / "shots", [Picture("portrait.png", turned)])
    told = refusal([str(good), str(folder)], tmp_path, capsys)
    assert "20 of 640x480, 1 of 480x640" in told
    assert "portrait.png" in told


def test_a_calibration_too_uncertain_to_fly_with_is_refused() -> None:
    found = calibrate(drawn_views(LENS, 12, 0, 0.5, tilts_deg=(0, 12), fill=(0.2, 0.3)), SIZE)
    with pytest.raises(DataError, match=r"the focal length is known to .* only"):
        check_result(found)
    check_result(calibrate(drawn_views(LENS, 20, 0), SIZE))


def test_a_video_gives_its_sharpest_frames(tmp_path: Path) -> None:
    studio, rng = Studio(LENS, BOARD), np.random.default_rng(0)
    path = tmp_path / "board.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, SIZE, False)
    for _, pose in zip(range(4), poses(BOARD, LENS, rng), strict=False):
        for motion_px in (7, 1, 11, 9, 7):  # a quarter of a second
            writer.write(studio.shot(pose, rng, motion_px=motion_px))
    writer.release()
    seen = survey(BOARD, pictures([path], 0.25))
    assert (len(seen.views), len(seen.blurred), seen.looked_at) == (4, 0, 4)


def test_of_two_views_alike_the_sharper_stays_and_the_rest_spread_out() -> None:
    outline = np.array([[100.0, 100], [300, 100], [300, 200], [100, 200]])
    corners = np.zeros((1, 3)), np.zeros((1, 2))
    views = [
        View(name, *corners, outline + shift, edge)
        for name, shift, edge in (("soft", 0, 3.5), ("sharp", 2, 2.0), ("beside", 60, 3.0), ("far", 200, 3.0))
    ]
    assert [view.name for view in novel(views, SIZE, 2)] == ["sharp", "far"]
    assert {view.name for view in novel(views, SIZE, 9)} == {"sharp", "far", "beside"}


@pytest.mark.parametrize("board", [BOARD, CHESSBOARD, Board(8, 10, dictionary="5X5_50", legacy=True)])
def test_the_printed_board_is_found_whole_and_has_its_size(board: Board, tmp_path: Path) -> None:
    board = fitted(board, "A3", None)
    write(page(board, "A3"), tmp_path / "board.png")
    data = (tmp_path / "board.png").read_bytes()
    assert int.from_bytes(data[(at := data.index(b"pHYs") + 4) : at + 4], "big") == round(300 / 0.0254)
    printed = cv2.imread(str(tmp_path / "board.png"), cv2.IMREAD_GRAYSCALE)
    (view,) = survey(board, iter([Picture("board.png", printed)])).views
    assert len(view.board_mm) == np.prod(board.inner)
    beside_mm = np.linalg.norm(np.diff(view.corners_px[:2], axis=0)) * 25.4 / 300
    assert beside_mm == pytest.approx(board.square_mm, abs=0.1)


def test_the_printed_pdf_says_how_to_calibrate_and_has_the_papers_size(tmp_path: Path) -> None:
    assert main(["--print-board", str(tmp_path / "board.pdf"), "--square-mm", "20"]) == 0
    text = (tmp_path / "board.pdf").read_bytes()
    assert b"MediaBox [0 0 841.890 595.276]" in text  # A4 in points
    assert b"python -m calib.camera PICTURES --square-mm 20 --out camera.yaml" in text
    start = int(text.split(b"startxref\n")[1].split()[0])
    assert text[start:].startswith(b"xref")
    for number, row in enumerate(text[start:].split(b"\n")[3:7], start=1):
        assert text[int(row[:10]) :].startswith(b"%d 0 obj" % number)


def test_squares_that_do_not_fit_the_paper_are_refused_with_the_most_that_do() -> None:
    with pytest.raises(SettingsError, match="24 mm is the most"):
        fitted(BOARD, "A4", 30)
    with pytest.raises(SettingsError, match="holds 50"):
        Board(20, 10)
