"""What several tests of this room draw."""

from __future__ import annotations

from runtime.frame import Frame, Telemetry

HEADER = "t_us,image,session,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg\n"


def shade_of(frame: Frame) -> int:
    return int(frame.picture[4, 4, 0])


def row(t_s: float, yaw_deg: float = 0.0, **more: float) -> Telemetry:
    return Telemetry(round(t_s * 1e6), more.get("alt", 50.0), 0.0, -90.0, yaw_deg)
