"""python -m runtime.doctor: will it fly? Checks before the flight."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from runtime.command import add_verbose, run_command


def main(argv: list[str] | None = None) -> int:
    """Check a configuration. Exit code: 0 all good, 1 something is not, 2 usage."""
    args = _parser().parse_args(argv)

    def run() -> int:
        from runtime.doctor.files import check_files  # loads here: --help stays instant

        good = True
        findings = []
        for finding in check_files(args.config):
            good &= finding.ok is True
            if args.json:
                findings.append(finding.to_json())
            else:
                print(finding.line(), flush=True)
        if args.json:
            print(json.dumps(findings))
        return 0 if good else 1

    return run_command("runtime.doctor", run, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.doctor",
        description="Open everything that a configuration names, as the daemon would, and say what is wrong with it.",
        epilog="example: python -m runtime.doctor --config skyfix.toml",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="skyfix.toml", help="what is to fly")
    parser.add_argument("--json", action="store_true", help="one JSON list of findings, for programs")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
