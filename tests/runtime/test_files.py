"""Files are whole or absent, whatever ends their writer."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.files import sha256_of, whole_file, write_text_whole
from tests.paths import ROOT


@pytest.mark.parametrize(
    ("data", "digest"),
    [  # FIPS 180-4's examples, and NIST's million times "a"
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ],
)
def test_hashes_are_those_of_the_standard(data: bytes, digest: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == digest


def test_what_is_written_appears_at_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as partial:
        partial.write_text("half")
        assert not path.exists()
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text_whole(path, "before")
    with pytest.raises(ZeroDivisionError), whole_file(path) as partial:
        partial.write_text("after, but")
        raise ZeroDivisionError
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_writer_that_is_killed_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text_whole(path, "before")
    code = (
        "import os, signal, sys; from pathlib import Path; from runtime.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "before"
