"""The cache: what it keeps, what it refuses, and that two builds are one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.errors import CacheError
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from tests.runtime.tiles.drawn import unit_rows, write_small


def test_what_was_written_is_read(tmp_path: Path) -> None:
    cache = TileCache.open(write_small(tmp_path / "a.tiles"))
    assert np.abs(cache.embedding * cache.scale[:, None] - unit_rows(5, 6)).max() < 0.004
    assert cache.centre[4] == pytest.approx((47.1, 8.1))
    assert cache.footprints_m == (45.0, 64.0)
    assert cache.metadata.level_rows(0) == slice(0, 2)
    assert cache.metadata.level_rows(1) == slice(2, 5)


def test_no_byte_can_be_altered_unseen(tmp_path: Path) -> None:
    path = write_small(tmp_path / "a.tiles")
    whole = path.read_bytes()
    held = TileCache.open(path)
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
        try:
            cache = TileCache.open(path)
        except CacheError:
            continue
        same = cache.metadata == held.metadata and (cache.centre == held.centre).all()
        assert same, f"byte {at}: {whole[max(at - 30, 0) : at + 10]!r}"
    for length in (0, 3, 8, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CacheError, match="build it again"):
            TileCache.open(path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    path.write_bytes(data)


def make_newer(path: Path) -> None:
    renumber(path, b"5")


def make_older(path: Path) -> None:
    renumber(path, b"1")


def renumber(path: Path, number: bytes) -> None:
    data = path.read_bytes()
    assert data.count(b'\\"format\\": 2') == 1
    path.write_bytes(data.replace(b'\\"format\\": 2', b'\\"format\\": ' + number))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "suffix", "said"),
    [
        (truncate, ".tiles", "truncated"),
        (empty, ".tiles", "truncated"),
        (alter, ".tiles", "altered"),
        (make_newer, ".tiles", "format 5; this Skyfix reads 2 to 4: update it"),
        (make_older, ".tiles", "format 1; this Skyfix reads 2 to 4: build it again"),
        (remove, ".tiles", "missing"),
        (alter, ".mbtiles", "is not the map"),
        (truncate, ".mbtiles", "is not the map"),
        (remove, ".mbtiles", "missing"),
    ],
)
def test_a_spoilt_cache_is_refused_in_one_line_that_says_how_to_mend_it(
    *, spoil: object, suffix: str, said: str, cache_copy: Path, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(spoil)
    spoil(cache_copy.with_suffix(suffix))
    assert main(["verify", str(cache_copy), "--bundle", str(toy_bundle)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert "python -m runtime.tiles build" in error or "update" in said


def test_a_cache_of_another_encoder_is_refused(
    toy_tiles: Path, other_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(toy_tiles), "--bundle", str(other_bundle)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "was built with toy" in error and "other" in error
