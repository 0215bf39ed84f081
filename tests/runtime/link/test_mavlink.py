"""Fields of our messages: what is told is ours within the wire's step, and never better than ours."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as dialect

from runtime.fix import Fix
from runtime.link.link import Said, Velocity
from runtime.link.mavlink import GpsInputs, global_position_sensor
from runtime.link.wire import UtcOfMonotonic, gps_time, sendable, sigma_m
from tests.runtime.link.saying import nothing_said, said

UTC_US = 1_790_000_000_000_000

places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
covariances = st.tuples(st.floats(0.05, 60), st.floats(0.05, 60), st.floats(-0.99, 0.99)).map(
    lambda drawn: (drawn[0] ** 2, drawn[0] * drawn[1] * drawn[2], drawn[1] ** 2)
)


def _largest_sigma_m(cov: tuple[float, float, float]) -> float:
    """The worst of the directions around, looked at one by one."""
    ee, en, nn = cov
    turns = [math.radians(deg / 10) for deg in range(1800)]
    return max(
        math.sqrt(math.sin(a) ** 2 * ee + 2 * math.sin(a) * math.cos(a) * en + math.cos(a) ** 2 * nn) for a in turns
    )


@given(place=places, cov=covariances)
def test_a_decoded_position_is_ours_and_its_sigma_no_smaller(
    place: tuple[float, float], cov: tuple[float, float, float]
) -> None:
    told = said(lat=place[0], lon=place[1], cov_en_m2=cov, exposed_at_us=10_000)
    fields = global_position_sensor(told, 210_000)
    gps = GpsInputs().of(told, UTC_US)
    assert fields is not None and gps is not None
    sensor = _decoded(dialect.MAVLink_global_position_sensor_message(**fields))
    receiver = _decoded(dialect.MAVLink_gps_input_message(**gps))
    for message in (sensor, receiver):
        assert abs(message.lat / 1e7 - place[0]) <= 0.51e-7 and abs(message.lon / 1e7 - place[1]) <= 0.51e-7
    worst = _largest_sigma_m(cov)
    for sigma in (sensor.eph, receiver.horiz_accuracy):
        assert sigma_m(told.verdict) <= sigma <= worst * 1.00002 + 1e-6
        assert sigma >= worst * (1 - 1e-9)
    assert receiver.hdop * 2.0 >= min(worst, 199.9) * (1 - 1e-6)


def _decoded(message: Any) -> Any:
    mav = dialect.MAVLink(None)
    return mav.parse_buffer(message.pack(mav))[0]


@pytest.mark.parametrize(
    "unfit",
    [
        nothing_said(),
        said(cov_en_m2=(10_001.0, 0.0, 1.0)),  # 100.005 m
        said(cov_en_m2=(math.nan, 0.0, 1.0)),
        said(cov_en_m2=(math.inf, 0.0, 1.0)),
        said(cov_en_m2=(1.0, 2.0, 1.0)),  # of nothing: no such ellipse
        said(lat=math.nan),
    ],
)
def test_what_is_no_fix_is_silence(unfit: Said) -> None:
    assert sendable(unfit) is None
    assert global_position_sensor(unfit, 1) is None
    assert GpsInputs().of(unfit, UTC_US) is None


def test_a_hundred_metres_still_leave() -> None:
    assert sendable(said(cov_en_m2=(10_000.0, 0.0, 1.0))) is not None


def test_a_position_carried_by_motion_is_no_measurement() -> None:
    assert global_position_sensor(said(exposed_at_us=5, is_carried=True), 6) is None
    frame = said(exposed_at_us=5)
    assert isinstance(frame.verdict, Fix)
    assert global_position_sensor(frame, 6) is not None
    reckoned = replace(frame, verdict=replace(frame.verdict, source="dead_reckoning"))
    assert global_position_sensor(reckoned, 6) is None


@pytest.mark.parametrize(("ahead_us", "is_sent"), [(50_000, True), (742_615, False), (-5_000_000_000, False)])
def test_a_position_of_another_clock_is_not_sent(*, ahead_us: int, is_sent: bool) -> None:
    fields = global_position_sensor(said(exposed_at_us=1_000_000_000_000 + ahead_us), 1_000_000_000_000)
    assert (fields is not None) == is_sent
    assert fields is None or fields["processing_time"] == 0


def test_the_first_fix_decides_for_the_flight_whether_an_altitude_is_told() -> None:
    flat, high, higher = said(alt_msl_m=None), said(alt_msl_m=500.0), said(alt_msl_m=600.0)
    inputs = GpsInputs()
    told = [inputs.of(one, UTC_US) for one in (high, flat, higher)]
    assert [fields["alt"] for fields in told if fields] == [500.0, 500.0, 600.0]
    assert {fields["ignore_flags"] & 1 for fields in told if fields} == {0}
    inputs = GpsInputs()
    told = [inputs.of(one, UTC_US) for one in (flat, high)]
    assert {fields["ignore_flags"] & 1 for fields in told if fields} == {1}


def test_an_unknown_speed_is_told_as_one_that_nobody_can_use() -> None:
    known, unknown = (GpsInputs().of(said(velocity=v), UTC_US) for v in (Velocity(1.0, 2.0, 0.25), None))
    assert known is not None and unknown is not None
    assert (known["ve"], known["vn"]) == (1.0, 2.0) and known["speed_accuracy"] >= 0.25
    assert unknown["speed_accuracy"] == 50.0 and known["ignore_flags"] == unknown["ignore_flags"]


def test_a_computer_whose_clock_is_not_set_tells_no_week() -> None:
    clock = [1_000_000]
    utc = UtcOfMonotonic(lambda: 500, lambda: clock[0])
    assert utc.at(400) is None
    fields = GpsInputs().of(said(), utc.at(400))
    assert fields is not None and (fields["time_week"], fields["time_week_ms"]) == (0, 0)
    clock[0] = UTC_US
    assert utc.at(400) == UTC_US - 100
    clock[0] = UTC_US + 7_000_000  # a clock put right in flight
    assert utc.at(400) == UTC_US - 100


@pytest.mark.parametrize(
    ("utc_us", "expected"),
    [
        (1_483_228_799_000_000, (1930, 16_000)),  # the second before the leap second of 2016: GPS - UTC was 17 s
        (1_483_228_800_000_000, (1930, 18_000)),  # 2017-01-01 00:00:00 UTC
        (1_577_836_800_000_000, (2086, 259_218_000)),  # 2020-01-01, a Wednesday: three days of 86400 s, and 18 s
    ],
)
def test_gps_time_counts_leap_seconds(utc_us: int, expected: tuple[int, int]) -> None:
    assert gps_time(utc_us) == expected


def test_the_wire_layout_is_the_one_published() -> None:
    """From common.xml: fields by size, then as they stand; a dialect that moved one would fail here."""
    fields = global_position_sensor(said(exposed_at_us=10), 20)
    assert fields is not None
    data = bytes(dialect.MAVLink_global_position_sensor_message(**fields).pack(dialect.MAVLink(None, 1, 197)))
    assert data[0] == 0xFD and (data[5], data[6], int.from_bytes(data[7:10], "little")) == (1, 197, 296)
    values = struct.unpack("<QIiiffffBBBBB", data[10:-2].ljust(41, b"\0"))
    assert values[:4] == (20, 10, 475123457, 82345678)
    assert values[8:] == (0, 0, 1, 2, 0)
