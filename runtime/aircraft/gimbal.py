"""Where the camera looks, from the attitude of the vehicle and a gimbal's report or a fixed mount.

A gimbal's quaternion (GIMBAL_DEVICE_ATTITUDE_STATUS, 285) tells roll and pitch against the horizon, whatever the
airframe does, and yaw against north or the vehicle's heading: its flags say which. A fixed camera turns with the whole
airframe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runtime.aircraft.quaternion import Quaternion, forward, from_euler, multiplied
from runtime.errors import SettingsError

YAW_LOCK = 16  # GIMBAL_DEVICE_FLAGS, common.xml
YAW_IN_VEHICLE_FRAME = 32
YAW_IN_EARTH_FRAME = 64

GimbalFrame: TypeAlias = Literal["earth", "vehicle"]
CameraAngles: TypeAlias = tuple[float, float, float]
"""Roll, pitch, yaw in degrees: pitch -90 straight down, yaw clockwise from true north."""

_UNKNOWN: CameraAngles = (math.nan, math.nan, math.nan)
_LEAST_LEVEL_NOSE = 0.05  # a nose within 3 degrees of the vertical has no heading
_STRAIGHT_DOWN = 1.0 - 1e-11  # sine of the pitch; beyond (0.0003 degrees) roll and yaw are one turn: roll is 0


@dataclass(frozen=True, slots=True)
class Mount:
    """How a camera sits on the airframe, degrees: yaw, then pitch, then roll from the nose to the optical axis.

    (0, -90, 0) looks straight down with the top of the picture to the nose, (0, 0, 0) ahead.
    """

    roll_deg: float = 0.0
    pitch_deg: float = -90.0
    yaw_deg: float = 0.0

    def __post_init__(self) -> None:
        if not (abs(self.roll_deg) <= 180.0 and abs(self.pitch_deg) <= 180.0 and abs(self.yaw_deg) <= 360.0):
            raise SettingsError(
                f"the camera's mount is roll {self.roll_deg:g}, pitch {self.pitch_deg:g}, yaw {self.yaw_deg:g}: "
                "expected degrees, roll and pitch within 180, yaw within 360; straight down is 0, -90, 0"
            )

    def quaternion(self) -> Quaternion:
        """Return the rotation from camera (its nose the optical axis) to body axes."""
        return from_euler(self.roll_deg, self.pitch_deg, self.yaw_deg)


def gimbal_frame(flags: int) -> GimbalFrame | None:
    """Say what a gimbal's yaw is told against; None where its flags contradict each other.

    Before the two flags existed, a locked yaw was to north and a following one to the vehicle.
    """
    earth, vehicle = bool(flags & YAW_IN_EARTH_FRAME), bool(flags & YAW_IN_VEHICLE_FRAME)
    if earth and vehicle:
        return None
    if earth or vehicle:
        return "earth" if earth else "vehicle"
    return "earth" if flags & YAW_LOCK else "vehicle"


def angles_of_mount(vehicle: Quaternion, mount: Mount) -> CameraAngles:
    """Return where a camera fixed to the airframe looks."""
    return camera_angles(multiplied(vehicle, mount.quaternion()))


def angles_of_gimbal(gimbal: Quaternion, frame: GimbalFrame, vehicle: Quaternion | None) -> CameraAngles:
    """Return where a camera on a gimbal looks; without the heading that its yaw is told against, yaw is unknown."""
    if frame == "earth":
        return camera_angles(gimbal)
    heading_deg = math.nan if vehicle is None else _heading_deg(vehicle)
    if math.isnan(heading_deg):
        roll_deg, pitch_deg, _ = camera_angles(gimbal)
        return roll_deg, pitch_deg, math.nan
    return camera_angles(multiplied(from_euler(0.0, 0.0, heading_deg), gimbal))


def camera_angles(q: Quaternion) -> CameraAngles:
    """Return roll, pitch and yaw of a camera (its nose the optical axis) in the convention of telemetry.

    The three belong together: near straight down a small sideways tilt is a large roll with another yaw. Past straight
    down the pitch goes below -90 and the roll stays within 90, so that yaw does not turn over.
    """
    if not all(math.isfinite(part) for part in q):
        return _UNKNOWN
    w, x, y, z = q
    north, east, down = forward(q)
    if abs(down) >= _STRAIGHT_DOWN:
        yaw = math.atan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z))
        return 0.0, -math.degrees(math.asin(min(max(down, -1.0), 1.0))), math.degrees(yaw) % 360.0
    roll_deg = math.degrees(math.atan2(2 * (y * z + w * x), 1 - 2 * (x * x + y * y)))
    pitch_deg = -math.degrees(math.asin(down))
    yaw_deg = math.degrees(math.atan2(east, north))
    if abs(roll_deg) > 90.0:
        roll_deg -= math.copysign(180.0, roll_deg)
        pitch_deg = math.copysign(180.0, pitch_deg) - pitch_deg
        yaw_deg += 180.0
    return roll_deg, pitch_deg, yaw_deg % 360.0


def _heading_deg(vehicle: Quaternion) -> float:
    north, east, _ = forward(vehicle)
    return math.degrees(math.atan2(east, north)) if math.hypot(north, east) > _LEAST_LEVEL_NOSE else math.nan
