"""A build that is killed at any moment goes on where it was, and ends with the very bytes of one that was not."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path

import pytest

from runtime.tiles.__main__ import main
from tests.runtime.tiles.building.drawn import KILLS_ITSELF, build_like_toy_tiles, check_same, run


@pytest.fixture
def command(small_world: Path, toy_bundle: Path, tmp_path: Path) -> list[str]:
    """The arguments that the cache ``toy_tiles`` was built with."""
    return build_like_toy_tiles(small_world, toy_bundle, tmp_path / "out" / "town.tiles")


def test_a_build_killed_before_any_of_its_steps_goes_on(command: list[str], toy_tiles: Path) -> None:
    out = Path(command[command.index("--out") + 1])
    codes = []
    for allowed in (0, 1, 1, 2, 6, 0, 1, 2, 3, 4, 1, 2, 9):  # steps of each start; the last put map and cache in place
        codes.append(run(["-c", KILLS_ITSELF, str(allowed), *command]).wait(timeout=60))
        assert not out.is_file() or codes[-1] == 0, "the cache appears last"
        if codes[-1] == 0:
            break
    assert codes[-1] == 0
    assert codes.count(-signal.SIGKILL) >= 9
    check_same(out, toy_tiles)


def test_a_build_killed_at_random_moments_goes_on(command: list[str], toy_tiles: Path) -> None:
    moments = random.Random(0)
    for _ in range(4):
        process = run(["-m", "runtime.tiles", *command])
        try:
            process.wait(timeout=moments.uniform(0.5, 2.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert main(command) == 0
    check_same(Path(command[command.index("--out") + 1]), toy_tiles)


def test_a_block_spoilt_on_disk_is_embedded_again(command: list[str], toy_tiles: Path) -> None:
    out = Path(command[command.index("--out") + 1])
    assert run(["-c", KILLS_ITSELF, "6", *command]).wait(timeout=60) == -signal.SIGKILL
    finished = sorted(path for path in (out.parent / "town.tiles.building").glob("*/*") if path.suffix != ".partial")
    assert finished
    data = bytearray(finished[0].read_bytes())
    data[-1] ^= 1
    finished[0].write_bytes(data)
    assert main(command) == 0
    check_same(out, toy_tiles)


@pytest.mark.parametrize("other", [["--footprints", "64"], ["--accuracy", "3"]])
def test_another_build_is_not_mixed_into_an_unfinished_one(
    other: list[str], command: list[str], toy_tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-c", KILLS_ITSELF, "4", *command]).wait(timeout=60) == -signal.SIGKILL
    assert main([*command, *other]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "unfinished build of something else" in error
    assert "rm -r" in error
    assert main(command) == 0, "the one that was begun can still be finished"
    check_same(Path(command[command.index("--out") + 1]), toy_tiles)
