"""python -m runtime.daemon: camera -> fixes, for ever (or until the source ends)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runtime.command import add_verbose, run_command
from runtime.daemon.settings import EXAMPLE, Settings


def main(argv: list[str] | None = None) -> int:
    """Fly as a configuration file says. Exit code: 0 ended well, 1 an error reported in one line, 2 usage."""
    args = _parser().parse_args(argv)
    if args.example:
        print(EXAMPLE, end="")
        return 0

    def run() -> None:
        settings = Settings.read(args.config)
        from runtime.daemon.loop import run_daemon  # loads here: --help stays instant

        run_daemon(settings)

    return run_command("runtime.daemon", run, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.daemon",
        description="Turn camera frames into position fixes, one JSON object a line. SIGTERM and Ctrl-C end it well.",
        epilog="example: python -m runtime.daemon --config skyfix.toml | head",
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--config", type=Path, metavar="skyfix.toml", help="map, camera, model, start, output")
    choice.add_argument("--example", action="store_true", help="print a skyfix.toml to begin with")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
