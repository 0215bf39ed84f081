"""Verdicts as JSON lines, on standard output or in a file that grows line by line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from runtime.errors import SettingsError
from runtime.fix import Verdict


class JsonLines:
    """A link to whoever reads ``fixes.jsonl``: a line a verdict, at once."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def send(self, verdict: Verdict) -> None:
        """Write a verdict and flush it, so that a reader can follow."""
        self._out.write(verdict.to_json() + "\n")
        self._out.flush()


@contextlib.contextmanager
def open_jsonl(path: Path | None) -> Iterator[JsonLines]:
    """Open the file, or standard output for None; raises SettingsError where it cannot be written."""
    if path is None:
        yield JsonLines(sys.stdout)
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"[output] fixes {path} cannot be written: {error.strerror}") from None
    with file:
        yield JsonLines(file)
