"""Progress is seen on a terminal, and nothing of it reaches a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from runtime.progress import live_line, progress
from tests.paths import ROOT

CODE = """
from runtime.progress import live_line, progress
with progress("tiles") as tick:
    for done in range(1, 11):
        tick(done, 10)
with live_line() as say:
    say("frame 1/1  a fix")
print("the result")
"""


def test_a_terminal_sees_a_bar_and_a_line() -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        check=True,
    )
    os.close(follower)
    seen = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert done.stdout == b"the result\n"
    assert "tiles" in seen and "10/10" in seen
    assert "frame 1/1" in seen


def test_a_pipe_gets_the_result_alone() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"the result\n", b"")


def test_what_is_not_to_be_shown_is_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress("tiles", shown=False) as tick:
        tick(1, 2)
    monkeypatch.undo()
    with live_line() as say:
        say("nobody reads this")
    assert capsys.readouterr().err == ""
