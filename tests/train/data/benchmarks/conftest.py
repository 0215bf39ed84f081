"""Flights of a miniature UAV-VisLoc: to train on, to test and to select by, and two that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.types import Picture
from tests.train.conftest import draw_place
from tests.train.data.benchmarks import trees
from tests.train.data.benchmarks.trees import DrawnFlight
from train.data.manifest import Choice
from train.data.view_spec import ViewSpec

EXACT = ViewSpec(yaw_error_deg=0.0, altitude_error=0.0, offset=0.0)
TRAIN, VAL, ALL = Choice("train"), Choice("val"), Choice(None)
VIEW = ViewSpec()
NO_ANGLES = "num,filename,date,lat,lon,height"


def draw_ground(number: int) -> Picture:
    """The ground of a flight by its number, 320 by 240 pixels of a metre."""
    return draw_place(number, 320)[:240]


@pytest.fixture(scope="session")
def visloc_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flights to train on, to test and to select by, and two that cannot be used; not to be written to."""
    flights = [
        DrawnFlight("01", [(160, 120, 0.0), (172, 124, 90.0), (60, 60, 217.0), (5, 5, 0.0)]),
        DrawnFlight("03", [(100, 110, 30.0), (200, 130, -140.0)]),
        DrawnFlight("05", [(160, 120, 0.0)], height_m=2310.0),
        DrawnFlight("07", [(160, 120, 0.0)], table=NO_ANGLES),
        DrawnFlight("10", [(150, 110, 10.0), (80, 80, 200.0)]),
    ]
    return trees.visloc(tmp_path_factory.mktemp("visloc"), flights, draw_ground)
