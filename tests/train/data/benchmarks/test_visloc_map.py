"""The map of a flight is one picture of the ground, however many files hold it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from tests.train.conftest import draw_place
from tests.train.data.benchmarks.conftest import EXACT, TRAIN
from train.data.benchmarks import visloc
from train.data.benchmarks.visloc_map import FlightMap, MapPart, read_parts


def test_a_map_in_four_files_is_read_as_one(tmp_path: Path) -> None:
    ground = draw_place(9, 120)
    corners = LatLon(30.001, 120.0), LatLon(30.0, 120.001)
    parts = [("01-01", 0, 0), ("01-02", 70, 0), ("02-01", 0, 50), ("02-02", 70, 50)]
    folder = tmp_path / "09"
    folder.mkdir()
    for name, left, top in parts:
        part = ground[top : 50 if top == 0 else 120, left : 70 if left == 0 else 120]
        cv2.imwrite(str(folder / f"satellite09_{name}.tif"), cv2.cvtColor(part, cv2.COLOR_RGB2BGR))
    found = read_parts(folder)
    assert [(p.left_px, p.top_px) for p in found] == [(left, top) for _, left, top in parts]
    cv2.imwrite(str(folder / "whole.tif"), cv2.cvtColor(ground, cv2.COLOR_RGB2BGR))
    four, one = FlightMap(found, *corners), FlightMap([MapPart(folder / "whole.tif", 0, 0, 120, 120)], *corners)
    assert four.size_px == one.size_px == (120, 120)
    for side_m in (20.0, 60.0, 200.0):  # the last reaches beyond the map
        at = LatLon(30.00055, 120.00058)
        assert np.array_equal(four.window(at, side_m, 32), one.window(at, side_m, 32))


def test_metres_on_a_map_agree_with_the_ellipsoid(visloc_root: Path) -> None:
    spot = visloc.open_train(visloc_root, TRAIN, EXACT).spots[0]
    across, down = spot.map.gsd_m(spot.map.centre.lat)
    assert across == pytest.approx(1.0, abs=1e-3)
    assert down == pytest.approx(1.0, abs=1e-3)
    frame = LocalFrame(spot.map.centre)
    assert spot.map.holds(frame.to_latlon(100.0, 0.0), 59.0)
    assert not spot.map.holds(frame.to_latlon(100.0, 0.0), 61.0)
    assert not spot.map.holds(frame.to_latlon(0.0, -100.0), 21.0)
