"""What a cache states of itself."""

from __future__ import annotations

import json
from pathlib import Path

from runtime.tiles.cache import TileCache
from runtime.tiles.metadata import CacheMetadata


def test_the_metadata_is_json_with_what_the_contract_lists(toy_tiles: Path) -> None:
    metadata = json.loads(json.dumps(TileCache.open(toy_tiles).metadata.to_json()))
    assert CacheMetadata.from_json(metadata) == TileCache.open(toy_tiles).metadata
    assert set(metadata) == {"format", "encoder", "levels", "bounds_deg", "imagery", "sources"}
    assert set(metadata["encoder"]) == {"name", "sha256", "precision", "dim"}
    assert set(metadata["imagery"]) == {"accuracy_ce90_m", "sha256", "bytes", "corners"}
    assert all(set(source) == {"name", "date", "attribution"} for source in metadata["sources"])
    assert all(set(level) == {"footprint_m", "stride_m", "rows", "left_out"} for level in metadata["levels"])
