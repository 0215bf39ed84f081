"""python -m runtime.daemon: camera -> fixes, for ever (or until the source ends)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runtime.command import add_verbose, run_command


def main(argv: list[str] | None = None) -> int:
    """Fly as a configuration file says. Exit code: 0 ended well, 1 an error reported in one line, 2 usage."""
    parser = _parser()
    args = parser.parse_args(argv)
    # What flies is loaded where it is used: --help stays instant, and --example needs nothing.
    if args.example:
        from runtime.daemon.example import EXAMPLE

        print(EXAMPLE, end="")
        return 0
    if args.config is None:
        parser.error("--config is missing")

    def run() -> None:
        from runtime.daemon.settings import Settings

        settings = Settings.read(args.config)
        if args.install:
            from runtime.daemon.service import install

            print(install(args.config, settings.writes_to()))
        elif args.check:
            from runtime.daemon.run import check_daemon

            check_daemon(settings, print)
        else:
            from runtime.daemon.run import run_daemon

            run_daemon(settings)

    return run_command("runtime.daemon", run, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.daemon",
        description="Turn camera frames into position fixes and send them to autopilots, gpsd, files. SIGTERM and "
        "Ctrl-C end it well; SIGHUP opens the links anew. docs/daemon.md has every key of the configuration.",
        epilog="example: python -m runtime.daemon --example > skyfix.toml; "
        "python -m runtime.daemon --config skyfix.toml --check; python -m runtime.daemon --config skyfix.toml | head",
    )
    parser.add_argument("--config", type=Path, metavar="skyfix.toml", help="map, camera, telemetry, start, links")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--example", action="store_true", help="print a skyfix.toml to begin with")
    choice.add_argument("--check", action="store_true", help="open all of it, locate the first frame, and end")
    choice.add_argument("--install", action="store_true", help="lay down a systemd service that flies it (as root)")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
