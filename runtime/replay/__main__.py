"""python -m runtime.replay: a recorded flight through the code that flies, then scored."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.command import run_command
from runtime.errors import SettingsError
from runtime.start import keep_option_value

if TYPE_CHECKING:
    from runtime.fix import Verdict
    from runtime.flights.flight import Flight
    from runtime.geo.mercator import LatLon
    from runtime.locate.localizer import Localizer


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(keep_option_value(argv, "--start"))
    return run_command("runtime.replay", lambda: _replay(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.replay",
        description="Fly a recorded flight over a map, as on board, and compare the fixes with the truth, if known.",
        epilog="example: python -m runtime.replay FLIGHT --tiles town.tiles --report report.json --map picture.png",
    )
    parser.add_argument(
        "flight", type=Path, help="folder with telemetry.csv, camera.yaml, frames/ and perhaps truth.csv"
    )
    parser.add_argument("--tiles", type=Path, required=True, metavar="AREA.tiles", help="cache of the map flown over")
    parser.add_argument("--bundle", type=Path, help="encoder bundle; left out: the default encoder")
    parser.add_argument("--matcher", type=Path, help="bundle of local features; left out: the encoder bundle's own")
    parser.add_argument("--no-matcher", action="store_true", help="retrieval alone: tens of metres instead of metres")
    parser.add_argument("--start", metavar="LAT,LON,RADIUS_M", help="where it begins; left out: anywhere on the map")
    parser.add_argument("--out", type=Path, metavar="fixes.jsonl", help="one fix (or why there is none) a line")
    parser.add_argument("--report", type=Path, metavar="report.json", help="errors, coverage, latencies")
    parser.add_argument("--map", type=Path, metavar="picture.png", help="map, true track, fixes with 90%% ellipses")
    parser.add_argument("--threads", type=int, default=0, help="for the networks; 0: one a core")
    return parser


def _replay(args: argparse.Namespace) -> None:
    from runtime.files import write_text_whole
    from runtime.flights.flight import Flight, read_truth
    from runtime.geo.local import off_box_m
    from runtime.locate.load import open_localizer
    from runtime.progress import live_line
    from runtime.replay.flight_map import draw_flight
    from runtime.replay.score import score
    from runtime.start import check_start_on_map
    from runtime.tiles.cache import TileCache

    outputs = _outputs(args)
    flight = Flight.open(args.flight)
    truth_path = args.flight / "truth.csv"
    truth = read_truth(truth_path) if truth_path.is_file() else {}
    cache = TileCache.open(args.tiles, lazy=True)
    start, bounds_deg = _start(args.start), cache.metadata["bounds_deg"]
    check_start_on_map(start, bounds_deg, args.tiles)
    localizer = open_localizer(
        cache,
        flight.camera,
        bundle=args.bundle,
        matcher=False if args.no_matcher else args.matcher,
        start=start,
        threads=args.threads,
    )
    with live_line() as say:
        verdicts, stages_ms = fly(flight, localizer, say)
    report = {"flight": flight.name, "tiles": str(args.tiles), **score(verdicts, truth, stages_ms)}
    if args.out:
        write_text_whole(args.out, "".join(v.to_json() + "\n" for v in verdicts))
    if args.report:
        write_text_whole(args.report, json.dumps(report, indent=2) + "\n")
    if args.map:
        draw_flight(cache.open_imagery(), verdicts, truth, summary_line(report), args.map)
    print_summary(report, outputs)
    off_m = min((off_box_m(one.drone, bounds_deg) for one in truth.values() if one.drone), default=0.0)
    if off_m > 0:
        print(f"  no overlap        the true track is {off_m / 1e3:,.1f} km off the map of {args.tiles}")


def fly(
    flight: Flight, localizer: Localizer, say: Callable[[str], None] = lambda line: None
) -> tuple[list[Verdict], list[dict[str, float]]]:
    """Every frame in order, with the stages' milliseconds of each."""
    verdicts: list[Verdict] = []
    stages_ms: list[dict[str, float]] = []
    for i, frame in enumerate(flight.frames(), 1):
        verdict = localizer.step(frame)
        verdicts.append(verdict)
        stages_ms.append(localizer.stages_ms)
        say(f"frame {i}/{len(flight.images)}  {describe(verdict)}")
    return verdicts, stages_ms


def describe(verdict: Verdict) -> str:
    """A verdict for people, in one line."""
    from runtime.fix import Fix

    if isinstance(verdict, Fix):
        place = f"{verdict.lat:.6f}, {verdict.lon:.6f}"
        return f"{verdict.source} {place}  hpl {verdict.hpl_m:.0f} m  {verdict.latency_ms:.0f} ms"
    return f"no fix: {verdict.reason}  {verdict.latency_ms:.0f} ms"


def summary_line(report: dict[str, Any]) -> str:
    """The picture's title."""
    error = report["position_error_m"]["of_fixes"]
    line = f"{report['flight']}: {report['fixes']} fixes of {report['frames']} frames"
    if error["count"]:
        line += f", position error median {error['median']:.1f} m, p90 {error['p90']:.1f} m"
    return line


def print_summary(report: dict[str, Any], outputs: list[Path]) -> None:
    """The figures, and where the outputs lie."""
    print(
        f"{report['flight']}: {report['fixes']} fixes of {report['frames']} frames, no fix {report['no_fix_rate']:.0%}"
    )
    first_s = report["time_to_first_fix_s"]
    print(f"  first fix         {'never' if first_s is None else f'{first_s:.1f} s after the first frame'}")
    for what, key in (("position error", "position_error_m"), ("ground error", "ground_error_m")):
        error = report[key]["of_fixes"]
        if error["count"]:
            print(
                f"  {what:<17} median {error['median']:.1f} m, p90 {error['p90']:.1f} m, worst {error['worst']:.1f} m"
            )
    if report["coverage"]["90%"] is not None:
        print(f"  inside 90% ellipse {report['coverage']['90%']:.0%}, outside protection level {report['hpl_misses']}")
    if report["no_fix_reasons"]:
        print("  no fix because    " + ", ".join(f"{reason} {n}" for reason, n in report["no_fix_reasons"].items()))
    stages = report["latency_ms"]
    print("  milliseconds p50  " + ", ".join(f"{name} {ms['p50']:.0f}" for name, ms in stages.items()))
    for path in outputs:
        print(f"  wrote {path}")


def _outputs(args: argparse.Namespace) -> list[Path]:
    """The files asked for, their folders made: what cannot be written is told before the flight, not after it."""
    from runtime.pictures import check_ending

    outputs = [path for path in (args.out, args.report, args.map) if path]
    if args.map:
        check_ending(args.map)
    for path in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise SettingsError(f"{path} cannot be written: it is a folder, or its folder is read-only")
    return outputs


def _start(text: str | None) -> tuple[LatLon, float] | None:
    from runtime.start import checked_start

    if text is None:
        return None
    try:
        lat, lon, radius_m = (float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"--start is {text!r}, expected LAT,LON,RADIUS_M like 47.51,8.23,300") from None
    return checked_start(lat, lon, radius_m, "--start")


if __name__ == "__main__":
    sys.exit(main())
