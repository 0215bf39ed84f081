"""Samples of the aircraft at a frame's time."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.channel import Channel, ChannelLimits
from runtime.aircraft.gimbal import Mount
from runtime.aircraft.quaternion import Quaternion, from_euler

LEVEL = from_euler(0.0, 0.0, 0.0)
S = 1_000_000
STRAIGHT_DOWN = Mount()
ROTATION = ChannelLimits(oldest_s=0.5, fastest_per_s=2_000.0, is_rotation=True)
HEIGHT = ChannelLimits(oldest_s=2.0, fastest_per_s=50.0)

angle = st.floats(-180.0, 180.0)
step_us = st.integers(1, 1_200_000) | st.integers(2_000_000, 5_000_000)
quaternions = st.tuples(angle, st.floats(-90.0, 90.0), angle).map(lambda euler: from_euler(*euler))


def slow_slerp(a: Quaternion, b: Quaternion, share: float) -> np.ndarray:
    """Rotation matrix a third way: turn a about the axis of a^T b by a share of its angle (Rodrigues)."""
    first, second = matrix(a), matrix(b)
    turn = first.T @ second
    angle_rad = math.acos(min(max((np.trace(turn) - 1) / 2, -1.0), 1.0))
    if angle_rad < 1e-6:
        return first
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    axis /= np.linalg.norm(axis)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    part = share * angle_rad
    return first @ (np.eye(3) + math.sin(part) * cross + (1 - math.cos(part)) * cross @ cross)


def matrix(q: Sequence[float]) -> np.ndarray:
    w, x, y, z = q
    return np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )


@given(quaternions, st.floats(0.0, 178.0), st.floats(0.0, 1.0), st.booleans(), quaternions)
def test_a_rotation_between_samples_is_on_the_short_way(
    a: Quaternion, turn_deg: float, share: float, is_negated: bool, about: Quaternion
) -> None:
    axis = matrix(about)[0]
    half = math.radians(turn_deg) / 2
    turn = (math.cos(half), *(math.sin(half) * axis))
    b = multiplied_slowly(a, turn)
    channel = Channel(ROTATION)
    channel.add(0, a)
    channel.add(400_000, tuple(-part for part in b) if is_negated else b)
    found = channel.at(round(share * 400_000))
    assert not isinstance(found, str)
    assert np.allclose(matrix(found), slow_slerp(a, b, round(share * 400_000) / 400_000), atol=2e-5)


def multiplied_slowly(a: Quaternion, b: Sequence[float]) -> Quaternion:
    """The product of scalar and vector parts."""
    va, vb = np.array(a[1:]), np.array(b[1:])
    w = a[0] * b[0] - va @ vb
    x, y, z = a[0] * vb + b[0] * va + np.cross(va, vb)
    return float(w), float(x), float(y), float(z)


def slow_at(samples: list[tuple[int, float]], t_us: int, oldest_us: int) -> float | None:
    """A number at a time, as the design says it, by looking at every sample."""
    before = [one for one in samples if one[0] <= t_us]
    after = [one for one in samples if one[0] > t_us]
    if not before:
        return None
    if not after:
        return before[-1][1] if t_us - before[-1][0] <= oldest_us else None
    (t0, v0), (t1, v1) = before[-1], after[0]
    if t_us - t0 > oldest_us and t1 - t_us > oldest_us:
        return None
    return float(np.interp(t_us, [t0, t1], [v0, v1]))


@given(st.lists(st.tuples(step_us, st.floats(-1e4, 1e4)), max_size=30), st.integers(-S, 40 * S))
def test_a_number_is_straight_between_samples_and_held_up_to_its_age(steps: list[tuple[int, float]], t_us: int) -> None:
    channel = Channel(ChannelLimits(oldest_s=1.0))
    samples: list[tuple[int, float]] = []
    for step, value in steps:
        samples.append(((samples[-1][0] if samples else 0) + step, value))
        channel.add(samples[-1][0], (value,))
    found, expected = channel.at(t_us), slow_at(samples, t_us, S)
    if expected is None:
        assert found == ("stale" if samples else "never_heard")
    else:
        assert not isinstance(found, str)
        assert found[0] == pytest.approx(expected, abs=1e-6)


anything = st.one_of(st.floats(), st.floats(-1.0, 1.0))


@given(st.lists(st.tuples(st.integers(-5 * S, 5 * S), st.tuples(*[anything] * 4)), max_size=40), st.integers())
def test_nothing_that_comes_in_raises_or_gets_out_without_a_limit(
    samples: list[tuple[int, Quaternion]], t_us: int
) -> None:
    buffer = TelemetryBuffer(Mount())
    for at_us, (w, x, y, z) in samples:
        buffer.add_attitude(at_us, (w, x, y, z))
        buffer.add_velocity(at_us, x, y, z)
        buffer.add_altitude(at_us, "terrain", w)
        buffer.add_gimbal(at_us, (w, x, y, z), yaw_is_to_north=True)
    for when in (t_us, *(at for at, _ in samples)):
        told = buffer.at(when)
        assert not math.hypot(told.vel_north_mps, told.vel_east_mps) > 150.0
        assert not math.isinf(told.alt_agl_m)
        assert math.isnan(told.cam_pitch_deg) or abs(told.cam_roll_deg) <= 90.0


def heard(until_us: int = 10 * S, *, mount: Mount | None = STRAIGHT_DOWN) -> TelemetryBuffer:
    buffer = TelemetryBuffer(mount)
    for t_us in range(0, until_us + 1, 20_000):
        buffer.add_attitude(t_us, from_euler(0.0, 0.0, t_us / S))
        buffer.add_velocity(t_us, 3.0, 4.0, 0.0)
        buffer.add_altitude(t_us, "above_takeoff", 80.0)
        buffer.add_altitude(t_us, "rangefinder", 50.0 + t_us / S)
        buffer.add_alt_msl(t_us, 500.0)
    return buffer


def test_a_frame_gets_what_was_known_when_it_was_exposed() -> None:
    reading = heard().read(9_990_000)
    told = reading.telemetry
    assert told.t_us == 9_990_000
    assert (told.cam_roll_deg, told.cam_pitch_deg) == pytest.approx((0.0, -90.0), abs=1e-4)
    assert told.cam_yaw_deg == pytest.approx(9.99)
    assert (told.vel_north_mps, told.vel_east_mps, told.alt_msl_m) == (3.0, 4.0, 500.0)
    assert told.alt_agl_m == pytest.approx(59.99)
    assert reading.altitude_source == "rangefinder"
    assert reading.is_above_ground
    assert reading.faults == {}


@pytest.mark.parametrize(
    ("late_s", "unknown"),
    [
        (0.15, set()),
        (0.45, set()),
        (0.6, {"attitude"}),
        (1.1, {"attitude", "velocity"}),
        (2.1, {"attitude", "velocity", "altitude", "alt_msl"}),
    ],
)
def test_each_quantity_is_held_as_long_as_its_age_allows(late_s: float, unknown: set[str]) -> None:
    buffer = heard()
    told = buffer.at(round((10 + late_s) * S))
    assert buffer.faults == dict.fromkeys(unknown, "stale")
    assert buffer.counts == {f"{name} stale": 1 for name in unknown}
    assert math.isnan(told.cam_pitch_deg) == ("attitude" in unknown)
    assert math.isnan(told.vel_north_mps) == ("velocity" in unknown)
    assert math.isnan(told.alt_agl_m) == ("altitude" in unknown)


def test_before_anything_was_heard_all_is_unknown() -> None:
    buffer = TelemetryBuffer()
    told = buffer.at(5)
    assert all(math.isnan(v) for v in (told.alt_agl_m, told.cam_roll_deg, told.cam_pitch_deg, told.cam_yaw_deg))
    assert set(buffer.faults.values()) == {"never_heard"}
    assert heard().read(-1).faults["attitude"] == "stale"


def test_without_a_rangefinder_the_altitude_above_take_off_is_taken_and_told() -> None:
    buffer = heard()
    for t_us in range(10 * S, 13 * S, 20_000):
        buffer.add_altitude(t_us, "above_takeoff", 81.0)
    reading = buffer.read(12_500_000)
    assert reading.telemetry.alt_agl_m == 81.0
    assert reading.altitude_source == "above_takeoff"
    assert not reading.is_above_ground


def test_a_camera_on_a_silent_gimbal_looks_nobody_knows_where() -> None:
    buffer = heard(mount=None)
    assert math.isnan(buffer.at(10 * S).cam_pitch_deg)
    assert buffer.faults == {"gimbal": "never_heard"}


def test_a_gimbal_is_heard_in_the_frame_that_it_told_last() -> None:
    buffer = heard(mount=None)
    buffer.add_gimbal(9_900_000, from_euler(0.0, -40.0, 5.0), yaw_is_to_north=False)
    assert buffer.at(9_900_000).cam_yaw_deg == pytest.approx(14.9)
    buffer.add_gimbal(10_000_000, from_euler(0.0, -40.0, 5.0), yaw_is_to_north=True)
    told = buffer.at(10_000_000)
    assert (told.cam_pitch_deg, told.cam_yaw_deg) == pytest.approx((-40.0, 5.0))


def test_a_sample_that_is_no_number_makes_it_unknown_until_the_next_good_one() -> None:
    buffer = heard()
    buffer.add_attitude(10_100_000, (math.nan, 0.0, 0.0, 0.0))
    buffer.add_velocity(10_100_000, 400.0, 0.0, 0.0)
    assert math.isnan(buffer.at(10_150_000).cam_yaw_deg)
    assert buffer.faults == {"attitude": "not_finite", "velocity": "impossible"}
    assert not math.isnan(buffer.at(10_050_000).cam_yaw_deg)  # before it, what was good still is
    buffer.add_attitude(10_200_000, from_euler(0.0, 0.0, 10.2))
    assert buffer.at(10_150_000).cam_yaw_deg == pytest.approx(10.1, abs=0.06)
    assert buffer.refusals == {"attitude not_finite": 1, "velocity impossible": 1}


def test_a_single_jump_is_unknown_and_forgotten() -> None:
    channel = Channel(HEIGHT)
    for k in range(10):
        channel.add(k * 100_000, (50.0,))
    assert channel.add(1_000_000, (90.0,)) == "jumping"
    assert channel.at(1_050_000) == "jumping"
    assert channel.add(1_100_000, (51.0,)) is None
    assert channel.at(1_050_000) == pytest.approx((50.75,))


def test_a_height_that_stays_beyond_a_jump_is_believed_and_not_interpolated_across() -> None:
    channel = Channel(HEIGHT)
    for k in range(10):
        channel.add(k * 100_000, (50.0,))
    faults = [channel.add(1_000_000 + k * 100_000, (90.0 + k,)) for k in range(5)]
    assert faults == ["jumping"] * 4 + [None]
    assert channel.at(1_400_000) == (94.0,)
    assert channel.at(950_000) == "stale"


def test_jumps_that_do_not_agree_with_each_other_are_never_believed() -> None:
    channel = Channel(HEIGHT)
    channel.add(0, (50.0,))
    assert {channel.add(k * 10_000, (200.0 + 50.0 * (k % 2),)) for k in range(1, 100)} == {"jumping"}


@pytest.mark.parametrize(("turn_deg", "fault"), [(35.0, None), (170.0, "jumping")])
def test_an_attitude_turns_at_most_so_fast(turn_deg: float, fault: str | None) -> None:
    channel = Channel(ROTATION)
    channel.add(0, LEVEL)
    assert channel.add(20_000, from_euler(0.0, 0.0, turn_deg)) == fault


def test_a_clock_that_is_set_back_begins_anew_and_a_late_sample_does_not() -> None:
    channel = Channel(HEIGHT)
    channel.add(10 * S, (50.0,))
    channel.add(9 * S, (10.0,))
    assert channel.at(10 * S) == (50.0,)
    channel.add(2 * S, (20.0,))
    assert channel.at(2 * S) == (20.0,)
    assert channel.at(10 * S) == "stale"


def test_one_thread_writes_while_another_reads() -> None:
    buffer = heard()
    done = threading.Event()

    def write() -> None:
        t_us = 10 * S
        while not done.is_set():
            t_us += 20_000
            buffer.add_attitude(t_us, LEVEL)
            buffer.add_altitude(t_us, "terrain", 40.0)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        told = [buffer.at(10 * S + k * 5_000).alt_agl_m for k in range(2_000)]
    finally:
        done.set()
        writer.join()
    assert len(told) == 2_000
    assert sum(buffer.counts.values()) > 0
