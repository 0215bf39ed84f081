"""Caches of one encoder put together, by the command that a user types."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from runtime.tiles.format import Rows, write_rows
from runtime.tiles.metadata import Alignment
from tests.runtime.tiles.drawn import piece


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


def test_caches_that_are_aligned_by_two_shifts_are_not_merged(
    toy_tiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one shift is taken out of cannot hold the rows of another."""
    cache, aligned = TileCache.open(toy_tiles), tmp_path / "aligned.tiles"
    shutil.copy(toy_tiles.with_suffix(".mbtiles"), aligned.with_suffix(".mbtiles"))
    rows = Rows(cache.embedding, cache.scale, cache.centre, cache.level)
    metadata = replace(cache.metadata, alignment=Alignment(5.0, -5.0, 20, ("survey",)))
    write_rows(aligned, metadata, [rows], (cache.imagery_path, cache.open_imagery().zoom), cache.heights)
    out = tmp_path / "both.tiles"
    assert main(["merge", str(toy_tiles), str(aligned), "--out", str(out)]) == 1
    assert "are aligned by two shifts (None and (5.0, -5.0) m" in capsys.readouterr().err
    assert not out.exists()
    assert main(["merge", str(aligned), "--out", str(out)]) == 0
    assert TileCache.open(out).metadata.alignment == metadata.alignment
