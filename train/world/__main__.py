"""``python -m train.world OUT``: a generated map and a recorded flight over it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from runtime.command import add_verbose, run_command
from runtime.progress import progress

_EPILOG = """\
example:
  python -m train.world demo/world
  python -m runtime.tiles build --imagery demo/world/map.tif --out demo/world.tiles
  python -m runtime.replay demo/world/flight --tiles demo/world.tiles --map demo/picture.png

The world serves demo, documentation and tests; it never stands for accuracy.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 0 when all is written, 1 for an error reported in one line, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m train.world",
        description="Write OUT/map.tif and the recorded flight OUT/flight, of two dates of one generated place.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to; made if missing")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another place (default %(default)s)")
    parser.add_argument(
        "--frames", type=int, default=60, help="pictures of the flight, one every 2 s (default %(default)s)"
    )
    add_verbose(parser)
    args = parser.parse_args(argv)

    def write() -> None:
        from train.world.flight import FlightSpec, write_world  # NumPy and OpenCV load here: --help stays instant

        started = time.monotonic()
        with progress("frames") as tick:
            write_world(args.out, FlightSpec(seed=args.seed, frames=args.frames), tick)
        print(f"map     {args.out / 'map.tif'}")
        print(f"flight  {args.out / 'flight'}, {args.frames} frames")
        print(f"time    {time.monotonic() - started:.0f} s")

    return run_command("train.world", write, verbose=args.verbose)


if __name__ == "__main__":
    sys.exit(main())
