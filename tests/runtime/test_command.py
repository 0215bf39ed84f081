"""How a command ends: its exit code, one line for an error, and what is said on the way."""

from __future__ import annotations

import contextlib
import io
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.command import run_command, set_up_logging
from runtime.errors import CacheEngineError, MissingPackageError, SettingsError
from tests.paths import ROOT


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("runtime", "train", "export", "calib")]
    before = [(logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, (handlers, level) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)


def fail(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SettingsError("--side is 0,\n  expected 32 or more"), 1, "a.b: --side is 0, expected 32 or more"),
        (CacheEngineError("built with another"), 1, "a.b: built with another"),
        (MissingPackageError("ray", "ray"), 1, "a.b: ray is not installed; this command needs it: pip install"),
        (PermissionError(13, "Permission denied", "out.tiles"), 1, "a.b: out.tiles: Permission denied"),
        (OSError(28, "No space left on device"), 1, "a.b: input or output: No space left on device"),
        (KeyboardInterrupt(), 130, "a.b: interrupted"),
    ],
)
def test_what_a_user_can_do_wrong_is_one_line_and_a_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("a.b", fail(error)) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(line)
    assert said.err.count("\n") == 1


def test_our_own_mistakes_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command("a.b", fail(ZeroDivisionError()))


@pytest.mark.parametrize(("given", "code"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_may_choose_its_code(given: int | None, code: int) -> None:
    assert run_command("a.b", lambda: given) == code


def test_a_record_is_one_line_after_the_command_s_name(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("a.b")
    logging.getLogger("runtime.tiles.cache").info("read %d\nrows", 7)
    logging.getLogger("train.fit").debug("of no interest")
    assert capsys.readouterr().err == "a.b: read 7 rows\n"


def test_verbose_says_more_and_a_second_set_up_says_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("a.b")
    set_up_logging("c.d", verbose=True)
    logging.getLogger("export.onnx").debug("opset 18")
    assert capsys.readouterr().err == "c.d: opset 18\n"


def test_a_record_goes_where_stderr_is_at_that_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """A progress bar puts itself in place of stderr, and prints what is written there above the bar."""
    set_up_logging("a.b")
    with contextlib.redirect_stderr(io.StringIO()) as bar:
        logging.getLogger("runtime.tiles").warning("three windows are blank")
    assert bar.getvalue() == "a.b: three windows are blank\n"
    assert capsys.readouterr().err == ""


def test_other_libraries_loggers_are_left_alone() -> None:
    other, root = logging.getLogger("matplotlib"), logging.getLogger()
    before = other.handlers[:], other.level, root.handlers[:], root.level
    set_up_logging("a.b", verbose=True)
    assert (other.handlers[:], other.level, root.handlers[:], root.level) == before


def test_a_reader_that_goes_away_ends_a_command_without_a_word(toy_tiles: Path) -> None:
    """``python -m runtime.tiles info ... | head -0``: the pipe breaks at the first print or the last flush."""
    code = (
        "import sys; from runtime.command import run_command\n"
        "def command():\n    for _ in range(100_000): print('a line that fills the pipe')\n"
        "sys.exit(run_command('a.b', command))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert isinstance(process.stdout, io.TextIOBase)
    assert process.stdout.readline() == "a line that fills the pipe\n"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.parametrize("err", ["2>&-", "2>/dev/full"])
def test_a_log_that_cannot_be_written_ends_nothing_and_goes_nowhere_else(err: str, tmp_path: Path) -> None:
    """A library that prints to descriptor 2 must not print into the first file that is opened."""
    code = (
        "import logging, os, sys; from runtime.command import run_command\n"
        "def command():\n"
        "    logging.getLogger('runtime').warning('the disk is full')\n"
        "    with open(sys.argv[1], 'wb', buffering=0) as file:\n"
        "        file.write(b'fix ')\n"
        "        try: os.write(2, b'chatter')\n"
        "        except OSError: pass\n"
        "sys.exit(run_command('a.b', command))"
    )
    out = tmp_path / "fixes"
    command = f'exec "$0" -c "$1" "$2" {err}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, code, str(out)], cwd=ROOT, stdout=subprocess.PIPE, check=False
    )
    assert (done.returncode, done.stdout, out.read_bytes()) == (0, b"", b"fix ")
