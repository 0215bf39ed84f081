"""Focal length, principal point and distortion from views of a board, and how well they are known.

Zhang, "A flexible new technique for camera calibration", PAMI 2000, as OpenCV has it. How many distortion
coefficients a lens gets is decided by views that the fit did not see, not by habit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.camera.views import BoardView
from runtime.errors import DataError
from runtime.geo.camera import Camera
from runtime.types import FloatArray, Tick

FOLDS = 5
TIE = 1.002  # a larger model has to lower the held-out error by more than this
ODD = 4.0  # times the median of the views' errors
PARAMETERS = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
_ALL_FIXED = cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3 | cv2.CALIB_ZERO_TANGENT_DIST
MODELS: Mapping[str, int] = {
    "no distortion": _ALL_FIXED,
    "k1": _ALL_FIXED & ~cv2.CALIB_FIX_K1,
    "k1 k2": cv2.CALIB_FIX_K3 | cv2.CALIB_ZERO_TANGENT_DIST,
    "k1 k2 p1 p2": cv2.CALIB_FIX_K3,
    "k1 k2 p1 p2 k3": 0,
}
"""OpenCV's flags, the smallest model first."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A least-squares fit of the camera, and the poses of the board."""

    camera: Camera
    std: FloatArray  # (9,) standard deviations, in the order of PARAMETERS; 0 where held fixed
    rotations: FloatArray  # (V, 3) Rodrigues vectors, board to camera
    offsets_mm: FloatArray  # (V, 3)
    view_rms_px: FloatArray  # (V,)
    rms_px: float

    def normals(self) -> FloatArray:
        """Return the board's normals in camera axes, (V, 3)."""
        return np.array([cv2.Rodrigues(rotation)[0][:, 2] for rotation in self.rotations])


@dataclass(frozen=True, slots=True)
class Calibration:
    """A camera that was fitted to all views, and what the held-out ones say of it."""

    fit: Fit
    model: str
    held_out_px: Mapping[str, float]  # RMS of the model on views that it was not fitted to
    residuals: Sequence[FloatArray]  # (N, 2) a view, measured less predicted, each while that view was held out
    focal_spread_px: float  # jackknife standard deviation of fx over the folds
    covariance: FloatArray  # (9, 9) of PARAMETERS


def fit(views: Sequence[BoardView], size: tuple[int, int], model: str) -> Fit:
    """Fit one model to all views; raises DataError where OpenCV finds no camera."""
    board = [view.board_mm.astype(np.float32) for view in views]
    corners = [view.corners_px.astype(np.float32) for view in views]
    unknown = np.eye(3), np.zeros(5)
    try:
        rms, matrix, distortion, rotations, offsets, std, _, view_rms = cv2.calibrateCameraExtended(
            board, corners, size, *unknown, flags=MODELS[model]
        )
    except cv2.error as error:
        raise DataError(f"no camera fits these views ({error.err}); take more, with the board tilted") from None
    if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
        raise DataError("no camera fits these views; take more, with the board tilted and in all parts of the frame")
    camera = Camera(*size, np.asarray(matrix, float), np.asarray(distortion, float).ravel()[:5])
    poses = np.array(rotations, float).reshape(-1, 3), np.array(offsets, float).reshape(-1, 3)
    return Fit(camera, np.asarray(std, float).ravel()[:9], *poses, np.asarray(view_rms, float).ravel(), float(rms))


def fitting(views: Sequence[BoardView], size: tuple[int, int]) -> tuple[list[BoardView], list[BoardView], Fit]:
    """Part the views into those that one camera explains and those it does not; return both, and that camera.

    A view is odd where the board moved or a corner was misread.
    """
    first = fit(views, size, "k1 k2")
    fair = first.view_rms_px <= ODD * np.median(first.view_rms_px)
    kept = [view for view, is_fair in zip(views, fair, strict=True) if is_fair]
    odd = [view for view, is_fair in zip(views, fair, strict=True) if not is_fair]
    return kept, odd, fit(kept, size, "k1 k2") if odd else first


def calibrate(views: Sequence[BoardView], size: tuple[int, int], tick: Tick = lambda done, total: None) -> Calibration:
    """Choose the model by held-out error, then fit it to all views; raises DataError."""
    held_out_px, checks = {}, {}
    for i, model in enumerate(MODELS):
        fits, residuals = _cross_check(views, size, model)
        checks[model] = fits, residuals
        held_out_px[model] = rms_of(residuals)
        tick(i + 1, len(MODELS))
    model = next(name for name in MODELS if held_out_px[name] <= TIE * min(held_out_px.values()))
    fits, residuals = checks[model]
    focal = np.array([part.camera.matrix[0, 0] for part in fits])
    spread = float(np.sqrt((FOLDS - 1) / FOLDS * ((focal - focal.mean()) ** 2).sum()))
    whole = fit(views, size, model)
    return Calibration(whole, model, held_out_px, residuals, spread, covariance_of(whole, views))


