"""Checks of the views, and of the calibration: what is useless or too poor to fly with, and how to mend it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from calib.camera.board import Board
from calib.camera.intrinsics import Calibration, pixel_std
from calib.camera.shots import BoardShot
from calib.camera.views import BoardView, Survey
from calib.camera.wrong_board import board_seen, has_markers
from runtime.errors import DataError
from runtime.types import FloatArray

MIN_REACH = 0.6  # of the way from the middle of the frame to its corner
MIN_AREAS, SEEN_CORNERS = 7, 8  # areas of nine with that many corners
MIN_TILT_SPREAD_DEG, GOOD_TILT_SPREAD_DEG = 10.0, 18.0
MAX_FOCAL_STD = 0.005  # of the focal length: half a metre at the side of a frame that sees 200 m
MAX_GROUND_STD = 0.01  # of the height: 1 m at 100 m, anywhere in the frame
MAX_RMS_PX, MAX_RMS_SHARE = 1.0, 1 / 1500  # the larger; the share is of the picture's long side
AREAS = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")


def check_sizes(seen: Survey) -> tuple[int, int]:
    """Return the one size that all pictures have; raises DataError where there are several."""
    if len(seen.sizes) == 1:
        return next(iter(seen.sizes))
    if not seen.sizes:
        raise DataError("there is no picture in what was given; expected a folder of pictures, a picture or a video")
    by_count = sorted(seen.sizes.items(), key=lambda item: -len(item[1]))
    sizes = ", ".join(f"{len(names)} of {width}x{height}" for (width, height), names in by_count)
    others = [name for _, names in by_count[1:] for name in names]
    raise DataError(
        f"pictures of different sizes: {sizes}; a calibration holds for one size and one camera mode: "
        f"take out {some(others)}"
    )


def check_count(board: Board, seen: Survey, views: Sequence[BoardView], least: int) -> None:
    """Raise DataError where there are too few views, and say why as far as the pictures tell."""
    if board.dictionary is None and seen.sample is not None and has_markers(seen.sample):
        check_board(board, [*seen.lost, seen.sample])  # its markers would pull at the corners
    if len(views) >= least:
        return
    if len(seen.without) > len(seen.views) + len(seen.blurred):
        check_board(board, seen.lost)
    reasons = [f"{len(seen.without)} show no board ({some(seen.without)})"] if seen.without else []
    reasons += [f"{len(seen.blurred)} are blurred ({some(seen.blurred)})"] if seen.blurred else []
    alike = len(seen.views) - len(views)
    reasons += [f"{alike} look like another one"] if alike else []
    raise DataError(
        f"{len(views)} usable views are too few; {least} is the least, 30 are good, each with the board elsewhere "
        f"and tilted another way. Of {seen.looked_at} pictures {', '.join(reasons) or 'none was left out'}"
    )


def check_board(board: Board, shots: Sequence[BoardShot]) -> None:
    """Raise DataError where the pictures show another board, and say which."""
    shown = board_seen(shots, board)
    if shown is None or _may_be(shown, board):
        return
    counted = ""
    if {board.columns, board.rows} == set(shown.inner):
        counted = " (those are its inner corners; --squares counts squares)"
    whole = " (a chessboard must be seen whole)" * (shown.dictionary is None)
    raise DataError(
        f"wrong board: told {board}{counted}, the pictures show {shown}{whole}; "
        + (f"give {shown.flags()}" if shown.flags() else "leave the options of the board away")
    )


def _may_be(shown: Board, named: Board) -> bool:
    """Tell whether the pictures may show the board that was named: perhaps a part of it, by a larger dictionary."""
    if shown.dictionary is None or named.dictionary is None:
        return shown == named
    same_family = shown.dictionary.rpartition("_")[0] == named.dictionary.rpartition("_")[0]
    return same_family and (shown.columns, shown.legacy) == (named.columns, named.legacy) and shown.rows <= named.rows


def area_counts(views: Sequence[BoardView], size: tuple[int, int], columns: int, rows: int) -> FloatArray:
    """Count the corners in each cell of the frame, (rows, columns)."""
    corners = np.concatenate([view.corners_px for view in views])
    edges = np.linspace(0, size[1], rows + 1) - 0.5, np.linspace(0, size[0], columns + 1) - 0.5
    return np.asarray(np.histogram2d(corners[:, 1], corners[:, 0], bins=edges)[0], float)


def check_coverage(views: Sequence[BoardView], size: tuple[int, int]) -> list[str]:
    """Return the areas of the frame (a ninth each) that hardly saw the board; raises DataError where most did not."""
    corners = np.concatenate([view.corners_px for view in views])
    away = np.linalg.norm(corners - (np.array(size) - 1) / 2, axis=1) / math.hypot(*size) * 2
    reach = float(np.quantile(away, 0.98))
    if not reach >= MIN_REACH:
        raise DataError(
            f"the board was seen in the middle of the frame only (out to {reach:.0%} of the way to a corner, at least "
            f"{MIN_REACH:.0%} expected): distortion shows at the edges; take views with the board in every corner"
        )
    counts = area_counts(views, size, 3, 3).ravel()
    missing = [name for name, count in zip(AREAS, counts, strict=True) if count < SEEN_CORNERS]
    if len(AREAS) - len(missing) < MIN_AREAS:
        raise DataError(f"the board was never seen {where(missing)} of the frame; take views with the board there")
    return missing


def tilt_spread_deg(normals: FloatArray) -> float:
    """Measure how differently the board was tilted: what a tenth of its (V, 3) normals are more than off their mean."""
    mean = normals.mean(axis=0)
    cosines = normals @ (mean / np.linalg.norm(mean))
    return float(np.degrees(np.arccos(np.clip(np.quantile(cosines, 0.1), -1.0, 1.0))))


def check_tilts(normals: FloatArray) -> float:
    """Return the spread of the tilts; raises DataError where the board was always parallel to itself.

    Zhang, "A flexible new technique for camera calibration", PAMI 2000, section 3.4.
    """
    spread_deg = tilt_spread_deg(normals)
    if not spread_deg >= MIN_TILT_SPREAD_DEG:
        raise DataError(_one_angle(spread_deg))
    return spread_deg


def _one_angle(spread_deg: float) -> str:
    return (
        f"all views are from nearly one angle (the board's tilts lie within {spread_deg:.0f} degrees, 20 to 40 "
        "expected): focal length and distance cannot be told apart; tilt the board to all four sides"
    )


def check_result(calibration: Calibration) -> None:
    """Raise DataError where the calibration is too uncertain, or too wrong, to fly with."""
    fit, size = calibration.fit, (calibration.fit.camera.width_px, calibration.fit.camera.height_px)
    held_out, most = calibration.held_out_px[calibration.model], max(MAX_RMS_PX, MAX_RMS_SHARE * max(size))
    if not held_out <= most:
        raise DataError(
            f"views that were held out are missed by {held_out:.2f} px RMS, {most:.2f} px is the most: the board is "
            "not flat, it moved during exposure, the camera zoomed or stabilised, or the lens is a fisheye (plumb_bob "
            "cannot describe one; choose the camera's linear or narrow mode)"
        )
    focal = fit.camera.matrix[0, 0]
    share = max(fit.std[0], fit.std[1], calibration.focal_spread_px) / focal
    spread_deg = tilt_spread_deg(fit.normals())
    if not share <= MAX_FOCAL_STD:
        why = _one_angle(spread_deg) if spread_deg < GOOD_TILT_SPREAD_DEG else "take more views, tilted more"
        raise DataError(f"the focal length is known to {share:.1%} only, {MAX_FOCAL_STD:.1%} is wanted to fly; {why}")
    worst = float(pixel_std(calibration.fit.camera, calibration.covariance, frame_grid(size, 9, 9)).max()) / focal
    if not worst <= MAX_GROUND_STD:
        raise DataError(
            f"somewhere in the frame the calibration is uncertain by {worst * 100:.1f} m at 100 m above ground, "
            f"{MAX_GROUND_STD * 100:.0f} m is the most to fly with; take more views with the board in the corners"
        )


def frame_grid(size: tuple[int, int], columns: int, rows: int) -> FloatArray:
    """Return pixels from corner to corner of the frame, (rows * columns, 2), row by row."""
    across, down = np.linspace(0, size[0] - 1, columns), np.linspace(0, size[1] - 1, rows)
    return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)


def where(areas: Sequence[str]) -> str:
    """Return areas of the frame in words."""
    return f"in these parts ({', '.join(areas)})"


def some(names: Sequence[str], most: int = 4) -> str:
    """Return a few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
