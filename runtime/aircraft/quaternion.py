"""Unit quaternions (w, x, y, z), Hamilton's, turning body axes into earth axes, as MAVLink has them."""

from __future__ import annotations

import math
from typing import TypeAlias

Quaternion: TypeAlias = tuple[float, float, float, float]

_NEARLY_ONE = 0.9995  # slerp's sine would be lost in rounding: a straight line is as good


def multiplied(a: Quaternion, b: Quaternion) -> Quaternion:
    """Return a after b: of earth from body and body from camera, earth from camera."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def normalised(q: Quaternion) -> Quaternion:
    """Return it with length one; its length must be above zero."""
    length = math.sqrt(sum(part * part for part in q))
    w, x, y, z = (part / length for part in q)
    return w, x, y, z


def from_euler(roll_deg: float, pitch_deg: float, yaw_deg: float) -> Quaternion:
    """Return the quaternion of yaw, then pitch, then roll (aerospace order, Z-Y'-X'')."""
    (cr, sr), (cp, sp), (cy, sy) = (
        (math.cos(math.radians(a) / 2), math.sin(math.radians(a) / 2)) for a in (roll_deg, pitch_deg, yaw_deg)
    )
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def forward(q: Quaternion) -> tuple[float, float, float]:
    """Return where the nose points: north, east, down."""
    w, x, y, z = q
    return 1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)


def uprightness(q: Quaternion) -> float:
    """Return the cosine of the tilt: 1 level, 0 on its side, -1 upside down."""
    _, x, y, _ = q
    return 1 - 2 * (x * x + y * y)


def angle_deg(a: Quaternion, b: Quaternion) -> float:
    """Return the angle between two rotations, degrees in 0 to 180; of unit quaternions."""
    w, *turn = multiplied((a[0], -a[1], -a[2], -a[3]), b)
    return 2 * math.degrees(math.atan2(math.sqrt(sum(part * part for part in turn)), abs(w)))


def between(a: Quaternion, b: Quaternion, share: float) -> Quaternion:
    """Return the rotation so far (0 to 1) on the short way from a to b (slerp)."""
    dot = sum(p * q for p, q in zip(a, b, strict=True))
    sign, dot = math.copysign(1.0, dot), abs(dot)  # q and -q are one rotation
    if dot > _NEARLY_ONE:
        of_a, of_b = 1.0 - share, sign * share
    else:
        angle = math.acos(dot)
        of_a = math.sin((1.0 - share) * angle) / math.sin(angle)
        of_b = sign * math.sin(share * angle) / math.sin(angle)
    w, x, y, z = (of_a * p + of_b * q for p, q in zip(a, b, strict=True))
    return normalised((w, x, y, z))
