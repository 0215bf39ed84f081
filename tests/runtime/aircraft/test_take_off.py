"""The place of take-off by GNSS: from the ground, once, and never in the air."""

from __future__ import annotations

from typing import Any

import pytest
from pymavlink.dialects.v20 import common as mavlink

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.gimbal import Mount
from runtime.aircraft.mavlink_inbox import MavlinkInbox
from runtime.aircraft.take_off import TakeOff
from tests.runtime.aircraft.vehicle import Speaker, gps_message, position_command

GROUND, AIR = mavlink.MAV_LANDED_STATE_ON_GROUND, mavlink.MAV_LANDED_STATE_IN_AIR


class Vehicle:
    """One that is heard from second to second."""

    def __init__(self, *, asked_for: bool = True) -> None:
        self.inbox = MavlinkInbox(TelemetryBuffer(Mount()), system_id=1, take_off=TakeOff() if asked_for else None)
        self.now_us = 900_000_000

    def say(self, message: Any) -> Vehicle:
        self.now_us += 1_000_000
        with Speaker(1, 1) as speaker:
            self.inbox.take(speaker.decoded(message), self.now_us)
        return self

    def stands(self, state: int) -> Vehicle:
        return self.say(mavlink.MAVLink_extended_sys_state_message(0, state))

    def beats(self, *, armed: bool) -> Vehicle:
        mode = mavlink.MAV_MODE_FLAG_SAFETY_ARMED if armed else 0
        return self.say(mavlink.MAVLink_heartbeat_message(2, mavlink.MAV_AUTOPILOT_PX4, mode, 0, 4, 3))

    @property
    def starts(self) -> list[tuple[float, float]]:
        return [(round(one.lat, 6), round(one.lon, 6)) for one in self.inbox.start]


def test_the_flight_begins_where_the_vehicle_left_the_ground() -> None:
    vehicle = Vehicle().stands(GROUND).say(gps_message(lat=47.1)).say(gps_message(lat=47.2)).stands(GROUND)
    assert vehicle.starts == []
    vehicle.stands(AIR)
    assert vehicle.starts == [(47.2, 8.2)]
    assert vehicle.inbox.start[0].sigma_m >= 3.0
    assert vehicle.inbox.start[0].t_us == vehicle.now_us - 2_000_000


def test_armed_stands_for_the_air_where_nothing_better_is_told() -> None:
    assert Vehicle().beats(armed=False).say(gps_message()).beats(armed=True).starts == [(47.5, 8.2)]
    told = Vehicle().stands(GROUND).beats(armed=False).say(gps_message()).beats(armed=True)
    assert told.starts == [], "armed, and on the ground"
    assert told.stands(mavlink.MAV_LANDED_STATE_UNDEFINED).starts == []
    assert told.stands(AIR).starts == [(47.5, 8.2)]


@pytest.mark.parametrize("asked_for", [True, False])
def test_in_the_air_nothing_is_taken_from_gnss(*, asked_for: bool) -> None:
    restarted = Vehicle(asked_for=asked_for).stands(AIR).say(gps_message()).stands(AIR)
    lies = restarted.stands(GROUND).say(gps_message()).stands(AIR)  # as a spoofed autopilot may say
    assert lies.starts == []


def test_a_second_take_off_and_an_old_position_give_none() -> None:
    vehicle = Vehicle().stands(GROUND).say(gps_message()).stands(AIR)
    vehicle.inbox.start.clear()
    assert vehicle.stands(GROUND).say(gps_message()).stands(AIR).starts == []
    lost = Vehicle().stands(GROUND).say(gps_message())
    for _ in range(6):
        lost.say(gps_message(fix_type=0))
    assert lost.stands(AIR).starts == []


def test_an_operator_is_heard_all_the_same() -> None:
    vehicle = Vehicle().stands(AIR).say(position_command(lat=47.6))
    assert vehicle.starts == [(47.6, 8.2)]


def test_of_two_receivers_the_surer_is_heard() -> None:
    vehicle = Vehicle().stands(GROUND)
    vehicle.say(gps_message(lat=47.1, h_acc=9_000)).say(gps_message(lat=47.2, second=True, h_acc=2_000))
    vehicle.say(gps_message(lat=47.1, h_acc=9_000))
    assert vehicle.stands(AIR).starts == [(47.2, 8.2)]
