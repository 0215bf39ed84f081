"""Where the camera looks: hand-made geometry, and rotation matrices as the slow, clear way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.aircraft.gimbal import (
    CameraAngles,
    Mount,
    angles_of_gimbal,
    angles_of_mount,
    camera_angles,
    gimbal_frame,
)
from runtime.aircraft.quaternion import from_euler, uprightness
from runtime.errors import SettingsError
from runtime.geo.camera import Attitude
from runtime.types import FloatArray

angle = st.floats(-180.0, 180.0)
tilt = st.floats(-89.0, 89.0)


def rotation(roll_deg: float, pitch_deg: float, yaw_deg: float) -> FloatArray:
    """Earth (north, east, down) from body, a product of the three turns."""
    r, p, y = (math.radians(a) for a in (roll_deg, pitch_deg, yaw_deg))
    about_x = np.array([[1, 0, 0], [0, math.cos(r), -math.sin(r)], [0, math.sin(r), math.cos(r)]])
    about_y = np.array([[math.cos(p), 0, math.sin(p)], [0, 1, 0], [-math.sin(p), 0, math.cos(p)]])
    about_z = np.array([[math.cos(y), -math.sin(y), 0], [math.sin(y), math.cos(y), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def is_one_rotation(found: CameraAngles, expected: FloatArray) -> bool:
    return bool(np.allclose(rotation(*found), expected, atol=3e-5))


@pytest.mark.parametrize(
    ("vehicle", "mount", "expected"),
    [
        ((0, 0, 90), Mount(), (0, -90, 90)),  # level, heading east, camera down: the picture's top is east
        ((0, 0, 90), Mount(0, 0, 0), (0, 0, 90)),
        ((0, 0, 90), Mount(0, -45, 0), (0, -45, 90)),
        ((0, 0, 350), Mount(0, -90, 20), (0, -90, 10)),
        ((0, 10, 30), Mount(), (0, -80, 30)),  # nose up: a camera under it looks ahead
        ((0, -10, 30), Mount(), (0, -100, 30)),  # nose down: behind, and its yaw does not turn over
        ((0, 20, 0), Mount(0, 0, 180), (0, -20, 180)),  # looks backwards: nose up is camera down
        ((10, 0, 0), Mount(0, 0, 90), (0, -10, 90)),  # right wing down, looking right: down
    ],
)
def test_a_fixed_camera_turns_with_the_airframe(vehicle: CameraAngles, mount: Mount, expected: CameraAngles) -> None:
    assert angles_of_mount(from_euler(*vehicle), mount) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("gimbal", "frame", "vehicle", "expected"),
    [
        ((0, -90, 0), "vehicle", (0, 0, 90), (0, -90, 90)),
        ((0, -90, 45), "earth", (0, 0, 90), (0, -90, 45)),
        ((0, -30, 20), "vehicle", (0, 0, 350), (0, -30, 10)),
        # A gimbal keeps level: what the airframe does in roll and pitch is not added.
        ((0, -60, 0), "vehicle", (25, -15, 90), (0, -60, 90)),
        ((0, -60, 0), "vehicle", None, (0, -60, math.nan)),
        ((0, -60, 10), "earth", None, (0, -60, 10)),
        ((0, -60, 0), "vehicle", (0, 90, 0), (0, -60, math.nan)),  # a tail-sitter on its tail has no heading
    ],
)
def test_a_gimbal_is_level_and_its_yaw_is_told_against_north_or_the_nose(
    gimbal: CameraAngles, frame: str, vehicle: CameraAngles | None, expected: CameraAngles
) -> None:
    assert frame in ("earth", "vehicle")
    found = angles_of_gimbal(
        from_euler(*gimbal),
        "earth" if frame == "earth" else "vehicle",
        None if vehicle is None else from_euler(*vehicle),
    )
    assert found == pytest.approx(expected, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize(
    ("flags", "frame"),
    [
        (64, "earth"),
        (32, "vehicle"),
        (16 + 32, "vehicle"),  # the lock says how it is driven, the frame how it is told
        (12 + 64, "earth"),
        (16, "earth"),
        (0, "vehicle"),
        (12, "vehicle"),
        (32 + 64, None),
    ],
)
def test_flags_say_what_the_yaw_is_told_against(flags: int, frame: str | None) -> None:
    assert gimbal_frame(flags) == frame


@given(st.tuples(angle, tilt, angle), st.tuples(angle, tilt, angle))
def test_a_mount_is_a_product_of_rotations(vehicle: CameraAngles, mount: CameraAngles) -> None:
    found = angles_of_mount(from_euler(*vehicle), Mount(*mount))
    assert is_one_rotation(found, rotation(*vehicle) @ rotation(*mount))
    assert abs(found[0]) <= 90.0
    assert 0.0 <= found[2] <= 360.0


@given(angle, st.sampled_from([-90.0, 90.0]), angle)
def test_straight_down_has_no_roll_and_is_the_same_rotation(roll: float, pitch: float, yaw: float) -> None:
    found = camera_angles(from_euler(roll, pitch, yaw))
    assert found[0] == 0.0
    assert is_one_rotation(found, rotation(roll, pitch, yaw))


@given(angle, st.floats(-100.0, -80.0), angle)
def test_the_localizer_reads_the_same_rotation(roll: float, pitch: float, yaw: float) -> None:
    told = Attitude(*camera_angles(from_euler(roll, pitch, yaw)))
    assert np.allclose(told.enu_from_camera(), Attitude(roll, pitch, yaw).enu_from_camera(), atol=3e-5)


@given(angle, tilt, angle)
def test_uprightness_is_the_cosine_of_the_tilt(roll: float, pitch: float, yaw: float) -> None:
    expected = math.cos(math.radians(roll)) * math.cos(math.radians(pitch))
    assert uprightness(from_euler(roll, pitch, yaw)) == pytest.approx(expected, abs=1e-9)


def test_what_is_no_number_is_unknown() -> None:
    assert all(math.isnan(a) for a in camera_angles((math.nan, 0.0, 0.0, 0.0)))


@pytest.mark.parametrize("bad", [(200.0, 0.0, 0.0), (0.0, math.nan, 0.0), (0.0, 0.0, 400.0)])
def test_a_mount_that_is_no_angle_is_refused(bad: CameraAngles) -> None:
    with pytest.raises(SettingsError, match="straight down is 0, -90, 0"):
        Mount(*bad)
