"""A vehicle on the network, heard by the thread that fills the buffer."""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from pymavlink.dialects.v20 import common as mavlink

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.gimbal import Mount
from runtime.aircraft.mavlink_telemetry import MavlinkTelemetry, _Flood
from runtime.clock import monotonic_us
from runtime.ways.address import Address
from tests.runtime.aircraft.vehicle import (
    Speaker,
    autopilot_heartbeat,
    boot_message,
    gps_message,
    position_command,
    tilted,
)
from tests.waiting import free_port, wait_for


@contextmanager
def listening(kind: str = "udpin", port: int | None = None) -> Iterator[tuple[MavlinkTelemetry, int]]:
    port = port or free_port()
    url = Address("tcp" if kind == "tcp" else "udpin", "127.0.0.1", port)
    telemetry = MavlinkTelemetry(url, TelemetryBuffer(Mount()))
    telemetry.start()
    try:
        yield telemetry, port
    finally:
        telemetry.stop()


def meet(telemetry: MavlinkTelemetry, vehicle: Speaker) -> None:
    def met() -> bool:
        vehicle.send(autopilot_heartbeat())
        return telemetry.is_heard

    wait_for(met)


def test_a_vehicle_is_heard_asked_and_told_of_our_heart() -> None:
    with listening() as (telemetry, port), Speaker(4, port=port) as vehicle:
        assert telemetry.vehicle is None
        meet(telemetry, vehicle)
        assert telemetry.vehicle == 4
        vehicle.send(boot_message("ATTITUDE_QUATERNION", 10_000, **tilted(yaw_deg=45.0)), gps_message())
        wait_for(lambda: not math.isnan(telemetry.buffer.at(monotonic_us()).cam_yaw_deg))
        assert telemetry.buffer.at(monotonic_us()).cam_yaw_deg == pytest.approx(45.0, abs=1e-3)
        gnss: list[object] = []
        wait_for(lambda: gnss.extend(telemetry.take_gnss()) or gnss)
        assert len(gnss) == 1
        vehicle.send(autopilot_heartbeat())
        time.sleep(0.3)
        sent = vehicle.received()
        asked = {int(m.param1) for m in sent if m.get_type() == "COMMAND_LONG" and m.command == 511}
        assert mavlink.MAVLINK_MSG_ID_ATTITUDE_QUATERNION in asked
        assert {(m.get_srcSystem(), m.get_srcComponent()) for m in sent if m.get_type() == "COMMAND_LONG"} == {(4, 197)}


def test_an_operator_is_answered() -> None:
    with (
        listening() as (telemetry, port),
        Speaker(1, port=port) as vehicle,
        Speaker(255, 190, port=port) as operator,
    ):
        meet(telemetry, vehicle)
        operator.send(position_command(), position_command(sigma_m=math.nan))
        answers: list[int] = []
        wait_for(
            lambda: (
                answers.extend(m.result for m in operator.received() if m.get_type() == "COMMAND_ACK")
                or len(answers) >= 2
            )
        )
        assert answers == [mavlink.MAV_RESULT_ACCEPTED, mavlink.MAV_RESULT_DENIED]
        start = telemetry.take_start()
        assert start is not None
        assert start.sigma_m == 50.0
        assert telemetry.take_start() is None


