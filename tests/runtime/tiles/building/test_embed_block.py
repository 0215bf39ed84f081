"""A block embedded alone is the block of a whole build, and what it leaves out is counted."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from runtime.geo.bounds import Bounds
from runtime.maps.imagery import Imagery
from runtime.model.load import open_engine
from runtime.tiles.building.block_file import counts_of, unpack
from runtime.tiles.building.embed_block import EmbedJob
from runtime.tiles.building.spec import BuildSpec
from runtime.tiles.cache import TileCache
from runtime.tiles.windows import BLOCK


@pytest.fixture(scope="module")
def whole(toy_tiles: Path) -> TileCache:
    return TileCache.open(toy_tiles)


def job_of(cache: TileCache, bounds: Bounds) -> EmbedJob:
    """The very job of the build that the cache came of."""
    spec = BuildSpec(footprints_m=tuple(level.footprint_m for level in cache.metadata.levels))
    return EmbedJob(cache.imagery_path, spec.grids(), bounds)


def test_rows_do_not_depend_on_which_other_blocks_are_built(whole: TileCache, toy_bundle: Path) -> None:
    engine = open_engine(toy_bundle, None, 1)
    rows_at = {tuple(place): row for row, place in enumerate(whole.centre[whole.metadata.level_rows(0)].tolist())}
    with contextlib.closing(Imagery(whole.imagery_path)) as imagery:
        job = job_of(whole, imagery.bounds)
        blocks = job.grids[0].blocks(imagery.bounds)
        seen = 0
        for block in blocks[::3]:
            ticks: list[int] = []
            data = job.embed(imagery, engine, block, ticks.append)
            rows, counts = unpack(data, block.level), counts_of(data)
            assert sum(ticks) == job.count([block]) == counts.rows + sum(counts.left_out.values()) <= BLOCK**2
            for place, embedding in zip(rows.centre.tolist(), rows.embedding, strict=True):
                if tuple(place) in rows_at:  # the build keeps off the map's rim by a pixel
                    assert (embedding == whole.embedding[rows_at[tuple(place)]]).all()
                    seen += 1
    assert seen > 20


def test_ground_without_a_map_is_missing_in_every_window(whole: TileCache, toy_bundle: Path) -> None:
    engine = open_engine(toy_bundle, None, 1)
    with contextlib.closing(Imagery(whole.imagery_path)) as imagery:
        box = imagery.bounds
        wide_m = box.east - box.west
        beside = Bounds(box.east + wide_m, box.south, box.east + 2 * wide_m, box.north)
        job = job_of(whole, beside)
        block = job.grids[0].blocks(beside)[0]
        data = job.embed(imagery, engine, block, lambda windows: None)
    assert counts_of(data).rows == 0
    assert counts_of(data).left_out["missing"] == job.count([block]) > 0
    assert unpack(data, 0).embedding.shape == (0, engine.dim)
    assert np.isfinite(unpack(data, 0).centre).all()
