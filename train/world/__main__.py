"""``python -m train.world OUT``: a generated map and a recorded flight over it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from runtime.command import run_command
from runtime.errors import SettingsError

_EPILOG = """\
example:
  python -m train.world demo/world
  python -m runtime.tiles build --imagery demo/world/map.tif --out demo/world.tiles
  python -m runtime.replay demo/world/flight --tiles demo/world.tiles --map demo/picture.png

The world serves demo, documentation and tests; it never stands for accuracy.
"""


def main(argv: list[str] | None = None) -> int:
    """The command; 0 when all is written."""
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
    args = parser.parse_args(argv)
    return run_command("world", lambda: _make(args.out, args.seed, args.frames))


def _make(out: Path, seed: int, frames: int) -> int:
    if frames < 1 or seed < 0:
        raise SettingsError(
            f"--frames {frames} --seed {seed}: a flight has at least one frame, and a seed is not negative"
        )
    from runtime.progress import progress
    from train.world.flight import FlightSpec, write_world

    started = time.monotonic()
    with progress("frames") as tick:
        write_world(out, FlightSpec(seed=seed, frames=frames), tick)
    print(
        f"map     {out / 'map.tif'}\n"
        f"flight  {out / 'flight'}, {frames} frames\n"
        f"time    {time.monotonic() - started:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
