"""How rendered views vary; imports nothing heavy, so that ``--help`` and the spec of a run can name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ViewSpec:
    """How rendered views vary: angles in degrees, lengths in metres."""

    footprint_m: tuple[float, float] = (45.0, 90.0)
    tilt_deg: float = 50.0  # from straight down
    yaw_error_deg: float = 15.0
    tilt_error_deg: float = 4.0  # of pitch, and of roll
    altitude_error: float = 0.15  # relative
    lens_error: float = 0.02  # radial distortion left by calibration, of the distance from the middle, in the corners
    offset: float = 0.125  # of the footprint; a cache's stride is a quarter, so no tile is farther
    beside: bool = False  # show each place with a second one, half a footprint to a whole one away: a near miss
    quilt: float = 0.0  # share of scenes that are sewn together of four pictures, where a source has small ones
    warp: bool = False  # say which pixel of the tile each pixel of the drone's view shows
