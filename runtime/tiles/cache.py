"""The tile cache: one safetensors file of embeddings with their places, and the imagery beside it.

Format 2. Tensors: ``embedding`` (N, D) int8, ``scale`` (N,) float32, ``centre`` (N, 2) float64 lat/lon, ``level`` (N,)
uint8, ordered by :mod:`runtime.tiles.windows`; ``hash`` (B, 32), SHA-256 of each MiB of these four; ``map_square``
(M, 2) int32 and ``map_hash`` (M, 32), of the imagery (:mod:`runtime.integrity`). Metadata key ``skyfix``: JSON with
format, encoder (name, sha256, precision, dim), levels (footprint_m, stride_m, rows, left_out), bounds_deg, imagery
(accuracy_ce90_m, sha256, bytes, corners), sources (name, date, attribution) and ``sha256`` over all of these and the
hashes. Format 3 is the same with ``height`` (H, W) float32, hashed after the four, and its ``terrain`` in the metadata:
cells, top, left, shape, sources (:mod:`runtime.maps.heights`). Format 4 is either of them with an ``alignment`` in the
metadata: east_m, north_m, frames, flights (:mod:`runtime.align`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from runtime.errors import CacheEngineError, CacheError
from runtime.files import sha256_of
from runtime.geo.mercator import Tile
from runtime.integrity import BUILD, Hashes, MapGuard, RowGuard, hashes_of
from runtime.maps.heights import Heights
from runtime.maps.imagery import Imagery
from runtime.model.engine import Engine
from runtime.tiles.format import (
    ALIGNED_FORMAT,
    FORMAT,
    HEIGHT,
    ROW_TENSORS,
    TERRAIN_FORMAT,
    dtype_of,
    hashed,
    root_hash,
    shapes,
)
from runtime.tiles.metadata import CacheMetadata, MapFacts

logger = logging.getLogger(__name__)


def _no_squares() -> NDArray[np.int32]:
    return np.empty((0, 2), np.int32)


def _no_hashes() -> Hashes:
    return np.empty((0, 32), np.uint8)


@dataclass(frozen=True, slots=True)
class TileCache:
    """A cache whose rows are memory-mapped."""

    path: Path
    metadata: CacheMetadata
    embedding: NDArray[np.int8]  # (N, D)
    scale: NDArray[np.float32]  # (N,)
    centre: NDArray[np.float64]  # (N, 2) lat, lon
    level: NDArray[np.uint8]  # (N,)
    map_square: NDArray[np.int32] = field(default_factory=_no_squares)  # (M, 2)
    map_hash: Hashes = field(default_factory=_no_hashes)  # (M, 32)
    height: NDArray[np.float32] | None = None  # (H, W) of the ground
    guard: RowGuard | None = None  # of a cache that was opened lazily

    @classmethod
    def open(cls, path: Path, *, lazy: bool = False) -> TileCache:
        """Map the file and check all its hashes; raises CacheError.

        ``lazy`` checks the metadata and the list of hashes alone, in milliseconds whatever the size: then
        :meth:`check_rows` is to be called before rows are read, and the imagery is checked where it is looked at.
        """
        values = _read_metadata(path)
        stated = values.pop("sha256", None)
        metadata = _parsed(path, values)
        tensors = _map_tensors(path, metadata)
        hashes = tensors.pop("hash")
        if stated != root_hash(values, {"hash": hashes, **tensors}):
            raise CacheError(
                f"{path} was altered: it does not have the hash that it states; build it again: {BUILD} {path}"
            )
        guard = RowGuard(path, {name: tensors[name] for name in hashed(tensors)}, hashes)
        if not lazy:
            guard.check(slice(None))
        how = "pieces are checked when they are read" if lazy else "all hashes good"
        logger.debug("opened %s: %d tiles on %d levels, %s", path, metadata.rows, len(metadata.levels), how)
        return cls(path, metadata, **tensors, guard=guard if lazy else None)

    def check_rows(self, rows: slice | NDArray[np.int64], names: Iterable[str] = ()) -> None:
        """Compare what holds these rows with its hashes, each piece once; of some tensors (the rows' four by default).

        Raises CacheError where it was altered. Does nothing in a cache that was checked when it was opened.
        """
        if self.guard is not None:
            self.guard.check(rows, names or ROW_TENSORS)

    @property
    def heights(self) -> Heights | None:
        """Heights of the ground, where the cache was built with a terrain model; checked where they are read."""
        if self.height is None or self.metadata.terrain is None:
            return None
        return Heights.on(self.metadata.terrain, self.height, lambda rows: self.check_rows(rows, (HEIGHT,)))

    @property
    def sha256(self) -> str:
        """The hash of all of the cache; the hash of the imagery beside it is part of what is hashed."""
        held = ROW_TENSORS if self.height is None else (*ROW_TENSORS, HEIGHT)
        hashes = np.concatenate([hashes_of(getattr(self, name)) for name in held])
        tensors: dict[str, Any] = {"hash": hashes, "map_square": self.map_square, "map_hash": self.map_hash}
        return root_hash(self.metadata.to_json(), tensors)

    @property
    def imagery_path(self) -> Path:
        """The map beside the cache."""
        return self.path.with_suffix(".mbtiles")

    @property
    def footprints_m(self) -> tuple[float, ...]:
        """The side of a tile on each level, smallest first."""
        return tuple(float(level.footprint_m) for level in self.metadata.levels)

    @property
    def accuracy_ce90_m(self) -> float:
        """How well the imagery is placed: 90% of its points lie within this many metres of where it shows them."""
        return float(self.metadata.imagery.accuracy_ce90_m)

    def check_engine(self, engine: Engine) -> None:
        """Raise CacheEngineError when the rows are another model's, or another precision's."""
        encoder = self.metadata.encoder
        if (encoder.sha256, encoder.precision) != (engine.encoder_sha256, engine.precision):
            raise CacheEngineError(
                f"{self.path} was built with {encoder.name} ({encoder.sha256[:12]}), but the engine is "
                f"{engine.name} ({engine.encoder_sha256[:12]}); give its --bundle or build again: {BUILD} {self.path}"
            )

    def open_imagery(self) -> Imagery:
        """Open the imagery that the cache was built from; raises CacheError or ImageryError.

        Its hash is checked now, or in a lazy cache square by square, when it is looked at.
        """
        stated, path, lazy = self.metadata.imagery, self.imagery_path, self.guard is not None
        whole = path.is_file() and path.stat().st_size == stated.bytes
        if path.is_file() and not (whole and (lazy or sha256_of(path) == stated.sha256)):
            raise CacheError(f"{path} is not the map that {self.path} was built from; build again: {BUILD} {self.path}")
        if not lazy:
            return Imagery(path)
        zoom, left, top, right, bottom = stated.corners
        corners = Tile(zoom, left, top), Tile(zoom, right, bottom)
        return Imagery(path, corners=corners, guard=MapGuard(path, self.map_square, self.map_hash))


def map_facts(imagery: Imagery, accuracy_ce90_m: float) -> MapFacts:
    """Describe the imagery beside a cache, as its metadata states it."""
    low, high = imagery.corners
    return MapFacts(
        accuracy_ce90_m,
        sha256_of(imagery.path),
        imagery.path.stat().st_size,
        (imagery.zoom, low.x, low.y, high.x, high.y),
    )


def _read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata's JSON, not yet compared with its hash; raises CacheError."""
    if path.is_dir():
        raise CacheError(f"{path} is a folder; expected a tile cache: {BUILD} NAME.tiles")
    if not path.is_file():
        raise CacheError(f"{path} is missing; build it: {BUILD} {path}")
    try:
        with safe_open(path, "numpy") as file:
            text = (file.metadata() or {}).get("skyfix")
    except (SafetensorError, OSError) as error:
        raise CacheError(f"{path} is truncated or no tile cache ({error}); build it again: {BUILD} {path}") from None
    try:
        metadata: dict[str, Any] = json.loads(text or "")
    except json.JSONDecodeError:
        raise CacheError(f"{path} is no tile cache of Skyfix's; build one: {BUILD} {path}") from None
    held = metadata.get("format")
    if held not in {FORMAT, TERRAIN_FORMAT, ALIGNED_FORMAT}:
        older = isinstance(held, int) and held < FORMAT
        mend = f"build it again: {BUILD} {path}" if older else "update it"
        raise CacheError(f"{path} has cache format {held}; this Skyfix reads {FORMAT} to {ALIGNED_FORMAT}: {mend}")
    return metadata


def _parsed(path: Path, values: Mapping[str, Any]) -> CacheMetadata:
    try:
        return CacheMetadata.from_json(values)
    except (KeyError, TypeError, ValueError) as error:
        raise CacheError(f"{path} was altered: its metadata lacks {error}; build it again: {BUILD} {path}") from None


def _map_tensors(path: Path, metadata: CacheMetadata) -> dict[str, Any]:
    """Memory-map the tensors where the (already checked) header says they lie; safetensors itself would copy them."""
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    try:
        wanted = shapes(metadata, header["map_square"]["shape"][0])
        starts = {name: header[name]["data_offsets"][0] for name in wanted}
        if any(tuple(header[name]["shape"]) != shape for name, shape in wanted.items()):
            raise ValueError
    except (KeyError, TypeError, ValueError, IndexError):
        raise CacheError(
            f"{path} was altered: its tensors are not those it states; build it again: {BUILD} {path}"
        ) from None
    return {
        name: np.memmap(path, dtype_of(name), "r", offset=8 + header_bytes + starts[name], shape=shape)
        if shape[0]
        else np.empty(shape, dtype_of(name))
        for name, shape in wanted.items()
    }
