"""Builds on a Ray cluster: the bytes of one machine, and what goes wrong told in a line."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.maps.imagery import Imagery
from runtime.tiles.__main__ import main
from runtime.tiles.building.embed_block import EmbedJob
from runtime.tiles.building.ray_cluster import _piece
from runtime.tiles.windows import Grid
from tests.runtime.tiles.building.drawn import build_like_toy_tiles, check_same

# Ray warns of its own older names, and leaves sockets and log files to the garbage collector.
QUIET = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:ray", "ignore::FutureWarning:ray", "ignore::ResourceWarning"
)


class Seeing:
    """An engine whose embedding is some of the picture itself."""

    name, encoder_sha256, precision, side_px, dim = "seeing", "", "fp32", 64, 192

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = pictures[:, ::8, ::8].reshape(len(pictures), -1).astype(np.float32) + 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("side_m", [40.0, 90.0])
def test_a_block_s_piece_of_the_map_holds_all_that_its_windows_show(
    side_m: float, toy_tiles: Path, tmp_path: Path
) -> None:
    """Blocks of 64 m and of 144 m, so that many of their edges lie within the map."""
    whole, engine = Imagery(toy_tiles.with_suffix(".mbtiles")), Seeing()
    grid = Grid(0, side_m, side_m / 20)
    job = EmbedJob(whole.path, (grid,), whole.bounds)
    pieces = 0
    for block in grid.blocks(whole.bounds):
        data = _piece(job, whole, block)
        (tmp_path / "piece.mbtiles").write_bytes(data)
        with contextlib.closing(Imagery(tmp_path / "piece.mbtiles")) as piece:
            same = job.embed(piece, engine, block, lambda windows: None)
        assert same == job.embed(whole, engine, block, lambda windows: None)
        pieces += len(data) < whole.path.stat().st_size
    assert pieces
    whole.close()


@QUIET
def test_a_ray_cluster_writes_the_same_bytes(
    small_world: Path, toy_bundle: Path, toy_tiles: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'skyfix[ray]'")
    out = tmp_path / "town.tiles"
    assert main([*build_like_toy_tiles(small_world, toy_bundle, out), "--ray", "local"]) == 0
    check_same(out, toy_tiles)


def test_a_missing_ray_is_told_with_the_command_that_mends_it(
    small_world: Path,
    toy_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*build_like_toy_tiles(small_world, toy_bundle, tmp_path / "town.tiles"), "--ray", "local"]) == 1
    error = capsys.readouterr().err
    assert "pip install 'skyfix[ray]'" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_cluster_that_does_not_answer_is_told_at_once(
    small_world: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'skyfix[ray]'")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    assert main([*build_like_toy_tiles(small_world, toy_bundle, tmp_path / "town.tiles"), "--ray", address]) == 1
    error = capsys.readouterr().err
    assert f"no Ray cluster answers at --ray {address}" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@QUIET
@pytest.mark.parametrize("options", [("--workers", "2"), ("--ray", "local")])
def test_what_a_worker_finds_wrong_is_told_in_one_line(
    options: tuple[str, str], toy_tiles: Path, toy_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A tile of the map that is no picture."""
    if options[0] == "--ray":
        pytest.importorskip("ray", reason="Ray is not installed: pip install 'skyfix[ray]'")
    source = Path(shutil.copy(toy_tiles.with_suffix(".mbtiles"), tmp_path / "broken.mbtiles"))
    with contextlib.closing(sqlite3.connect(source)) as db:
        column, row = db.execute("SELECT tile_column, tile_row FROM tiles LIMIT 1 OFFSET 20").fetchone()
        db.execute("UPDATE tiles SET tile_data = x'00' WHERE tile_column = ? AND tile_row = ?", (column, row))
        db.commit()
    arguments = ["build", "--imagery", str(source), "--bundle", str(toy_bundle), "--out", str(tmp_path / "a.tiles")]
    assert main([*arguments, "--footprints", "45", *options]) == 1
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert f"/{column}/" in error
    assert "is not a 256-pixel JPEG or PNG" in error
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mbtiles"]
