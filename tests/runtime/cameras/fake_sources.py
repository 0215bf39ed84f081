"""Cameras that go wrong in every way, for a process of their own to import."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.cameras.source import Shot
from runtime.errors import SettingsError


def shade(number: int, width_px: int = 64, height_px: int = 48) -> Shot:
    """The picture of this number: its shade, all over, in three bytes."""
    colour = np.array([number >> 16 & 255, number >> 8 & 255, number & 255], np.uint8)
    return Shot(np.tile(colour, (height_px, width_px, 1)), time.monotonic_ns() // 1000, str(number))


def number_of(shot: Shot) -> int:
    """The number that is in every pixel of a picture; -1 for one that is torn."""
    assert (shot.picture == shot.picture[0, 0]).all(), "a torn picture"
    red, green, blue = (int(v) for v in shot.picture[0, 0])
    return red << 16 | green << 8 | blue


@dataclass
class FakeCamera:
    """Pictures 1, 2, 3 ... with a pause between; it counts how often it was opened in a file of ``home``."""

    home: Path
    pause_s: float = 0.02
    number: int = 0
    name: str = "fake camera"

    def open(self) -> None:
        print("a driver's chatter", flush=True)
        with (self.home / "opened").open("a") as file:
            file.write(f"{time.monotonic()}\n")

    def read(self) -> Shot | None:
        time.sleep(self.pause_s)
        self.number += 1
        return shade(self.number)

    def close(self) -> None:
        (self.home / "closed").touch()


class Hanging(FakeCamera):
    """Hangs for ever after its third picture."""

    def read(self) -> Shot | None:
        while self.number == 3:
            time.sleep(60.0)
        return super().read()


class HangingAtFirst(FakeCamera):
    """Never comes back from being opened the first time."""

    def open(self) -> None:
        super().open()
        while len((self.home / "opened").read_text().splitlines()) == 1:
            time.sleep(60.0)


class Unplugged(FakeCamera):
    """Cannot be opened until ``plugged`` lies in its home."""

    def open(self) -> None:
        super().open()
        if not (self.home / "plugged").exists():
            raise OSError(f"{self.name} is not plugged in")


class Impossible(FakeCamera):
    def open(self) -> None:
        raise SettingsError("fake camera has no mode 7; expected 0 to 3")


class Crashing(FakeCamera):
    """Its driver ends the process at the second picture."""

    def read(self) -> Shot | None:
        if self.number == 1:
            os.abort()
        return super().read()


class Growing(FakeCamera):
    """Pictures of three sizes in turn, and one that could not be read."""

    def read(self) -> Shot | None:
        shot = super().read()
        assert shot is not None
        width_px, height_px = ((0, 0), (64, 48), (320, 240), (32, 24))[self.number % 4]
        return shade(self.number, width_px, height_px)


class Finite(FakeCamera):
    """Ends after its fifth picture."""

    def read(self) -> Shot | None:
        if self.number == 5:
            raise EOFError
        return super().read()


class Large(FakeCamera):
    """Pictures of 1.4 MB as quickly as they can be made."""

    def read(self) -> Shot | None:
        self.number += 1
        return shade(self.number, 800, 600)
