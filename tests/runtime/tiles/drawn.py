"""The metadata of caches that tests draw, without a map or an encoder."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.tiles.metadata import CacheMetadata, EncoderFacts, Level, MapFacts


def metadata_of(levels: Sequence[tuple[float, float, int]], dim: int) -> CacheMetadata:
    """``levels`` are footprint and stride in metres, and rows."""
    return CacheMetadata(
        EncoderFacts("toy", "ab" * 32, "fp32", dim),
        tuple(Level(footprint_m, stride_m, rows, {}) for footprint_m, stride_m, rows in levels),
        (8.0, 47.0, 8.1, 47.1),
        MapFacts(5.0, "", 1, (18, 0, 0, 0, 0)),
        (),
    )
