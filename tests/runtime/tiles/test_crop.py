"""Cutting, signing and drawing caches, by the commands that a user types."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from tests.runtime.tiles.drawn import middle_of


def test_a_crop_is_every_tile_that_shows_ground_within_the_radius(
    toy_tiles: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    whole, out = TileCache.open(toy_tiles), tmp_path / "mission.tiles"
    place, radius_m = LocalFrame(middle_of(whole)).to_latlon(20.0, -10.0), 45.0
    assert main(["crop", str(toy_tiles), "--around", f"{place.lat},{place.lon},{radius_m}", "--out", str(out)]) == 0
    kept = TileCache.open(out)
    wanted = []
    for row in range(len(whole.centre)):
        half_m = whole.footprints_m[whole.level[row]] / 2
        east, north = (abs(d) for d in LocalFrame(place).to_en(LatLon(*whole.centre[row])))
        if math.hypot(max(east - half_m, 0.0), max(north - half_m, 0.0)) <= radius_m:
            wanted.append(row)
    assert 0 < len(wanted) < len(whole.centre)
    for name in ("embedding", "scale", "centre", "level"):
        assert (getattr(kept, name) == getattr(whole, name)[wanted]).all()
    assert kept.metadata.rows == len(wanted)
    assert main(["verify", str(out), "--bundle", str(toy_bundle)]) == 0, "its imagery shows all of its tiles"


@pytest.mark.parametrize(
    ("around", "said"), [("0,0,100", "no tile within"), ("47.5,8.2", "LAT,LON,RADIUS_M"), ("47.5,8.2,-1", "radius")]
)
def test_a_crop_of_nothing_writes_nothing(
    around: str, said: str, toy_tiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crop", str(toy_tiles), "--around", around, "--out", str(tmp_path / "a.tiles")]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
