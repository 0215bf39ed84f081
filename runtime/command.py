"""What every command's ``main`` shares: an error is one line, logging is set up once, ``--verbose`` asks for more.

A command prints its result to stdout. What it says on the way goes through ``logging``, one line a record, to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Callable

from runtime.errors import SkyfixError

_PACKAGES = ("runtime", "train", "export", "calib")


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """Add ``--verbose``, which every command has."""
    parser.add_argument("--verbose", action="store_true", help="say more on stderr: what is opened, chosen, left out")


def set_up_logging(program: str, *, verbose: bool = False) -> None:
    """Send our packages' records to stderr, a line each that begins with the command's name.

    Other libraries' loggers stay as they are.
    """
    handler = _StderrHandler()
    handler.setFormatter(_OneLine(f"{program}: %(message)s"))
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.DEBUG if verbose else logging.INFO)


class _StderrHandler(logging.Handler):
    """Writes each record to what ``sys.stderr`` is then: while a progress bar is drawn, that is above the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(self.format(record))


def _say(line: str) -> None:
    """Write a line to stderr. One that is closed, a log's full disk and a reader that has gone end no flight."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)


def _hold_standard_descriptors() -> None:
    """Open what the parent has closed of 0, 1, 2: the next file would get the number, and a library's words."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


class _OneLine(logging.Formatter):
    """A record is one line, whatever is in its message."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(super().format(record).splitlines())


def run_command(program: str, command: Callable[[], int | None], *, verbose: bool = False) -> int:
    """Run ``command`` with logging set up, and return the exit code.

    A :class:`SkyfixError` becomes one line on stderr and 1.
    """
    _hold_standard_descriptors()
    set_up_logging(program, verbose=verbose)
    try:
        return command() or 0
    except SkyfixError as error:
        _say(f"{program}: {' '.join(str(error).split())}")
        return 1
    except BrokenPipeError:
        # The reader of our pipe has gone (``| head``): say nothing, and keep the interpreter's last flush quiet.
        if sys.stderr is not None:
            sys.stderr.close()
        return 0
    except OSError as error:  # a path that cannot be read or written, a full disk: the system says which
        _say(f"{program}: {error.filename or 'input or output'}: {error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        _say(f"{program}: interrupted")
        return 130
