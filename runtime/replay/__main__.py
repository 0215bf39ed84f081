"""python -m runtime.replay: a recorded flight through the code that flies, then scored."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runtime.command import add_verbose, run_command
from runtime.start import keep_option_value, parse_start


def main(argv: list[str] | None = None) -> int:
    """Fly a recorded flight. Exit code: 0 done, 1 an error reported in one line, 2 usage."""
    args = _parser().parse_args(keep_option_value(argv, "--start"))

    def run() -> None:
        from runtime.replay.replay import ReplaySpec, run_replay  # loads here: --help stays instant

        run_replay(
            ReplaySpec(
                flight=args.flight,
                tiles=args.tiles,
                bundle=args.bundle,
                matcher=False if args.no_matcher else args.matcher,
                start=None if args.start is None else parse_start(args.start, "--start", "47.51,8.23,300"),
                out=args.out,
                report=args.report,
                picture=args.map,
                corrected_camera=args.corrected_camera,
                threads=args.threads,
            )
        )

    return run_command("runtime.replay", run, verbose=args.verbose)


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
    parser.add_argument(
        "--corrected-camera", type=Path, metavar="camera.yaml", help="the camera with the focal length that was found"
    )
    parser.add_argument("--threads", type=int, default=0, help="for the networks; 0: one a core")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
