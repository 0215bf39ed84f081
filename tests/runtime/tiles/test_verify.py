"""Does a cache say what its map shows? Rows that another place's picture made are found out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import CacheError
from runtime.model.load import open_engine
from runtime.tiles.cache import TileCache
from runtime.tiles.format import Rows, write_rows
from runtime.tiles.verify import MIN_COSINE, worst_cosine


def test_a_sound_cache_embeds_to_itself(toy_tiles: Path, toy_bundle: Path) -> None:
    cache = TileCache.open(toy_tiles)
    worst = worst_cosine(cache, cache.open_imagery(), open_engine(toy_bundle, None, 1))
    assert MIN_COSINE <= worst <= 1.0005


def test_rows_of_other_places_are_found_out_though_every_hash_is_good(
    toy_tiles: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    cache = TileCache.open(toy_tiles)
    rows = Rows(np.roll(cache.embedding, 7, axis=0), np.roll(cache.scale, 7), cache.centre, cache.level)
    out = tmp_path / "rolled.tiles"
    shutil.copy(cache.imagery_path, out.with_suffix(".mbtiles"))
    write_rows(out, cache.metadata, [rows], (cache.imagery_path, cache.metadata.imagery.corners[0]))
    rolled = TileCache.open(out)
    with pytest.raises(
        CacheError, match=r"row \d+ has cosine -?0\.\d+ with its picture, expected 0\.99; build it again"
    ):
        worst_cosine(rolled, rolled.open_imagery(), open_engine(toy_bundle, None, 1))


def test_a_cache_whose_rows_are_no_number_is_found_out(toy_tiles: Path, toy_bundle: Path) -> None:
    cache = TileCache.open(toy_tiles)
    spoilt = replace(cache, scale=np.full_like(cache.scale, np.nan))
    with pytest.raises(CacheError, match="has cosine nan"):
        worst_cosine(spoilt, cache.open_imagery(), open_engine(toy_bundle, None, 1))
