"""Verdicts as JSON lines, on standard output, in a file that grows line by line, or to who reads a Unix socket."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import BinaryIO

from runtime.errors import SettingsError
from runtime.link.link import Notice, Said
from runtime.ways.readers import Readers

UNIX = "unix:"
READER_BYTES = 1024


class JsonlPort:
    """A link to whoever reads ``fixes.jsonl``: standard output (``-``), a file, or the readers of a Unix socket.

    A file is appended to: a flight's lines outlive a restart. A full disk is an OSError, and the torn line that it
    leaves behind is ended before the next one.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._readers: Readers | None = None
        self._is_torn = False  # standard output's last line

    @property
    def name(self) -> str:
        """Say what it is, for people."""
        return f"jsonl {self._path}"

    @property
    def wants_carried(self) -> bool:
        """Whether moments between frames are sent, too: no, a line is a frame's."""
        return False

    def open(self) -> None:
        """Open it, or open it anew. Raises OSError, SettingsError."""
        self.close()
        if self._path.startswith(UNIX):
            self._readers = Readers(_unix_listener(Path(self._path[len(UNIX) :])))
        else:
            self._file = _standard_output() if self._path == "-" else _appending(Path(self._path))

    def send(self, said: Said) -> None:
        """Write a line; raises OSError where it cannot be written whole."""
        line = (said.verdict.to_json() + "\n").encode()
        if self._readers is not None:
            self._readers.write(line)
        elif self._file is None:
            raise OSError(f"{self.name} is not open")
        else:
            self._write(self._file, b"\n" + line if self._is_torn else line)

    def _write(self, file: BinaryIO, data: bytes) -> None:
        """Write all of it; a file that has no room for the rest says why at the next try."""
        is_line = self._path == "-"  # a file's torn line is ended when it is opened anew
        while data:
            written = file.write(data)
            if not written:  # it would block
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            data = data[written:]
            self._is_torn = is_line and bool(data)

    def notify(self, notice: Notice) -> None:
        """Do nothing: a line is a verdict."""

    def tick(self) -> None:
        """Let new readers in, and those who left go."""
        if self._readers is not None:
            self._readers.read(READER_BYTES)

    def close(self) -> None:
        """Close it; may be called twice."""
        if self._file is not None:
            self._file.close()
        if self._readers is not None:
            self._readers.close()
            Path(self._path[len(UNIX) :]).unlink(missing_ok=True)
        self._file = self._readers = None


def _standard_output() -> BinaryIO:
    """Return standard output without its buffer, whose lock a reader that does not read would hold for ever."""
    try:
        return open(sys.stdout.fileno(), "ab", buffering=0, closefd=False)
    except (AttributeError, ValueError, OSError):  # the parent closed it
        raise SettingsError("[[link]] path '-': standard output is closed; expected it open, or a file") from None


def _appending(path: Path) -> BinaryIO:
    """Open a file to append to, behind a line's end; raises SettingsError where that never will be."""
    mend = "expected a file that may be written; '-' is standard output"
    try:
        file = path.open("ab", buffering=0)
    except (IsADirectoryError, PermissionError, FileNotFoundError, NotADirectoryError) as error:
        raise SettingsError(f"[[link]] path {path} cannot be written: {error.strerror}; {mend}") from None
    try:
        if file.seekable() and file.tell() and not _ends_a_line(path):
            file.write(b"\n")
    except BaseException:
        file.close()
        raise
    return file


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _unix_listener(path: Path) -> socket.socket:
    """Listen at a path; one that a daemon which died has left behind is taken, any other file is not."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            try:
                knock.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise SettingsError(f"[[link]] path {UNIX}{path} is taken by another program; expected a free one")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise SettingsError(f"[[link]] path {UNIX}{path} cannot be made: {error.strerror or error}") from None
    return listener
