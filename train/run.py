"""``python -m train.run``: train an encoder."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runtime.command import run_command
from train.options import parse_request


def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line asks; the exit code is 0 trained (or stopped and saved), 1 an error, 2 usage."""
    request = parse_request(argv)

    def command() -> None:
        from train.fit.launch import launch  # torch loads here: --help stays instant

        launch(request)

    return run_command("train.run", command, verbose=request.verbose)


if __name__ == "__main__":
    sys.exit(main())
