"""A flight as a picture: what is drawn stands where it belongs, and only what there is to draw."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import SettingsError
from runtime.fix import Fix, FixSource, NoFix
from runtime.flights.truth import Truth
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon, Metres, to_metres
from runtime.maps.imagery import Imagery
from runtime.replay.flight_map import SIDE_PX, draw_flight
from runtime.tiles.cache import TileCache
from runtime.types import Picture

GREEN, YELLOW, BLUE, RED = (70, 255, 120), (255, 210, 60), (90, 190, 255), (255, 60, 60)
LEGEND_PX = 64


@pytest.fixture(scope="module")
def imagery(toy_tiles: Path) -> Imagery:
    return TileCache.open(toy_tiles).open_imagery()


def fix_at(t_us: int, place: LatLon, source: FixSource = "registration", sigma_m: float = 3.0) -> Fix:
    return Fix(t_us, *place, None, None, None, None, (sigma_m**2, 0.0, sigma_m**2), source, 0.0, 50, 1.0)


def drawn(imagery: Imagery, verdicts: list[Fix | NoFix], truth: dict[int, Truth], path: Path) -> Picture:
    draw_flight(imagery, verdicts, truth, "a flight", path)
    read = cv2.imread(str(path))
    assert read is not None
    return np.asarray(read[..., ::-1])


def has(picture: Picture, colour: tuple[int, int, int]) -> np.ndarray:  # (N, 2) row, column
    """Where the colour is, thin lines that were smoothed too; the darkened map has no channel above 184."""
    return np.argwhere((np.abs(picture.astype(int) - colour) <= 70).all(axis=2) & (picture.max(axis=2) > 190))


def test_fixes_stand_along_the_true_track_and_misses_are_crossed_out(imagery: Imagery, tmp_path: Path) -> None:
    frame = LocalFrame(imagery.bounds.centre)
    places = [frame.to_latlon(-40.0 + 20.0 * i, 0.0) for i in range(5)]  # eastwards
    truth = {i: Truth(place, None, True) for i, place in enumerate(places)}
    verdicts = [fix_at(0, places[0]), NoFix(1, "no_match"), *(fix_at(i, places[i]) for i in (2, 3, 4))]
    picture = drawn(imagery, verdicts, truth, tmp_path / "a.png")
    assert picture.shape == (SIDE_PX + LEGEND_PX, SIDE_PX, 3)
    map_part = picture[LEGEND_PX:]
    columns = np.unique(has(map_part, GREEN)[:, 1])
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > 40) + 1)
    assert len(groups) == 4, "a fix each"
    crosses = has(map_part, RED)
    assert len(crosses) > 0
    middles = [float(group.mean()) for group in groups]
    assert middles[0] < crosses[:, 1].mean() < middles[1], "the miss lies between the first fix and the second"
    assert abs(crosses[:, 0].mean() - SIDE_PX / 2) < 12, "on the track"


def test_each_source_has_its_colour_and_the_legend_names_only_what_is_there(imagery: Imagery, tmp_path: Path) -> None:
    frame = LocalFrame(imagery.bounds.centre)
    sources: list[FixSource] = ["registration", "retrieval", "dead_reckoning"]
    fixes = [fix_at(i, frame.to_latlon(30.0 * i, 10.0 * i), source) for i, source in enumerate(sources)]
    for count in (1, 2, 3):
        picture = drawn(imagery, list(fixes[:count]), {}, tmp_path / "a.png")
        for colour, there in zip((GREEN, YELLOW, BLUE), (True, count > 1, count > 2), strict=True):
            assert bool(len(has(picture[:LEGEND_PX], colour))) is there
            assert bool(len(has(picture[LEGEND_PX:], colour))) is there


@pytest.mark.parametrize("sigma_m", [4.0, 12.0])
def test_the_ellipse_holds_ninety_per_cent_at_the_map_s_scale(sigma_m: float, imagery: Imagery, tmp_path: Path) -> None:
    """Two fixes 50 m apart give the scale; the circle of 90% has a radius of 2.146 sigma."""
    frame = LocalFrame(imagery.bounds.centre)
    fixes = [
        fix_at(0, frame.to_latlon(-25.0, 0.0), sigma_m=sigma_m),
        fix_at(1, frame.to_latlon(25.0, 0.0), "retrieval", sigma_m=0.01),
    ]
    picture = drawn(imagery, list(fixes), {}, tmp_path / "a.png")[LEGEND_PX:]
    circle, dot = has(picture, GREEN), has(picture, YELLOW)
    middle = (circle.min(axis=0) + circle.max(axis=0)) / 2
    px_per_m = (dot[:, 1].mean() - middle[1]) / 50.0
    radius_m = np.ptp(circle[:, 1]) / 2 / px_per_m
    assert radius_m == pytest.approx(math.sqrt(-2 * math.log(0.1)) * sigma_m, rel=0.06)


def test_a_flight_over_the_180th_meridian_is_drawn_in_one_piece(tmp_path: Path, imagery: Imagery) -> None:
    places = [LatLon(-16.8, 179.9999), LatLon(-16.8, -179.9999)]
    picture = drawn(imagery, [fix_at(i, place) for i, place in enumerate(places)], {}, tmp_path / "a.png")
    columns = has(picture[LEGEND_PX:], GREEN)[:, 1]
    apart_m = 0.0002 * LocalFrame(places[0]).metres_per_degree()[0]
    assert np.ptp(columns) < SIDE_PX / 2, f"they lie {apart_m:.0f} m apart, not a world"


def test_without_any_fix_the_whole_map_is_shown_and_a_wrong_ending_is_refused(imagery: Imagery, tmp_path: Path) -> None:
    picture = drawn(imagery, [NoFix(0, "no_match")], {}, tmp_path / "a.jpg")
    whole, _ = imagery.window(  # the map's box from edge to edge
        _middle(imagery), imagery.bounds.east - imagery.bounds.west, SIDE_PX
    )
    inside = np.abs(picture[LEGEND_PX + 300 : LEGEND_PX + 900, 300:900] - whole[300:900, 300:900] * 0.72).mean()
    assert inside < 6, "darkened, and a JPEG"
    with pytest.raises(SettingsError, match=r"must end in \.png or \.jpg"):
        draw_flight(imagery, [], {}, "a flight", tmp_path / "a.pdf")


def _middle(imagery: Imagery) -> Metres:
    return to_metres(imagery.bounds.centre)
