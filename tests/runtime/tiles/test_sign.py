"""Signatures of caches, by the commands that a user types."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from tests.runtime.tiles.drawn import middle_of

pytest.importorskip("cryptography", reason="cryptography is not installed: pip install 'skyfix[sign]'")


def test_only_its_owner_s_signature_of_these_very_bytes_is_good(
    cache_copy: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, other = tmp_path / "mine.key", tmp_path / "other.key"
    for key in (mine, other):
        assert main(["key", str(key)]) == 0
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    checked = ["verify", str(cache_copy), "--bundle", str(toy_bundle), "--public-key"]
    assert main([*checked, f"{mine}.pub"]) == 1, "not signed yet"
    assert main(["sign", str(cache_copy), "--key", str(mine)]) == 0
    assert main([*checked, f"{mine}.pub"]) == 0
    assert "signed by the owner" in capsys.readouterr().out

    assert main([*checked, f"{other}.pub"]) == 1
    assert "not signed by the owner" in capsys.readouterr().err
    cut = ["crop", str(cache_copy), "--around", "{:f},{:f},30".format(*middle_of(TileCache.open(cache_copy)))]
    assert main([*cut, "--out", str(tmp_path / "cut.tiles")]) == 0
    shutil.copy(f"{cache_copy}.sig", tmp_path / "cut.tiles.sig")
    assert main(["verify", str(tmp_path / "cut.tiles"), *checked[2:], f"{mine}.pub"]) == 1
    assert "signs another cache" in capsys.readouterr().err


@pytest.mark.parametrize("spoilt", ["{}", "", '{"sha256": "ab", "signature": "no hex"}'])
def test_a_spoilt_signature_or_key_is_told_in_one_line(
    spoilt: str, cache_copy: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "a.key"
    assert main(["key", str(key)]) == 0
    assert main(["key", str(key)]) == 1, "a key is not written over"
    cache_copy.with_name(cache_copy.name + ".sig").write_text(spoilt)
    checked = ["verify", str(cache_copy), "--bundle", str(toy_bundle), "--public-key"]
    capsys.readouterr()
    for public in (f"{key}.pub", str(key), str(cache_copy), str(tmp_path / "none")):
        assert main([*checked, public]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "python -m runtime.tiles" in error


@pytest.mark.parametrize("command", ["key", "sign", "verify"])
def test_a_missing_package_is_told_in_one_line(
    command: str,
    cache_copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    key = str(tmp_path / "a.key")
    more = {"key": [key], "sign": [str(cache_copy), "--key", key], "verify": [str(cache_copy), "--public-key", key]}
    assert main([command, *more[command]]) == 1
    error = capsys.readouterr().err
    assert "pip install 'skyfix[sign]'" in error
    assert error.count("\n") == 1


def test_the_hash_of_a_cache_is_the_one_it_states(toy_tiles: Path) -> None:
    cache = TileCache.open(toy_tiles)
    assert cache.sha256.encode() in toy_tiles.read_bytes()[:65536]
    assert (
        cache.sha256
        != TileCache(
            cache.path, cache.metadata, cache.embedding, np.flip(cache.scale), cache.centre, cache.level
        ).sha256
    )
