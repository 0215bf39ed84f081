"""A flight as a picture: the map, the true track, the fixes with their 90% ellipses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from runtime.fix import Fix, Verdict
from runtime.flights.truth import Truth
from runtime.geo.mercator import HALF_WORLD_M, LatLon, Metres, ground_scale, to_latlon, to_metres
from runtime.maps.imagery import Imagery
from runtime.pictures import check_ending, write_picture
from runtime.types import FloatArray, Picture

Colour = tuple[int, int, int]  # RGB
Metre = TypeVar("Metre", float, "FloatArray")

SIDE_PX = 1400
_LEGEND_PX = 64
_TRUE: Colour = (255, 255, 255)
_MISS: Colour = (255, 60, 60)
_COLOURS: Mapping[str, Colour] = {
    "registration": (70, 255, 120),
    "retrieval": (255, 210, 60),
    "dead_reckoning": (90, 190, 255),
}
_INK: Colour = (28, 28, 32)
_ELLIPSE_90 = math.sqrt(-2.0 * math.log(0.1))
_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class _Canvas:
    """A picture with a place for every pixel."""

    picture: Picture
    centre: Metres
    metres_per_px: float  # Web Mercator

    def at(self, place: LatLon) -> tuple[float, float]:
        point, middle = to_metres(place), (SIDE_PX - 1) / 2
        return (
            middle + _short_way_m(point.x - self.centre.x) / self.metres_per_px,
            middle - (point.y - self.centre.y) / self.metres_per_px,
        )

    def ground_px(self) -> float:
        """Return ground metres in a pixel."""
        return self.metres_per_px * ground_scale(to_latlon(self.centre).lat)


def draw_flight(
    imagery: Imagery, verdicts: Sequence[Verdict], truth: Mapping[int, Truth], title: str, path: Path
) -> None:
    """Write the picture, PNG or JPEG by its ending; raises SettingsError on another one."""
    check_ending(path)
    track = [(v.t_us, t.drone) for v in verdicts if (t := truth.get(v.t_us)) is not None and t.drone is not None]
    fixes = [v for v in verdicts if isinstance(v, Fix)]
    canvas = _canvas(imagery, [place for _, place in track] + [LatLon(f.lat, f.lon) for f in fixes])
    _draw_track(canvas, [place for _, place in track])
    fixed = {f.t_us for f in fixes}
    for t_us, place in track:
        if t_us not in fixed:
            _cross(canvas, place)
    for fix in fixes:
        _draw_fix(canvas, fix, truth.get(fix.t_us))
    _draw_scale(canvas)
    picture = np.vstack([_legend(title, {f.source for f in fixes}, len(fixes) < len(verdicts)), canvas.picture])
    write_picture(picture, path)


def _canvas(imagery: Imagery, places: Sequence[LatLon]) -> _Canvas:
    """Cut out the map about the flight, a little darkened so that what is drawn on it stands out."""
    points = np.array([to_metres(p) for p in places or [imagery.bounds.centre]])
    points[:, 0] = points[0, 0] + _short_way_m(points[:, 0] - points[0, 0])
    low, high = points.min(axis=0), points.max(axis=0)
    side_m = float((high - low).max()) * 1.15 + 60.0
    if not places:
        side_m = imagery.bounds.east - imagery.bounds.west
    centre = Metres(float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)
    picture, seen = imagery.window(centre, side_m, SIDE_PX)
    picture = np.where(seen[..., None], (picture * 0.72).astype(np.uint8), np.array(_INK, np.uint8))
    return _Canvas(np.ascontiguousarray(picture), centre, side_m / SIDE_PX)


def _short_way_m(off_m: Metre) -> Metre:
    """Turn a difference of Web Mercator's x the short way round, across the 180th meridian too."""
    return (off_m + HALF_WORLD_M) % (2 * HALF_WORLD_M) - HALF_WORLD_M


