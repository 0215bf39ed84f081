"""Telemetry between the rows of a table."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from runtime.errors import FlightError
from runtime.sensors.telemetry import read_telemetry, telemetry_at
from tests.runtime.sensors.drawn import row


@pytest.mark.parametrize(
    ("t_s", "yaw_deg"), [(10.0, 350.0), (10.5, 355.0), (11.5, 5.0), (12.0, 10.0), (13.9, 10.0), (8.1, 350.0)]
)
def test_telemetry_between_rows_turns_the_short_way_and_holds_a_little_beyond(t_s: float, yaw_deg: float) -> None:
    rows = [row(10.0, 350.0), row(12.0, 10.0)]
    found = telemetry_at(rows, [r.t_us for r in rows], round(t_s * 1e6))
    assert found.cam_yaw_deg == pytest.approx(yaw_deg)
    assert found.t_us == round(t_s * 1e6)


@pytest.mark.parametrize("t_s", [7.0, 15.0, 25.0, 43.0])
def test_telemetry_far_from_any_row_is_unknown(t_s: float) -> None:
    rows = [row(10.0), row(40.0)]
    found = telemetry_at(rows, [r.t_us for r in rows], round(t_s * 1e6))
    assert math.isnan(found.alt_agl_m)
    assert math.isnan(found.cam_yaw_deg)


def test_one_row_is_enough_and_an_unknown_cell_stays_unknown() -> None:
    assert telemetry_at([row(1.0)], [1_000_000], 1_500_000).alt_agl_m == 50.0
    rows = [row(1.0, alt=math.nan), row(2.0)]
    assert math.isnan(telemetry_at(rows, [r.t_us for r in rows], 1_200_000).alt_agl_m)


@pytest.mark.parametrize(
    ("step_us", "vel_north_mps", "expected"),
    [
        (2_000, 5.0, "t_us looks like milliseconds"),
        (2_000_000, 300.0, "300 m/s"),
        (-2_000_000, 5.0, "in reverse"),
    ],
)
def test_times_and_speeds_that_no_flight_has_are_refused(
    step_us: int, vel_north_mps: float, expected: str, tmp_path: Path
) -> None:
    rows = [f"{10_000_000 + step_us * k},{k}.jpg,90,0,-90,0,{vel_north_mps},0" for k in range(6)]
    header = "t_us,image,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg,vel_north_mps,vel_east_mps"
    (tmp_path / "telemetry.csv").write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(FlightError, match=expected):
        read_telemetry(tmp_path / "telemetry.csv")
    if step_us > 0 and vel_north_mps < 100:
        read_telemetry(tmp_path / "telemetry.csv", needs_images=False)
