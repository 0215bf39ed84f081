"""However many threads or machines embed a map, the cache has the same bytes; what goes wrong is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.tiles.__main__ import main
from tests.runtime.tiles.building.drawn import build_like_toy_tiles, check_same


@pytest.mark.parametrize("options", [("--workers", "1"), ("--workers", "5"), ("--workers", "3", "--threads", "2")])
def test_any_number_of_workers_writes_the_same_bytes(
    options: tuple[str, ...], small_world: Path, toy_bundle: Path, toy_tiles: Path, tmp_path: Path
) -> None:
    out = tmp_path / "town.tiles"
    assert main([*build_like_toy_tiles(small_world, toy_bundle, out), *options]) == 0
    check_same(out, toy_tiles)
