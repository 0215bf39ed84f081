"""The place of take-off by GNSS: from the ground alone, and never from the air."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import common as mavlink

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.gimbal import Mount
from runtime.aircraft.mavlink_inbox import MavlinkInbox
from runtime.aircraft.take_off import TakeOff
from tests.runtime.aircraft.vehicle import Speaker, gps_message, position_command

GROUND, AIR = mavlink.MAV_LANDED_STATE_ON_GROUND, mavlink.MAV_LANDED_STATE_IN_AIR
SPOOFED = 48.9


class Vehicle:
    """One that says something every half second."""

    def __init__(self, *, asked_for: bool = True) -> None:
        self.inbox = MavlinkInbox(TelemetryBuffer(Mount()), system_id=1, take_off=TakeOff() if asked_for else None)
        self.now_us = 900_000_000

    def say(self, message: Any) -> Vehicle:
        self.now_us += 500_000
        with Speaker(1, 1) as speaker:
            self.inbox.take(speaker.decoded(message), self.now_us)
        return self

    def gps(self, lat: float = 47.5, **more: Any) -> Vehicle:
        return self.say(gps_message(lat=lat, **more))

    def landed(self, state: int) -> Vehicle:
        return self.say(mavlink.MAVLink_extended_sys_state_message(0, state))

    def armed(self, is_armed: bool) -> Vehicle:
        mode = mavlink.MAV_MODE_FLAG_SAFETY_ARMED if is_armed else 0
        return self.say(mavlink.MAVLink_heartbeat_message(2, mavlink.MAV_AUTOPILOT_PX4, mode, 0, 4, 3))

    def silent(self, seconds: float) -> Vehicle:
        self.now_us += round(seconds * 1e6)
        return self

    @property
    def starts(self) -> list[float]:
        """Latitudes of the starts that wait to be taken."""
        return [round(one.lat, 6) for one in self.inbox.start]


def standing(*, asked_for: bool = True) -> Vehicle:
    return Vehicle(asked_for=asked_for).armed(False).landed(GROUND).gps(47.1).gps(47.2).landed(GROUND).armed(True)


def test_the_flight_begins_where_the_vehicle_left_the_ground() -> None:
    vehicle = standing()
    assert vehicle.starts == [], "armed, and on the ground"
    vehicle.landed(mavlink.MAV_LANDED_STATE_UNDEFINED)
    assert vehicle.starts == [], "undefined says nothing"
    vehicle.landed(AIR)
    assert vehicle.starts == [47.2]
    assert vehicle.inbox.start[0].sigma_m >= 3.0


def test_nobody_is_asked_where_the_settings_do_not_have_it() -> None:
    assert standing(asked_for=False).landed(AIR).starts == []


def test_armed_stands_for_the_air_where_nothing_better_is_told() -> None:
    bench = Vehicle().gps(47.1).armed(False).armed(True)
    assert bench.starts == [47.1]
    bench.inbox.start.clear()
    field = bench.armed(False).gps(47.6).armed(False).armed(True)
    assert field.starts == [47.6], "it was armed on the bench for a test, and carried to the field"


def test_a_position_from_the_air_is_never_the_start() -> None:
    assert standing().gps(SPOOFED).landed(AIR).starts == [47.2], "GNSS is told more often than the ground"
    assert standing().silent(120.0).gps(SPOOFED).landed(AIR).starts == [], "nobody knows when it left the ground"
    assert standing().silent(4.0).landed(AIR).starts == []


def test_a_daemon_that_begins_in_the_air_takes_none_up() -> None:
    assert Vehicle().armed(True).gps(SPOOFED).landed(AIR).landed(AIR).starts == []
    wrong_detector = Vehicle().armed(True).gps(SPOOFED).landed(GROUND).landed(GROUND).landed(AIR)
    assert wrong_detector.starts == [], "it was never seen disarmed"
    assert Vehicle().landed(AIR).gps(SPOOFED).landed(GROUND).landed(AIR).starts == []


def test_a_receiver_that_had_lost_its_fix_gives_none() -> None:
    lost = Vehicle().armed(False).landed(GROUND).gps()
    for _ in range(12):
        lost.gps(fix_type=0).landed(GROUND)
    assert lost.landed(AIR).starts == []


def test_a_second_flight_begins_where_it_takes_off_again() -> None:
    vehicle = standing().landed(AIR)
    vehicle.inbox.start.clear()
    assert vehicle.landed(GROUND).gps(47.3).landed(GROUND).landed(AIR).starts == [], "a bounce, still armed"
    assert vehicle.landed(GROUND).armed(False).gps(47.4).landed(GROUND).landed(AIR).starts == [47.4]


def test_an_operator_is_heard_before_gnss() -> None:
    assert Vehicle().landed(AIR).say(position_command(lat=47.6)).starts == [47.6]
    assert standing().say(position_command(lat=47.6)).landed(AIR).starts == [47.6]


def test_of_two_receivers_the_surer_is_heard() -> None:
    vehicle = Vehicle().armed(False).landed(GROUND).gps(47.1, h_acc=9_000).gps(47.2, second=True, h_acc=2_000)
    assert vehicle.gps(47.1, h_acc=9_000).landed(GROUND).landed(AIR).starts == [47.2]
