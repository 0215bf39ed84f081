"""Do pictures and telemetry go on? A feed that hangs shows one place for ever, and shows it well.

A picture is the one before not only when every bit is: a decoder that hangs may add noise. It is compared with how much
the picture would change if it moved by a pixel of the sample. Rows of telemetry that stay the same to the last digit
while the pictures move are no measurement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.fix import NoFixReason
from runtime.frame import Frame, Telemetry
from runtime.geo.camera import Attitude, Camera, angle_between
from runtime.locate.limits import FRAME
from runtime.types import FloatImage


@dataclass(frozen=True, slots=True)
class Feed:
    """The newest picture's sample and telemetry, and since when the latter has stood still."""

    sample: FloatImage | None = None
    shown: Telemetry | None = None
    """Told when the picture last moved."""
    exact: NDArray[np.uint8] | None = None
    """Some pixels as they are: a camera never takes the same picture twice."""
    telemetry: Telemetry | None = None
    rows: int = 1
    """In a row, that say the same."""
    since_us: int = 0
    """When they began to."""
    velocity_rows: int = 1
    velocity_since_us: int = 0
    """The same of the velocity alone; a drone that stands still may say so for ever."""

    def next(self, frame: Frame, camera: Camera) -> tuple[Feed, NoFixReason | None]:
        """Take a frame in; says which feed hangs, if one does."""
        sample, exact = _sample(frame), frame.picture[:: FRAME.sample_every_px, :: FRAME.sample_every_px].copy()
        told, before = frame.telemetry, self.telemetry
        same_row = before is not None and _values(told) == _values(before)
        same_velocity = before is not None and _moves(told) and _velocity(told) == _velocity(before)
        still = self.sample is not None and _stands_still(self.sample, sample)
        now = Feed(
            sample,
            self.shown if still else told,
            exact,
            told,
            rows=self.rows + 1 if same_row else 1,
            since_us=self.since_us if same_row else told.t_us,
            velocity_rows=self.velocity_rows + 1 if same_velocity else 1,
            velocity_since_us=self.velocity_since_us if same_velocity else told.t_us,
        )
        if self.exact is not None and np.array_equal(self.exact, exact):
            return now, "frozen_picture"
        if still and self.shown is not None and not _told_to_hover(self.shown, told, camera):
            return now, "frozen_picture"
        return now, "frozen_telemetry" if now.stale and not still else None

    @property
    def stale(self) -> bool:
        """Whether telemetry has said the same for too long to be measured."""
        return self._long(self.rows, self.since_us)

    @property
    def velocity_stale(self) -> bool:
        """Whether the velocity has been the same, to the last digit, for too long to be measured."""
        return self._long(self.velocity_rows, self.velocity_since_us)

    def _long(self, rows: int, since_us: int) -> bool:
        if self.telemetry is None or rows < FRAME.frozen_rows:
            return False
        return (self.telemetry.t_us - since_us) * 1e-6 >= FRAME.frozen_telemetry_s

    def to_json(self) -> dict[str, Any]:
        """Return plain values; pictures are not kept."""
        return {
            "rows": self.rows,
            "since_us": self.since_us,
            "velocity_rows": self.velocity_rows,
            "velocity_since_us": self.velocity_since_us,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Feed:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        return cls(
            rows=int(values["rows"]),
            since_us=int(values["since_us"]),
            velocity_rows=int(values["velocity_rows"]),
            velocity_since_us=int(values["velocity_since_us"]),
        )


def _sample(frame: Frame) -> FloatImage | None:
    """Return the picture in grey, a pixel for each 2 by 2: noise averages out."""
    height, width = (side // FRAME.sample_px for side in frame.picture.shape[:2])
    if min(height, width) < 2:
        return None
    grey = cv2.cvtColor(frame.picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _stands_still(before: FloatImage | None, now: FloatImage | None) -> bool:
    """Tell whether two pictures differ by less than half of what a shift by a pixel would do."""
    if before is None or now is None or before.shape != now.shape:
        return False
    shifted = _rms(now[1:, 1:] - now[:-1, :-1])
    return _rms(now - before) < FRAME.still_share * shifted


def _rms(difference: FloatImage) -> float:
    return math.sqrt(float(np.mean(np.square(difference))))


def _values(told: Telemetry) -> tuple[str, ...]:
    """Return all that a row says but its time; as text, in which NaN is NaN."""
    return tuple(
        repr(value)
        for value in (
            told.alt_agl_m,
            told.cam_roll_deg,
            told.cam_pitch_deg,
            told.cam_yaw_deg,
            told.vel_north_mps,
            told.vel_east_mps,
            told.alt_msl_m,
        )
    )


def _velocity(told: Telemetry) -> tuple[float, float]:
    return told.vel_north_mps, told.vel_east_mps


def _moves(told: Telemetry) -> bool:
    """Tell whether a speed is told, and is not that of a drone that stands still."""
    return 0.0 < math.hypot(*_velocity(told)) < math.inf


def _told_to_hover(before: Telemetry, now: Telemetry, camera: Camera) -> bool:
    """Tell whether a picture may stand still: no drone does to a pixel, unless it says so."""
    known = math.isfinite(now.vel_north_mps) and math.isfinite(now.vel_east_mps)
    return known and _told_motion_px(before, now, camera) < FRAME.told_motion_px


def _told_motion_px(before: Telemetry, now: Telemetry, camera: Camera) -> float:
    """Return by how many pixels the picture must have moved, by what telemetry says of the motion between."""
    focal_px, moved = float(camera.matrix[0, 0]), [0.0]
    speed = math.hypot(now.vel_north_mps, now.vel_east_mps)
    if math.isfinite(speed) and now.alt_agl_m > 0:
        moved.append(speed * (now.t_us - before.t_us) * 1e-6 / now.alt_agl_m * focal_px)
    a, b = (_attitude(told) for told in (before, now))
    angle = angle_between(a.enu_from_camera(), b.enu_from_camera())
    moved.append(angle * math.hypot(camera.width_px, camera.height_px) / 2)  # at the corners, about the axis
    if now.alt_agl_m > 0 and before.alt_agl_m > 0:
        moved.append(abs(math.log(now.alt_agl_m / before.alt_agl_m)) * camera.width_px / 2)
    return max(moved)


def _attitude(told: Telemetry) -> Attitude:
    values = (told.cam_roll_deg, told.cam_pitch_deg, told.cam_yaw_deg)
    return Attitude(*(0.0 if math.isnan(value) else value for value in values))
