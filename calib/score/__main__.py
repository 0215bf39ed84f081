"""``python -m calib.score``: what a similarity is worth, from recorded flights, for a bundle to fly with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runtime.command import add_verbose, run_command

_EPILOG = """\
What it fits: of N tiles with cosines s, the one that a frame shows has probability
  p = (1 - e) softmax(s / T) + e / N
T, the temperature, says how much a cosine is worth; e, the outlier share, how often cosines say nothing.
A frame is used where its true_ground_lat and true_ground_lon, altitude, pitch and yaw are known.

Give flights over several places: each is judged by a fit to the others. Of one flight alternate blocks are held out.
Calibrate on flights that you will not report accuracy on.

Examples:
  python -m calib.score flights/one --tiles town.tiles --out score.json
  python -m calib.score flights/one flights/two --tiles town.tiles valley.tiles --bundle my.bundle --out score.json

Beside score.json lie score.reliability.png and score.similarity.png. With --bundle the fit is stored in the bundle too,
where replay and daemon find it; it is not where held-out frames are told no better by it than without."""


def main(argv: list[str] | None = None) -> int:
    """Fit, judge, write; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if len(args.tiles) not in (1, len(args.flights)):
        parser.error(f"{len(args.tiles)} --tiles for {len(args.flights)} flights: give one for all, or one each")

    def command() -> None:
        from calib.score.pipeline import ScoreRequest, fit_scores

        request = ScoreRequest(tuple(args.flights), tuple(args.tiles), args.out, args.bundle, args.threads)
        for line in fit_scores(request):
            print(line)

    return run_command("calib.score", command, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m calib.score",
        description="Fit how probable a tile is, given its similarity to a frame, on recorded flights with truth.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("flights", nargs="+", type=Path, metavar="FLIGHT", help="recorded flights with a truth.csv")
    parser.add_argument(
        "--tiles", nargs="+", type=Path, required=True, metavar="AREA.tiles", help="one for all flights, or one each"
    )
    parser.add_argument("--bundle", type=Path, metavar="NAME.bundle", help="encoder; the fit is stored in it. "
                        "Left out: the default encoder, and nothing is stored")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="JSON", help="what was found")
    parser.add_argument("--threads", type=int, default=0, help="for the network; 0: one a core")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
