"""Imagery -> windows in metres on a few levels -> embeddings -> cache; resumable, the same bytes however it is run."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runtime.errors import CacheError, ImageryError
from runtime.geo.bounds import Bounds
from runtime.geo.mercator import ground_scale
from runtime.maps.heights import Heights
from runtime.maps.imagery import Imagery
from runtime.maps.mosaic import sources_of
from runtime.model.engine import Engine
from runtime.tiles.building.embed_block import EmbedJob
from runtime.tiles.building.spec import BuildSpec
from runtime.tiles.building.threads import Embedder, in_threads
from runtime.tiles.building.window_filter import LeftOut
from runtime.tiles.building.workspace import Workspace
from runtime.tiles.cache import map_facts
from runtime.tiles.format import write_rows
from runtime.tiles.metadata import CacheMetadata, EncoderFacts, Level, left_out_text
from runtime.tiles.windows import Block, Grid
from runtime.types import Tick

logger = logging.getLogger(__name__)

_LEAST_PX = 16  # of the map across a window: fewer show nothing to be recognised by


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build wrote and what it left out."""

    rows_by_level: tuple[int, ...]
    left_out: Mapping[str, int]  # windows by reason

    @property
    def rows(self) -> int:
        """The number of rows on all levels."""
        return sum(self.rows_by_level)


def build(
    imagery: Imagery,
    engine: Engine,
    out: Path,
    spec: BuildSpec | None = None,
    *,
    heights: Heights | None = None,
    embedder: Embedder | None = None,
    workspace: Workspace | None = None,
    tick: Tick = lambda done, total: None,
) -> BuildResult:
    """Embed every window of the map and write the cache ``out``.

    ``heights`` are of the ground under all of the map; ``embedder`` None is two threads, so that pictures are read
    while others are embedded. The bytes are the same whichever embeds. ``workspace`` keeps what is finished, so that a
    killed build does not do it again. Raises ImageryError when nothing can be seen, CacheError when the folder of
    another unfinished build lies there.
    """
    spec = spec or BuildSpec()
    facts = map_facts(imagery, spec.accuracy_ce90_m)
    grids = spec.grids()
    job = EmbedJob(imagery.path, grids, _inner(imagery, engine.side_px, max(spec.footprints_m)))
    if workspace is None:
        dem = None if heights is None else next(iter(heights.sources), None)
        maps = [(source, facts.sha256) for source in sources_of(imagery)]
        workspace = Workspace(out, spec.fingerprint(engine, maps, dem))
    try:
        blocks = _blocks(job, imagery)
        left = [block for block in blocks if not workspace.has(block)]
        logger.debug("%d blocks, of which %d are finished", len(blocks), len(blocks) - len(left))
        done = _Counter(job.count(blocks) - job.count(left), job.count(blocks), tick)
        (embedder or partial(in_threads, workers=2))(job, engine, left, keep=workspace.keep, tick=done.more)
        levels = _levels(grids, blocks, workspace)
        if not any(level.rows for level in levels):
            raise ImageryError(f"the map shows nothing: of {done.total} windows {left_out_text(_left_out(levels))}")
        bounds_deg = imagery.bounds.as_degrees()
        metadata = CacheMetadata(_encoder(engine), levels, bounds_deg, facts, sources_of(imagery))
        rows = (workspace.rows(block) for block in blocks)
        write_rows(workspace.cache_path, metadata, rows, (imagery.path, imagery.zoom), heights)
    except (ImageryError, CacheError):  # of the map or the encoder: what is finished is of no use
        workspace.remove()
        raise
    workspace.finish()
    return BuildResult(tuple(level.rows for level in levels), _left_out(levels))


def _left_out(levels: Sequence[Level]) -> dict[str, int]:
    return {reason.value: sum(level.left_out[reason.value] for level in levels) for reason in LeftOut}


def _inner(imagery: Imagery, side_px: int, footprint_m: float) -> Bounds:
    """Take a rim off the map's box, a pixel of map and of encoder each: a window's interpolation reaches beyond it."""
    bounds = imagery.bounds
    px = imagery.metres_per_px + footprint_m / side_px / ground_scale(bounds.centre.lat)
    return Bounds(bounds.west + px, bounds.south + px, bounds.east - px, bounds.north - px)


def _blocks(job: EmbedJob, imagery: Imagery) -> list[Block]:
    """List all blocks that have a window on the map, in the cache's order; raises ImageryError where there is none."""
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


def _levels(grids: Sequence[Grid], blocks: Sequence[Block], workspace: Workspace) -> tuple[Level, ...]:
    """Add up what the finished blocks hold of each level."""
    rows = [0] * len(grids)
    left_out = [dict.fromkeys((reason.value for reason in LeftOut), 0) for _ in grids]
    for block in blocks:
        counts = workspace.counts(block)
        rows[block.level] += counts.rows
        for reason, windows in counts.left_out.items():
            left_out[block.level][reason] += windows
    return tuple(
        Level(grid.footprint_m, grid.stride_m, count, windows)
        for grid, count, windows in zip(grids, rows, left_out, strict=True)
    )


def _encoder(engine: Engine) -> EncoderFacts:
    return EncoderFacts(engine.name.partition(",")[0], engine.encoder_sha256, engine.precision, engine.dim)


class _Counter:
    """Turns windows that were done into ticks."""

    def __init__(self, done: int, total: int, tick: Tick) -> None:
        self.done, self.total, self._tick = done, total, tick
        tick(done, total)

    def more(self, windows: int) -> None:
        self.done += windows
        self._tick(self.done, self.total)
