"""A calibration in words: what was found, how sure it is, what is odd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calib.camera.checks import GOOD_TILT_SPREAD_DEG, frame_grid, some, tilt_spread_deg, where
from calib.camera.intrinsics import Calibration, camera_rays, has_inverse, pixel_std


def summary(calibration: Calibration, views: int, left_out: Mapping[str, Sequence[str]]) -> str:
    """Return what a person wants to know of a calibration, in a dozen lines."""
    fit, (width, height) = calibration.fit, (calibration.fit.camera.width_px, calibration.fit.camera.height_px)
    fx, fy, cx, cy = fit.camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    chosen_px = calibration.held_out_px[calibration.model]
    held_out = ", ".join(f"{name} {px:.3f}" for name, px in calibration.held_out_px.items())
    sides = np.array([[0.0, cy], [width - 1.0, cy], [cx, 0.0], [cx, height - 1.0]])
    rays = camera_rays(fit.camera, sides)
    flat = np.degrees(np.arctan(rays[[1, 3], [0, 1]]) - np.arctan(rays[[0, 2], [0, 1]]))
    ground_m = 100 * (rays[[1, 3], [0, 1]] - rays[[0, 2], [0, 1]])
    std_m = 100 * pixel_std(calibration.fit.camera, calibration.covariance, frame_grid((width, height), 33, 25)) / fx
    away = [f"{len(names)} {why} ({some(names)})" for why, names in left_out.items() if names]
    return "\n".join(
        [
            f"  focal length     fx {fx:.2f} +- {fit.std[0]:.2f} px, fy {fy:.2f} +- {fit.std[1]:.2f} px",
            f"  principal point  cx {cx:.2f} +- {fit.std[2]:.2f} px, cy {cy:.2f} +- {fit.std[3]:.2f} px",
            f"  distortion       {calibration.model}, chosen by held-out error in px: {held_out}",
            f"  error            {fit.rms_px:.3f} px RMS, {chosen_px:.3f} px on views held out in turn",
            f"  views            {views} used",
            *(f"                   {text}" for text in away),
            f"  field of view    {flat[0]:.1f} degrees wide, {flat[1]:.1f} high",
            f"  at 100 m         looking straight down: a frame {ground_m[0]:.0f} x {ground_m[1]:.0f} m, a pixel "
            f"{100 / fx:.3f} m;",
            f"                   the calibration's own error {np.median(std_m):.2f} m (median of the frame), "
            f"{std_m.max():.2f} m (worst), one sigma",
        ]
    )


def notes(calibration: Calibration, missing: Sequence[str]) -> list[str]:
    """Return what is odd about a calibration that flies all the same."""
    camera, remarks = calibration.fit.camera, []
    fx, fy, cx, cy = camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    if missing:
        remarks.append(f"the board was hardly seen {where(missing)} of the frame: distortion is a guess there")
    undone = has_inverse(camera, frame_grid((camera.width_px, camera.height_px), 33, 25))
    if not undone.all():
        remarks.append(f"the distortion cannot be undone in {1 - undone.mean():.0%} of the frame, near its corners")
    spread_deg = tilt_spread_deg(calibration.fit.normals())
    if spread_deg < GOOD_TILT_SPREAD_DEG:
        remarks.append(f"the board was tilted little ({spread_deg:.0f} degrees; 20 to 40 make the focal length surer)")
    if abs(fx / fy - 1) > 0.01:
        remarks.append(f"pixels are {fx / fy:.3f} as wide as high: is the picture stretched, or the print?")
    off = max(abs(cx / camera.width_px - 0.5), abs(cy / camera.height_px - 0.5))
    if off > 0.05:
        remarks.append(f"the principal point is {off:.0%} of the frame off its middle: was the picture cropped?")
    if calibration.focal_spread_px > 4 * calibration.fit.std[0]:
        remarks.append(
            f"fits to parts of the views differ by more than their residuals explain (focal length "
            f"{calibration.focal_spread_px:.2f} px, not {calibration.fit.std[0]:.2f}): is the board flat, the shutter "
            "rolling?"
        )
    return remarks
