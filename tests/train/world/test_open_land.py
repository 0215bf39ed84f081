"""Open land keeps its promises: no tree in a pond, woods inside their edge, rows in rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.world.straight import area_m2, areas, corners, covers, margin_m, site, strips
from train.world import open_land
from train.world.covers import SUMMER
from train.world.open_land import _closed, _curve, _inside, _stadium
from train.world.plan import lengths, rectangle
from train.world.site import Site

Use = Callable[[Site], None]
SEEDS = range(4)
USES = (open_land.park, open_land.pitch, open_land.allotments, open_land.fields, open_land.wood, open_land.orchard,
        open_land.farm)  # fmt: skip


def used(use: Use, seed: int, length_m: float = 140.0, depth_m: float = 110.0) -> Site:
    block = site(length_m, depth_m, seed)
    use(block)
    return block


@pytest.mark.parametrize("use", USES)
def test_every_cover_has_a_paint_and_the_same_seed_gives_the_same_land(use: Use) -> None:
    first, again = (used(use, 1).plan for _ in range(2))
    assert covers(first) <= SUMMER.covers.keys()
    assert len(first.ground) == len(again.ground) > 0
    assert (first.trees, first.buildings) == (again.trees, again.buildings)


@pytest.mark.parametrize("use", [use for use in USES if use is not open_land.farm])
@pytest.mark.parametrize("seed", SEEDS)
def test_trees_and_buildings_stand_in_their_block(use: Use, seed: int) -> None:
    block = used(use, seed)
    outline = block.outline()
    for building in block.plan.buildings:
        assert min(margin_m(outline, corner) for corner in corners(building)) > -2.5
    assert all(margin_m(outline, np.array([tree.x, tree.y])) > -4 for tree in block.plan.trees)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_tree_of_a_park_stands_in_its_pond(seed: int) -> None:
    plan = used(open_land.park, seed).plan
    (pond,) = areas(plan, "pond")
    assert len(plan.trees) > 20
    assert max(margin_m(pond.outline, np.array([tree.x, tree.y])) for tree in plan.trees) < 0
    (bank,) = areas(plan, "bank")
    assert area_m2(bank.outline) == pytest.approx(1.21 * area_m2(pond.outline))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wood_fills_its_edge_but_for_a_clearing(seed: int) -> None:
    plan = used(open_land.wood, seed).plan
    (floor,) = areas(plan, "floor")
    middle = floor.outline.mean(axis=0)
    trees = np.array([(tree.x, tree.y) for tree in plan.trees])
    assert all(margin_m(floor.outline, tree) > -0.01 for tree in trees)
    per_tree_m2 = area_m2(floor.outline) / len(trees)
    assert 15 < per_tree_m2 < 45, "4.3 m apart is 18 m2 a tree; what reaches out of the block is bare"
    assert np.hypot(*(trees - middle).T).min() < 30


def test_spruces_stand_together() -> None:
    stands = [[(tree.x, tree.y) for tree in used(open_land.wood, seed).plan.trees if tree.kind == "spruce"]
              for seed in range(8)]  # fmt: skip
    assert sum(bool(stand) for stand in stands) >= 4
    for stand in filter(None, stands):
        assert np.ptp(np.array(stand), axis=0).max() < 2 * 24 + 4


def test_trees_of_an_orchard_stand_in_rows() -> None:
    plan = used(open_land.orchard, 0).plan
    ys = np.array([tree.y for tree in plan.trees])
    off = (ys - ys.min() + 2) % 8.5
    assert np.std(np.minimum(off, 8.5 - off)) < 1.5
    assert {tree.kind for tree in plan.trees} == {"cherry", "lime"}


def test_a_pitch_has_a_track_around_its_turf_and_white_lines() -> None:
    plan = used(open_land.pitch, 0, 150.0, 100.0).plan
    (track,), (turf,) = areas(plan, "court_red"), areas(plan, "turf")
    assert area_m2(track.outline) > 1.2 * area_m2(turf.outline) > 4000
    assert all(margin_m(track.outline, point) > 0 for point in turf.outline)
    assert len(strips(plan, "line")) == 3 + 4 + 1
    assert len(plan.buildings) == 1


def test_fields_are_parcels_of_crops_with_rows_of_their_own() -> None:
    crops, directions = set(), set()
    for seed in range(12):
        plan = used(open_land.fields, seed).plan
        parcels = [area for cover in SUMMER.covers for area in areas(plan, cover) if cover.startswith("crop")]
        crops |= {parcel.cover for parcel in parcels}
        directions |= {round(parcel.along_rad, 1) for parcel in parcels}
        assert sum(area_m2(parcel.outline) for parcel in parcels) <= 140 * 110
    assert len(crops) >= 4
    assert len(directions) >= 4


def test_a_farm_has_three_barns_about_a_yard_and_allotments_have_huts() -> None:
    farm = used(open_land.farm, 1).plan
    assert [b.length_m for b in farm.buildings] == [24.0, 30.0, 15.0]
    allotments = used(open_land.allotments, 1).plan
    assert len(allotments.buildings) > 10
    assert all(b.length_m * b.width_m < 10 for b in allotments.buildings)


@given(st.integers(0, 10_000))
def test_inside_is_what_opencv_says_of_any_polygon(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    outline = np.column_stack([np.cos(angles), np.sin(angles)]) * rng.uniform(2, 10, 9)[:, None]
    for xy in rng.uniform(-10, 10, (20, 2)):
        margin = cv2.pointPolygonTest(outline.astype(np.float32), tuple(xy), True)
        if abs(margin) > 1e-3:
            assert _inside(outline, xy) == (margin > 0)


def test_a_stadium_is_a_rectangle_with_half_circles_at_its_ends() -> None:
    outline = _stadium(100.0, 40.0, 0.3, np.array([5.0, 6.0]))
    assert area_m2(outline) == pytest.approx(60 * 40 + math.pi * 20**2, rel=0.01)
    along = (outline - (5.0, 6.0)) @ np.array([math.cos(0.3), math.sin(0.3)])
    assert (along.min(), along.max()) == pytest.approx((-50, 50), abs=0.1)


def test_a_closed_line_keeps_its_corners_and_has_a_point_every_half_metre() -> None:
    ring = _closed(rectangle(0.0, 0.0, 0.0, 6.0, 4.0))
    assert lengths(ring)[-1] == pytest.approx(20.0)
    assert np.diff(lengths(ring)).max() <= 0.5 + 1e-9
    for corner in rectangle(0.0, 0.0, 0.0, 6.0, 4.0):
        assert np.hypot(*(ring - corner).T).min() < 1e-9


def test_a_curve_begins_and_ends_where_it_should() -> None:
    start, end = np.array([1.0, 2.0]), np.array([30.0, -4.0])
    curve = _curve(start, end, np.random.default_rng(0))
    assert curve[[0, -1]] == pytest.approx(np.array([start, end]))
    assert lengths(curve)[-1] > np.hypot(*(end - start))
