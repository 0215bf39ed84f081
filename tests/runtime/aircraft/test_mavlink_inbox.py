"""Messages as they come out of their bytes: whose, of what time, in what units."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pymavlink.dialects.v20 import common as mavlink

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.gimbal import Mount
from runtime.aircraft.mavlink_inbox import MavlinkInbox
from runtime.aircraft.mavlink_requests import MavlinkRequests
from runtime.aircraft.quaternion import from_euler
from tests.runtime.aircraft.vehicle import (
    Speaker,
    altitude_message,
    autopilot_heartbeat,
    boot_message,
    gps_message,
    position_command,
    tilted,
)

STRAIGHT_DOWN = Mount()
NOW = 900_000_000  # when the autopilot's clock says 10 s


class Bus:
    """One inbox, and the time that goes on with each message."""

    def __init__(self, mount: Mount | None = STRAIGHT_DOWN, *, met: bool = True) -> None:
        self.buffer = TelemetryBuffer(mount)
        self.inbox = MavlinkInbox(self.buffer)
        if met:
            self.hear(autopilot_heartbeat())

    def hear(self, message: Any, *, system: int = 1, component: int = 1, at_us: int = NOW) -> Any:
        with Speaker(system, component) as speaker:
            return self.inbox.take(speaker.decoded(message), at_us)


def test_attitude_and_velocity_in_our_units() -> None:
    bus = Bus()
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_000, **tilted(yaw_deg=90.0)))
    bus.hear(boot_message("LOCAL_POSITION_NED", 10_000, vx=3.0, vy=-4.0, vz=0.5))
    told = bus.buffer.at(NOW)
    assert (told.cam_pitch_deg, told.cam_yaw_deg) == pytest.approx((-90.0, 90.0), abs=1e-3)
    assert (told.vel_north_mps, told.vel_east_mps) == (3.0, -4.0)


def test_attitude_in_radians_is_heard_while_there_is_no_quaternion() -> None:
    bus = Bus()
    bus.hear(boot_message("ATTITUDE", 10_000, pitch=math.radians(10.0), yaw=math.radians(30.0)))
    told = bus.buffer.at(NOW)
    assert (told.cam_pitch_deg, told.cam_yaw_deg) == pytest.approx((-80.0, 30.0), abs=1e-3)
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_020, **tilted()), at_us=NOW + 20_000)
    bus.hear(boot_message("ATTITUDE", 10_040, yaw=1.0), at_us=NOW + 40_000)
    assert bus.buffer.at(NOW + 40_000).cam_yaw_deg == pytest.approx(0.0, abs=1e-3)


def test_a_global_position_gives_velocity_and_height_and_no_place() -> None:
    bus = Bus()
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_000))
    bus.hear(
        boot_message("GLOBAL_POSITION_INT", 10_000, lat=475_000_000, alt=512_000, relative_alt=80_500, vx=1234, vy=-50)
    )
    told = bus.buffer.at(NOW)
    assert (told.vel_north_mps, told.vel_east_mps) == pytest.approx((12.34, -0.5))
    assert (told.alt_agl_m, told.alt_msl_m) == pytest.approx((80.5, 512.0))
    assert bus.buffer.read(NOW).altitude_source == "above_takeoff"
    assert not bus.inbox.gnss


def test_the_best_altitude_is_taken_and_told() -> None:
    bus = Bus()
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_000, **tilted(roll_deg=20.0)))
    heights = []
    for message in (
        boot_message("GLOBAL_POSITION_INT", 10_000, relative_alt=80_000),
        mavlink.MAVLink_terrain_report_message(0, 0, 100, 400.0, 61.0, 0, 10),
        altitude_message(10_000_000, clearance=55.0, relative=79.0, amsl=500.0),
        boot_message("DISTANCE_SENSOR", 10_000, current_distance=5_000),
    ):
        bus.hear(message)
        reading = bus.buffer.read(NOW)
        heights.append((round(reading.telemetry.alt_agl_m, 3), reading.altitude_source))
    leaning = round(50.0 * math.cos(math.radians(20.0)), 3)
    assert heights == [(80.0, "above_takeoff"), (61.0, "terrain"), (55.0, "clearance"), (leaning, "rangefinder")]


@pytest.mark.parametrize(
    "message",
    [
        boot_message("DISTANCE_SENSOR", 10_000, orientation=0),
        boot_message("DISTANCE_SENSOR", 10_000, current_distance=10_001),
        boot_message("DISTANCE_SENSOR", 10_000, current_distance=0, min_distance=0),
        boot_message("DISTANCE_SENSOR", 10_000, signal_quality=1),
        mavlink.MAVLink_terrain_report_message(0, 0, 0, 400.0, 61.0, 0, 10),
        altitude_message(10_000_000, terrain=55.0),
        altitude_message(10_000_000, clearance=-1.0),
    ],
)
def test_what_measures_nothing_is_no_altitude(message: Any) -> None:
    bus = Bus()
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_000))
    bus.hear(message)
    assert math.isnan(bus.buffer.at(NOW).alt_agl_m)


@pytest.mark.parametrize("roll_deg", [50.0, 170.0])
def test_a_rangefinder_that_looks_aside_is_not_believed(roll_deg: float) -> None:
    bus = Bus()
    bus.hear(boot_message("DISTANCE_SENSOR", 10_000))  # before any attitude
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_020, **tilted(roll_deg=roll_deg)), at_us=NOW + 20_000)
    bus.hear(boot_message("DISTANCE_SENSOR", 10_040), at_us=NOW + 40_000)
    assert math.isnan(bus.buffer.at(NOW + 40_000).alt_agl_m)


@pytest.mark.parametrize("component", [1, 154, 171])
@pytest.mark.parametrize(("flags", "yaw_deg"), [(32, 110.0), (64, 20.0), (16, 20.0), (0, 110.0), (96, math.nan)])
def test_a_gimbal_of_the_vehicle_is_heard_and_its_flags_are_kept(component: int, flags: int, yaw_deg: float) -> None:
    bus = Bus(mount=None)
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_000, **tilted(yaw_deg=90.0)))
    gimbal = boot_message("GIMBAL_DEVICE_ATTITUDE_STATUS", 10_000, flags=flags, q=list(from_euler(0.0, -60.0, 20.0)))
    bus.hear(gimbal, component=component)
    assert bus.buffer.at(NOW).cam_yaw_deg == pytest.approx(yaw_deg, abs=1e-3, nan_ok=True)


def test_of_two_gimbals_the_first_is_heard_until_it_falls_silent() -> None:
    bus = Bus(mount=None)

    def gimbal(pitch_deg: float, component: int, at_us: int) -> float:
        q = list(from_euler(0.0, pitch_deg, 0.0))
        bus.hear(boot_message("GIMBAL_DEVICE_ATTITUDE_STATUS", 0, flags=64, q=q), component=component, at_us=at_us)
        return bus.buffer.at(at_us).cam_pitch_deg

    assert gimbal(-60.0, 154, NOW) == pytest.approx(-60.0)
    assert gimbal(-20.0, 171, NOW + 100_000) == pytest.approx(-60.0)
    assert gimbal(-20.0, 171, NOW + 6_000_000) == pytest.approx(-20.0)


@pytest.mark.parametrize(("system", "component"), [(2, 1), (255, 190), (1, 190), (1, 154)])
def test_nobody_else_on_the_bus_feeds_the_buffer(system: int, component: int) -> None:
    bus = Bus()
    for message in (
        autopilot_heartbeat(),
        boot_message("ATTITUDE_QUATERNION", 10_000),
        boot_message("LOCAL_POSITION_NED", 10_000),
        boot_message("GLOBAL_POSITION_INT", 10_000, relative_alt=80_000),
        gps_message(),
    ):
        bus.hear(message, system=system, component=component)
    told = bus.buffer.at(NOW)
    assert all(math.isnan(v) for v in (told.alt_agl_m, told.cam_pitch_deg, told.vel_north_mps, told.alt_msl_m))
    assert bus.inbox.vehicle == 1
    assert not bus.inbox.gnss
    assert bus.inbox.strangers[system, component] == 5


def test_a_ground_station_is_no_vehicle() -> None:
    bus = Bus(met=False)
    bus.hear(mavlink.MAVLink_heartbeat_message(mavlink.MAV_TYPE_GCS, 8, 0, 0, 4, 3), system=255, component=190)
    bus.hear(mavlink.MAVLink_heartbeat_message(mavlink.MAV_TYPE_GCS, 0, 0, 0, 4, 3), system=255, component=1)
    assert bus.inbox.vehicle is None
    bus.hear(autopilot_heartbeat(), system=7)
    assert bus.inbox.vehicle == 7


def test_receivers_are_kept_apart_with_what_they_say_of_their_accuracy() -> None:
    bus = Bus()
    bus.hear(gps_message(h_acc=1_500))
    bus.hear(gps_message(second=True, h_acc=900))
    bus.hear(gps_message(eph=150))
    bus.hear(gps_message(eph=65_535))
    for nothing in (gps_message(fix_type=2), gps_message(lat=0.0, lon=0.0), gps_message(lat=95.0)):
        bus.hear(nothing)
    found = list(bus.inbox.gnss)
    assert [(one.receiver, one.sigma_m) for one in found] == [(1, 1.5), (2, 0.9), (1, 7.5), (1, 10.0)]
    assert (found[0].lat, found[0].lon, found[0].t_us) == (pytest.approx(47.5), pytest.approx(8.2), NOW)


def test_an_operators_position_is_taken_and_acknowledged() -> None:
    bus = Bus()
    answer = bus.hear(position_command(age_s=2.0), system=255, component=190)
    assert (answer.command, answer.result) == (43003, mavlink.MAV_RESULT_ACCEPTED)
    assert (answer.target_system, answer.target_component) == (255, 190)
    bus.hear(position_command(lat=47.6), system=255, component=190)
    (start,) = bus.inbox.start  # the newest alone
    assert (start.lat, start.lon, start.sigma_m, start.t_us) == (pytest.approx(47.6), pytest.approx(8.2), 50.0, NOW)


def test_an_operators_position_of_unknown_age_is_of_now() -> None:
    bus = Bus()
    assert bus.hear(position_command(age_s=math.nan), system=255).result == mavlink.MAV_RESULT_ACCEPTED
    assert bus.inbox.start[0].t_us == NOW


@pytest.mark.parametrize("angle", [math.nan, math.inf])
def test_an_attitude_that_is_no_number_is_unknown(angle: float) -> None:
    bus = Bus()
    bus.hear(boot_message("ATTITUDE", 10_000, roll=angle))
    assert math.isnan(bus.buffer.at(NOW).cam_pitch_deg)
    assert bus.buffer.faults["attitude"] == "not_finite"


@pytest.mark.parametrize(
    "values",
    [
        {"lat": math.nan},
        {"lat": 91.0},
        {"lon": 181.0},
        {"sigma_m": math.nan},
        {"sigma_m": 0.0},
        {"sigma_m": math.inf},
        {"age_s": -1.0},
        {"age_s": 100.0},
        {"frame": 1},
        {"lat": 0.0, "lon": 0.0},
    ],
)
def test_an_operators_position_that_is_none_is_denied(values: dict[str, Any]) -> None:
    bus = Bus()
    assert bus.hear(position_command(**values), system=255).result == mavlink.MAV_RESULT_DENIED
    assert not bus.inbox.start


@pytest.mark.parametrize("to", [(2, 197), (1, 1), (1, 0), (0, 0)])
def test_a_command_for_others_is_theirs(to: tuple[int, int]) -> None:
    bus = Bus()
    assert bus.hear(position_command(to=to), system=255) is None
    assert not bus.inbox.start


def test_a_command_without_room_for_a_place_is_refused() -> None:
    command = mavlink.MAVLink_command_long_message(1, 197, 43003, 0, 0, 0, 50.0, 0, 47.5, 8.2, 0)
    assert Bus().hear(command, system=255).result == mavlink.MAV_RESULT_COMMAND_INT_ONLY


def test_an_old_stamp_of_a_fix_is_no_reboot() -> None:
    bus = Bus()
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_000))
    bus.hear(boot_message("GLOBAL_POSITION_INT", 4_000, relative_alt=80_000))
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_020), at_us=NOW + 20_000)
    assert bus.inbox.reboots == 0
    bus.hear(boot_message("ATTITUDE_QUATERNION", 2_000), at_us=NOW + 8_000_000)
    assert bus.inbox.reboots == 1
    assert not math.isnan(bus.buffer.at(NOW + 8_000_000).cam_pitch_deg)


def test_an_autopilot_is_asked_at_first_for_all_then_for_what_is_missing_and_after_a_reboot_for_all() -> None:
    bus, asking = Bus(), MavlinkRequests()

    def asked(now_us: int, reboots: int = 0) -> set[int]:
        return {int(m.param1) for m in asking.requests(now_us, 1, bus.inbox.heard, reboots)}

    everything = asked(NOW)
    assert len(everything) == 11
    assert mavlink.MAVLINK_MSG_ID_ATTITUDE_QUATERNION in everything
    assert asked(NOW + 4_000_000) == set()
    bus.hear(boot_message("ATTITUDE_QUATERNION", 10_000))
    assert asked(NOW + 5_000_000) == everything - {mavlink.MAVLINK_MSG_ID_ATTITUDE_QUATERNION}
    assert asked(NOW + 6_000_000, reboots=1) == everything
    assert len(asking.heartbeats(NOW)) == 1
    assert asking.heartbeats(NOW + 900_000) == []
    assert len(asking.heartbeats(NOW + 1_000_000)) == 1
