"""What several tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.geo.local import LocalFrame
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from tests.runtime.maps.hills import command, write_dem


@pytest.fixture(scope="session")
def middle(toy_tiles: Path) -> LocalFrame:
    return LocalFrame(TileCache.open(toy_tiles).open_imagery().bounds.centre)


@pytest.fixture(scope="session")
def dem(middle: LocalFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dem(tmp_path_factory.mktemp("dem") / "hills.tif", middle)


@pytest.fixture(scope="session")
def hilly(toy_tiles: Path, toy_bundle: Path, dem: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy cache again, with heights; not to be written to."""
    out = tmp_path_factory.mktemp("hilly") / "town.tiles"
    assert main(command(toy_tiles, toy_bundle, out, dem)) == 0
    return out
