"""Imagery -> windows in metres on a few levels -> embeddings -> cache; resumable, the same bytes however it is run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from runtime.errors import CacheError, ImageryError
from runtime.geo.bounds import Bounds
from runtime.geo.mercator import ground_scale
from runtime.maps.heights import Heights
from runtime.maps.imagery import Imagery
from runtime.maps.mosaic import sources_of
from runtime.model.engine import Engine
from runtime.tiles.building.embed_block import EmbedJob
from runtime.tiles.building.threads import Embedder, in_threads
from runtime.tiles.building.window_filter import LeftOut
from runtime.tiles.building.workspace import Workspace
from runtime.tiles.cache import imagery_facts
from runtime.tiles.format import write_rows
from runtime.tiles.windows import Block, Grid
from runtime.types import Tick

FOOTPRINTS_M = (45.0, 64.0, 90.0, 128.0)  # sqrt(2) apart: any scale is within 19% of a level
STRIDE_SHARE = 0.25
ACCURACY_CE90_M = 8.5  # what is commonly stated for satellite mosaics made without ground control
_LEAST_PX = 16  # of the map across a window: fewer show nothing to be recognised by


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build wrote and what it left out."""

    rows_by_level: tuple[int, ...]
    left_out: dict[str, int]  # windows by reason

    @property
    def rows(self) -> int:
        """Of all levels."""
        return sum(self.rows_by_level)


def grids_of(footprints_m: Sequence[float], stride_m: float | None = None) -> tuple[Grid, ...]:
    """A level a footprint; ``stride_m`` None is a quarter of each."""
    return tuple(Grid(i, side_m, stride_m or side_m * STRIDE_SHARE) for i, side_m in enumerate(footprints_m))


def build(
    imagery: Imagery,
    engine: Engine,
    out: Path,
    *,
    footprints_m: Sequence[float] = FOOTPRINTS_M,
    stride_m: float | None = None,
    accuracy_ce90_m: float = ACCURACY_CE90_M,
    heights: Heights | None = None,
    embedder: Embedder | None = None,
    building: Workspace | None = None,
    tick: Tick = lambda done, total: None,
) -> BuildResult:
    """Embed every window of the map and write the cache ``out``.

    ``stride_m`` None is a quarter of each footprint; ``heights`` are of the ground under all of the map; ``embedder``
    None two threads, so that pictures are read while others are embedded. The bytes are the same whichever embeds. What
    a killed build has finished is not done again. Raises ImageryError when nothing can be seen, CacheError when the
    folder of another unfinished build lies there.
    """
    job = EmbedJob(imagery.path, grids_of(footprints_m, stride_m), _inner(imagery, engine.side_px, max(footprints_m)))
    facts = imagery_facts(imagery, accuracy_ce90_m)
    asked = asked_of(engine, job.grids, accuracy_ce90_m, None if heights is None else heights.told())
    building = building or Workspace(out, {"map": facts["sha256"], **asked})
    try:
        blocks = _blocks(job, imagery)
        left = [block for block in blocks if not building.has(block)]
        done = _Counter(job.count(blocks) - job.count(left), job.count(blocks), tick)
        (embedder or partial(in_threads, workers=2))(job, engine, left, keep=building.keep, tick=done.more)
        levels = _levels(job.grids, blocks, building)
        if not any(level["rows"] for level in levels):
            raise ImageryError(f"the map shows nothing: of {done.total} windows {left_out_text(_left_out(levels))}")
        metadata = {
            "encoder": _encoder(engine),
            "levels": levels,
            "bounds_deg": imagery.bounds.as_degrees(),
            "imagery": facts,
            "sources": sources_of(imagery),
        }
        rows = (building.rows(block) for block in blocks)
        write_rows(building.cache_path, metadata, rows, (imagery.path, imagery.zoom), heights)
    except (ImageryError, CacheError):  # of the map or the encoder: what is finished is of no use
        building.remove()
        raise
    building.finish()
    return result_of(metadata)


