"""Verdicts as lines that a reader can follow."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path

import pytest

from runtime.errors import SettingsError
from runtime.link.jsonl import JsonlPort
from tests.runtime.link.saying import nothing_said


def test_a_line_can_be_read_as_soon_as_it_is_sent(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ear = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    port = JsonlPort(str(pipe))
    port.open()
    for t_us in (1, 2):
        port.send(nothing_said(t_us))
        line = os.read(ear, 1000)
        assert json.loads(line) == {"t_us": t_us, "no_fix": "no_match"}
        assert line.endswith(b"\n")
    port.close()
    os.close(ear)


def test_a_file_is_appended_to_behind_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "fixes.jsonl"
    path.write_text('{"t_us": 1, "no_fix": "no_match"}\n{"t_us": 2, "no')  # the power went
    port = JsonlPort(str(path))
    for t_us in (3, 4):
        port.open()
        port.send(nothing_said(t_us))
        port.close()
    lines = path.read_text().splitlines()
    assert [json.loads(lines[i])["t_us"] for i in (0, 2, 3)] == [1, 3, 4] and len(lines) == 4


def test_standard_output_is_a_dash(capfd: pytest.CaptureFixture[str]) -> None:
    port = JsonlPort("-")
    port.open()
    port.send(nothing_said(5))
    port.close()
    assert json.loads(capfd.readouterr().out)["t_us"] == 5


def test_a_torn_line_of_standard_output_is_ended_before_the_next(capfd: pytest.CaptureFixture[str]) -> None:
    port = JsonlPort("-")
    port.open()

    class Small:
        """A file with room for so many bytes."""

        room = 5

        def write(self, data: bytes) -> int:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            some, self.room = data[: self.room], 0
            return os.write(1, some)

    with pytest.raises(OSError, match="No space"):
        port._write(Small(), nothing_said(1).verdict.to_json().encode() + b"\n")  # type: ignore[arg-type]
    port.open()
    port.send(nothing_said(2))
    torn, whole = capfd.readouterr().out.splitlines()
    assert torn == '{"t_u'
    assert json.loads(whole)["t_us"] == 2


def test_a_standard_output_that_was_closed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(SettingsError, match="standard output is closed"):
        JsonlPort("-").open()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error() -> None:
    port = JsonlPort("/dev/full")
    port.open()
    with pytest.raises(OSError) as told:
        port.send(nothing_said())
    assert told.value.errno == errno.ENOSPC
    port.close()


def test_a_path_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (str(tmp_path), str(tmp_path / "no/fixes.jsonl"), f"unix:{tmp_path}/file", f"unix:{tmp_path}/no/sock"):
        with pytest.raises(SettingsError, match=r"\[\[link\]\] path .* cannot be"):
            JsonlPort(path).open()
    assert (tmp_path / "file").is_file()


def test_readers_of_a_unix_socket_get_each_line_and_a_slow_one_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "fixes.sock"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.close()  # its file stays, as that of a daemon that was killed
    port = JsonlPort(f"unix:{path}")
    port.open()
    with pytest.raises(SettingsError, match="taken by another program"):
        JsonlPort(f"unix:{path}").open()
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as quick,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow,
    ):
        quick.connect(str(path))
        slow.connect(str(path))
        with quick.makefile("r") as lines:
            for t_us in range(20_000):
                port.tick()
                port.send(nothing_said(t_us))
                assert json.loads(lines.readline())["t_us"] == t_us
        slow.settimeout(5)
        got = b"".join(iter(lambda: slow.recv(1 << 20), b""))  # until it is closed
        assert got.startswith(b'{"t_us": 0,') and b'"t_us": 19999' not in got
    port.close()
    assert not path.exists()
