"""``python -m runtime.tiles align``: fly recorded flights over a cache, and write how far its map is off into it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.align.fit import fit_alignment, keep_one_heading
from runtime.align.picture import draw_residuals
from runtime.align.residuals import Residual, residuals_of
from runtime.errors import CacheError, FlightError
from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.locate.load import open_localizer
from runtime.pictures import check_ending
from runtime.progress import live_line
from runtime.replay.replay import fly
from runtime.tiles.cache import TileCache
from runtime.tiles.format import Rows, write_rows
from runtime.tiles.sign import check_private_key, sign_cache, signature_path


@dataclass(frozen=True, slots=True)
class AlignOptions:
    """With what flights are flown, and what is written beside the cache."""

    bundle: Path | None = None  # None: the default encoder
    matcher: Path | None = None  # None: local features at hand
    key: Path | None = None  # to sign the cache anew
    picture: Path | None = None
    threads: int = 0


def run_align(path: Path, flights: Sequence[Path], options: AlignOptions) -> None:
    """Align a cache's map by flights with a trusted ``truth.csv``; raises CacheError, FlightError or SettingsError.

    The cache is written anew, whole or not at all; the map beside it stays as it is.
    """
    picture = options.picture
    if picture:
        check_ending(picture)
    if options.key:
        check_private_key(options.key)
    again = [one for one, times in Counter(flight.resolve() for flight in flights).items() if times > 1]
    if again:
        raise FlightError(f"{again[0]} is given twice, and its frames count once: leave one --flight of it out")
    cache = TileCache.open(path)
    held = cache.metadata.alignment
    if held is not None:
        raise CacheError(
            f"{path} is aligned already, by {held.east_m:g} m east and {held.north_m:g} m north; build it again, and "
            f"align it once, with all flights: python -m runtime.tiles build --imagery MAP --out {path}"
        )
    residuals = [one for flight in flights for one in _flown(cache, flight, options)]
    alignment, ce90_m = fit_alignment(residuals)
    stated_m, one_heading = cache.accuracy_ce90_m, keep_one_heading(residuals)
    if one_heading:
        ce90_m = max(ce90_m, stated_m)
    metadata = replace(
        cache.metadata, alignment=alignment, imagery=replace(cache.metadata.imagery, accuracy_ce90_m=ce90_m)
    )
    if picture:
        draw_residuals(residuals, alignment, ce90_m, picture)
    imagery = cache.open_imagery()
    rows = Rows(cache.embedding, cache.scale, cache.centre, cache.level)
    write_rows(path, metadata, [rows], (cache.imagery_path, imagery.zoom), cache.heights)
    length_m = math.hypot(alignment.east_m, alignment.north_m)
    print(
        f"{path}: the map lies {length_m:.1f} m off; every fix is moved by {alignment.east_m:+.1f} m east and "
        f"{alignment.north_m:+.1f} m north"
    )
    by = f"{alignment.frames} fixes of {len(flights)} {'flight' if len(flights) == 1 else 'flights'}"
    print(f"  by {by}; 90% within {ce90_m:.1f} m ({stated_m:g} m before)")
    if one_heading:
        print("  the flights keep one heading, and a camera that leans would look the same: fly another way, too")
    if picture:
        print(f"  wrote {picture}")
    _sign(path, options.key)


def _flown(cache: TileCache, path: Path, options: AlignOptions) -> list[Residual]:
    """Fly a flight with no start, and compare with its truth."""
    flight, truth = Flight.open(path), path / "truth.csv"
    if not truth.is_file():
        raise FlightError(f"{truth} is missing: a map is aligned by flights whose GNSS somebody trusts, written there")
    localizer = open_localizer(
        cache, flight.camera, bundle=options.bundle, matcher=options.matcher, start=None, threads=options.threads
    )
    with live_line() as say:
        verdicts, _ = fly(flight, localizer, say)
    return residuals_of(str(path), verdicts, read_truth(truth))


def _sign(path: Path, key: Path | None) -> None:
    if key:
        print(f"  wrote {sign_cache(TileCache.open(path), key)}")
    elif signature_path(path).is_file():
        print(f"  its signature is of the cache before: python -m runtime.tiles sign {path} --key KEY")