def _fixed_point(x: float, y: float) -> tuple[int, int]:
    """Turn pixels into OpenCV's sub-pixel coordinates."""
    return round(x * (1 << _SUBPIXEL_BITS)), round(y * (1 << _SUBPIXEL_BITS))


def _draw_track(canvas: _Canvas, places: Sequence[LatLon]) -> None:
    line = np.array([_fixed_point(*canvas.at(p)) for p in places], np.int32).reshape(-1, 1, 2)
    for colour, width in ((_INK, 4), (_TRUE, 2)):
        cv2.polylines(canvas.picture, [line], False, colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_fix(canvas: _Canvas, fix: Fix, truth: Truth | None) -> None:
    colour = _COLOURS[fix.source]
    x, y = canvas.at(LatLon(fix.lat, fix.lon))
    if truth is not None and truth.drone is not None:
        ends = _fixed_point(x, y), _fixed_point(*canvas.at(truth.drone))
        cv2.line(canvas.picture, *ends, colour, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    ee, en, nn = fix.cov_en_m2
    sizes, axes = np.linalg.eigh(np.array([[ee, en], [en, nn]]))
    radii = np.sqrt(np.maximum(sizes, 0.0)) * _ELLIPSE_90 / canvas.ground_px()
    angle_deg = math.degrees(math.atan2(-axes[1, 1], axes[0, 1]))  # picture rows grow southwards
    shape = _fixed_point(float(radii[1]), float(radii[0]))
    cv2.ellipse(canvas.picture, _fixed_point(x, y), shape, angle_deg, 0, 360, colour, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    cv2.circle(canvas.picture, _fixed_point(x, y), 4 << _SUBPIXEL_BITS, _INK, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    cv2.circle(canvas.picture, _fixed_point(x, y), 3 << _SUBPIXEL_BITS, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _cross(canvas: _Canvas, place: LatLon) -> None:
    x, y = (round(v) for v in canvas.at(place))
    cv2.drawMarker(canvas.picture, (x, y), _INK, cv2.MARKER_TILTED_CROSS, 15, 4, cv2.LINE_AA)
    cv2.drawMarker(canvas.picture, (x, y), _MISS, cv2.MARKER_TILTED_CROSS, 13, 2, cv2.LINE_AA)


def _draw_scale(canvas: _Canvas) -> None:
    """Draw a bar of a round length, lower left."""
    longest_m = 0.2 * SIDE_PX * canvas.ground_px()
    length_m = max(step * 10**power for power in range(-1, 6) for step in (1, 2, 5) if step * 10**power <= longest_m)
    left, base = 30, SIDE_PX - 30
    right = left + round(length_m / canvas.ground_px())
    cv2.rectangle(canvas.picture, (left - 14, base - 40), (right + 14, base + 14), _INK, -1)
    cv2.line(canvas.picture, (left, base), (right, base), _TRUE, 3, cv2.LINE_AA)
    _write(canvas.picture, f"{length_m:g} m", (left, base - 12), _TRUE)


def _legend(title: str, sources: set[str], misses: bool) -> Picture:
    strip = np.full((_LEGEND_PX, SIDE_PX, 3), _INK, np.uint8)
    _write(strip, title, (20, 26), _TRUE)
    entries = [
        ("true track", _TRUE),
        *((f"{s.replace('_', ' ')} fix, 90%", _COLOURS[s]) for s in _COLOURS if s in sources),
    ]
    entries += [("no fix", _MISS)] if misses else []
    x = 20
    for text, colour in entries:
        cv2.circle(strip, (x + 6, 47), 6, colour, -1, cv2.LINE_AA)
        x = _write(strip, text, (x + 20, 53), _TRUE) + 28
    return strip


def _write(picture: Picture, text: str, at: tuple[int, int], colour: Colour) -> int:
    """Draw a line of text; returns where it ends."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.55
    cv2.putText(picture, text, at, font, size, colour, 1, cv2.LINE_AA)
    (width, _), _ = cv2.getTextSize(text, font, size, 1)
    return at[0] + width