def rms_of(residuals: Sequence[FloatArray]) -> float:
    """Return the RMS distance over all corners, pixels; OpenCV's convention."""
    return float(np.sqrt((np.concatenate(residuals) ** 2).sum(axis=1).mean()))


def _cross_check(views: Sequence[BoardView], size: tuple[int, int], model: str) -> tuple[list[Fit], list[FloatArray]]:
    """Hold every fifth view out in turn: return the five fits, and each view's residuals under the fit without it."""
    fits, residuals = [], [np.empty((0, 2))] * len(views)
    for fold in range(FOLDS):
        part = fit([view for i, view in enumerate(views) if i % FOLDS != fold], size, model)
        fits.append(part)
        for i in range(fold, len(views), FOLDS):
            residuals[i] = _residuals(part.camera, views[i])
    return fits, residuals


def _residuals(camera: Camera, view: BoardView) -> FloatArray:
    """Return measured less predicted pixels, (N, 2), at the pose that suits the view best."""
    _, rotation, offset = cv2.solvePnP(view.board_mm, view.corners_px, camera.matrix, camera.distortion)
    predicted, _ = cv2.projectPoints(view.board_mm, rotation, offset, camera.matrix, camera.distortion)
    return np.asarray(view.corners_px - predicted.reshape(-1, 2), float)


def covariance_of(whole: Fit, views: Sequence[BoardView]) -> FloatArray:
    """Return the (9, 9) covariance of PARAMETERS; OpenCV tells its diagonal, a pixel's uncertainty needs all of it.

    The poses are eliminated by the Schur complement of the normal equations. Zero where a parameter was held fixed.
    """
    free = np.flatnonzero(whole.std > 0)
    normal, squares, measured = np.zeros((len(free), len(free))), 0.0, 0
    for view, rotation, offset in zip(views, whole.rotations, whole.offsets_mm, strict=True):
        lens = whole.camera
        predicted, jacobian = cv2.projectPoints(view.board_mm, rotation, offset, lens.matrix, lens.distortion)
        pose, inner = jacobian[:, :6], jacobian[:, 6 + free]
        normal += inner.T @ inner - inner.T @ pose @ np.linalg.solve(pose.T @ pose, pose.T @ inner)
        squares += float(((view.corners_px - predicted.reshape(-1, 2)) ** 2).sum())
        measured += 2 * len(view.corners_px)
    covariance = np.zeros((9, 9))
    variance = squares / (measured - len(free) - 6 * len(views))
    covariance[np.ix_(free, free)] = variance * np.linalg.inv(normal)
    return covariance


def pixel_std(camera: Camera, covariance: FloatArray, pixels: FloatArray) -> FloatArray:
    """Return how far the calibration may be wrong on where (N, 2) pixels look: (N,) standard deviations, pixels."""
    rays = camera_rays(camera, pixels)
    still: NDArray[np.float64] = np.zeros(3)
    _, jacobian = cv2.projectPoints(rays, still, still, camera.matrix, camera.distortion)
    inner = np.asarray(jacobian, float)[:, 6:15].reshape(-1, 2, 9)
    return np.asarray(np.sqrt(np.einsum("nip,pq,niq->n", inner, covariance, inner)), float)


def camera_rays(camera: Camera, pixels: FloatArray) -> FloatArray:
    """Return the directions, (N, 3) with z = 1, of (N, 2) pixels as the lens gives them."""
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 100, 1e-10)
    flat = cv2.undistortPointsIter(
        pixels.reshape(-1, 1, 2), camera.matrix, camera.distortion, np.eye(3), np.eye(3), criteria
    )
    return np.column_stack([np.asarray(flat, float).reshape(-1, 2), np.ones(len(pixels))])


def has_inverse(camera: Camera, pixels: FloatArray) -> NDArray[np.bool_]:
    """Tell, (N,), whether the distortion can be undone at (N, 2) pixels; beyond, its polynomial turns back."""
    rays, still = camera_rays(camera, pixels), np.zeros(3)
    back, _ = cv2.projectPoints(rays, still, still, camera.matrix, camera.distortion)
    return np.asarray(np.linalg.norm(back.reshape(-1, 2) - pixels, axis=1) < 0.5, np.bool_)
