"""The daemon ended by SIGKILL at random moments of its life, and started again at once, as systemd would."""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from daemon_ears import Ears
from daemon_recording import GrowingFolder, config_text, free_ports

from runtime.errors import SettingsError
from runtime.locate.state import FlightState

ROOT = Path(__file__).parents[1]
_LONGEST_LIFE_S = 8.0
_LOST_S = 60.0  # a life without a position for so long is one that never has any


@dataclass
class KillTally:
    """What was found after each kill."""

    first_fix_s: list[float] = field(default_factory=list)
    """From the start of a process to its first position, of those that were let live until then."""
    killed_before: int = 0
    went_on: int = 0
    """From a state that was kept."""
    torn_lines: int = 0
    broken_lines: int = 0
    broken_states: int = 0
    without_state: int = 0


def kills(flight: Path, tiles: Path, folder: Path, *, count: int, threads: int, seed: int) -> None:
    """Fly over a folder that grows, kill, look at the files, start again; print the tally."""
    rng, tally, ports, config = random.Random(seed), KillTally(), free_ports(), folder / "skyfix.toml"
    with GrowingFolder(flight, folder / "growing") as growing, Ears(ports):
        config.write_text(config_text(growing.path, tiles, ports, threads=threads, follow=True))
        for number in range(count):
            _live(config, rng, tally, until_fix=number % 2 == 0)
            _look(folder, tally)
    _look_at_lines(folder / "fixes.jsonl", tally)
    first = sorted(tally.first_fix_s)
    print(f"kills: {count}, of them {tally.killed_before} before a first position; load {os.getloadavg()[0]:.1f}")
    print(f"  first position after a start: median {statistics.median(first):.1f} s, worst {first[-1]:.1f} s")
    print(f"  went on from a kept state: {tally.went_on}")
    print(f"  state: broken {tally.broken_states}, none yet {tally.without_state}")
    print(f"  fixes.jsonl: torn by a kill {tally.torn_lines}, broken otherwise {tally.broken_lines}")


def _live(config: Path, rng: random.Random, tally: KillTally, *, until_fix: bool) -> None:
    """Let a process live for a while, which begins with its first position or with itself; then kill it."""
    fixes = config.parent / "fixes.jsonl"
    seen_bytes = fixes.stat().st_size if fixes.is_file() else 0
    began_s = time.monotonic()
    end_s = began_s + (_LOST_S if until_fix else rng.uniform(0.0, _LONGEST_LIFE_S))
    with (config.parent / "err.txt").open("w+") as err:
        command = [sys.executable, "-m", "runtime.daemon", "--config", str(config)]
        with subprocess.Popen(command, cwd=ROOT, stderr=err) as process:
            has_fix = False
            while time.monotonic() < end_s and process.poll() is None:
                if not has_fix and _has_fix(fixes, seen_bytes):
                    has_fix, now_s = True, time.monotonic()
                    if until_fix:
                        tally.first_fix_s.append(now_s - began_s)
                        end_s = now_s + rng.uniform(0.0, _LONGEST_LIFE_S / 2)
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
        tally.killed_before += not has_fix
        err.seek(0)
        said = err.read()
    tally.went_on += "going on from the state kept" in said
    if process.returncode != -signal.SIGKILL:
        raise SystemExit(f"the daemon ended by itself: {said}")


def _has_fix(fixes: Path, seen_bytes: int) -> bool:
    if not fixes.is_file() or fixes.stat().st_size == seen_bytes:
        return False
    with fixes.open("rb") as file:
        file.seek(seen_bytes)
        return b'"lat"' in file.read()


def _look(folder: Path, tally: KillTally) -> None:
    """Look at what the killed one has left: a state that is whole or none, and lines."""
    state, fixes = folder / "state.json", folder / "fixes.jsonl"
    if not state.is_file():
        tally.without_state += 1
    else:
        try:
            FlightState.from_json(json.loads(state.read_text(encoding="utf-8"))["state"])
        except (ValueError, LookupError, SettingsError):
            tally.broken_states += 1
    if fixes.is_file() and fixes.stat().st_size:
        with fixes.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            tally.torn_lines += file.read(1) != b"\n"


def _look_at_lines(fixes: Path, tally: KillTally) -> None:
    """Count the lines that are none, beside those that a kill tore and the next start ended."""
    none = 0
    for line in fixes.read_text(encoding="utf-8").splitlines():
        try:
            json.loads(line)
        except ValueError:
            none += 1
    tally.broken_lines = max(none - tally.torn_lines, 0)
