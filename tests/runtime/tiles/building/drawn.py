"""What several tests of this room draw."""

from __future__ import annotations

from pathlib import Path


def command(small_world: Path, bundle: Path, out: Path) -> list[str]:
    """As the cache ``toy_tiles`` was built."""
    return ["build", "--imagery", str(small_world / "map.tif"), "--bundle", str(bundle), "--out", str(out),
            "--footprints", "32", "45"]  # fmt: skip


def check_same(out: Path, wanted: Path) -> None:
    for suffix in (".tiles", ".mbtiles"):
        assert out.with_suffix(suffix).read_bytes() == wanted.with_suffix(suffix).read_bytes()
    assert sorted(path.name for path in out.parent.iterdir()) == [out.with_suffix(".mbtiles").name, out.name]
