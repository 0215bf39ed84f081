"""Two pictures of a calibration: how well the camera is known, and what of it was not looked at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from calib.camera.checks import area_counts, frame_grid
from calib.camera.intrinsics import Calibration, Fit, pixel_std
from calib.camera.views import BoardView
from calib.drawing import (
    BLUE,
    FAINT,
    INK,
    PAPER,
    RED,
    SUBPIXEL_BITS,
    Colour,
    dot,
    fixed,
    headed,
    line,
    mixed,
    padded,
    whole,
    write,
)
from runtime.types import FloatArray, Picture

_PANEL_PX = 800
_MISSING, _SEEN = RED, BLUE


def residual_picture(calibration: Calibration, views: Sequence[BoardView]) -> Picture:
    """Draw, left, what held-out corners missed by, as arrows; right, how uncertain each part of the frame is."""
    left, right = _arrows(calibration, views), _uncertainty(calibration)
    name = calibration.model
    head = [
        f"Residuals of held-out views, {calibration.held_out_px[name]:.3f} px RMS ({name})",
        "Dark: the mean of a part of the frame. Where dark arrows are long the model does not follow the lens.",
    ]
    other = ["One standard deviation of where a pixel looks, in pixels", "Large where the board was not seen."]
    return np.hstack([headed(left, head), headed(right, other)])


def coverage_picture(fit: Fit, views: Sequence[BoardView], size: tuple[int, int]) -> Picture:
    """Draw, left, where in the frame the board was; right, how it was tilted; red is what is missing."""
    left, right = _frame_seen(views, size), _tilts_seen(fit)
    head = ["Where the board was seen: every corner is a dot", "Red parts of the frame saw fewer than three corners."]
    other = [
        "How the board was tilted, degrees: every view is a dot",
        "Red sides are missing; 20 to 40 degrees are best.",
    ]
    height = max(left.shape[0], right.shape[0])
    return np.hstack([headed(padded(left, height), head), headed(padded(right, height), other)])


def _frame(size: tuple[int, int]) -> tuple[Picture, float]:
    """Return an empty panel of the frame's shape, and its pixels per pixel of the frame."""
    scale = _PANEL_PX / size[0]
    return np.full((round(size[1] * scale), _PANEL_PX, 3), 250, np.uint8), scale


def _arrows(calibration: Calibration, views: Sequence[BoardView]) -> Picture:
    panel, scale = _frame(_size(calibration.fit))
    lengths = np.concatenate([np.linalg.norm(residual, axis=1) for residual in calibration.residuals])
    typical = float(np.quantile(lengths, 0.9))
    enlarged = 0.03 * _PANEL_PX / max(typical, 1e-9)
    for view, residual in zip(views, calibration.residuals, strict=True):
        sizes = np.linalg.norm(residual, axis=1) / max(2 * typical, 1e-9)
        colours = _colours(sizes)
        for start, arrow, colour in zip(view.corners_px * scale, residual * enlarged, colours, strict=True):
            dot(panel, start, 1.5, colour)
            line(panel, start, start + arrow, colour)
    for start, arrow in _means(calibration, views):
        cv2.arrowedLine(panel, whole(start * scale), whole(start * scale + arrow * enlarged), INK, 2, cv2.LINE_AA)
    bar = _round_down(0.15 * _PANEL_PX / enlarged)
    base = np.array([16.0, panel.shape[0] - 16.0])
    cv2.rectangle(panel, (6, panel.shape[0] - 44), (32 + round(bar * enlarged), panel.shape[0] - 8), PAPER, -1)
    line(panel, base, base + np.array([bar * enlarged, 0]), INK, 3)
    write(panel, f"{bar:g} px", (16, panel.shape[0] - 24))
    return panel


def _means(
    calibration: Calibration, views: Sequence[BoardView], columns: int = 10, least: int = 8
) -> list[tuple[FloatArray, FloatArray]]:
    """Return the middle and mean residual of each cell with enough corners: noise averages out, a wrong model stays."""
    corners, residuals = np.concatenate([view.corners_px for view in views]), np.concatenate(calibration.residuals)
    side = calibration.fit.camera.width_px / columns
    cells = np.floor(corners / side)
    return [
        ((cell + 0.5) * side, residuals[here].mean(axis=0))
        for cell in np.unique(cells, axis=0)
        if (here := (cells == cell).all(axis=1)).sum() >= least
    ]


