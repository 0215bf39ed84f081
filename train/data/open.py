"""From ``KIND:PATH[@GSD_M]`` on a command line to data sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.errors import DataError
from train.data.drawn import open_drawn
from train.data.manifest import Choice
from train.data.overhead import OverheadSource, open_overhead, open_site
from train.data.pairs import RegisteredSource, open_pairs
from train.data.rectified import ViewSpec
from train.data.source import PairSource

KINDS = ("overhead", "site", "pairs", "world")


def open_sources(data: Sequence[str], choice: Choice, view: ViewSpec) -> list[PairSource]:
    """The sources that hold chosen scenes; raises DataError."""
    if not data:
        raise DataError("no data to train on; give --data KIND:PATH, or try --preset smoke, which draws its own")
    sources = [_open(entry, choice, view) for entry in data]
    return [source for source in sources if source.places]


def _open(entry: str, choice: Choice, view: ViewSpec) -> PairSource:
    kind, colon, rest = entry.partition(":")
    if not colon or kind not in KINDS:
        raise DataError(f"--data {entry}: expected KIND:PATH with KIND one of {', '.join(KINDS)}")
    if kind == "world":
        return open_drawn(rest, choice, view)
    place, gsd_m = _place(entry, rest)
    if kind == "pairs":
        return RegisteredSource(open_pairs(place, choice), view)
    opened = open_site if kind == "site" else open_overhead
    return OverheadSource(opened(place, gsd_m, choice), view)


def _place(entry: str, rest: str) -> tuple[Path, float | None]:
    """The folder, and metres per pixel where given."""
    folder, at, gsd = rest.rpartition("@")
    if not at or "/" in gsd:  # an @ of the folder's own
        return Path(rest), None
    try:
        gsd_m = float(gsd)
    except ValueError:
        gsd_m = 0.0
    if not gsd_m > 0:
        raise DataError(f"--data {entry}: {gsd!r} is no ground sample distance; expected metres a pixel, as @0.3")
    return Path(folder), gsd_m
