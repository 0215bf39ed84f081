from __future__ import annotations

from pathlib import Path

from calib.samples.choice import choose
from tests.calib.samples.made import write_flight

SIDE_PX = 48


def test_frames_of_a_flight_are_turned_north_up(tmp_path: Path) -> None:
    chosen = choose([write_flight(tmp_path / "flight", yaw_deg=90)], 8, SIDE_PX, 0)
    for sample in chosen:
        red = sample.picture[..., 0] > 150
        assert red[:, SIDE_PX * 2 // 3 :].mean() > 0.7  # the rest was not seen; flying east, ahead is on the right
        assert red[:, : SIDE_PX // 3].mean() < 0.1
