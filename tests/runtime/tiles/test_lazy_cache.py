"""A cache opened for flight: what is read is checked, what is not read is not, and nothing altered becomes a fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.daemon.__main__ import main as daemon
from runtime.errors import CacheError
from runtime.tiles.cache import TileCache
from runtime.tiles.search import Searcher
from tests.runtime.tiles.large_cache import COUNT, DIM, WIDTH, starts


def test_the_metadata_and_the_hashes_are_checked_at_once(large: Path, tmp_path: Path) -> None:
    whole = large.read_bytes()
    path, rows_at = tmp_path / "a.tiles", min(starts(large)[name] for name in ("level", "embedding"))
    for at in (whole.index(b"footprint_m"), rows_at - 1, rows_at - 32):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(CacheError):
            TileCache.open(path, lazy=True)


SEARCHES: dict[str, Callable[[Searcher, NDArray[np.float32]], object]] = {
    "scan": lambda searcher, query: searcher.scan(query, slice(None)),
    "exact": lambda searcher, query: searcher.exact(query[0], np.arange(COUNT)),
}


@pytest.mark.parametrize(
    ("name", "refusing"), [("embedding", {"scan", "exact"}), ("scale", {"scan", "exact"}), ("centre", {"exact"})]
)
def test_no_search_reads_a_row_that_was_altered(name: str, refusing: set[str], large: Path, tmp_path: Path) -> None:
    data, row = bytearray(large.read_bytes()), 7777
    data[starts(large)[name] + row * WIDTH[name]] ^= 1
    (tmp_path / "a.tiles").write_bytes(data)
    query = np.random.default_rng(1).normal(size=(1, DIM)).astype(np.float32)
    refused = set()
    for how, search in SEARCHES.items():
        try:
            search(Searcher(TileCache.open(tmp_path / "a.tiles", lazy=True), threads=2), query)
        except CacheError:
            refused.add(how)
    assert refused == refusing


@pytest.mark.parametrize("suffix", [".tiles", ".mbtiles"])
def test_a_map_altered_after_it_was_copied_gives_no_fix_and_ends_the_daemon_in_one_line(
    *, suffix: str, small_world: Path, toy_tiles: Path, toy_bundle: Path, matcher: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    copy = Path(shutil.copy(toy_tiles, tmp_path))
    shutil.copy(toy_tiles.with_suffix(".mbtiles"), tmp_path)
    spoilt = copy.with_suffix(suffix)
    data = bytearray(spoilt.read_bytes())
    for at in range(len(data) * 3 // 4, len(data) * 3 // 4 + 4096, 64):  # far behind the header
        data[at] ^= 4
    spoilt.write_bytes(data)
    config = tmp_path / "skyfix.toml"
    flight = small_world / "flight"
    config.write_text(
        f'[map]\ntiles = "{copy}"\n[model]\nbundle = "{toy_bundle}"\nmatcher = "{matcher}"\n'
        f'[camera]\nsource = "{flight}"\ncalibration = "{flight}/camera.yaml"\n'
        f'[[link]]\nkind = "jsonl"\npath = "{tmp_path / "fixes.jsonl"}"\n'
    )
    assert daemon(["--config", str(config)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert "was altered" in said[-1]
    assert all(line.startswith("runtime.daemon: ") for line in said)
    assert "lat" not in (tmp_path / "fixes.jsonl").read_text()
