"""Data sources from ``KIND:PATH[@GSD_M][*WEIGHT]`` on a command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import DataError
from train.data.benchmarks.registry import BENCHMARKS, BenchmarkFolder
from train.data.broken_pictures import leave_out_broken
from train.data.manifest import Choice
from train.data.source import PairSource, Weighted
from train.data.sources.generated_world import open_drawn
from train.data.sources.map_cells import MAP_SUFFIXES, open_map
from train.data.sources.overhead import OverheadSource, open_overhead, open_site
from train.data.sources.recorded_flight import open_flight
from train.data.sources.registered_pairs import open_pairs
from train.data.sources.unregistered_pairs import NAMES, UnregisteredPairs, find_unregistered
from train.data.view_spec import ViewSpec


@dataclass(frozen=True)
class Entry:
    """One source of data as a command line names it: ``--data KIND:PATH[@GSD_M][*WEIGHT]``."""

    kind: str
    where: str
    gsd_m: float | None = None  # metres a pixel
    weight: float = 1.0  # how many times as often as once an epoch a place is drawn

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Parse an entry; raises DataError where the text is none. Whether the path holds data is not looked at."""
        kind, colon, rest = text.partition(":")
        if not colon or kind not in KINDS:
            raise DataError(f"--data {text}: expected KIND:PATH with KIND one of {', '.join(KINDS)}")
        rest, weight = _suffix(text, rest, "*", "weight; expected a positive number, as *2")
        where, gsd_m = _suffix(text, rest, "@", "ground sample distance; expected metres a pixel, as @0.3")
        return cls(kind, where, gsd_m, 1.0 if weight is None else weight)

    @property
    def path(self) -> Path:
        return Path(self.where)


def open_sources(data: Sequence[str], choice: Choice, view: ViewSpec, *, max_broken: float = 0.01) -> list[Weighted]:
    """Open the sources that hold chosen scenes, without pictures that cannot be read; raises SkyfixError.

    More broken pictures than the share ``max_broken`` are an error; fewer are told.
    """
    if not data:
        raise DataError("no data to train on; give --data KIND:PATH, or try --preset smoke, which draws its own")
    opened = [open_entry(Entry.parse(text), choice, view) for text in data]
    return [source for source in leave_out_broken(opened, max_broken) if source.places]


def open_entry(entry: Entry, choice: Choice, view: ViewSpec) -> Weighted:
    """Open one source, of which no picture has been looked at; raises SkyfixError."""
    return Weighted(_OPENERS[entry.kind](entry, choice, view), entry.weight)


def _overhead(entry: Entry, choice: Choice, view: ViewSpec) -> PairSource:
    if entry.path.suffix.lower() in MAP_SUFFIXES and not entry.path.is_dir():
        return open_map(_without_gsd(entry, "a map says its own scale").path, choice, view)
    return OverheadSource(open_overhead(entry.path, entry.gsd_m, choice), view)


def _site(entry: Entry, choice: Choice, view: ViewSpec) -> PairSource:
    return OverheadSource(open_site(entry.path, entry.gsd_m, choice), view)


def matched_pictures(entry: Entry, choice: Choice) -> UnregisteredPairs | None:
    """Find the unregistered pictures of ``pairs:``, which are scored as they are; None for all else."""
    path, names = _named(entry)
    return find_unregistered(path, names or NAMES, choice) if entry.kind == "pairs" and path.exists() else None


def _pairs(entry: Entry, choice: Choice, view: ViewSpec) -> PairSource:
    path, names = _named(entry)
    return open_pairs(path, names, entry.gsd_m, choice, view)


def _named(entry: Entry) -> tuple[Path, tuple[str, str] | None]:
    """Split ``PATH#drone=NAME,satellite=NAME`` into path and names; a path alone has no names."""
    named = re.fullmatch(r"(.+)#drone=([^,#/]+),satellite=([^,#/]+)", entry.where)
    return (Path(named[1]), (named[2], named[3])) if named else (entry.path, None)


def _world(entry: Entry, choice: Choice, view: ViewSpec) -> PairSource:
    return open_drawn(entry.where, choice, view)


def _flight(entry: Entry, choice: Choice, view: ViewSpec) -> PairSource:
    return open_flight(_without_gsd(entry, "its telemetry says the scale").where, choice, view)


def _benchmark(entry: Entry, choice: Choice, view: ViewSpec) -> PairSource:
    _without_gsd(entry, "its pictures are used whole")
    return BenchmarkFolder.parse(entry.kind, entry.where).open_train(choice, view)


def _without_gsd(entry: Entry, why: str) -> Entry:
    """Return the entry as it is; raises DataError where it states a ground sample distance."""
    if entry.gsd_m is not None:
        raise DataError(f"--data {entry.kind}:{entry.where} takes no @GSD: {why}")
    return entry


_OPENERS: Mapping[str, Callable[[Entry, Choice, ViewSpec], PairSource]] = {
    "overhead": _overhead,
    "site": _site,
    "pairs": _pairs,
    "flight": _flight,
    "world": _world,
    **dict.fromkeys(BENCHMARKS, _benchmark),
}
KINDS = tuple(_OPENERS)


def _suffix(text: str, rest: str, mark: str, expected: str) -> tuple[str, float | None]:
    """Split off the number after the last ``mark``; None where the mark is the path's own. Raises DataError."""
    before, marked, number = rest.rpartition(mark)
    if not marked or "/" in number:
        return rest, None
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise DataError(f"--data {text}: {number!r} is no {expected}")
    return before, value
