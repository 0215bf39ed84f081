"""The daemon as a process: lines out, signals in."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from runtime.daemon.__main__ import main
from runtime.daemon.example import EXAMPLE
from tests.paths import ROOT


@pytest.fixture
def config(small_world: Path, toy_tiles: Path, toy_bundle: Path, tmp_path: Path) -> Path:
    """A ``skyfix.toml`` over a copy of the small flight."""
    folder = Path(shutil.copytree(small_world / "flight", tmp_path / "flight"))
    path = tmp_path / "skyfix.toml"
    path.write_text(
        f'[map]\ntiles = "{toy_tiles}"\n'
        f'[model]\nbundle = "{toy_bundle}"\nthreads = 1\n'
        f'[camera]\nsource = "flight"\ncalibration = "{folder}/camera.yaml"\n'
    )
    return path


Start = Callable[[Path], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """The daemon in a process of its own, without the user's matcher; gone when the test is over."""
    with contextlib.ExitStack() as running:

        def run(config: Path) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", "runtime.daemon", "--config", str(config)],
                cwd=ROOT,
                env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "none")},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield run


def read_line(stream: IO[str] | None) -> dict[str, object]:
    assert stream is not None
    found: dict[str, object] = json.loads(stream.readline())
    return found


def test_a_folder_becomes_a_line_a_frame_and_the_daemon_ends_with_it(start: Start, config: Path) -> None:
    out, err = start(config).communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["t_us"] for line in lines] == [k * 2_000_000 for k in range(6)]
    assert all("lat" in line or "no_fix" in line for line in lines)
    assert "no local features" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well_after_whole_lines(number: signal.Signals, start: Start, config: Path) -> None:
    config.write_text(config.read_text() + "follow = true\n")
    process = start(config)
    first = read_line(process.stdout)
    assert first["t_us"] == 10_000_000, "the newest row of a folder that is followed"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert all(json.loads(line) for line in out.splitlines())
    assert "Traceback" not in err


def test_a_signal_ends_it_also_while_it_waits_for_the_next_frame(start: Start, config: Path, tmp_path: Path) -> None:
    table = tmp_path / "flight/telemetry.csv"
    header, first, *rest = table.read_text().splitlines(keepends=True)
    later = [f"{3_600_000_000 + k},{row.partition(',')[2]}" for k, row in enumerate(rest)]
    table.write_text("".join([header, first, *later]))
    config.write_text(config.read_text() + "realtime = true\n")
    process = start(config)
    assert read_line(process.stdout)["t_us"] == 0
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)  # by now it sleeps
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err


def test_it_follows_a_folder_that_grows_into_a_file(start: Start, config: Path, tmp_path: Path) -> None:
    table = tmp_path / "flight/telemetry.csv"
    header, *rows = table.read_text().splitlines(keepends=True)
    table.write_text(header + rows[0])
    config.write_text(config.read_text() + 'follow = true\n[[link]]\nkind = "jsonl"\npath = "fixes.jsonl"\n')
    process = start(config)
    fixes = tmp_path / "fixes.jsonl"
    for count, row in enumerate((*rows[1:3], ""), 1):
        for _ in range(400):
            if fixes.is_file() and fixes.read_text().count("\n") == count:
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
        with table.open("a") as file:
            file.write(row)
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out == ""
    assert [json.loads(line)["t_us"] for line in fixes.read_text().splitlines()] == [0, 2_000_000, 4_000_000]
    assert "fixes.jsonl" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_recording_whose_verdicts_were_not_written_ends_with_an_error(
    start: Start, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    links = '[[link]]\nkind = "jsonl"\npath = "full.jsonl"\n[[link]]\nkind = "jsonl"\npath = "fixes.jsonl"\n'
    config.write_text(config.read_text() + links)
    process = start(config)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1] == (
        f"runtime.daemon: jsonl {tmp_path}/full.jsonl has 0 of 6 verdicts: No space left on device"
    )
    assert "Traceback" not in err
    assert len((tmp_path / "fixes.jsonl").read_text().splitlines()) == 6


def test_a_reader_that_goes_away_ends_it_without_a_word(start: Start, config: Path) -> None:
    process = start(config)
    assert process.stdout is not None
    assert process.stderr is not None
    read_line(process.stdout)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 0
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "flight"', 'source = "none"', "none is missing"),
        ('source = "flight"', 'source = "skyfix.toml"', "telemetry must name"),
        ("camera.yaml", "cam.yaml", "[camera] calibration is "),
        ("town.tiles", "no.tiles", "[map] tiles is "),
        ("toy.bundle", "no.bundle", "[model] bundle is "),
        ("[camera]", "[start]\nlat = 47.6\nlon = 8.2\nradius_m = 500\n[camera]", "km off the map"),
        ("threads = 1", 'threads = "all"', "threads is 'all'"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(*, old: str, new: str, said: str, start: Start, config: Path) -> None:
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))
    process = start(config)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    lines = [line for line in err.splitlines() if "no local features" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("runtime.daemon: ")
    assert said in lines[0]


def test_the_example_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--example"]) == 0
    assert capsys.readouterr().out == EXAMPLE
