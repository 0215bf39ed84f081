"""MSP frames, taken apart field by field as iNav's header has them."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.link.link import Velocity
from runtime.link.msp import crc8_dvb_s2, framed, sensor_gps
from runtime.link.msp_port import msp_port
from runtime.ways.address import Address
from tests.runtime.link.saying import nothing_said, said
from tests.waiting import wait_until

UTC_US = 1_577_836_805_000_000  # 2020-01-01 00:00:05 UTC

FIELDS = (
    ("instance", "B"), ("week", "H"), ("week_ms", "I"), ("fix", "B"), ("satellites", "B"), ("h_acc", "H"),
    ("v_acc", "H"), ("vel_acc", "H"), ("hdop", "H"), ("lon", "i"), ("lat", "i"), ("alt_cm", "i"), ("north", "i"),
    ("east", "i"), ("down", "i"), ("course", "H"), ("yaw", "H"), ("year", "H"), ("month", "B"), ("day", "B"),
    ("hour", "B"), ("minute", "B"), ("second", "B"),
)  # fmt: skip


def _read(frame: bytes) -> dict[str, Any]:
    """Take a frame apart, its checksum by the table's slow cousin: division of polynomials, bit by bit."""
    assert frame[:3] == b"$X<" and struct.unpack("<BHH", frame[3:8]) == (0, 0x1F03, 52)
    rest = 0
    for bit in "".join(f"{byte:08b}" for byte in frame[3:-1]) + "00000000":
        rest = rest << 1 | int(bit)
        if rest & 0x100:
            rest ^= 0x1D5
    assert rest == frame[-1]
    values, at = {}, 8
    for name, kind in FIELDS:
        (values[name],) = struct.unpack_from("<" + kind, frame, at)
        at += struct.calcsize(kind)
    assert at == len(frame) - 1
    return values


def test_the_checksum_is_the_published_one() -> None:
    assert crc8_dvb_s2(b"123456789") == 0xBC  # the check value of CRC-8/DVB-S2
    assert framed(0x64, b"") == b"$X<\x00\x64\x00\x00\x00\x8f"  # iNav's wiki: MSP_IDENT in version 2


def test_each_field_says_what_was_said() -> None:
    assert _read(sensor_gps(said(velocity=Velocity(-3.0, 4.0, 0.501)), UTC_US)) == {
        "instance": 0, "week": 2086, "week_ms": 259_223_000, "fix": 3, "satellites": 10, "h_acc": 3000,
        "v_acc": 0xFFFF, "vel_acc": 51, "hdop": 150, "lon": 82345678, "lat": 475123457, "alt_cm": 61250, "north": 400,
        "east": -300, "down": 0, "course": 32313, "yaw": 0xFFFF, "year": 2020, "month": 1, "day": 1, "hour": 0,
        "minute": 0, "second": 5,
    }  # fmt: skip


@pytest.mark.parametrize("unfit", [nothing_said(), said(cov_en_m2=(65.6**2, 0.0, 1.0))])
def test_no_fix_is_said_at_once(unfit: Any) -> None:
    read = _read(sensor_gps(unfit, None))
    assert (read["fix"], read["satellites"], read["h_acc"], read["lat"], read["week"]) == (0, 0, 0xFFFF, 0, 0xFFFF)


def test_a_fix_without_a_velocity_is_not_sent_as_one_at_rest() -> None:
    assert sensor_gps(said(velocity=None), UTC_US) == b""


@given(
    place=st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
    sigma=st.floats(0.01, 65.5),
    speed=st.tuples(st.floats(-90, 90), st.floats(-90, 90), st.floats(0.01, 700)),
)
def test_any_place_is_read_back_and_no_sigma_is_better_than_ours(
    place: tuple[float, float], sigma: float, speed: tuple[float, float, float]
) -> None:
    read = _read(
        sensor_gps(said(lat=place[0], lon=place[1], cov_en_m2=(sigma**2, 0, 0), velocity=Velocity(*speed)), UTC_US)
    )
    assert (read["lat"], read["lon"]) == pytest.approx((place[0] * 1e7, place[1] * 1e7), abs=0.51)
    inav_cm = read["h_acc"] // 10  # as gps_msp.c has it
    assert sigma * 100 - 1e-5 <= inav_cm < sigma * 100 + 1.0001
    assert min(speed[2] * 100, 65535) - 1e-5 <= read["vel_acc"]
    assert (read["east"], read["north"]) == pytest.approx((speed[0] * 100, speed[1] * 100), abs=0.51)
    assert read["course"] < 36_000


def test_frames_leave_by_tcp_and_by_a_serial_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = msp_port(Address("tcp", *server.getsockname()))
        port.open()
        peer, _ = server.accept()
        port.send(said())
        with peer:
            assert _read(peer.recv(1000))["lat"] == 475123457
        port.close()
    ours, theirs = os.openpty()
    port = msp_port(Address("serial", os.ttyname(theirs), 115200))
    port.open()
    port.send(said())
    got = b""
    while len(got) < 61:
        got += os.read(ours, 100)
    assert _read(got)["lon"] == 82345678
    assert wait_until(lambda: True, each=port.tick)
    port.close()
    os.close(ours)
    os.close(theirs)
