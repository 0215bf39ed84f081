"""Imagery -> windows in metres on a few levels -> embeddings -> cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageryError
from runtime.model.engine import Engine
from runtime.model.preprocess import encoder_input
from runtime.tiles.cache import imagery_facts
from runtime.tiles.grid import Window, windows_over
from runtime.tiles.imagery import Imagery
from runtime.tiles.layout import to_rows, write_rows

T = TypeVar("T")
Tick = Callable[[int, int], None]  # done, total

FOOTPRINTS_M = (45.0, 64.0, 90.0, 128.0)  # sqrt(2) apart: any scale is within 19% of a level
STRIDE_SHARE = 0.25
MIN_SEEN = 0.75  # of a window, or it is left out
MIN_CONTRAST = 2.0  # standard deviation in grey levels: less is a blank sheet
BATCH = 16
ACCURACY_CE90_M = 8.5  # what is commonly stated for satellite mosaics made without ground control


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build wrote and what it left out."""

    rows: int
    left_out: int
    rows_by_level: tuple[int, ...]


def build(
    imagery: Imagery,
    engine: Engine,
    out: Path,
    *,
    footprints_m: tuple[float, ...] = FOOTPRINTS_M,
    accuracy_ce90_m: float = ACCURACY_CE90_M,
    tick: Tick = lambda done, total: None,
) -> BuildResult:
    """Embed every window of the map and write the cache ``out``; raises ImageryError when nothing can be seen."""
    windows = [
        w
        for level, footprint_m in enumerate(footprints_m)
        for w in windows_over(imagery.bounds, level, footprint_m, footprint_m * STRIDE_SHARE)
    ]
    if not windows:
        raise ImageryError(
            f"the map is too small: no tile of {min(footprints_m):.0f} m fits in it; give smaller --footprints"
        )
    kept: list[Window] = []
    embeddings: list[NDArray[np.float32]] = []
    for done, (batch, pictures) in enumerate(_pictures_ahead(imagery, windows, engine.side_px), 1):
        if batch:
            kept += batch
            embeddings.append(engine.embed(pictures))
        tick(min(done * BATCH, len(windows)), len(windows))
    if not kept:
        raise ImageryError(f"the map shows nothing: all {len(windows)} windows are blank or mostly missing")
    counts = tuple(sum(w.level == level for w in kept) for level in range(len(footprints_m)))
    rows = to_rows(
        np.concatenate(embeddings),
        np.array([w.place for w in kept], np.float64),
        np.array([w.level for w in kept], np.uint8),
    )
    write_rows(
        out,
        _metadata(imagery, engine, footprints_m, counts, accuracy_ce90_m),
        [rows],
        (imagery.path, imagery.zoom),
    )
    return BuildResult(len(kept), len(windows) - len(kept), counts)


def _pictures_ahead(
    imagery: Imagery, windows: list[Window], side_px: int
) -> Iterator[tuple[list[Window], NDArray[np.uint8]]]:
    """Batches of windows that show something, with their pictures; one batch is read while another is embedded."""

    def read(batch: list[Window]) -> tuple[list[Window], NDArray[np.uint8]]:
        pictures = [window_picture(imagery, w, side_px) for w in batch]
        good = [(w, p) for w, p in zip(batch, pictures, strict=True) if p is not None]
        return [w for w, _ in good], np.array([p for _, p in good], np.uint8)

    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = None
        for batch in _batches(windows, BATCH):
            coming = reader.submit(read, batch)
            if ahead is not None:
                yield ahead.result()
            ahead = coming
        if ahead is not None:
            yield ahead.result()


def window_picture(imagery: Imagery, window: Window, side_px: int) -> NDArray[np.uint8] | None:
    """What the encoder reads for a window; None where the map is mostly missing or blank."""
    picture, seen = imagery.window(window.centre, window.side_m, side_px)
    if not seen.mean() >= MIN_SEEN or not picture[seen].std() >= MIN_CONTRAST:
        return None
    return encoder_input(picture, seen, side_px)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _metadata(
    imagery: Imagery,
    engine: Engine,
    footprints_m: tuple[float, ...],
    counts: tuple[int, ...],
    accuracy_ce90_m: float,
) -> dict[str, Any]:
    stated = imagery.metadata
    return {
        "encoder": {
            "name": engine.name.partition(",")[0],
            "sha256": engine.encoder_sha256,
            "precision": engine.precision,
            "dim": engine.dim,
        },
        "levels": [
            {"footprint_m": f, "stride_m": f * STRIDE_SHARE, "rows": n}
            for f, n in zip(footprints_m, counts, strict=True)
        ],
        "bounds_deg": imagery.bounds.as_degrees(),
        "imagery": imagery_facts(imagery, accuracy_ce90_m),
        "sources": [{key: stated.get(key, "") for key in ("name", "date", "attribution")}],
    }
