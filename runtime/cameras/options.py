"""How a camera is to be opened: its size, rate and mode, and how late its pictures come."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.errors import SettingsError


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """What is left at 0 (or None) is the camera's own choice. Raises SettingsError for what no camera has."""

    width_px: int = 0
    height_px: int = 0
    fps: float = 0.0
    sensor_mode: int | None = None
    """Of a CSI camera: ``v4l2-ctl --list-formats-ext`` lists them, from 0."""
    exposure_delay_us: int = 0
    """From the middle of the exposure to the driver's time stamp or, where it gives none, to the picture's arrival."""

    def __post_init__(self) -> None:
        if (self.width_px > 0) != (self.height_px > 0) or min(self.width_px, self.height_px) < 0:
            raise SettingsError(
                f"camera size {self.width_px} x {self.height_px}: expected width and height in pixels, or neither"
            )
        if not (0.0 <= self.fps < math.inf):
            raise SettingsError(f"camera fps {self.fps:g}: expected frames a second, or 0 for the camera's own")
        if self.sensor_mode is not None and self.sensor_mode < 0:
            raise SettingsError(f"camera sensor_mode {self.sensor_mode}: expected 0 or more")
        if not (0 <= self.exposure_delay_us < 10_000_000):
            raise SettingsError(
                f"camera exposure_delay_us {self.exposure_delay_us}: expected microseconds, 0 to 10 seconds"
            )
