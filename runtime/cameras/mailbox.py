"""What a camera's process and its parent share: reports through a socket, pictures through memory without a name.

A slot belongs to one of the two at any time. The child writes into a slot that it owns and hands it over with a report;
the parent hands it back when the picture is copied, or when a newer one has come. So no picture is ever torn.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from runtime.types import Picture

SLOTS = 4  # one is being copied, one waits, one is being written, one is on its way


@dataclass(frozen=True, slots=True)
class SourceOpened:
    """The source is open, and no picture has come yet."""


@dataclass(frozen=True, slots=True)
class PictureWritten:
    """A slot now belongs to the parent."""

    number: int  # of the pictures that this process has read, from 1: a gap tells how many it left out
    slot: int
    shape: tuple[int, ...]
    exposed_at_us: int
    name: str


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """The process ends. ``kind`` is a SkyfixError where nothing will mend it, else OSError."""

    kind: type[Exception]
    text: str


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """The last picture has been read; the process ends."""


Report: TypeAlias = "SourceOpened | PictureWritten | SourceFailed | SourceEnded"


class PictureSlot:
    """Memory for one picture, of whatever size. It has no name, so nothing is left over however its users end."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory: mmap.mmap | None = None

    @classmethod
    def create(cls) -> PictureSlot:
        """Make an empty slot; raises OSError."""
        return cls(os.memfd_create("skyfix-picture"))

    def write(self, picture: Picture) -> None:
        """Copy a picture in; the memory grows where it is too small."""
        if os.fstat(self.fd).st_size < picture.nbytes:
            os.ftruncate(self.fd, picture.nbytes)
        self.view(picture.shape)[:] = picture

    def view(self, shape: tuple[int, ...]) -> Picture:
        """Return the picture of this shape that lies in the slot, without a copy."""
        size = int(np.prod(shape))
        if size == 0:
            return np.empty(shape, np.uint8)
        if self._memory is None or len(self._memory) < size:
            self._memory = mmap.mmap(self.fd, 0)  # an older one lives on for as long as somebody looks at it
        return np.frombuffer(self._memory, np.uint8, size).reshape(shape)

    def close(self) -> None:
        """Close the file; pictures that are being looked at stay."""
        os.close(self.fd)