def test_a_turn_is_known_at_its_time_although_messages_jitter_and_others_shout() -> None:
    """0.1 s of delay at 90 degrees a second would be 9 degrees; garbage and another vehicle come in between."""
    rng = np.random.default_rng(5)
    with (
        listening() as (telemetry, port),
        Speaker(1, port=port) as vehicle,
        Speaker(2, port=port) as other,
        Speaker(9, port=port) as madman,
    ):
        meet(telemetry, vehicle)
        # Stamped with the vehicle's own clock, sent up to 60 ms late, in order.
        began_us = monotonic_us()
        due = [(k * 20_000, k * 20_000 + float(rng.uniform(0, 60_000))) for k in range(150)]
        for stamped_us, sent_us in sorted(due, key=lambda one: one[1]):
            time.sleep(max(began_us + sent_us - monotonic_us(), 0) * 1e-6)
            yaw_deg = stamped_us * 90e-6
            vehicle.send(boot_message("ATTITUDE_QUATERNION", 50_000 + stamped_us // 1000, **tilted(yaw_deg=yaw_deg)))
            other.send(autopilot_heartbeat(), boot_message("ATTITUDE_QUATERNION", 77, **tilted(pitch_deg=50.0)))
            madman.send_bytes(rng.bytes(300))
        time.sleep(0.2)
        wrong = []
        for at_us in range(1_000_000, 2_900_000, 50_000):
            told = telemetry.buffer.at(began_us + at_us)
            wrong.append((told.cam_yaw_deg - at_us * 90e-6 + 180.0) % 360.0 - 180.0)
            assert told.cam_pitch_deg == pytest.approx(-90.0, abs=0.01)
        assert np.abs(wrong).max() < 90.0 * 0.025  # the busy computer of a test adds some ms of its own
        assert telemetry.vehicle == 1


def test_a_reboot_is_followed() -> None:
    with listening() as (telemetry, port), Speaker(1, port=port) as vehicle:
        meet(telemetry, vehicle)
        for k in range(20):
            vehicle.send(boot_message("ATTITUDE_QUATERNION", 100_000 + 20 * k, **tilted(yaw_deg=10.0)))
            time.sleep(0.005)
        for k in range(20):
            vehicle.send(boot_message("ATTITUDE_QUATERNION", 1_000 + 20 * k, **tilted(yaw_deg=70.0)))
            time.sleep(0.02)
        wait_for(lambda: telemetry.reboots > 0)
        assert telemetry.reboots == 1
        wait_for(lambda: telemetry.buffer.at(monotonic_us()).cam_yaw_deg == pytest.approx(70.0, abs=0.1))


def test_a_connection_that_is_cut_is_opened_again_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "runtime.aircraft.mavlink_telemetry")
    with socket.create_server(("127.0.0.1", 0)) as server, Speaker(1) as vehicle:
        server.settimeout(5.0)
        with listening("tcp", server.getsockname()[1]) as (telemetry, _):
            for _ in range(2):
                other, _ = server.accept()
                other.sendall(b"\xfd\x09 no message" + vehicle.packed(autopilot_heartbeat()) * 40)
                wait_for(lambda: telemetry.is_heard)
                time.sleep(0.15)
                other.close()
            server.accept()[0].close()
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "vehicle 1 is heard" in line]) == 1
    closed = [line for line in said if "the server has closed the connection" in line]
    assert len(closed) in (2, 3), "each that was heard before, and the last where it is noticed in time"


def test_a_port_that_is_taken_is_said_once_and_got_when_it_is_free(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "runtime.aircraft.mavlink_telemetry")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with listening(port=port) as (telemetry, _), Speaker(1, port=port) as vehicle:
            wait_for(lambda: caplog.records)
            time.sleep(0.8)  # it has tried again
            taken.close()
            meet(telemetry, vehicle)
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "is taken by another program" in line]) == 1


def test_a_flood_does_not_stop_the_vehicle_nor_the_caller() -> None:
    with listening() as (telemetry, port), Speaker(1, port=port) as vehicle, Speaker(9, port=port) as flood:
        meet(telemetry, vehicle)
        done = threading.Event()
        garbage = np.random.default_rng(2).bytes(1_400)

        def shout() -> None:
            while not done.is_set():
                flood.send_bytes(garbage)
                time.sleep(0.001)  # 1.4 MB/s

        shouting = threading.Thread(target=shout)
        shouting.start()
        try:
            longest_s = 0.0
            heard = False
            for k in range(300):
                vehicle.send(boot_message("ATTITUDE_QUATERNION", 10_000 + 10 * k, **tilted(yaw_deg=20.0)))
                began_s = time.monotonic()
                heard |= telemetry.buffer.at(monotonic_us()).cam_yaw_deg == pytest.approx(20.0, abs=0.1)
                longest_s = max(longest_s, time.monotonic() - began_s)
                time.sleep(0.01)
        finally:
            done.set()
            shouting.join()
        assert heard
        assert longest_s < 0.2
    assert not telemetry._thread.is_alive()


@pytest.mark.parametrize(("bytes_per_s", "share_paused"), [(90_000, 0.0), (3_000_000, 0.9)])
def test_a_flood_is_read_at_the_pace_of_three_autopilots(bytes_per_s: int, share_paused: float) -> None:
    """Each read takes what has come in 10 ms; a pause lets time pass, and what comes in it is dropped."""
    now_us, paused_s = 0, 0.0
    flood = _Flood(now_us)
    for _ in range(2_000):
        now_us += 10_000
        pause_s = flood.pause_s(bytes_per_s // 100, now_us)
        paused_s += pause_s
        now_us += round(pause_s * 1e6)
    assert paused_s / (now_us * 1e-6) == pytest.approx(share_paused, abs=0.02)
