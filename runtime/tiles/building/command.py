"""``python -m runtime.tiles build``: maps are imported, a cache is built, and a summary says what came of it."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runtime.errors import CacheError, SettingsError, SkyfixError
from runtime.maps.dem import read_dem
from runtime.maps.heights import DemSource, Heights
from runtime.maps.imagery import Imagery
from runtime.maps.importing import identity, import_imagery, open_imported
from runtime.maps.mosaic import MapCredit, write_mosaic
from runtime.model.load import open_engine
from runtime.progress import progress
from runtime.tiles.building.build import BuildResult, build
from runtime.tiles.building.ray_cluster import check_cluster, on_ray
from runtime.tiles.building.spec import BuildSpec
from runtime.tiles.building.threads import Embedder, in_threads
from runtime.tiles.building.workspace import Workspace
from runtime.tiles.metadata import left_out_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BuildCommand:
    """The arguments of ``build``."""

    imagery: tuple[Path, ...]  # in the order of their rank
    out: Path
    spec: BuildSpec
    date: tuple[str, ...]  # once, or once a map
    attribution: tuple[str, ...]  # once, or once a map
    bundle: Path | None
    precision: str | None
    dem: Path | None
    workers: int  # 0: one a core
    threads: int  # of the encoder for each worker; 0: one
    ray: str | None  # address of a cluster

    def __post_init__(self) -> None:
        if self.workers < 0 or self.threads < 0:
            raise SettingsError("--workers and --threads are numbers of threads; expected 0 or more")
        if self.out.suffix != ".tiles":
            raise CacheError(f"--out {self.out} must end in .tiles; the map is written beside it as .mbtiles")
        for flag, texts in (("--date", self.date), ("--attribution", self.attribution)):
            if len(texts) not in {1, len(self.imagery)}:
                count = len(self.imagery)
                raise SettingsError(
                    f"{flag} was given {len(texts)} times for {count} maps; expected once, or once a map"
                )

    def sources(self) -> list[MapCredit]:
        """Describe each map as the arguments do."""
        count = len(self.imagery)
        dates, attributions = (texts * count if len(texts) == 1 else texts for texts in (self.date, self.attribution))
        return [MapCredit(p.stem, d, a) for p, d, a in zip(self.imagery, dates, attributions, strict=True)]

    def embedder(self) -> Embedder:
        """Choose where blocks are embedded; raises SettingsError where no cluster answers."""
        if self.ray is None:
            return partial(in_threads, workers=self.workers or os.cpu_count() or 1)
        check_cluster(self.ray)
        return partial(on_ray, address=self.ray, bundle=self.bundle)


def run_build(command: BuildCommand) -> None:
    """Import the maps, build the cache, print what was done; raises SkyfixError."""
    started = time.perf_counter()
    embedder, sources = command.embedder(), command.sources()
    engine = open_engine(command.bundle, command.precision, command.threads or 1)
    maps = [(source, identity(path)) for source, path in zip(sources, command.imagery, strict=True)]
    dem = None if command.dem is None else DemSource(command.dem.stem, identity(command.dem))
    workspace = Workspace(command.out, command.spec.fingerprint(engine, maps, dem))
    try:
        with contextlib.closing(_imported(command.imagery, sources, workspace)) as imagery, progress("tiles") as tick:
            result = build(
                imagery,
                engine,
                command.out,
                command.spec,
                heights=None if command.dem is None else _heights(command.dem, imagery, workspace),
                embedder=embedder,
                workspace=workspace,
                tick=tick,
            )
    except KeyboardInterrupt:
        logger.warning("%s keeps what is finished: the same command goes on from there", workspace.folder)
        raise
    _print_summary(command, result, time.perf_counter() - started)
    print(f"map: {command.out.with_suffix('.mbtiles')}, zoom {imagery.zoom}; encoder: {engine.name}")


def _imported(maps: Sequence[Path], sources: Sequence[MapCredit], workspace: Workspace) -> Imagery:
    """Import the maps, or open what was imported before this build was ended.

    What cannot be read leaves nothing behind.
    """
    try:
        if len(maps) == 1:
            return _import(maps[0], workspace.map_path, sources[0], "map")
        if not workspace.map_path.is_file():
            _import_mosaic(maps, sources, workspace)
        return Imagery(workspace.map_path)
    except SkyfixError:
        workspace.remove()
        raise


def _import_mosaic(maps: Sequence[Path], sources: Sequence[MapCredit], workspace: Workspace) -> None:
    parts = [
        _import(path, workspace.map_path.with_name(f"map-{i}.mbtiles"), source, f"map {i + 1}")
        for i, (path, source) in enumerate(zip(maps, sources, strict=True))
    ]
    with progress("mosaic") as tick:
        write_mosaic(parts, workspace.map_path, tick)
    for part in parts:
        part.close()
        part.path.unlink()


def _import(path: Path, out: Path, source: MapCredit, title: str) -> Imagery:
    if out.is_file():  # whole, from before the build was ended
        return open_imported(out, date=source.date, attribution=source.attribution)
    with progress(title) as tick:
        return import_imagery(path, out, name=source.name, date=source.date, attribution=source.attribution, tick=tick)


def _heights(dem: Path, imagery: Imagery, workspace: Workspace) -> Heights:
    try:
        return read_dem(dem, imagery)
    except SkyfixError:
        workspace.remove()
        raise


def _print_summary(command: BuildCommand, result: BuildResult, seconds: float) -> None:
    counts = zip(result.rows_by_level, command.spec.grids(), strict=True)
    levels = ", ".join(f"{rows} of {grid.footprint_m:g} m" for rows, grid in counts)
    left_out = left_out_text(result.left_out)
    print(f"{command.out}: {result.rows} tiles ({levels}); left out: {left_out}; {seconds:.1f} s")
