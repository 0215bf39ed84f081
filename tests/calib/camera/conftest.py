"""A camera that was calibrated once from drawn views."""

from __future__ import annotations

import pytest

from calib.camera.intrinsics import Calibration, calibrate
from calib.camera.views import BoardView
from tests.calib.camera.drawn import SIZE, drawn_views
from tests.calib.camera.rendered import LENS


@pytest.fixture(scope="module")
def views() -> list[BoardView]:
    return drawn_views(LENS, 18, 0)


@pytest.fixture(scope="module")
def calibration(views: list[BoardView]) -> Calibration:
    return calibrate(views, SIZE)
