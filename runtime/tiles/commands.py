"""What ``python -m runtime.tiles`` does with a finished cache: info, verify, crop, merge, key, sign."""

from __future__ import annotations

import json
from pathlib import Path

from runtime.errors import CacheError
from runtime.geo.mercator import LatLon
from runtime.model.load import open_engine
from runtime.progress import progress
from runtime.tiles.cache import TileCache
from runtime.tiles.coverage import draw_coverage
from runtime.tiles.crop import crop
from runtime.tiles.info import print_info
from runtime.tiles.merge import merge
from runtime.tiles.sign import check_signature, make_key, sign_cache
from runtime.tiles.verify import worst_cosine


def run_info(path: Path, picture: Path | None, *, as_json: bool) -> None:
    """Print what a cache states of itself, for people or as one JSON object, and draw what it covers."""
    cache = TileCache.open(path)
    if as_json:
        print(json.dumps({**cache.metadata.to_json(), "rows": cache.metadata.rows, "sha256": cache.sha256}))
    else:
        print_info(cache)
    if picture:
        draw_coverage(cache, picture)
        if not as_json:
            print(f"wrote {picture}")


def run_verify(path: Path, bundle: Path | None, public_key: Path | None) -> None:
    """Check a cache's hashes and signature, and embed a sample of its tiles again; raises CacheError."""
    cache = TileCache.open(path)
    if public_key:
        check_signature(cache, public_key)
        print(f"{path}: signed by the owner of {public_key}")
    engine = open_engine(bundle, cache.metadata.encoder.precision, 0)
    cache.check_engine(engine)
    worst = worst_cosine(cache, cache.open_imagery(), engine)
    print(f"{path}: hashes good; sampled tiles embed to themselves, worst cosine {worst:.5f}")


def run_crop(path: Path, around: LatLon, radius_m: float, out: Path) -> None:
    """Cut a mission area out of a cache; raises CacheError."""
    _check_out(out, [path])
    kept = crop(TileCache.open(path), around, radius_m, out)
    sizes = " + ".join(f"{p.stat().st_size / 1e6:.2f} MB" for p in (out, out.with_suffix(".mbtiles")))
    print(f"{out}: {kept} tiles within {radius_m:g} m of {around.lat:g},{around.lon:g}; {sizes}, its map beside it")


def run_merge(paths: list[Path], out: Path) -> None:
    """Put caches together as one; raises CacheError."""
    _check_out(out, paths)
    with progress("map") as tick:
        rows = merge([TileCache.open(path) for path in paths], out, tick)
    print(f"{out}: {rows} tiles of {len(paths)} caches, its map beside it")


def run_key(path: Path) -> None:
    """Make a key pair; raises SettingsError where there is one."""
    public = make_key(path)
    print(f"{path}: keep it to yourself; {public}: give it to whoever checks, --public-key {public}")


def run_sign(path: Path, key: Path) -> None:
    """Sign a cache and its map; raises CacheError or SettingsError."""
    print(f"wrote {sign_cache(TileCache.open(path), key)}")


def _check_out(out: Path, sources: list[Path]) -> None:
    same = [path for path in sources if path.resolve() == out.resolve()]
    if out.suffix != ".tiles" or same:
        raise CacheError(f"--out {out} must end in .tiles and be another file than {(same or sources)[0]}")
