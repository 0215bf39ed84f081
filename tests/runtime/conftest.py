"""What several tests of this room share."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from runtime.tiles.format import Rows, write_rows
from tests.runtime.tiles.drawn import metadata_of
from tests.runtime.tiles.large_cache import COUNT, DIM


@pytest.fixture
def cache_copy(toy_tiles: Path, tmp_path: Path) -> Path:
    shutil.copy(toy_tiles.with_suffix(".mbtiles"), tmp_path)
    return Path(shutil.copy(toy_tiles, tmp_path))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "a.tiles"
    rng = np.random.default_rng(0)
    rows = Rows(
        rng.integers(-127, 128, (COUNT, DIM), np.int8), rng.uniform(size=COUNT).astype(np.float32),
        rng.uniform(-80, 80, (COUNT, 2)), np.zeros(COUNT, np.uint8)
    )  # fmt: skip
    write_rows(path, metadata_of([(45.0, 11.25, COUNT)], DIM), [rows])
    return path