def asked_of(engine: Engine, grids: Sequence[Grid], accuracy_ce90_m: float, dem: object = None) -> dict[str, Any]:
    """What tells one build from another, beside its imagery; ``dem`` tells its terrain model from another."""
    asked = {
        "encoder": engine.encoder_sha256,
        "precision": engine.precision,
        "footprints_m": [grid.footprint_m for grid in grids],
        "strides_m": [grid.stride_m for grid in grids],
        "accuracy_ce90_m": accuracy_ce90_m,
    }
    return asked if dem is None else {**asked, "dem": dem}


def result_of(metadata: Mapping[str, Any]) -> BuildResult:
    """What a cache's metadata says of its build."""
    levels = metadata["levels"]
    return BuildResult(tuple(level["rows"] for level in levels), _left_out(levels))


def _left_out(levels: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {reason.value: sum(level["left_out"][reason.value] for level in levels) for reason in LeftOut}


def _inner(imagery: Imagery, side_px: int, footprint_m: float) -> Bounds:
    """The map's box but for a rim that a window's interpolation would reach beyond: a pixel of map and encoder each."""
    bounds = imagery.bounds
    px = imagery.metres_per_px + footprint_m / side_px / ground_scale(bounds.centre.lat)
    return Bounds(bounds.west + px, bounds.south + px, bounds.east - px, bounds.north - px)


def _blocks(job: EmbedJob, imagery: Imagery) -> list[Block]:
    """All blocks that have a window on the map, in the cache's order; raises ImageryError where there is none."""
    least_m, pixel_m = job.grids[0].footprint_m, imagery.metres_per_px * ground_scale(imagery.bounds.centre.lat)
    if least_m < _LEAST_PX * pixel_m:
        raise ImageryError(
            f"the map shows {pixel_m:.3g} m a pixel: a tile of {least_m:g} m would be {least_m / pixel_m:.1f} pixels "
            f"wide, expected {_LEAST_PX}; give a finer map, or --footprints from {math.ceil(_LEAST_PX * pixel_m)} m"
        )
    scale = ground_scale(imagery.bounds.centre.lat)
    near = imagery.patches(max(grid.footprint_m for grid in job.grids) / scale)  # nothing is seen further from a tile
    blocks = [block for grid in job.grids for block in grid.blocks(*near) if grid.count(block, job.bounds)]
    if not blocks:
        raise ImageryError(f"the map is too small: no tile of {least_m:.0f} m fits in it; give smaller --footprints")
    return blocks


def _levels(grids: Sequence[Grid], blocks: Sequence[Block], building: Workspace) -> list[dict[str, Any]]:
    """What the metadata states of each level."""
    levels: list[dict[str, Any]] = [
        {
            "footprint_m": grid.footprint_m,
            "stride_m": grid.stride_m,
            "rows": 0,
            "left_out": dict.fromkeys((reason.value for reason in LeftOut), 0),
        }
        for grid in grids
    ]
    for block in blocks:
        counts, level = building.counts(block), levels[block.level]
        level["rows"] += counts.rows
        for reason, windows in counts.left_out.items():
            level["left_out"][reason] += windows
    return levels


def left_out_text(left_out: Mapping[str, int]) -> str:
    """Windows that have no row, for people."""
    return ", ".join(f"{windows} {reason}" for reason, windows in left_out.items() if windows) or "none"


def _encoder(engine: Engine) -> dict[str, Any]:
    return {
        "name": engine.name.partition(",")[0],
        "sha256": engine.encoder_sha256,
        "precision": engine.precision,
        "dim": engine.dim,
    }


class _Counter:
    """Turns windows that were done into ticks."""

    def __init__(self, done: int, total: int, tick: Tick) -> None:
        self.done, self.total, self._tick = done, total, tick
        tick(done, total)

    def more(self, windows: int) -> None:
        self.done += windows
        self._tick(self.done, self.total)
