"""Both dates paint the same plan: what one knows the other knows, and they do not look alike."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.world.straight import covers
from train.world.covers import AUTUMN, CARS, SUMMER, Date
from train.world.zoning import draw_plan


def test_both_dates_know_the_same_covers() -> None:
    assert SUMMER.covers.keys() == AUTUMN.covers.keys()


@pytest.mark.parametrize("seed", range(6))
def test_every_cover_of_a_plan_has_a_paint(seed: int) -> None:
    assert covers(draw_plan(seed, 500.0, 400.0)) <= SUMMER.covers.keys()


@pytest.mark.parametrize("date", [SUMMER, AUTUMN], ids=lambda date: date.name)
def test_colours_are_bytes_and_texture_is_per_cent(date: Date) -> None:
    for paint in date.covers.values():
        assert all(0 <= value <= 255 for value in paint.rgb)
        assert 0 < paint.rough < 100
    assert all(0 <= value <= 255 for car in CARS for value in car)
    assert 0 < date.sun_elevation_deg < 90
    assert 0 < date.occupancy < 1


def test_what_grows_changes_its_colour_and_what_is_built_does_not() -> None:
    same = {name for name, paint in SUMMER.covers.items() if paint == AUTUMN.covers[name]}
    assert {"asphalt", "concrete", "roof_red", "line", "panel"} <= same
    assert not {"lawn", "meadow", "oak", "crop_wheat", "hedge", "water"} & same
    green = [np.subtract(paint.rgb[1], paint.rgb[0]) for paint in (SUMMER.covers["beech"], AUTUMN.covers["beech"])]
    assert green[0] > 0 > green[1], "beeches turn"
