"""What a cache holds, for people: lines in a pipe, a table of the levels on a terminal."""

from __future__ import annotations

import sys

from runtime.geo.mercator import ground_scale
from runtime.tiles.cache import TileCache
from runtime.tiles.metadata import left_out_text


def print_info(cache: TileCache) -> None:
    """Print what the metadata states."""
    encoder, imagery = cache.metadata.encoder, cache.metadata.imagery
    west, south, east, north = cache.metadata.bounds_deg
    megabytes = cache.path.stat().st_size / 1e6
    print(f"{cache.path}: {len(cache.centre)} tiles, {encoder.dim} dimensions, {megabytes:.2f} MB")
    print(f"encoder   {encoder.name}, {encoder.sha256[:12]}")
    print(f"bounds    lat {south:.6f} to {north:.6f}, lon {west:.6f} to {east:.6f}")
    for source in cache.metadata.sources:
        print(f"imagery   {source.name} {source.date} {source.attribution}".rstrip())
    print(f"map       {imagery.bytes / 1e6:.1f} MB, placed to {imagery.accuracy_ce90_m:g} m (CE90)")
    aligned = cache.metadata.alignment
    if aligned is not None:
        shift = f"{aligned.east_m:+g} m east, {aligned.north_m:+g} m north"
        print(f"aligned   {shift}, by {aligned.frames} fixes of {', '.join(aligned.flights)}")
    if cache.heights is not None:
        low, high = float(cache.heights.height_m.min()), float(cache.heights.height_m.max())
        apart_m = cache.heights.step_m * ground_scale((south + north) / 2)
        names = ", ".join(source.name for source in cache.heights.sources)
        print(f"terrain   {names}, {low:.0f} to {high:.0f} m, a height every {apart_m:.0f} m")
    if sys.stdout.isatty():
        _print_table(cache)
        return
    for level in cache.metadata.levels:
        tiles = f"level     {level.footprint_m:g} m tiles every {level.stride_m:g} m: {level.rows}"
        print(f"{tiles}; left out: {left_out_text(level.left_out)}")


def _print_table(cache: TileCache) -> None:
    from rich.console import Console
    from rich.table import Table

    levels = cache.metadata.levels
    reasons = list(levels[0].left_out)
    table = Table(
        "tile", "every", "tiles", *reasons, title="levels, and windows that were left out", title_justify="left"
    )
    for level in levels:
        counts = [level.rows, *(level.left_out[reason] for reason in reasons)]
        table.add_row(f"{level.footprint_m:g} m", f"{level.stride_m:g} m", *(f"{count:,}" for count in counts))
    for column in table.columns:
        column.justify = "right"
    Console().print(table)
