"""What a drone cannot measure is unknown."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import pytest

from runtime.frame import LARGEST, Telemetry

GOOD = Telemetry(5, 80.0, 1.0, -60.0, 725.0, 3.0, -4.0, 512.0, "second")


@pytest.mark.parametrize("name", LARGEST)
@pytest.mark.parametrize("share", [1.001, 1e290, math.inf])
def test_what_cannot_be_is_unknown_and_the_rest_stays(name: str, share: float) -> None:
    for sign in (1.0, -1.0):
        row = replace(GOOD, **{name: sign * share * LARGEST[name]}).as_possible()
        assert math.isnan(getattr(row, name))
        rest = asdict(row) | {name: 0.0}
        assert rest == asdict(GOOD) | {name: 0.0}
        at_most = replace(GOOD, **{name: sign * LARGEST[name]})
        assert at_most.as_possible() == at_most


def test_what_is_unknown_stays_so_and_a_yaw_may_be_counted_on() -> None:
    assert GOOD.as_possible() is GOOD
    assert math.isnan(replace(GOOD, cam_roll_deg=math.nan).as_possible().cam_roll_deg)
