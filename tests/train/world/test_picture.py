"""A plan looks the same at any resolution; two dates share its geometry and differ in colour."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from runtime.types import FloatImage, Picture
from train.world.covers import AUTUMN, SUMMER
from train.world.picture import paint
from train.world.plan import Area, Building, Plan, Slot, Strip, Tree, rectangle
from train.world.zoning import draw_plan


def edges(picture: Picture) -> FloatImage:
    smooth = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5)
    return np.asarray(cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)))


def test_two_dates_share_the_geometry_and_differ_in_colour() -> None:
    plan = draw_plan(7, 240, 200)
    a, b = paint(plan, SUMMER, 0.5), paint(plan, AUTUMN, 0.5)
    other = paint(draw_plan(8, 240, 200), AUTUMN, 0.5)
    assert np.abs(a.astype(float) - b).mean() > 8
    of_a, of_b, of_other = (edges(picture).ravel() for picture in (a, b, other))
    same, different = np.corrcoef(of_a, of_b)[0, 1], np.corrcoef(of_a, of_other)[0, 1]
    assert same > 0.4, same
    assert abs(different) < 0.1


def test_a_plan_looks_the_same_at_any_resolution() -> None:
    plan = draw_plan(3, 200, 160)
    coarse, fine = paint(plan, SUMMER, 0.5), paint(plan, SUMMER, 0.25)
    shrunk = cv2.resize(fine, coarse.shape[1::-1], interpolation=cv2.INTER_AREA)
    smooth = [cv2.GaussianBlur(picture, (0, 0), 3).astype(float).ravel() for picture in (coarse, shrunk)]
    assert np.corrcoef(*smooth)[0, 1] > 0.95


def shown(plan: Plan, at: tuple[float, float]) -> np.ndarray:
    """The mean colour of the square metre about a place."""
    picture = paint(plan, SUMMER, 0.25)
    column, row = (round(metres / 0.25) for metres in at)
    return picture[row - 2 : row + 2, column - 2 : column + 2].reshape(-1, 3).mean(axis=0)


ROAD = Strip("asphalt", np.column_stack([np.linspace(0, 40, 21), np.full(21, 20.0)]), 6.0)
POND = Area("pool", rectangle(20.0, 20.0, 0.0, 20.0, 20.0))


def test_what_is_laid_later_covers_what_was_laid_before() -> None:
    """Ground, then roads, then marks, then buildings: at one place, each hides the one before."""
    layers: list[dict[str, list[object]]] = [
        {"ground": [POND]},
        {"roads": [ROAD]},
        {"markings": [Area("court_red", rectangle(20.0, 20.0, 0.0, 4.0, 4.0))]},
        {"buildings": [Building(20.0, 20.0, 0.0, 6.0, 6.0, 4.0, 0.0, "roof_white", 1)]},
    ]
    plan, colours = Plan(40.0, 40.0, 0), []
    for layer in layers:
        for name, items in layer.items():
            getattr(plan, name).extend(items)
        colours.append(shown(plan, (20.0, 20.0)))
    steps = [np.abs(after - before).max() for before, after in pairwise(colours)]
    assert min(steps) > 20, colours


def test_a_street_has_pavements_and_a_track_has_none() -> None:
    beside = 20.0, 20.0 + 3.0 + 0.8
    street, track = Plan(40.0, 40.0, 0, roads=[ROAD]), Plan(40.0, 40.0, 0)
    track.roads.append(Strip("dirt", ROAD.points, 6.0))
    grey, green = shown(street, beside), shown(track, beside)
    assert np.ptp(grey) < 25
    assert green[1] > green[2] + 15


@pytest.mark.parametrize("along_rad", [0.0, np.pi / 2])
def test_rows_of_a_field_run_along_its_direction(along_rad: float) -> None:
    field = Area("crop_maize", rectangle(30.0, 30.0, 0.0, 50.0, 50.0), along_rad, 5)
    picture = paint(Plan(60.0, 60.0, 0, ground=[field]), SUMMER, 0.25)[40:200, 40:200].mean(axis=2)
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
    along, across = (np.abs(np.diff(smooth, axis=axis)).mean() for axis in ((1, 0) if along_rad == 0 else (0, 1)))
    assert across > 1.3 * along


def test_cars_and_trees_are_painted_as_well() -> None:
    bare = paint(Plan(40.0, 40.0, 0), SUMMER, 0.25)
    full = Plan(40.0, 40.0, 0, slots=[Slot(10.0 + k, 30.0, 1.6, k) for k in range(0, 20, 3)])
    full.trees.append(Tree(20.0, 10.0, 4.0, 9.0, "beech"))
    changed = np.abs(paint(full, SUMMER, 0.25).astype(int) - bare).max(axis=2) > 30
    assert changed[24:56, 64:96].any()
    assert changed[104:136].any()
    assert not changed[:10].any()
