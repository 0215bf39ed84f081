"""Cutting, signing and drawing caches, by the commands that a user types."""

from __future__ import annotations

import contextlib
import math
import shutil
import sqlite3
import stat
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from runtime.tiles.format import Rows, write_rows

pytest.importorskip("cryptography", reason="cryptography is not installed: pip install 'skyfix[sign]'")


@pytest.fixture
def cache_copy(toy_tiles: Path, tmp_path: Path) -> Path:
    shutil.copy(toy_tiles.with_suffix(".mbtiles"), tmp_path)
    return Path(shutil.copy(toy_tiles, tmp_path))


def middle_of(cache: TileCache) -> LatLon:
    return cache.open_imagery().bounds.centre


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


def piece(toy_tiles: Path, folder: Path, name: str, columns: str) -> Path:
    """The map's tile columns that a condition on their place from the west names."""
    path = Path(shutil.copy(toy_tiles.with_suffix(".mbtiles"), folder / f"{name}.mbtiles"))
    with contextlib.closing(sqlite3.connect(path)) as db:
        (first,) = db.execute("SELECT MIN(tile_column) FROM tiles").fetchone()
        db.execute(f"DELETE FROM tiles WHERE NOT tile_column - {first} {columns}")
        db.commit()
    return path


def test_a_map_built_in_two_halves_and_merged_has_the_rows_of_the_whole(
    toy_tiles: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    """They overlap by two map tiles, a footprint and more."""
    halves = [piece(toy_tiles, tmp_path, "west", "< 4"), piece(toy_tiles, tmp_path, "east", ">= 2")]
    for half in halves:
        assert main(["build", "--imagery", str(half), "--bundle", str(toy_bundle), "--out",
                     str(half.with_suffix(".tiles")), "--footprints", "32", "45"]) == 0  # fmt: skip
    out = tmp_path / "whole.tiles"
    assert main(["merge", *(str(half.with_suffix(".tiles")) for half in halves), "--out", str(out)]) == 0
    whole, merged = TileCache.open(toy_tiles), TileCache.open(out)
    parts = [len(TileCache.open(half.with_suffix(".tiles")).level) for half in halves]
    assert max(parts) < len(whole.level) < sum(parts), "some places lie in both"
    for name in ("embedding", "scale", "centre", "level"):
        assert getattr(merged, name).tobytes() == getattr(whole, name).tobytes()
    assert merged.metadata.bounds_deg == whole.metadata.bounds_deg
    assert main(["verify", str(out), "--bundle", str(toy_bundle)]) == 0


def test_of_rows_of_the_same_place_the_first_cache_s_is_kept(toy_tiles: Path, tmp_path: Path) -> None:
    cache = TileCache.open(toy_tiles)
    for name, embedding in (("one", cache.embedding), ("two", -cache.embedding)):
        shutil.copy(toy_tiles.with_suffix(".mbtiles"), tmp_path / f"{name}.mbtiles")
        zoom = cache.metadata.imagery.corners[0]
        rows = Rows(embedding, cache.scale, cache.centre, cache.level)
        write_rows(tmp_path / f"{name}.tiles", cache.metadata, [rows], (tmp_path / f"{name}.mbtiles", zoom))
    for names, sign in ((("one", "two"), 1), (("two", "one"), -1)):
        both = [str(tmp_path / f"{name}.tiles") for name in names]
        assert main(["merge", *both, "--out", str(tmp_path / "both.tiles")]) == 0
        assert (TileCache.open(tmp_path / "both.tiles").embedding == sign * cache.embedding).all()


def test_caches_that_do_not_belong_together_are_not_merged(
    toy_tiles: Path, other_bundle: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = str(toy_tiles.with_suffix(".mbtiles")), tmp_path / "c.tiles"
    for name, bundle, footprint in (("a", other_bundle, "45"), ("b", toy_bundle, "45")):
        other = str(tmp_path / f"{name}.tiles")
        assert main(["build", "--imagery", source, "--bundle", str(bundle), "--out", other,
                     "--footprints", "32", footprint, *(["--stride", "20"] if name == "b" else [])]) == 0  # fmt: skip
        assert main(["merge", str(toy_tiles), other, "--out", str(out)]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert f"{other} has another {'encoder' if name == 'a' else 'levels'} than {toy_tiles}" in error
    assert main(["merge", str(toy_tiles), str(toy_tiles), "--out", str(toy_tiles)]) == 1
    assert not out.exists()
    assert not out.with_suffix(".mbtiles").exists()


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


def test_only_its_owner_s_signature_of_these_very_bytes_is_good(
    cache_copy: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, other = tmp_path / "mine.key", tmp_path / "other.key"
    for key in (mine, other):
        assert main(["key", str(key)]) == 0
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    checked = ["verify", str(cache_copy), "--bundle", str(toy_bundle), "--public-key"]
    assert main([*checked, f"{mine}.pub"]) == 1, "not signed yet"
    assert main(["sign", str(cache_copy), "--key", str(mine)]) == 0
    assert main([*checked, f"{mine}.pub"]) == 0
    assert "signed by the owner" in capsys.readouterr().out

    assert main([*checked, f"{other}.pub"]) == 1
    assert "not signed by the owner" in capsys.readouterr().err
    cut = ["crop", str(cache_copy), "--around", "{:f},{:f},30".format(*middle_of(TileCache.open(cache_copy)))]
    assert main([*cut, "--out", str(tmp_path / "cut.tiles")]) == 0
    shutil.copy(f"{cache_copy}.sig", tmp_path / "cut.tiles.sig")
    assert main(["verify", str(tmp_path / "cut.tiles"), *checked[2:], f"{mine}.pub"]) == 1
    assert "signs another cache" in capsys.readouterr().err


@pytest.mark.parametrize("spoilt", ["{}", "", '{"sha256": "ab", "signature": "no hex"}'])
def test_a_spoilt_signature_or_key_is_told_in_one_line(
    spoilt: str, cache_copy: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "a.key"
    assert main(["key", str(key)]) == 0
    assert main(["key", str(key)]) == 1, "a key is not written over"
    cache_copy.with_name(cache_copy.name + ".sig").write_text(spoilt)
    checked = ["verify", str(cache_copy), "--bundle", str(toy_bundle), "--public-key"]
    capsys.readouterr()
    for public in (f"{key}.pub", str(key), str(cache_copy), str(tmp_path / "none")):
        assert main([*checked, public]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "python -m runtime.tiles" in error


@pytest.mark.parametrize("command", ["key", "sign", "verify"])
def test_a_missing_package_is_told_in_one_line(
    command: str,
    cache_copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    key = str(tmp_path / "a.key")
    more = {"key": [key], "sign": [str(cache_copy), "--key", key], "verify": [str(cache_copy), "--public-key", key]}
    assert main([command, *more[command]]) == 1
    error = capsys.readouterr().err
    assert "pip install 'skyfix[sign]'" in error
    assert error.count("\n") == 1


def test_coverage_is_drawn_where_there_are_tiles(toy_tiles: Path, tmp_path: Path) -> None:
    assert main(["info", str(toy_tiles), "--map", str(tmp_path / "cover.png")]) == 0
    drawn = cv2.imread(str(tmp_path / "cover.png"))
    assert drawn is not None
    panel = drawn[34:514, :480].astype(int)
    assert panel[220:260, 220:260].mean() > 1.5 * panel[:8].mean(), "the middle is covered, the rim is not"
    assert main(["info", str(toy_tiles), "--map", str(tmp_path / "cover.gif")]) == 1


def test_the_hash_of_a_cache_is_the_one_it_states(toy_tiles: Path) -> None:
    cache = TileCache.open(toy_tiles)
    assert cache.sha256.encode() in toy_tiles.read_bytes()[:65536]
    assert (
        cache.sha256
        != TileCache(
            cache.path, cache.metadata, cache.embedding, np.flip(cache.scale), cache.centre, cache.level
        ).sha256
    )
