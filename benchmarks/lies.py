"""Every lie told of every flight: how many fixes are wrong, and how many lie outside their protection level.

    python benchmarks/lies.py FLIGHT:AREA.tiles ... [--lie NAME ...] [--every N] [--threads 2]

A frame is wrong when its fix is over 25 m off and outside the protection level. A flight is flown over the maps of the
others as well: the map of another place is a lie too. A jump is a step between two fixes in a row that is further than
a drone flies in the time (30 m/s) and both protection levels allow.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from report import print_setting

from runtime.fix import Fix, NoFix, Verdict
from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.load import open_localizer
from runtime.replay.score import jumps
from runtime.tiles.cache import TileCache
from train.world.lies import LIES, TRUTHS, Told

WRONG_M = 25.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one flight under one lie."""

    flight: str
    lie: str
    frames: int
    fixes: int
    wrong: int
    outside: int
    jumps: int
    median_m: float | None
    worst_m: float | None
    sources: dict[str, int]
    reasons: dict[str, int]


def told(path: Path, every: int) -> Told:
    """A flight as it is, with its verified truth."""
    flight = Flight.open(path)
    truth = read_truth(path / "truth.csv")
    frames = tuple(frame for i, frame in enumerate(flight.frames()) if i % every == 0)
    known = [truth.get(frame.t_us) for frame in frames]
    return Told(frames, flight.camera, tuple(t.drone if t is not None and t.verified else None for t in known))


def fly(one: Told, cache: TileCache, threads: int) -> list[Verdict]:
    """The verdicts of a flight as it is told."""
    localizer = open_localizer(cache, one.camera, bundle=None, matcher=None, start=one.start, threads=threads)
    return [localizer.step(frame) for frame in one.frames]


def outcome(flight: str, lie: str, one: Told, verdicts: Sequence[Verdict], *, anywhere: bool = False) -> Outcome:
    """Compare verdicts with the truth; ``anywhere``: the map is of another place, and every fix is wrong."""
    fixes = [(v, place) for v, place in zip(verdicts, one.drone, strict=True) if isinstance(v, Fix)]
    off = [(fix, distance_m(place, LatLon(fix.lat, fix.lon))) for fix, place in fixes if place is not None]
    errors = sorted(error for _, error in off)
    said = [v for v in verdicts if isinstance(v, Fix)]
    return Outcome(
        flight,
        lie,
        len(verdicts),
        len(fixes),
        len(fixes) if anywhere else sum(e > WRONG_M and e > fix.hpl_m for fix, e in off),
        len(fixes) if anywhere else sum(e > fix.hpl_m for fix, e in off),
        jumps(verdicts),
        round(errors[len(errors) // 2], 2) if errors else None,
        round(errors[-1], 2) if errors else None,
        dict(Counter(v.source for v in said)),
        dict(Counter(v.reason for v in verdicts if isinstance(v, NoFix))),
    )


def line(one: Outcome) -> str:
    """Describe an outcome for people."""
    errors = "" if one.median_m is None else f"median {one.median_m:7.1f}  worst {one.worst_m:7.1f} m"
    return (
        f"{one.flight:<18} {one.lie:<44} {one.fixes:3d}/{one.frames:<3d} wrong {one.wrong:2d}  "
        f"outside {one.outside:2d}  jumps {one.jumps:2d}  {errors:<34}  {one.sources} {one.reasons}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flight", nargs="+", help="FLIGHT:AREA.tiles, as often as you like")
    parser.add_argument("--lie", nargs="*", help="only these (part of a name)")
    parser.add_argument("--every", type=int, default=1, help="only every so many frames")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="an outcome a line")
    args = parser.parse_args()
    print_setting(args.threads)
    flights = [tuple(map(Path, one.rsplit(":", 1))) for one in args.flight]
    every = {**TRUTHS, **LIES}
    lies = {name: lie for name, lie in every.items() if not args.lie or any(part in name for part in args.lie)}
    outcomes: list[Outcome] = []
    for path, tiles in flights:
        true, cache = told(path, args.every), TileCache.open(tiles)
        name = tiles.stem
        for lie, tell in lies.items():
            heard = tell(true)
            outcomes.append(outcome(name, lie, heard, fly(heard, cache, args.threads)))
            print(line(outcomes[-1]), flush=True)
        for _, other in flights:
            if other != tiles and not args.lie:
                verdicts = fly(true, TileCache.open(other), args.threads)
                outcomes.append(outcome(name, f"the map of {other.stem}", true, verdicts, anywhere=True))
                print(line(outcomes[-1]), flush=True)
    if args.out:
        args.out.write_text("".join(json.dumps(asdict(one)) + "\n" for one in outcomes))
    lied = [one for one in outcomes if one.lie not in TRUTHS]
    fixes, outside = sum(one.fixes for one in lied), sum(one.outside for one in lied)
    print(f"{len(lied)} lies: {sum(one.frames for one in lied)} frames, {fixes} fixes, wrong "
          f"{sum(one.wrong for one in lied)}, outside the protection level {outside}, "
          f"jumps {sum(one.jumps for one in outcomes)}")  # fmt: skip


if __name__ == "__main__":
    main()
