"""The rows about a place against a slow loop over all places."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.errors import CacheError
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.tiles.cache import TileCache
from runtime.tiles.format import Rows, write_rows
from runtime.tiles.nearby import NearbyRows
from tests.runtime.tiles.drawn import windows_about
from tests.runtime.tiles.large_cache import starts

HALF_M, DIM, WITHOUT_ROWS = 700.0, 4, 2
MIDDLES = (LatLon(0.0, 10.0), LatLon(47.0, 180.0), LatLon(-16.8, -180.0), LatLon(-70.0, 20.0))
ROUNDING_M = 1e-6


def slowly(cache: TileCache, level: int, place: LatLon) -> NDArray[np.float64]:
    """Metres from a place to each row of a level."""
    per_lon_m, per_lat_m = LocalFrame(place).metres_per_degree()
    lat, lon = cache.centre[cache.level == level].T
    east, north = (lon - place.lon + 540.0) % 360.0 - 180.0, lat - place.lat
    return np.asarray(np.sqrt((east * per_lon_m) ** 2 + (north * per_lat_m) ** 2))


def check(near: NearbyRows, cache: TileCache, level: int, place: LatLon, reach_m: float) -> int:
    found, away_m = near.rows(level, place, reach_m), slowly(cache, level, place)
    assert (np.diff(found) > 0).all(), "in order, each once"
    here = found - cache.metadata.level_rows(level).start
    assert (away_m[here] <= reach_m + ROUNDING_M).all()
    missed = set(np.flatnonzero(away_m < reach_m - ROUNDING_M).tolist()) - set(here.tolist())
    assert not missed, {row: (cache.centre[row].tolist(), away_m[row]) for row in missed}
    return len(found)


@lru_cache(maxsize=4)
def searched(middle: LatLon) -> tuple[NearbyRows, TileCache]:
    cache = windows_about(middle, HALF_M, DIM)
    return NearbyRows(cache), cache


offsets_m = st.floats(-2 * HALF_M, 2 * HALF_M)
reaches_m = st.one_of(st.floats(0, 40), st.floats(0, 3 * HALF_M))


@given(st.sampled_from(MIDDLES), st.sampled_from([0, 1]), offsets_m, offsets_m, reaches_m)
def test_the_rows_are_those_of_a_slow_loop(
    middle: LatLon, level: int, east_m: float, north_m: float, reach_m: float
) -> None:
    """On the map, on its rim and beside it; on both sides of the 180th meridian, whatever was asked before."""
    near, cache = searched(middle)
    assert (
        check(near, cache, level, LocalFrame(middle).to_latlon(east_m, north_m), reach_m)
        <= cache.metadata.levels[level].rows
    )


@pytest.mark.parametrize(
    ("middle", "level", "place", "reach_m"),
    [
        (MIDDLES[0], 0, LatLon(-0.0036306665729303, 10.005034508457953), 910.3515205),
        (MIDDLES[1], 0, LatLon(47.000526498900626, 179.99647050893498), 564.7887519),
    ],
)
def test_a_row_just_within_reach_to_the_north_is_found_though_its_block_hardly_is(
    middle: LatLon, level: int, place: LatLon, reach_m: float
) -> None:
    """A metre of the ellipsoid is more of a degree of latitude than one of Web Mercator's sphere, up to 54 degrees."""
    near, cache = searched(middle)
    assert check(near, cache, level, place, reach_m) > 1000


@given(st.sampled_from(MIDDLES), st.floats(-80, 80), st.floats(-180, 180), st.floats(0, 400))
def test_far_from_the_map_there_are_none(middle: LatLon, lat: float, lon: float, reach_m: float) -> None:
    near, cache = searched(middle)
    place = LatLon(lat, lon)
    found = check(near, cache, 0, place, reach_m)
    assert (found == 0) == (slowly(cache, 0, place).min() > reach_m)


@pytest.mark.parametrize("level", [0, 1])
def test_longitudes_of_either_name_are_one_place(level: int) -> None:
    near, cache = searched(MIDDLES[1])
    east, west = (near.rows(level, LatLon(47.0, lon), 300.0) for lon in (180.0, -180.0))
    assert east.tolist() == west.tolist()
    assert {True, False} == set((cache.centre[east, 1] > 0).tolist()), "on both sides"


def test_a_level_without_rows_has_none_near() -> None:
    near, _ = searched(MIDDLES[0])
    assert near.rows(WITHOUT_ROWS, MIDDLES[0], 1e4).tolist() == []


def test_blocks_that_were_forgotten_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer are kept than one question needs."""
    monkeypatch.setattr("runtime.tiles.nearby._KEPT_BLOCKS", 4)
    cache = windows_about(MIDDLES[1], HALF_M, DIM)
    near = NearbyRows(cache)
    for east_m in (0.0, 400.0, 0.0):
        assert check(near, cache, 0, LocalFrame(MIDDLES[1]).to_latlon(east_m, 0.0), 350.0) > 1000
        assert len(near._blocks) == 4


def test_an_altered_place_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to find a block nor as a row of it; in pieces of 2 KiB, so that a small cache has many."""
    for module in ("runtime.integrity", "runtime.tiles.format"):
        monkeypatch.setattr(f"{module}.CHUNK", 2048)
    drawn, path = windows_about(MIDDLES[1], HALF_M, DIM), tmp_path / "a.tiles"
    write_rows(path, drawn.metadata, [Rows(drawn.embedding, drawn.scale, drawn.centre, drawn.level)])
    whole, start = path.read_bytes(), starts(path)["centre"]
    good = NearbyRows(drawn).rows(0, MIDDLES[1], 100.0).tolist()
    assert good
    refused = []
    for at in range(start, start + 16 * len(drawn.centre), 2048):
        spoilt = bytearray(whole)
        for byte in range(at + 5, min(at + 2048, start + 16 * len(drawn.centre)), 16):
            spoilt[byte] ^= 0x10  # latitudes some kilometres off
        path.write_bytes(spoilt)
        try:
            assert NearbyRows(TileCache.open(path, lazy=True)).rows(0, MIDDLES[1], 100.0).tolist() == good
            refused.append(False)
        except CacheError as error:
            assert "of centre does not have its hash" in str(error)
            refused.append(True)
    held = {16 * row // 2048 for row in good}
    assert all(refused[piece] for piece in held)
    assert len(held) < sum(refused) < len(refused) / 2, "what blocks are found by is checked too, and nothing else"
    rest = bytearray(whole)
    rest[starts(path)["embedding"] + 5] ^= 1  # no embedding is read
    path.write_bytes(rest)
    assert NearbyRows(TileCache.open(path, lazy=True)).rows(0, MIDDLES[1], 100.0).tolist() == good


def test_places_that_are_not_those_of_tiles_are_refused() -> None:
    """A bisection among rows of another order would find some of them, silently."""
    cache = windows_about(MIDDLES[1], HALF_M, DIM)
    moved = replace(cache, centre=cache.centre + np.array([0.0, 4e-5]))
    with pytest.raises(ValueError, match="not those of tiles"):
        NearbyRows(moved).rows(0, MIDDLES[1], 100.0)