def _uncertainty(calibration: Calibration) -> Picture:
    size = _size(calibration.fit)
    panel, scale = _frame(size)
    columns, rows = 64, 48
    std = pixel_std(calibration.fit.camera, calibration.covariance, frame_grid(size, columns, rows)).reshape(
        rows, columns
    )
    fine = cv2.resize(std, (panel.shape[1], panel.shape[0]), interpolation=cv2.INTER_CUBIC)
    top = max(float(std.max()), 2 * float(np.median(std)))
    level = np.clip(fine / top * 255, 0, 255).astype(np.uint8)
    heat = np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_VIRIDIS), np.uint8)
    for pixel in frame_grid(size, 7, 5) * 0.9 + np.array(size) * 0.05:
        value = float(pixel_std(calibration.fit.camera, calibration.covariance, pixel[None])[0])
        at = pixel * scale
        colour = INK if value > 0.6 * top else PAPER
        write(heat, f"{value:.2f}", (round(at[0]) - 18, round(at[1]) + 6), colour)
    return heat


def _frame_seen(views: Sequence[BoardView], size: tuple[int, int]) -> Picture:
    panel, scale = _frame(size)
    counts = area_counts(views, size, 8, 6)
    for row, column in np.argwhere(counts < 3).tolist():
        left, top = round(column * panel.shape[1] / 8), round(row * panel.shape[0] / 6)
        right, bottom = round((column + 1) * panel.shape[1] / 8), round((row + 1) * panel.shape[0] / 6)
        panel[top:bottom, left:right] = np.array(_MISSING) * 0.35 + 255 * 0.65
    for view in views:
        outline = fixed(view.outline_px * scale).reshape(-1, 1, 2)
        cv2.polylines(panel, [outline], True, FAINT, 1, cv2.LINE_AA, SUBPIXEL_BITS)
    for view in views:
        for corner in view.corners_px * scale:
            dot(panel, corner, 2.0, _SEEN)
    cv2.rectangle(panel, (0, 0), (panel.shape[1] - 1, panel.shape[0] - 1), INK, 1)
    return panel


def _tilts_seen(fit: Fit) -> Picture:
    """Draw a round plot: up is the board's top away from the camera, the distance from the middle is the tilt."""
    side, most_deg, sides = 640, 60.0, 8
    panel = np.full((side, _PANEL_PX, 3), 255, np.uint8)
    middle = np.array([_PANEL_PX / 2, side / 2])
    radius_per_deg = (side / 2 - 40) / most_deg
    normals = fit.normals()
    tilts_deg = np.degrees(np.arccos(np.clip(normals[:, 2], -1, 1)))
    ways = np.arctan2(-normals[:, 1], -normals[:, 0])
    sector = np.round(ways / (2 * np.pi) * sides).astype(int) % sides
    for i in range(sides):
        if not (tilts_deg[sector == i] >= 10).any():
            turn = (360 / sides * (i - 0.5), 360 / sides * (i + 0.5))
            box = tuple(fixed(middle).tolist()), (round(45 * radius_per_deg * 16),) * 2
            cv2.ellipse(panel, *box, 0, *turn, mixed(_MISSING, 0.35), -1, cv2.LINE_AA, SUBPIXEL_BITS)
    cv2.circle(panel, whole(middle), round(10 * radius_per_deg), PAPER, -1, cv2.LINE_AA)
    for ring_deg in (10, 20, 30, 40, 60):
        cv2.circle(panel, whole(middle), round(ring_deg * radius_per_deg), FAINT, 1, cv2.LINE_AA)
        write(panel, str(ring_deg), whole(middle + np.array([4, -ring_deg * radius_per_deg - 3])), FAINT)
    for way, tilt_deg in zip(ways, tilts_deg, strict=True):
        dot(panel, middle + np.array([np.cos(way), np.sin(way)]) * tilt_deg * radius_per_deg, 5.0, _SEEN)
    for text, x, y in (
        ("top away", -40, -300),
        ("bottom away", -52, 312),
        ("left away", -395, 5),
        ("right away", 300, 5),
    ):
        write(panel, text, whole(middle + np.array([x, y])))
    return panel


def _size(fit: Fit) -> tuple[int, int]:
    return fit.camera.width_px, fit.camera.height_px


def _colours(shares: FloatArray) -> list[Colour]:
    """Return a colour for each share: blue for small, red for large."""
    level = np.clip(shares * 255, 0, 255).astype(np.uint8)
    mapped = cv2.applyColorMap(level.reshape(-1, 1), cv2.COLORMAP_TURBO).reshape(-1, 3)
    return [(int(b), int(g), int(r)) for b, g, r in mapped * 0.85]


def _round_down(value: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is no larger."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in (1, 2, 5) if step * power <= value))
